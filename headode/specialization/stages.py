"""Stages of the risk: where it drops, and where it stalls before it drops again.

Everything is read from the rate of descent in logarithmic time, ``s = −dE/d log t``.

A *drop* is a maximum of s. Two neighbors are one drop unless s falls, between them, to 80 % of
the smaller one or less. What takes off less than 1/2000 of the whole descent, or less than the
risk is known to, is part of the drop beside it.

A *plateau* lies between two drops, where s is below a quarter of both: it starts when s falls below
a quarter of the earlier drop's, and stops when s exceeds a quarter of the later one's. Before
the first drop, logarithmic time makes a plateau of any start; there it is one only if the risk
descends, in time itself, at less than a quarter of the rate that it reaches in the first drop.
What is left after the last drop is no plateau, since nothing follows.

The resolution is a factor of 1.1 in time: nearer records are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from headode._checks import Array
from headode.specialization.runs import over_runs, standard_error

if TYPE_CHECKING:
    import xarray as xr

# Records within this factor in time are not told apart.
RESOLUTION = 1.1
# Two maxima of the rate of descent are two drops if the rate between them falls to this fraction.
DISTINCT = 0.8
# It is a plateau where the rate is below this fraction of the drops beside it.
FLAT = 0.25
# Smallest drop, in units of the whole descent.
SMALLEST_DROP = 1 / 2000
# Standard errors by which a drop of a noisy risk must stand out.
CONFIDENT = 4.0


@dataclass(frozen=True)
class Drop:
    """A descent of the risk.

    Attributes:
        time: of steepest descent in logarithmic time.
        before: risk where it begins, at the flattest point since the drop before.
        after: risk where it ends.
    """

    time: float
    before: float
    after: float

    @property
    def size(self) -> float:
        """How much of the risk it takes off."""
        return self.before - self.after


@dataclass(frozen=True)
class Plateau:
    """A stretch on which the risk stalls before it drops again.

    Attributes:
        start: its first time.
        stop: its last time.
        risk: at its flattest point; on a plateau at the start, the initial risk.
    """

    start: float
    stop: float
    risk: float


def risk_stages(dataset: xr.Dataset) -> tuple[tuple[Drop, ...], tuple[Plateau, ...]]:
    """The stages of a trajectory's risk (rule: see the module); of a simulation, of its mean."""
    time, risk = dataset["time"].values, dataset["risk"].values
    noise, floor = 0.0, 0.0
    if "run" in dataset.dims:
        errors = standard_error(risk)
        risk = over_runs(risk, np.nanmean)
        if risk.size and np.isfinite(errors).any():
            noise = float(np.nanmedian(errors))
        elif "risk_standard_error" in dataset and dataset["risk_standard_error"].notnull().any():
            noise = float(dataset["risk_standard_error"].median())
    elif "expectation_error" in dataset and dataset["expectation_error"].notnull().any():
        floor = float(dataset["expectation_error"].max())
    known = np.isfinite(risk)
    return find_stages(time[known], risk[known], noise=noise, floor=floor)


def find_stages(
    time: Array, risk: Array, *, noise: float = 0.0, floor: float = 0.0
) -> tuple[tuple[Drop, ...], tuple[Plateau, ...]]:
    """Drops and plateaus of a curve (rule: see the module).

    Args:
        time: (T,) increasing times; t = 0 is allowed.
        risk: (T,) its values.
        noise: standard error of each value, independent of the others.
        floor: smallest size of a drop, beside ``CONFIDENT`` times the noise.
    """
    curve = _Curve.of(time, risk, noise)
    if curve is None:
        return (), ()
    smallest = max(floor, CONFIDENT * noise, SMALLEST_DROP * float(np.ptp(risk)))
    peaks = _separate_peaks(curve, smallest)
    if not peaks:
        return (), ()
    bounds = _bounds(curve, peaks)
    levels = [
        float(risk[0]),
        *np.interp(curve.middle[bounds], curve.log, curve.risk),
        float(risk[-1]),
    ]
    drops = tuple(
        Drop(curve.steepest(peak), before, after)
        for peak, before, after in zip(peaks, levels, levels[1:], strict=False)
    )
    plateaus = [_first_plateau(curve, peaks[0], float(time[0]), float(risk[0]))]
    for left, valley, right, level in zip(peaks, bounds, peaks[1:], levels[1:], strict=False):
        plateaus.append(_plateau_between(curve, left, valley, right, float(level)))
    return drops, tuple(plateau for plateau in plateaus if plateau is not None)


