"""Where the searches for the optimal risk start."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.statics.landscape import Point

# Random starts cycle through these widths, in units of the signal's typical strength; every other
# one has a residual, too.
WIDTHS = (0.3, 1.0, 2.0)
# Away from the symmetric points themselves, which are saddles as often as not.
NUDGE = 0.1


def starting_points(model: Model, count: int, seed: int) -> Iterator[Point]:
    """Heads at the points of the signal, at its mean, near zero; from then on at random."""
    streams = np.random.SeedSequence(seed).spawn(count)
    informed = (_at_the_points, _at_the_mean, _near_zero)
    for i, stream in enumerate(streams):
        rng = np.random.default_rng(stream)
        if i < len(informed):
            M = informed[i](model, rng)
            A = np.zeros((model.heads, 0))
        else:
            M, A = _at_random(model, i - len(informed), rng)
        yield _complete(model, M, A, rng, informed=i < len(informed))


def given_point(model: Model, state: OrderParameters) -> Point:
    """The coordinates of a start that the caller gives."""
    return Point.of(model, model.check_state(state))


def signal_strength(model: Model) -> float:
    """Root mean square of |θ|; 1 for a signal that vanishes."""
    return model.signal.strength or 1.0


def _at_the_points(model: Model, rng: np.random.Generator) -> Array:
    """Head h at the component of h-th largest probability, and again from the first on.

    Only heads that share a component are nudged apart.
    """
    signal = model.signal
    order = np.argsort(-signal.probabilities, kind="stable")
    M = signal.means[np.resize(order, model.heads)].copy()
    if model.heads > signal.components:
        M += NUDGE * rng.standard_normal(M.shape)
    if not signal.is_discrete:
        M += 0.5 * (signal.sample(rng, model.heads) - signal.mean)
    return M


def _at_the_mean(model: Model, rng: np.random.Generator) -> Array:
    deviation = np.sqrt(np.diag(model.signal.covariance))
    noise = rng.standard_normal((model.heads, model.features))
    return model.signal.mean + NUDGE * noise * np.maximum(deviation, NUDGE)


def _near_zero(model: Model, rng: np.random.Generator) -> Array:
    return NUDGE * rng.standard_normal((model.heads, model.features))


def _at_random(model: Model, number: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Signals drawn from P_θ, scaled and blurred; every other time with a residual."""
    H, F = model.heads, model.features
    width = WIDTHS[number % len(WIDTHS)] * signal_strength(model) / np.sqrt(F)
    M = rng.uniform(0.0, 1.5, size=(H, 1)) * model.signal.sample(rng, H)
    M += width * rng.standard_normal((H, F))
    A = 0.5 * rng.standard_normal((H, H)) if number % 2 else np.zeros((H, 0))
    return M, A


def _complete(model: Model, M: Array, A: Array, rng: np.random.Generator, informed: bool) -> Point:
    """Add offsets and value where they are learned."""
    offset = None
    if model.learns_offset:
        offset = _offset_for(model, M, A)
        if not informed:
            offset = offset + 0.5 * rng.standard_normal(model.heads)
    return Point(M, A, offset, 1.0 if model.learns_value else None)


def _offset_for(model: Model, M: Array, A: Array) -> Array:
    """½ Q_hh − log p_h, the Bayes value for heads at support points, if scores are exponential."""
    if not model.activation.is_exponential:
        return np.zeros(model.heads)
    half: Array = 0.5 * ((M**2).sum(axis=1) + (A**2).sum(axis=1))
    if model.activation.normalization != "pooled":
        return half
    distance = ((M[:, None] - model.signal.means) ** 2).sum(axis=2)
    nearest = distance.argmin(axis=1)
    shared = np.bincount(nearest, minlength=model.signal.components)[nearest]
    result: Array = half - np.log(model.signal.probabilities[nearest] / shared)
    return result
