"""Means of ensembles extrapolated to d → ∞, with their standard errors.

SGD at dimension d differs from the ODE by fluctuations of order d^(-1/2), which differ between
runs, and by a bias of order 1/d (steps of size 1/d, and fluctuations entering nonlinearly). From
ensembles at several dimensions, the polynomial in 1/d through their means,

    mean_∞ = Σ_i w_i mean_i ,    w_i = Π_{j≠i} d_i / (d_i − d_j) ,

has a bias of order d^-J with J ensembles: of order 1/d³ with three.

Few runs are affordable at the largest dimension, and a standard error estimated from few runs is
itself so uncertain that a sound test of hundreds of quantities would accept anything. But many runs
are cheap at smaller dimensions, and variances scale as 1/d: so the variance is pooled from the two
largest ones. The third has too little weight in the mean for its variance to matter, and is the
first whose variance departs from 1/d.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array

# Significance at which the variance at d counts as larger than the next ensemble predicts.
# Fluctuations are then not small (heads that split, say), and the few runs at d must speak for
# themselves. Generous, since doing so without need only costs power.
SCALING_LEVEL = 0.05


# A standard deviation below this is roundoff of overlaps of order one: they do not vary.
ROUNDOFF = 1e-12


class Sample(NamedTuple):
    """One variable of an ensemble.

    Attributes:
        values: (n, T, ...) of the runs, n ≥ 2.
        dimension: d.
        noise: variance of the measurement itself, which does not scale with d; (T, ...), or 0.
            Only the Monte Carlo estimate of the risk has one.
    """

    values: Array
    dimension: int
    noise: Array

    @property
    def runs(self) -> int:
        """n."""
        return len(self.values)


class Estimate(NamedTuple):
    """Means extrapolated to d → ∞.

    Attributes:
        mean: (T, ...).
        standard_error: (T, ...), of the mean.
        degrees_of_freedom: (T, ...), of the standard error.
    """

    mean: Array
    standard_error: Array
    degrees_of_freedom: Array


def richardson_weights(dimensions: Sequence[int]) -> Array:
    """w_i of the extrapolation; they sum to 1 and cancel the powers 1/d, ..., d^-(J−1)."""
    d = np.asarray(dimensions, dtype=float)
    gaps = d[:, None] - d
    np.fill_diagonal(gaps, 1.0)
    factors = d[:, None] / gaps
    np.fill_diagonal(factors, 1.0)
    result: Array = factors.prod(axis=1)
    return result


def extrapolate(samples: Sequence[Sample], usable: NDArray[np.bool_] | None = None) -> Estimate:
    """Extrapolate the means of two or three ensembles, the largest dimension first.

    Args:
        samples: of the same variable.
        usable: (T,) when the third one takes part; None: always.
    """
    with_two = _combine(samples[:2])
    if len(samples) == 2 or (usable is not None and not usable.any()):
        return with_two
    with_three = _combine(samples)
    if usable is None:
        return with_three
    chosen = usable.reshape(-1, *(1,) * (with_two.mean.ndim - 1))
    return Estimate(*(np.where(chosen, a, b) for a, b in zip(with_three, with_two, strict=True)))


def _combine(samples: Sequence[Sample]) -> Estimate:
    weights = richardson_weights([each.dimension for each in samples])
    means = [each.values.mean(axis=0) for each in samples]
    own = [each.values.var(axis=0, ddof=1) for each in samples]
    pooled, scales = _pooled(samples[0], samples[1])
    # Runs of the third ensemble speak for themselves: they are many.
    shared = [*pooled, *own[2:]]
    squares = [w**2 / each.runs for w, each in zip(weights, samples, strict=True)]
    runs = [each.runs for each in samples]
    mean = sum(w * m for w, m in zip(weights, means, strict=True))
    variance = np.where(scales, _total(squares, shared), _total(squares, own))
    degrees = np.where(scales, float(runs[0] + runs[1] - 2), _welch(squares, own, runs))
    return Estimate(np.asarray(mean), np.sqrt(variance), degrees)


def _pooled(fine: Sample, coarse: Sample) -> tuple[tuple[Array, Array], NDArray[np.bool_]]:
    """Variances of a run of both, pooled; and where the one at d is no larger than predicted."""
    from scipy.stats import f as f_distribution

    n, m, ratio = fine.runs, coarse.runs, fine.dimension / coarse.dimension
    own = fine.values.var(axis=0, ddof=1)
    intrinsic = np.maximum(coarse.values.var(axis=0, ddof=1) - coarse.noise, 0.0)
    predicted = intrinsic / ratio + fine.noise
    pooled = ((n - 1) * own + (m - 1) * predicted) / (n + m - 2)
    ratio_of_variances = np.where(own > 0, np.inf, 1.0)
    np.divide(own, predicted, out=ratio_of_variances, where=predicted > 0)
    bound = f_distribution.ppf(1 - SCALING_LEVEL, n - 1, m - 1)
    # Neither it nor, so that chance hides nothing, the average over its variable at that time.
    average = ratio_of_variances.reshape(len(own), -1).mean(axis=1)
    scales = (ratio_of_variances <= bound) & (average <= bound).reshape(-1, *(1,) * (own.ndim - 1))
    of_coarse = ratio * np.maximum(pooled - fine.noise, 0.0) + coarse.noise
    return (pooled, of_coarse), scales


def _total(squares: Sequence[float], variances: Sequence[Array]) -> Array:
    """Variance of the extrapolated mean from the variances of a run of each ensemble."""
    return np.asarray(sum(s * v for s, v in zip(squares, variances, strict=True)))


def _welch(squares: Sequence[float], variances: Sequence[Array], runs: Sequence[int]) -> Array:
    """Welch–Satterthwaite degrees of freedom of the total; n − 1 where nothing varies."""
    parts = [s * v for s, v in zip(squares, variances, strict=True)]
    spread = np.asarray(sum(p**2 / (n - 1) for p, n in zip(parts, runs, strict=True)))
    degrees = np.full(spread.shape, float(runs[0] - 1))
    np.divide(np.asarray(sum(parts)) ** 2, spread, out=degrees, where=spread > 0)
    return degrees
