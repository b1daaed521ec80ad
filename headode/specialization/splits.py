"""When the heads split along a feature: the one rule for tables, pictures and phase diagrams.

The *spread* along feature f is the standard deviation of ``M_hf`` over the heads. Feature f
*splits* when its spread is, at the last computed time, at least an eighth of the natural scale of
the feature: the standard deviation of θ_f, or its root mean square if θ_f does not vary. The split
is dated by the last upward crossing of half of that final spread, so that a head's excursion and
return is not taken for a split; between two recorded times the crossing is interpolated linearly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headode._checks import Array
from headode.signal import Signal
from headode.specialization.computed import computed_runs, computed_times, natural_scales, signal_of
from headode.specialization.runs import over_runs
from headode.split_rule import DATED, ONSET, SIGNIFICANT

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Split:
    """The heads part along one feature.

    Attributes:
        feature: number of the feature, from 1.
        time: date of the split; the first recorded time if the heads differ from the start.
        error: of the date, from the distance of the recorded times around it.
        departure: when the spread exceeded a tenth of its final value for the last time.
        spread: final spread.
    """

    feature: int
    time: float
    error: float
    departure: float
    spread: float


def find_splits(dataset: xr.Dataset, signal: Signal | None = None) -> tuple[Split, ...]:
    """Features along which the heads have parted, in order of time (rule: see the module).

    Of a simulation the spread is its median over the runs, which does not care which heads chose
    which side.

    Args:
        dataset: a trajectory, of an integration or of a simulation.
        signal: law P_θ; None: that of the trajectory's configuration.

    Returns:
        Possibly none: one head, no specialization, or nothing computed.
    """
    scales = natural_scales(signal_of(dataset) if signal is None else signal)
    return splits_of(*computed_spread(dataset), scales)


def computed_spread(dataset: xr.Dataset) -> tuple[Array, Array]:
    """Computed times (T,) and the spread (T, F) at them, of a simulation the median over runs."""
    if "run" not in dataset.dims:
        (run,) = computed_runs(dataset)
        return run.time, run.spread
    reached = computed_times(dataset)
    M = dataset["M"].values
    spread = over_runs(np.where(np.isfinite(M), M, np.nan).std(axis=-2), np.nanmedian)
    return dataset["time"].values[reached], spread[reached]


def splits_of(time: Array, spread: Array, scales: Array) -> tuple[Split, ...]:
    """The splits of (T, F) spreads whose natural scales are (F,), in order of time."""
    if not time.size:
        return ()
    splits = []
    for f in np.flatnonzero(spread[-1] >= SIGNIFICANT * scales):
        column, final = spread[:, f], float(spread[-1, f])
        date, error = last_crossing(time, column, DATED * final)
        departure, _ = last_crossing(time, column, ONSET * final)
        splits.append(Split(int(f) + 1, date, error, departure, final))
    return tuple(sorted(splits, key=lambda split: split.time))


def last_crossing(time: Array, values: Array, level: float) -> tuple[float, float]:
    """When values (T,) that end above a level exceeded it for the last time, and the error of that.

    The date is interpolated linearly. Its error is how far cubic and exponential interpolation are
    from it; where the record has too few times for that, how far the recorded times are.
    Values above the level from the start did so between 0 and the first recorded time.
    """
    below = np.flatnonzero(values < level)
    if not below.size:
        return float(time[0]), float(time[0])
    i = int(below[-1])
    step = float(time[i + 1] - time[i])
    fraction = float((level - values[i]) / (values[i + 1] - values[i]))
    return float(time[i]) + fraction * step, step * _fraction_error(
        time, values, level, i, fraction
    )


def _fraction_error(time: Array, values: Array, level: float, i: int, fraction: float) -> float:
    """Estimated error of a crossing ``fraction`` of the way from the i-th time to the next."""
    if len(time) < 4:
        return max(fraction, 1 - fraction)
    first = min(max(i - 1, 0), len(time) - 4)
    nearest = slice(first, first + 4)
    places = (time[nearest] - time[i]) / (time[i + 1] - time[i])
    roots = np.roots(np.polyfit(places, values[nearest] - level, 3))
    real = roots[np.abs(roots.imag) < 1e-6].real
    # Four points around a crossing: the cubic has a root between the middle two.
    inside = real[(real >= -1e-6) & (real <= 1 + 1e-6)]
    cubic = float(np.abs(inside - fraction).min()) if inside.size else max(fraction, 1 - fraction)
    if values[i] <= 0:
        return cubic
    exponential = float(np.log(level / values[i]) / np.log(values[i + 1] / values[i]))
    return max(cubic, abs(exponential - fraction))
