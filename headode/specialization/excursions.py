"""Excursions: heads that take one side of a feature and end up on the other.

A head is on a *side* of feature f while ``M_hf`` differs from the mean over the heads by at least
an eighth of the feature's natural scale (:mod:`headode.specialization.splits`). An excursion is the
stretch on one side of a head that later is on the other: it begins when the head comes on the first
side, and ends when its ``M_hf`` crosses the mean for the last time before it is on the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.signal import Signal
from headode.specialization.computed import ComputedRun, natural_scales
from headode.split_rule import SIGNIFICANT


@dataclass(frozen=True)
class Excursion:
    """A stretch of one head on a side that it does not keep.

    Attributes:
        head: number of the head, from 1.
        feature: number of the feature, from 1.
        left: when the head came on the side.
        back: when it crossed the mean over heads on its way to the other side.
        extremum: ``M_hf`` where it was farthest from the mean over heads.
        extremum_time: when that was.
    """

    head: int
    feature: int
    left: float
    back: float
    extremum: float
    extremum_time: float


def find_excursions(run: ComputedRun, signal: Signal) -> tuple[Excursion, ...]:
    """The excursions of a run, in order of their ends (rule: see the module)."""
    deviation = run.M - run.M.mean(axis=1, keepdims=True)
    threshold = SIGNIFICANT * natural_scales(signal)
    found = []
    for f in np.flatnonzero(np.isfinite(threshold)):
        for h in range(run.M.shape[1]):
            for left, crossing, farthest in _stretches(deviation[:, h, f] / threshold[f]):
                left_at, back = (_time_at(run.time, place) for place in (left, crossing))
                extremum, date = float(run.M[farthest, h, f]), float(run.time[farthest])
                found.append(Excursion(h + 1, int(f) + 1, left_at, back, extremum, date))
    return tuple(sorted(found, key=lambda each: (each.back, each.head, each.feature)))


def _stretches(deviation: Array) -> list[tuple[float, float, int]]:
    """Stretches on a side that are followed by the other: (begin, end, farthest index).

    Begin and end are places in the record, with fractions; a side is a deviation beyond ±1.
    """
    decided = np.flatnonzero(np.abs(deviation) >= 1)
    side = np.sign(deviation[decided])
    stretches = []
    first = 0
    for change in map(int, np.flatnonzero(np.diff(side))):
        begin, last, arrived = (int(decided[i]) for i in (first, change, change + 1))
        sign = side[change]
        left = float(begin)
        if begin > 0:
            left = begin - 1 + _fraction(sign * deviation[begin - 1 : begin + 1], 1.0)
        # The last crossing of the mean before the head is decided on the other side.
        before = last + int(np.flatnonzero(sign * deviation[last:arrived] > 0)[-1])
        crossing = before + _fraction(deviation[before : before + 2], 0.0)
        farthest = begin + int(np.argmax(sign * deviation[begin : last + 1]))
        stretches.append((left, crossing, farthest))
        first = change + 1
    return stretches


def _fraction(values: Array, level: float) -> float:
    """Where, between two values, the level is."""
    return float((level - values[0]) / (values[1] - values[0]))


def _time_at(time: Array, place: float) -> float:
    return float(np.interp(place, np.arange(time.size), time))