@dataclass(frozen=True, eq=False)
class _Curve:
    """The risk at separate logarithmic times, and its rate of descent half-way between them.

    Attributes:
        log: (n + 1,) logarithms of the times, t = 0 left out.
        risk: (n + 1,) risk at them.
        middle: (n,) points half-way.
        rate: (n,) rate of descent s there.
        rate_noise: standard error of the rate.
    """

    log: Array
    risk: Array
    middle: Array
    rate: Array
    rate_noise: Array

    @classmethod
    def of(cls, time: Array, risk: Array, noise: float) -> _Curve | None:
        """Average nearer records; None if fewer than two times are left."""
        positive = time > 0
        log, values = np.log(time[positive]), risk[positive]
        if log.size < 2:
            return None
        bins = np.floor((log - log[0]) / np.log(RESOLUTION)).astype(np.int64)
        _, which, count = np.unique(bins, return_inverse=True, return_counts=True)
        if count.size < 2:
            return None
        log, values = (np.bincount(which, each) / count for each in (log, values))
        step = np.diff(log)
        scatter = np.hypot(noise / np.sqrt(count[1:]), noise / np.sqrt(count[:-1]))
        rate = -np.diff(values) / step
        return cls(log, values, 0.5 * (log[1:] + log[:-1]), rate, scatter / step)

    def steepest(self, peak: int) -> float:
        """Time of a maximum of the rate, from the parabola through it and its neighbors."""
        if 0 < peak < len(self.rate) - 1:
            around = slice(peak - 1, peak + 2)
            offset = self.middle[around] - self.middle[peak]
            a, b, _ = np.polyfit(offset, self.rate[around], 2)
            if a < 0:
                top = float(np.clip(-0.5 * b / a, offset[0], offset[-1]))
                return float(np.exp(self.middle[peak] + top))
        return float(np.exp(self.middle[peak]))

    def crossing(self, inside: int, outside: int, level: float) -> float:
        """Time at which the rate, below the level at one point, is first above it on the way."""
        direction = 1 if outside > inside else -1
        place = inside
        while self.rate[place + direction] < level:
            place += direction
        ends = [place, place + direction]
        return float(np.exp(np.interp(level, self.rate[ends], self.middle[ends])))


def _separate_peaks(curve: _Curve, smallest: float) -> list[int]:
    """Indices of the maxima of the rate that are drops of their own."""
    rate = curve.rate
    padded = np.concatenate([[-np.inf], rate, [-np.inf]])
    peaks = np.flatnonzero((rate > padded[:-2]) & (rate >= padded[2:]) & (rate > 0)).tolist()
    while True:
        weakest = _weakest(curve, peaks, smallest)
        if weakest is None:
            return peaks
        peaks.remove(weakest)


def _weakest(curve: _Curve, peaks: list[int], smallest: float) -> int | None:
    """The peak that is no drop of its own, the least of them first; None if all are."""
    rate, bounds = curve.rate, _bounds(curve, peaks)
    merged = []
    for left, valley, right in zip(peaks, bounds, peaks[1:], strict=False):
        lower = left if rate[left] <= rate[right] else right
        depth = rate[lower] - rate[valley]
        noise = CONFIDENT * np.hypot(curve.rate_noise[lower], curve.rate_noise[valley])
        if depth < max((1 - DISTINCT) * rate[lower], noise):
            merged.append((depth, lower))
    if merged:
        return min(merged)[1]
    levels = np.interp(curve.middle[bounds], curve.log, curve.risk)
    sizes = -np.diff(np.concatenate([curve.risk[:1], levels, curve.risk[-1:]]))
    small = [(size, peak) for size, peak in zip(sizes, peaks, strict=False) if size < smallest]
    return min(small)[1] if small else None


def _bounds(curve: _Curve, peaks: list[int]) -> list[int]:
    """Index of the flattest point between each two neighboring peaks."""
    return [left + int(np.argmin(curve.rate[left : right + 1])) for left, right in pairwise(peaks)]


def _plateau_between(
    curve: _Curve, left: int, valley: int, right: int, level: float
) -> Plateau | None:
    rate = curve.rate
    if rate[valley] > FLAT * min(rate[left], rate[right]):
        return None
    start = curve.crossing(valley, left, FLAT * rate[left])
    return Plateau(start, curve.crossing(valley, right, FLAT * rate[right]), level)


def _first_plateau(curve: _Curve, peak: int, start: float, level: float) -> Plateau | None:
    """The plateau that the risk leaves with its first drop, if it does so ever faster."""
    rate = curve.rate
    if rate[0] >= FLAT * rate[peak]:
        return None
    last = int(np.flatnonzero(rate[:peak] < FLAT * rate[peak])[-1])
    stop = curve.crossing(last, peak, FLAT * rate[peak])
    reached = float(np.interp(np.log(stop), curve.log, curve.risk))
    fastest = float((rate[: peak + 1] / np.exp(curve.middle[: peak + 1])).max())
    if level - reached > FLAT * fastest * (stop - start):
        return None
    return Plateau(start, stop, level)
