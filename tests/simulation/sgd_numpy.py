"""A slow, readable twin of the simulation: NumPy, one vector at a time, no derivative by hand.

Derivatives are complex steps, Im f(x + ih)/h, which are exact to machine precision; so nothing
here may use abs, norm or a comparison of complex numbers.
"""

import numpy as np
from scipy.special import erf

STEP = 1e-30


def attention(name, chi, offset, prefactor):
    """(L,) weights from scores (L, H): the table of activations, literally."""
    tokens, heads = chi.shape
    shifted = chi - offset
    weights = np.zeros(tokens, dtype=shifted.dtype)
    w = np.exp(shifted)
    if name == "bayes_softmax":
        return w.sum(axis=1) / w.sum()
    for h in range(heads):
        if name == "softmax":
            weights += w[:, h] / w[:, h].sum() / heads
        elif name == "softmax1":
            weights += w[:, h] / (1 + w[:, h].sum())
        elif name == "softplus":
            positive = np.log(1 + w[:, h])
            weights += positive / positive.sum() / heads
        elif name == "linear":
            weights += prefactor * (1 + shifted[:, h])
        elif name == "erf":
            weights += prefactor * (1 + erf(shifted[:, h]))
        else:
            raise ValueError(name)
    return weights


def draw_sequence(rng, model, teacher):
    """Tokens (L, d), marked position and label, in the simulation's order of draws."""
    dimension = teacher.value.size
    signal = model.signal
    component = np.searchsorted(np.cumsum(signal.probabilities), rng.random(), side="right")
    marked = int(model.tokens * rng.random())
    theta = signal.means[component].copy()
    if not signal.is_discrete:
        values, vectors = np.linalg.eigh(signal.covariances[component])
        theta += (vectors * np.sqrt(values)) @ vectors.T @ rng.standard_normal(signal.features)
    tokens = rng.standard_normal((model.tokens, dimension))
    tokens[marked] += theta @ teacher.features / np.sqrt(dimension)
    noise = model.label_noise * rng.standard_normal()
    return tokens, tokens[marked] @ teacher.value / np.sqrt(dimension) + noise


def loss(model, batch, heads, value, offset):
    """Mean of ½ (y − f)² over a batch, as a function of all the weights."""
    dimension = value.size
    if model.is_nishimori:
        offset = (heads * heads).sum(axis=1) / (2 * dimension)
    total = 0
    for tokens, label in batch:
        chi = tokens @ heads.T / np.sqrt(dimension)
        z = tokens @ value / np.sqrt(dimension)
        prediction = attention(model.activation.name, chi, offset, model.prefactor) @ z
        total = total + 0.5 * (label - prediction) ** 2
    return total / len(batch)


def gradient(function, point):
    """All the partial derivatives of ``function`` at an array, by complex steps."""
    result = np.empty(point.shape)
    for index in np.ndindex(point.shape):
        moved = point.astype(complex)
        moved[index] += 1j * STEP
        result[index] = function(moved).imag / STEP
    return result


def sgd_step(rng, model, training, teacher, heads, value, offset):
    """Weights after one step."""
    dimension = teacher.value.size
    batch = [draw_sequence(rng, model, teacher) for _ in range(training.batch_size)]
    new_heads = heads - training.learning_rate * (
        gradient(lambda k: loss(model, batch, k, value, offset), heads)
        + training.weight_decay * heads / dimension
    )
    new_value, new_offset = value, offset
    if model.learns_value:
        slope = gradient(lambda v: loss(model, batch, heads, v, offset), value)
        new_value = value - training.value_learning_rate * slope
    if model.learns_offset:
        slope = gradient(lambda b: loss(model, batch, heads, value, b), offset)
        new_offset = offset - training.offset_learning_rate * slope / dimension
    return new_heads, new_value, new_offset
