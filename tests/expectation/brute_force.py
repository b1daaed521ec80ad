"""The slow, readable twin of ``headode.expectation``: plain Monte Carlo over sequences.

Everything random is sampled: the marked token, the signal, the teacher's and the student's local
fields, the values and the label noise. Nothing is averaged by hand, integrated by parts or taken
from the package but the model's plain data; the attention weights below are the model's table,
written out once more. Used only as an oracle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

from headode.model import Model
from headode.order_parameters import OrderParameters

Array = NDArray[np.float64]

CHUNK = 50_000


@dataclass(frozen=True)
class Estimate:
    """A sample mean and its standard error, entry by entry."""

    value: Array
    standard_error: Array

    def deviations(self, expected: float | Array) -> float:
        """Largest ``|mean − expected|`` in units of the standard error.

        The 1e-12 is for quantities that do not fluctuate at all, which carry only roundoff.
        """
        return float(np.max(np.abs(self.value - expected) / (self.standard_error + 1e-12)))


@dataclass(frozen=True)
class BruteForceUpdate:
    """Estimates of the terms of the order-parameter ODE, straight from the SGD update.

    Attributes:
        risk: ``E L`` with ``L = ½(y − f)²``.
        G: ``E[θ_f ∂L/∂χ_εh]``.
        drift_M: ``E[Σ_l ∂L/∂χ_lh χ*_lf]``, which must equal ``G + C M``.
        drift_Q: ``E[Σ_l ∂L/∂χ_lh χ_lk]``, which must equal ``G Mᵀ + C Q``. For a ``nishimori``
            offset both drifts include what SGD adds through b_h = |k_h|²/2d.
        N: ``E[Σ_l ∂L/∂χ_lh ∂L/∂χ_lk]``.
        marked_attention: ``E A_ε``.
        squared_attention: ``E Σ_l A_l²``.
        value_noise: ``E[(y − f)² Σ_l A_l²]``.
        offset_gradient: ``E[∂L/∂b_h] = −E[Σ_l ∂L/∂χ_lh]``.
    """

    risk: Estimate
    G: Estimate
    drift_M: Estimate
    drift_Q: Estimate
    N: Estimate
    marked_attention: Estimate
    squared_attention: Estimate
    value_noise: Estimate
    offset_gradient: Estimate


def brute_force_update(
    model: Model,
    state: OrderParameters,
    samples: int,
    rng: np.random.Generator,
    weights: Callable[[Array], Array] | None = None,
) -> BruteForceUpdate:
    """Estimate the expected updates from ``samples`` sampled sequences.

    Args:
        model: any model with one of the six built-in activations, or with any other one if its
            ``weights`` are given.
        state: where to evaluate.
        samples: number of sequences.
        rng: source of randomness.
        weights: attention ``A`` (n, L) as a function of the shifted scores χ − b (n, L, H), for
            an activation that is not built in; differentiated by central differences.
    """
    sums: dict[str, Array] = {}
    squares: dict[str, Array] = {}
    for start in range(0, samples, CHUNK):
        drawn = _sample_updates(model, state, min(CHUNK, samples - start), rng, weights)
        for name, entries in drawn.items():
            sums[name] = sums.get(name, 0.0) + entries.sum(axis=0)
            squares[name] = squares.get(name, 0.0) + (entries**2).sum(axis=0)

    def estimate(name: str) -> Estimate:
        mean = sums[name] / samples
        variance = np.clip(squares[name] / samples - mean**2, 0.0, None)
        return Estimate(mean, np.sqrt(variance / (samples - 1)))

    return BruteForceUpdate(**{f.name: estimate(f.name) for f in fields(BruteForceUpdate)})


def _sample_updates(
    model: Model,
    state: OrderParameters,
    count: int,
    rng: np.random.Generator,
    weights: Callable[[Array], Array] | None,
) -> dict[str, Array]:
    """One sampled SGD update per row, each quantity as an array with ``count`` rows."""
    M, Q, offset = state.M, state.Q, model.offsets(state)
    rows = np.arange(count)

    # The sequence: teacher fields, student fields, values, label.
    marked = rng.integers(model.tokens, size=count)
    theta = model.signal.sample(rng, count)
    teacher = rng.standard_normal((count, model.tokens, model.features))
    teacher[rows, marked] += theta
    # eigh rather than Cholesky: R may be singular.
    eigenvalues, eigenvectors = np.linalg.eigh(state.R)
    root = eigenvectors * np.sqrt(np.clip(eigenvalues, 0.0, None))
    chi = teacher @ M.T + rng.standard_normal((count, model.tokens, model.heads)) @ root.T
    true_value = rng.standard_normal((count, model.tokens))
    unexplained = np.sqrt(max(state.q_v - state.m_v**2, 0.0))
    value = state.m_v * true_value + unexplained * rng.standard_normal((count, model.tokens))
    label = true_value[rows, marked] + model.label_noise * rng.standard_normal(count)

    # The student: weights, error, and the gradient of its loss with respect to the scores.
    shifted = chi - offset
    if weights is None:
        attention, slope = _built_in(model.activation.name, shifted, value, model.prefactor)
    else:
        attention, slope = weights(shifted), central_differences(weights, shifted, value)
    error = label - np.einsum("nl,nl->n", attention, value)
    gradient = -error[:, None, None] * slope
    squared_attention = np.einsum("nl,nl->n", attention, attention)
    offset_gradient = -gradient.sum(axis=1)

    drift_M = np.einsum("nlh,nlf->nhf", gradient, teacher)
    drift_Q = np.einsum("nlh,nlk->nhk", gradient, chi)
    if model.is_nishimori:
        drift_M += offset_gradient[:, :, None] * M
        drift_Q += offset_gradient[:, :, None] * Q
    return {
        "risk": 0.5 * error**2,
        "G": gradient[rows, marked][:, :, None] * theta[:, None, :],
        "drift_M": drift_M,
        "drift_Q": drift_Q,
        "N": np.einsum("nlh,nlk->nhk", gradient, gradient),
        "marked_attention": attention[rows, marked],
        "squared_attention": squared_attention,
        "value_noise": error**2 * squared_attention,
        "offset_gradient": offset_gradient,
    }


def _built_in(name: str, s: Array, value: Array, prefactor: float) -> tuple[Array, Array]:
    """Attention (n, L) and ``Σ_j z_j ∂A_j/∂χ_lh`` (n, L, H) at shifted scores ``s`` (n, L, H)."""
    heads = s.shape[2]
    z = value[:, :, None]
    if name == "linear":
        return prefactor * (1 + s).sum(axis=2), prefactor * z * np.ones_like(s)
    if name == "erf":
        slope = 2 / np.sqrt(np.pi) * np.exp(-(s**2))
        return prefactor * (1 + erf(s)).sum(axis=2), prefactor * z * slope
    if name == "bayes_softmax":
        w = np.exp(s - s.max(axis=(1, 2), keepdims=True))
        p = w / w.sum(axis=(1, 2), keepdims=True)
        return p.sum(axis=2), p * (z - (p * z).sum(axis=(1, 2), keepdims=True))
    if name == "softplus":
        w, slope = np.logaddexp(0.0, s), expit(s)
        total = w.sum(axis=1, keepdims=True)
        mean_value = (w * z).sum(axis=1, keepdims=True) / total
        return (w / total).mean(axis=2), slope / total * (z - mean_value) / heads
    if name not in ("softmax", "softmax1"):
        raise ValueError(f"no hand-written weights for {name}; give `weights`")
    top = np.maximum(s.max(axis=1, keepdims=True), 0.0)
    w = np.exp(s - top)
    p = w / (w.sum(axis=1, keepdims=True) + (np.exp(-top) if name == "softmax1" else 0.0))
    scale = 1.0 if name == "softmax1" else 1.0 / heads
    return scale * p.sum(axis=2), scale * p * (z - (p * z).sum(axis=1, keepdims=True))


def central_differences(weights: Callable[[Array], Array], s: Array, value: Array) -> Array:
    """``Σ_j z_j ∂A_j/∂χ_lh`` by central differences; its error, about 1e-10, is far below noise."""
    step = 1e-5
    slope = np.empty_like(s)
    for l in range(s.shape[1]):
        for h in range(s.shape[2]):
            up, down = s.copy(), s.copy()
            up[:, l, h] += step
            down[:, l, h] -= step
            difference = weights(up) - weights(down)
            slope[:, l, h] = np.einsum("nl,nl->n", value, difference) / (2 * step)
    return slope
