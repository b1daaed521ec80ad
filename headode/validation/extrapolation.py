"""Means of an ensemble extrapolated to d → ∞, with their standard errors.

SGD at dimension d differs from the ODE by fluctuations of order d^(-1/2), which differ between
runs, and by a bias of order 1/d (steps of size 1/d, and fluctuations entering nonlinearly). With a
second ensemble at the smaller dimension ``d_c = d/r``,

    mean_∞ = (r mean_d − mean_{d_c}) / (r − 1)

has a bias of order 1/d² only. Few runs are affordable at d, and a standard error estimated from
few runs is itself so uncertain that a sound test of hundreds of quantities would accept anything.
But many runs are cheap at d_c, and variances scale as 1/d: so the variance is pooled from both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from headode._checks import Array

# Significance at which the variance at d counts as larger than d_c predicts. Fluctuations are then
# not small (heads that split, say), and the few runs at d must speak for themselves. Generous,
# since doing so without need only costs power.
SCALING_LEVEL = 0.05


class Estimate(NamedTuple):
    """Means extrapolated to d → ∞.

    Attributes:
        mean: (T, ...).
        standard_error: (T, ...), of the mean.
        degrees_of_freedom: (T, ...), of the standard error.
        scaling: (T,) variance at d in units of what the variance at d_c predicts, averaged over
            the entries of the variable.
    """

    mean: Array
    standard_error: Array
    degrees_of_freedom: Array
    scaling: Array


def extrapolate(
    fine: Array, coarse: Array, ratio: float, fine_noise: Array, coarse_noise: Array
) -> Estimate:
    """Richardson extrapolation of ensemble means in 1/d.

    Args:
        fine: (n, T, ...) runs at dimension d, n ≥ 2.
        coarse: (m, T, ...) runs at dimension d/ratio, m ≥ 2.
        ratio: r > 1.
        fine_noise: variance of the measurement itself at d, which does not scale with d; (T, ...)
            or 0. Only the Monte Carlo estimate of the risk has one.
        coarse_noise: likewise at d/ratio.
    """
    n, m = len(fine), len(coarse)
    mean = (ratio * fine.mean(axis=0) - coarse.mean(axis=0)) / (ratio - 1)
    fine_variance, coarse_variance = fine.var(axis=0, ddof=1), coarse.var(axis=0, ddof=1)
    # Equal to coarse_variance / ratio without measurement noise, and never negative.
    predicted = np.maximum(coarse_variance - coarse_noise, 0.0) / ratio + fine_noise
    pooled = ((n - 1) * fine_variance + (m - 1) * predicted) / (n + m - 2)
    intrinsic = np.maximum(pooled - fine_noise, 0.0)
    scaling = _scaling(fine_variance, predicted)
    scales = scaling <= scaling_bounds(n, m, SCALING_LEVEL)[1]
    scales = scales.reshape(-1, *(1,) * (mean.ndim - 1))
    shared = _weighted(pooled / n, (ratio * intrinsic + coarse_noise) / m, ratio)
    alone = _weighted(fine_variance / n, coarse_variance / m, ratio)
    welch = _welch(fine_variance / n, coarse_variance / m, ratio, n, m)
    return Estimate(
        mean,
        np.sqrt(np.where(scales, shared, alone)),
        np.where(scales, float(n + m - 2), welch),
        scaling,
    )


def scaling_bounds(n: int, m: int, level: float) -> tuple[float, float]:
    """Between these bounds ``scaling`` is with probability 1 − 2 level, or more.

    The quantiles of F for a single quantity; averages over several are closer to 1.
    """
    from scipy.stats import f as f_distribution

    quantiles = f_distribution.ppf([level, 1 - level], n - 1, m - 1)
    return float(quantiles[0]), float(quantiles[1])


def _scaling(fine: Array, predicted: Array) -> Array:
    """(T,) average ratio over the entries at each time; entries that do not vary have ratio 1."""
    ratio = np.where(fine > 0, np.inf, 1.0)
    np.divide(fine, predicted, out=ratio, where=predicted > 0)
    result: Array = ratio.reshape(len(ratio), -1).mean(axis=1)
    return result


def _weighted(fine: Array, coarse: Array, ratio: float) -> Array:
    """Variance of the extrapolated mean from those of the two means."""
    result: Array = (ratio**2 * fine + coarse) / (ratio - 1) ** 2
    return result


def _welch(fine: Array, coarse: Array, ratio: float, n: int, m: int) -> Array:
    """Welch–Satterthwaite degrees of freedom of :func:`_weighted`; n − 1 where nothing varies."""
    a, b = ratio**2 * fine, coarse
    spread = a**2 / (n - 1) + b**2 / (m - 1)
    degrees = np.full(np.shape(a), float(n - 1))
    np.divide((a + b) ** 2, spread, out=degrees, where=spread > 0)
    return degrees
