"""A trajectory cut into phases at the splits of its heads, for its picture.

A split is dated by the rule of :mod:`headode.specialization.splits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headode._checks import Array
from headode.specialization.splits import computed_spread, find_splits
from headode.split_rule import ONSET

if TYPE_CHECKING:
    import xarray as xr

# Splits within this factor in time share one phase: on a picture they are one event.
SAME_EVENT = 1.1


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


def find_phases(dataset: xr.Dataset) -> tuple[Phase, ...]:
    """The trajectory cut at its splits; empty for a single head, which cannot split."""
    if dataset.sizes["head"] == 1:
        return ()
    time, spread = computed_spread(dataset)
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
