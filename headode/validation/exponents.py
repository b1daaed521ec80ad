"""How deviations from the ODE depend on d: exponents of the fluctuations and of the bias.

Expected are −1/2 and −1. Overlaps at different times, and of different heads, are correlated, so
that statistical errors come from leaving out one run at a time, not from counting entries. Both
laws are asymptotic; what corrections of relative order 1/d may do to a fit is part of its error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from headode._checks import Array
from headode.validation.extrapolation import ROUNDOFF, Sample

# With fewer runs, leaving out one says nothing about the error of a variance.
FEWEST_RUNS = 4
# Variances and biases are taken to have corrections of a relative size up to this over d. Measured
# are 3 to 18, at learning rates 1 to 3 with two heads; it matters below d = 200.
CORRECTION = 20.0
# Where the exponent of the bias is looked for, and the largest error of one worth reporting.
LOWEST, HIGHEST, STEP = -4.0, 2.0, 0.01
LARGEST_ERROR = 0.5


class Exponent(NamedTuple):
    """An exponent of d and its standard error, that of corrections included."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.error:.2f}".replace("-", "−")


def fluctuation_exponent(samples: Sequence[Sample]) -> Exponent | None:
    """Exponent γ of the standard deviation over runs ∝ d^γ, common to all entries.

    The logarithms of the variances, less their bias for Gaussian runs, are averaged over entries
    and times, and fitted by a straight line in log d.

    Args:
        samples: (n, entries) of each ensemble; those of fewer than 4 runs are left out.

    Returns:
        None if fewer than two ensembles have enough runs, or nothing varies.
    """
    from scipy.special import digamma, polygamma

    used = [each for each in samples if each.runs >= FEWEST_RUNS]
    if len(used) < 2:
        return None
    varying = np.all([each.values.std(axis=0) > ROUNDOFF for each in used], axis=0)
    if not varying.any():
        return None
    half = np.array([0.5 * (each.runs - 1) for each in used])
    logs, jackknife = np.transpose([_log_variance(each.values[:, varying]) for each in used])
    logs = logs - (digamma(half) - np.log(half))
    # Entries are correlated alike at every d: one factor for how little their average is better
    # than a single one, mostly from the ensemble with most runs.
    single = polygamma(1, half)
    variance = single * np.average(jackknife / single, weights=half)
    dimensions = np.array([each.dimension for each in used], dtype=float)
    centered = np.log(dimensions) - np.average(np.log(dimensions), weights=1 / variance)
    pull = centered / variance / np.sum(centered**2 / variance)
    statistical = float(pull**2 @ variance)
    systematic = float(pull @ np.log1p(CORRECTION / dimensions))
    return Exponent(0.5 * float(pull @ logs), 0.5 * float(np.hypot(statistical**0.5, systematic)))


def _log_variance(values: Array) -> tuple[float, float]:
    """Average over entries of log variance, and its variance by the jackknife."""
    n = len(values)
    centered = values - values.mean(axis=0)
    sums = (centered**2).sum(axis=0)
    # Sum of squares without one run, whose mean is another.
    without = sums - n / (n - 1) * centered**2
    averages = np.log(np.maximum(without, ROUNDOFF**2) / (n - 2)).mean(axis=1)
    spread = float(((averages - averages.mean()) ** 2).sum())
    return float(np.log(sums / (n - 1)).mean()), (n - 1) / n * spread


def bias_exponent(
    samples: Sequence[Sample], theory: Array, allowance: Array, level: float
) -> Exponent | None:
    """Exponent α of the bias, mean over runs − theory = b d^α, with one α for all entries.

    Least squares in units of the standard errors, over α and the b of every entry. Minimizing over
    the b leaves the length of the means' projection on (d_1^α, d_2^α, ...), summed over entries,
    to be maximized; the noise adds the same to it for every α.

    Args:
        samples: (n, entries) of each ensemble, the largest dimension first.
        theory: (entries,).
        allowance: (entries,) for the theory's numerical error; entries whose means are known
            better than that are left out.
        level: of the test whether there is a bias at all.

    Returns:
        None if the bias is below the noise: not one entry of the smallest dimension deviates
        significantly from the theory, or the error would be larger than 0.5.
    """
    from scipy.stats import t as student_t

    freedom = np.array([each.runs - 1.0 for each in samples])
    variances = [each.dimension * each.values.var(axis=0, ddof=1) for each in samples]
    pooled = np.average(variances, axis=0, weights=freedom)
    roots = np.sqrt([each.runs * each.dimension for each in samples])
    kept = np.sqrt(pooled) > np.maximum(roots.max() * allowance, ROUNDOFF)
    if not kept.any():
        return None
    scale = np.sqrt(pooled[kept])
    runs = [
        root / scale * (each.values[:, kept] - theory[kept])
        for root, each in zip(roots, samples, strict=True)
    ]
    means = np.array([each.mean(axis=0) for each in runs])
    critical = student_t.isf(0.5 * level / scale.size, freedom.sum())
    if np.abs(means[-1]).max() <= critical:
        return None
    dimensions = np.array([each.dimension for each in samples], dtype=float)
    gram = means @ means.T
    fit = _Fit(dimensions, roots)
    variance = 0.0
    for j, each in enumerate(runs):
        without = (len(each) * means[j] - each) / (len(each) - 1)
        grams = np.broadcast_to(gram, (len(each), *gram.shape)).copy()
        grams[:, j] = grams[:, :, j] = without @ means.T
        grams[:, j, j] = (without**2).sum(axis=1)
        values = fit.exponents(grams)
        variance += (len(each) - 1) / len(each) * ((values - values.mean()) ** 2).sum()
    value = fit.exponents(gram[None])[0]
    corrected = _Fit(dimensions, roots * (1 + CORRECTION / dimensions))
    systematic = corrected.exponents(gram[None])[0] - value
    error = float(np.hypot(variance**0.5, systematic))
    at_the_edge = not LOWEST + STEP < value < HIGHEST - STEP
    return None if at_the_edge or error > LARGEST_ERROR else Exponent(float(value), error)


class _Fit:
    """Least squares over α for means in standard errors, expected along (root_i d_i^α)_i."""

    def __init__(self, dimensions: Array, roots: Array) -> None:
        self._grid = np.arange(LOWEST, HIGHEST + STEP, STEP)
        vectors = roots * (dimensions / dimensions[-1]) ** self._grid[:, None]
        self._directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def exponents(self, grams: Array) -> Array:
        """(n,) where the projection is largest, for (n, J, J) Gram matrices of the means."""
        length = np.einsum("ka,rab,kb->rk", self._directions, grams, self._directions)
        best = np.clip(length.argmax(axis=1), 1, self._grid.size - 2)
        rows = np.arange(len(grams))
        low, top, high = (length[rows, best + shift] for shift in (-1, 0, 1))
        curvature = low - 2 * top + high
        shift = np.divide(low - high, 2 * curvature, out=np.zeros_like(top), where=curvature < 0)
        result: Array = self._grid[best] + np.clip(shift, -1, 1) * STEP
        return result
