"""Until when fluctuations are small: where the variances of the ensembles scale as 1/d.

A run fluctuates around the ODE by d^(-1/2), and the extrapolation to d → ∞ rests on that. An
unstable trajectory amplifies these fluctuations. Once they are no longer small, as when heads that
start alike split to either side, the runs differ by as much at any dimension: their variance stops
shrinking with d, and neither their mean nor its extrapolation says anything about the ODE. Whether
that happens is judged by the simulations alone, so that no error of the theory is excused by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from headode._checks import Array
from headode.validation.extrapolation import ROUNDOFF, Sample

# Variances may depart from 1/d by this factor before they count as not scaling: corrections of
# relative order 1/d are no reason to distrust the extrapolation, which removes those of the mean.
FACTOR = 2.0
# Significance, at each time, with which a symmetry of the start counts as broken.
SYMMETRY_LEVEL = 0.01


@dataclass(frozen=True)
class Departure:
    """Where variances are first seen not to scale as 1/d.

    Attributes:
        index: of the first time that it concerns.
        what: the overlaps that vary so, e.g. ``M[feature 2]``.
        larger, smaller: the two dimensions.
        ratio: variance at the larger one in units of what the smaller one predicts.
    """

    index: int
    what: str
    larger: int
    smaller: int
    ratio: float


@dataclass(frozen=True)
class Reach:
    """What the ensembles can judge.

    Attributes:
        horizon: number of leading times at which fluctuations are small.
        third: number of leading times at which the smallest of three dimensions is of use.
        departure: why the horizon is not the end; None if it is.
        third_departure: likewise of the smallest dimension.
    """

    horizon: int
    third: int
    departure: Departure | None
    third_departure: Departure | None


def reach(
    groups: Mapping[str, Sequence[Sample]], level: float, odd: Sequence[Sample] | None = None
) -> Reach:
    """Compare the variances of every two ensembles, at each time, by F tests.

    Args:
        groups: samples (n, T, entries) of each ensemble, the largest dimension first, of
            overlaps that are expected to fluctuate alike, by name.
        level: probability with which small fluctuations are said not to be, over all tests.
        odd: of a start with a symmetry that the ODE keeps, samples of combinations of overlaps
            that vanish as long as it is kept.
    """
    samples = next(iter(groups.values()))
    times, pairs = samples[0].values.shape[1], list(combinations(range(len(samples)), 2))
    each = level / (2 * times * len(pairs) * len(groups))
    ends: list[Departure] = []
    ends_of_third: list[Departure] = []
    for what, group in groups.items():
        for i, j in pairs:
            growing = _first(what, group[i], group[j], each, inverse=False)
            shrinking = _first(what, group[i], group[j], each, inverse=True)
            ends += [growing] if growing else []
            # Fluctuations that are too large at the smallest dimension only leave it unused.
            if shrinking:
                (ends_of_third if j == 2 else ends).append(shrinking)
    if odd:
        broken = (_broken_symmetry(odd[i], odd[j]) for i, j in pairs)
        ends += [found for found in broken if found]
    end = min(ends, key=lambda found: found.index, default=None)
    third = min(ends_of_third, key=lambda found: found.index, default=None)
    horizon = times if end is None else end.index
    return Reach(horizon, times if third is None else third.index, end, third)


def _first(
    what: str, large: Sample, small: Sample, level: float, *, inverse: bool
) -> Departure | None:
    """The first time at which one ensemble varies more than the other predicts."""
    from scipy.stats import f as f_distribution

    above, below = (small, large) if inverse else (large, small)
    ratio = _variance_ratio(above, below)
    # The quantile of a single ratio: an average over entries is closer to 1.
    bound = f_distribution.isf(level, above.runs - 1, below.runs - 1)
    found = np.flatnonzero(ratio > max(FACTOR, float(bound)))
    if not found.size:
        return None
    value = float(ratio[found[0]])
    return Departure(
        int(found[0]), what, large.dimension, small.dimension, 1 / value if inverse else value
    )


def _broken_symmetry(large: Sample, small: Sample) -> Departure | None:
    """From when on, to the end, what breaks the symmetry does not scale.

    It has mean 0 and grows from fluctuations, so that its mean square goes as 1/d until it stops
    growing; then it is the same at any d. So that few runs show it, the test at each time is of no
    high significance, but it has to hold at all later times. Counted from when what breaks the
    symmetry was a quarter as large: its square already matters then.
    """
    from scipy.stats import f as f_distribution

    first, second = (
        each.dimension * (each.values**2).mean(axis=0).sum(axis=-1) for each in (large, small)
    )  # (T,)
    ratio = np.divide(first, second, out=np.ones_like(first), where=second > 0)
    bound = f_distribution.isf(SYMMETRY_LEVEL, large.runs, small.runs)
    kept = np.flatnonzero(ratio <= max(FACTOR, float(bound)))
    index = int(kept[-1]) + 1 if kept.size else 0
    if index == ratio.size:
        return None
    smaller = np.flatnonzero(first[:index] < first[index] / 16)
    start = int(smaller[-1]) + 1 if smaller.size else 0
    what = "what breaks the symmetry of the start"
    return Departure(start, what, large.dimension, small.dimension, float(ratio[index]))


def _variance_ratio(above: Sample, below: Sample) -> Array:
    """(T,) ratio of d times the variance, averaged over entries; 1 for those that do not vary."""
    first, second = (each.values.var(axis=0, ddof=1) for each in (above, below))
    first, second = (np.where(each > ROUNDOFF**2, each, 0.0) for each in (first, second))
    ratio = np.where(first > 0, np.inf, 1.0)
    np.divide(above.dimension * first, below.dimension * second, out=ratio, where=second > 0)
    result: Array = ratio.mean(axis=-1)
    return result
