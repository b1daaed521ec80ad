"""Dates of splits, read from a course."""

from __future__ import annotations

import numpy as np

from headode._checks import Array
from headode.split_rule import DATED, ONSET, SIGNIFICANT
from headode.stability.course import Course

# Growth in the second half of the time beyond which a spread has not settled.
SETTLED = 1.25

NAMES = ("departure_time", "specialization_time", "growth", "departure_rate", "alignment")


def read_dates(course: Course, final: Array, mean: Array) -> dict[str, Array]:
    """What is known of each feature's split; NaN where it has not come.

    Args:
        course: background and differences together.
        final: (F,) final spreads; infinite for features that are not looked at.
        mean: (F,) mean signal.
    """
    found = {name: np.full(len(final), np.nan) for name in NAMES}
    spread = course.spread
    for f in np.flatnonzero(np.isfinite(final)):
        dates = {
            name: _last_crossing(course.time, spread[:, f], fraction * final[f])
            for name, fraction in (("departure_time", ONSET), ("specialization_time", DATED))
        }
        for name, date in dates.items():
            found[name][f] = date
        if not dates["departure_time"] > 0:
            continue
        if spread[0, f] > 0:
            found["growth"][f] = np.log(ONSET * final[f] / spread[0, f])
        at = int(np.searchsorted(course.time, dates["departure_time"]))
        place = at - 1 + _fraction(spread[:, f], at - 1, ONSET * final[f])
        column = course.M[:, :, f] - course.M[:, :, f].mean(axis=1, keepdims=True)
        slopes = (column * course.dM[:, :, f]).sum(axis=1) / (column**2).sum(axis=1)
        steps = np.arange(len(course.time))
        found["departure_rate"][f] = np.interp(place, steps, slopes)
        if mean.any():
            aligned = course.M.mean(axis=1) @ mean / (mean @ mean)
            found["alignment"][f] = np.interp(place, steps, aligned)
    return found


def final_spreads(course: Course, scales: Array, until: float) -> Array:
    """(F,) the natural scales, or what is reached in the end where that is far less.

    Heads that do not get half-way to the natural scale until the last time have a final spread of
    their own if they get at least an eighth of the way and have settled there.
    """
    reached = course.spread[-1]
    half_time = np.array(
        [np.interp(0.5 * until, course.time, column) for column in course.spread.T]
    )
    settled = (course.time[-1] >= until) & (reached <= SETTLED * half_time)
    short = settled & (reached < DATED * scales) & (reached >= SIGNIFICANT * scales)
    result: Array = np.where(short, reached, scales)
    return result


def _last_crossing(time: Array, spread: Array, level: float) -> float:
    """When a spread exceeded a level for the last time; NaN if it does not in the end."""
    below = np.flatnonzero(spread < level)
    if not below.size:
        return float(time[0])
    i = int(below[-1])
    if i == len(time) - 1:
        return float("nan")
    return float(time[i] + _fraction(spread, i, level) * (time[i + 1] - time[i]))


def _fraction(spread: Array, i: int, level: float) -> float:
    """How far from time i to the next an exponentially growing spread reaches a level."""
    before, after = float(spread[i]), float(spread[i + 1])
    if before <= 0:
        return (level - before) / (after - before)
    return float(np.log(level / before) / np.log(after / before))
