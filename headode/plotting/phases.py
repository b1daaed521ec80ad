"""When the heads specialize: the dates that the pictures are labeled with.

The rule. The *spread* along feature f is the standard deviation of ``M_hf`` over the heads (of a
simulation: its median over the runs, which does not care which heads chose which side). Feature f
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
from headode.plotting.runs import over_runs
from headode.signal import Signal
from headode.trajectory import configuration_of

if TYPE_CHECKING:
    import xarray as xr

# Final spread of a split feature, in units of the feature's natural scale.
SIGNIFICANT = 0.125
# Splits within this factor in time share one phase: on a picture they are one event.
SAME_EVENT = 1.1
# A phase is shown at the last time at which no later split has this fraction of its final spread.
ONSET = 0.1


@dataclass(frozen=True)
class Split:
    """The heads part along one feature.

    Attributes:
        feature: number of the feature, from 1.
        time: date of the split; the first recorded time if the heads differ from the start.
    """

    feature: int
    time: float


@dataclass(frozen=True)
class Phase:
    """A stretch of a trajectory between splits.

    Attributes:
        start: its first time.
        stop: its last time.
        name: "unspecialized", "feature 2 split", "features 2, 3 split" or, where a trajectory
            stopped early, "stopped".
        features: numbers of the features that split at its start.
        shown: index of the recorded time that represents the phase; None if not computed.
    """

    start: float
    stop: float
    name: str
    features: tuple[int, ...]
    shown: int | None


def find_splits(dataset: xr.Dataset) -> tuple[Split, ...]:
    """Features along which the heads have parted, in order of time (rule: see the module).

    Args:
        dataset: a trajectory, of an integration or of a simulation.

    Returns:
        Possibly none: one head, no specialization, or nothing computed.
    """
    time, spread = _computed_spread(dataset)
    if not time.size:
        return ()
    final = spread[-1]
    splits = [
        Split(int(dataset["feature"][f]), _last_crossing(time, spread[:, f]))
        for f in np.flatnonzero(final >= SIGNIFICANT * _natural_scales(dataset))
    ]
    return tuple(sorted(splits, key=lambda split: split.time))


def find_phases(dataset: xr.Dataset) -> tuple[Phase, ...]:
    """The trajectory cut at its splits; empty for a single head, which cannot split."""
    if dataset.sizes["head"] == 1:
        return ()
    time, spread = _computed_spread(dataset)
    if not time.size:
        return ()
    events: list[tuple[float, list[int]]] = [(float(time[0]), [])]
    for split in find_splits(dataset):
        first, together = events[-1]
        if split.time == first or (together and split.time <= SAME_EVENT * first):
            together.append(split.feature)
        else:
            events.append((split.time, [split.feature]))
    phases = []
    features = list(dataset["feature"].values)
    for i, (start, together) in enumerate(events):
        later = [features.index(feature) for _, group in events[i + 1 :] for feature in group]
        stop = events[i + 1][0] if later else float(time[-1])
        shown = _shown(time, spread, later, start, stop)
        phases.append(Phase(start, stop, _name(together), tuple(together), shown))
    end = float(dataset["time"][-1])
    if end > time[-1]:
        phases.append(Phase(float(time[-1]), end, "stopped", (), None))
    return tuple(phases)


def computed_times(dataset: xr.Dataset) -> Array:
    """(T,) mask of the recorded times at which all overlaps (of some run) are finite."""
    # Q has squares of M: it overflows first.
    finite = np.isfinite(dataset["Q"].values).all(axis=(-2, -1))
    mask: Array = finite.any(axis=0) if finite.ndim == 2 else finite
    return mask


def _computed_spread(dataset: xr.Dataset) -> tuple[Array, Array]:
    """Computed times (T,) and the spread over heads (T, F) at them."""
    reached = computed_times(dataset)
    M = dataset["M"].values
    spread = np.where(np.isfinite(M), M, np.nan).std(axis=-2)
    if "run" in dataset.dims:
        spread = over_runs(spread, np.nanmedian)
    return dataset["time"].values[reached], spread[reached]


def _natural_scales(dataset: xr.Dataset) -> Array:
    """(F,) scale of each feature; infinite for one that carries no signal."""
    signal = Signal.from_dict(configuration_of(dataset)["signal"])
    deviation = np.sqrt(np.diag(signal.covariance))
    scales = np.where(deviation > 0, deviation, np.abs(signal.mean))
    result: Array = np.where(scales > 0, scales, np.inf)
    return result


def _last_crossing(time: Array, spread: Array) -> float:
    """Date of the last upward crossing of half of the final value."""
    half = 0.5 * spread[-1]
    below = np.flatnonzero(spread < half)
    if not below.size:
        return float(time[0])
    i = below[-1]
    fraction = (half - spread[i]) / (spread[i + 1] - spread[i])
    return float(time[i] + fraction * (time[i + 1] - time[i]))


def _shown(time: Array, spread: Array, later: list[int], start: float, stop: float) -> int:
    """The last time of a phase before any later split sets in; else the last of the phase."""
    inside = (time >= start) & (time <= stop)
    before = (spread[:, later] < ONSET * spread[-1, later]).all(axis=1)
    candidates = np.flatnonzero(inside & before)
    if not candidates.size:
        candidates = np.flatnonzero(time <= stop)
    return int(candidates[-1])


def _name(features: list[int]) -> str:
    if not features:
        return "unspecialized"
    ordered = sorted(features)
    if len(ordered) == 1:
        return f"feature {ordered[0]} split"
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"features {ordered[0]}–{ordered[-1]} split"
    return "features " + ", ".join(map(str, ordered)) + " split"
