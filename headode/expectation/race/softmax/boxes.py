"""How long the box of a Fourier series is, how it is tilted, and how many frequencies it takes.

All of it follows from bounds on the law of a ring time T = log E − u with u ~ N(a, Q):

    P(T < x) ≤ e^{s(x + a) + s²Q/2}             for 0 < s ≤ 1, as 1 − e^{−y} ≤ y^s
    P(T > x) ≤ (s/e)^s e^{−s(x + a) + s²Q/2}    for s > 0, as e^{−y} ≤ (s/e)^s y^{−s}

A series repeats itself with the length B of its box. With the tilt α a repetition from earlier
times is P(T < x − B) e^{αB}, one from later times P(T > x + B) e^{−αB} once the known limit
P(T < ∞) = 1 is taken out; both have to be negligible. ``digits`` are natural logarithms of
1/tolerance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from headode._checks import Array
from headode.expectation.field_laws import FieldLaws
from headode.expectation.race.setting import Race
from headode.kernels._compile import compiled

# Exponents s that the two bounds try, and log (s/e)^s of the second one's.
_EARLY_POWERS = np.append(np.geomspace(0.01, 0.8, 15), (0.9, 1.0))
_LATE_POWERS = np.geomspace(0.02, 50.0, 28)
_LOG_LATE_FACTORS = _LATE_POWERS * (np.log(_LATE_POWERS) - 1.0)
# Standard normal quantiles, and the probability of being above.
_QUANTILES = np.arange(-6.0, 7.0, 0.5)
_ABOVE_QUANTILES: Array = ndtr(-_QUANTILES)
# Tilts that are tried, as fractions of the largest one that a head takes.
_TILTS = (0.15, 0.35, 0.55, 0.75, 0.9, 1.0)
# The largest tilt, and the logarithm of the largest factor that it may put on the density: at the
# latest times that matter fully, and at the end of the window.
_LARGEST_TILT, _LARGEST_GROWTH, _LARGEST_LATE_GROWTH = 0.5, 2.0, 8.0
# Digits that are needed at the window's end, where n^{L−1} need only be small.
_DIGITS_AT_END = 4.0
# Measured: coefficients that are left out oscillate and do not add up, so that they may be larger
# than the tolerance by the first factor; unmarked tokens' need this power of L only.
_OSCILLATE, _TOKENS_POWER = 20.0, 0.6


class ScoreRange(NamedTuple):
    """Covers several laws of one head's score: extreme means and the largest variance."""

    lowest: float
    highest: float
    variance: float


class HeadScores(NamedTuple):
    """One head's scores, of an unmarked token and of the marked one under all components."""

    unmarked: ScoreRange
    marked: ScoreRange


class Window(NamedTuple):
    """Logarithmic times between which a race takes place, up to the tolerance.

    Attributes:
        low: nothing rings before.
        high: something has rung.
        full: from here on an error of a law matters less and less, as n^{L−2} falls.
    """

    low: float
    high: float
    full: float


class Boxes(NamedTuple):
    """The series' frames, for each head.

    Attributes:
        tilts: (H,) α.
        bases: (H,) the smallest frequency k₁ = 2π/B.
        repeats: (H,) Σ_{m ≥ 1} e^{−αmB}: what a tilted series of P(T < x) has of the repetitions of
            P(T < ∞) = 1.
        windows: (H, 2) first and last logarithmic time.
        sizes: (H, H) largest frequency of h, in units of k₁, that the pair with k takes; on the
            diagonal that of h alone.
    """

    tilts: Array
    bases: Array
    repeats: Array
    windows: Array
    sizes: NDArray[np.int64]


@compiled
def _length_for_early_tail(variance: float, digits: float, high: float, tilt: float) -> float:
    """Least B with P(T < high − B) e^{αB} ≤ e^{−digits}, for a score of mean zero."""
    best = math.sqrt(2.0 * digits / variance) if variance > 0.0 else 1.0
    least = np.inf
    for i in range(_EARLY_POWERS.size + 1):
        s = _EARLY_POWERS[i] if i < _EARLY_POWERS.size else min(best + tilt, 1.0)
        if s > tilt:
            least = min(least, (digits + s * high + 0.5 * s * s * variance) / (s - tilt))
    return least


@compiled
def _length_for_late_tail(variance: float, digits: float, low: float, tilt: float) -> float:
    """Least B with P(T > low + B) e^{−αB} ≤ e^{−digits}, for a score of mean zero."""
    best = math.sqrt(2.0 * digits / variance) if variance > 0.0 else 1.0
    least = np.inf
    for i in range(_LATE_POWERS.size + 1):
        s = _LATE_POWERS[i] if i < _LATE_POWERS.size else min(best, _LATE_POWERS[-1])
        logarithm = _LOG_LATE_FACTORS[i] if i < _LATE_POWERS.size else s * (math.log(s) - 1.0)
        exponent = digits + logarithm - s * low + 0.5 * s * s * variance
        least = min(least, exponent / (s + tilt))
    return least


@compiled
def _time_until_first_ring(variance: float, digits: float, tokens: int) -> float:
    """Least x, for scores of mean zero, at which all tokens are silent with P ≤ e^{−digits}.

    For any v, P(T < x) ≥ P(u > v) P(T < x | u = v); for few tokens the bound on P(T > x) is better.
    """
    each = digits / tokens
    reach = _length_for_late_tail(variance, each, 0.0, 0.0)
    rung = -math.expm1(-each)
    deviation = math.sqrt(variance)
    for i in range(_QUANTILES.size):
        share = rung / _ABOVE_QUANTILES[i]
        if share < 1.0:
            time = math.log(-math.log1p(-share)) - deviation * _QUANTILES[i]
            reach = min(reach, time)
    return reach


@compiled
def _scores_of(laws: FieldLaws, h: int) -> HeadScores:
    """The ranges of a head's scores.

    Windows and boxes grow with the variance, and in one direction or the other with the mean: the
    extremes decide for all laws.
    """
    means, covariances = laws.means, laws.covariances
    unmarked = ScoreRange(means[0, h], means[0, h], covariances[0, h, h])
    lowest, highest, variance = means[1, h], means[1, h], covariances[1, h, h]
    for s in range(2, means.shape[0]):
        lowest, highest = min(lowest, means[s, h]), max(highest, means[s, h])
        variance = max(variance, covariances[s, h, h])
    return HeadScores(unmarked, ScoreRange(lowest, highest, variance))


@compiled
def _window(scores: HeadScores, race: Race, digits: float) -> Window:
    """The window outside of which a race is over, or has not begun, but for e^{−digits}."""
    unmarked, marked, tokens = scores.unmarked, scores.marked, race.tokens
    # Where n = E e^{−a} is small, its second derivative is a² times as large.
    late = digits + 2.0 * math.log(digits)
    low = -marked.highest - _length_for_early_tail(marked.variance, digits, 0.0, 0.0)
    high = -marked.lowest + _length_for_late_tail(marked.variance, late, 0.0, 0.0)
    mean = unmarked.lowest
    if tokens > 1:
        any_early = digits + math.log(tokens)
        low = min(low, -mean - _length_for_early_tail(unmarked.variance, any_early, 0.0, 0.0))
        high = min(high, -mean + _time_until_first_ring(unmarked.variance, late, tokens - 1))
    if race.null > 0.0:
        high = min(high, math.log(late / race.null))
    high = max(high, low + 1.0)
    full = high
    if tokens > 2:
        full = min(full, -mean + _time_until_first_ring(unmarked.variance, 1.0, tokens - 2))
    return Window(low, high, max(full, low + 1.0))


@compiled
def _largest_tilt(scores: HeadScores, time: float, limit: float) -> float:
    """The largest tilt with α (a + αQ + x) ≤ limit, so that the density at x stays moderate.

    That is α (a + αQ/2 + x) and half of what a pair adds to it, α_h α_k Q_hk.
    """
    largest = _LARGEST_TILT
    for each in scores:
        linear = each.highest + time
        if largest * (linear + largest * each.variance) > limit:
            root = math.sqrt(linear * linear + 4.0 * each.variance * limit)
            largest = 2.0 * limit / (linear + root)
    return largest


@compiled
def _tilt_and_length(
    scores: HeadScores, tokens: int, digits: float, window: Window
) -> tuple[float, float]:
    """Tilt and length of the box with which a head takes about the fewest frequencies."""
    low, high, full = window
    largest = min(
        _largest_tilt(scores, full, _LARGEST_GROWTH),
        _largest_tilt(scores, high, _LARGEST_LATE_GROWTH),
    )
    tilt, length, fewest = largest, np.inf, np.inf
    for fraction in _TILTS:
        tried = fraction * largest
        long, cost = high - low, 0.0
        for s in range(0 if tokens > 1 else 1, 2):
            smallest, mean, variance = scores[s]
            each = 0.0 if s else math.log(tokens)
            needed, at_end = digits + each, _DIGITS_AT_END + each
            late = needed + 2.0 * math.log(needed)
            long = max(long, _length_for_late_tail(variance, late, smallest + low, tried))
            long = max(long, _length_for_early_tail(variance, needed, mean + full, tried))
            long = max(long, _length_for_early_tail(variance, at_end, mean + high, tried))
            # Of two heads, P(T_h < x, T_k < y) ≤ E y_h^s y_k^t is at most the product of two such
            # terms with the variances doubled, whatever the correlation.
            double = 2.0 * variance
            long = max(long, _length_for_early_tail(double, 0.5 * needed, mean + full, tried))
            long = max(long, _length_for_early_tail(double, 0.5 * at_end, mean + high, tried))
            cost = max(cost, needed + tried * (mean + 0.5 * tried * variance + full))
        if long * cost < fewest:
            tilt, length, fewest = tried, long, long * cost
    return tilt, length


@compiled
def _log_characteristic_function(k: float, own: float, ratio: float, other: float) -> float:
    """Logarithm of a bound on the characteristic function at k, see :func:`_largest_frequency`."""
    exponent = (
        0.5 * math.log1p(2.0 * math.pi * k) + math.log1p(k) - 0.5 * math.pi * k - 0.5 * own * k * k
    )
    l = ratio * k
    if 2.0 * l * other > math.pi:
        return exponent - 0.5 * math.pi * l + math.pi**2 / (8.0 * other)
    return exponent - 0.5 * other * l * l


@compiled
def _largest_frequency(base: float, own: float, ratio: float, other: float, digits: float) -> int:
    """The first multiple of ``base`` at which the characteristic function is below e^{−digits}.

    Of a pair of heads it is the largest value over the other head's frequencies l: ``own`` is the
    variance of the field given the other one's, ``other`` the variance of that one, and ``ratio``
    Q_hk/Q_kk; of a single head, ratio is 0. |Γ(1 − α + ik)| is below √(1 + 2πk) e^{−πk/2} up to a
    factor near 1. Second derivatives have a factor k², of which integrals of the density leave k.
    """
    most = 8
    while digits + _log_characteristic_function(most * base, own, ratio, other) > 0.0:
        most *= 2
    least = most // 2 if most > 8 else 0
    while most - least > 1:
        middle = (least + most) // 2
        if digits + _log_characteristic_function(middle * base, own, ratio, other) > 0.0:
            least = middle
        else:
            most = middle
    return most


@compiled
def _raise_digits(
    needed: Array, digits: float, mean: Array, covariance: Array, tilts: Array, times: Array
) -> None:
    """Raise ``needed`` (H, H) to ``digits`` and what tilts make of a law at these times (H,)."""
    for h in range(mean.size):
        alone = tilts[h] * (mean[h] + 0.5 * tilts[h] * covariance[h, h] + times[h])
        needed[h, h] = max(needed[h, h], digits + alone)
        for k in range(h):
            other = tilts[k] * (mean[k] + 0.5 * tilts[k] * covariance[k, k] + times[k])
            both = digits + alone + other + tilts[h] * tilts[k] * covariance[h, k]
            needed[h, k] = max(needed[h, k], both)
            needed[k, h] = needed[h, k]


@compiled
def _fill_sizes(laws: FieldLaws, tokens: int, digits: float, boxes: Boxes, full: Array) -> None:
    """Fill the numbers of frequencies; full: (H,) the latest times that matter fully."""
    means, covariances = laws.means, laws.covariances
    count, heads = means.shape
    boxes.sizes[:] = 0
    needed = np.zeros((heads, heads))
    high = boxes.windows[:, 1].copy()
    for s in range(0 if tokens > 1 else 1, count):
        each = 0.0 if s else _TOKENS_POWER * math.log(tokens)
        _raise_digits(needed, digits + each, means[s], covariances[s], boxes.tilts, full)
        _raise_digits(needed, _DIGITS_AT_END + each, means[s], covariances[s], boxes.tilts, high)
        if s + 1 < count and (covariances[s] == covariances[s + 1]).all():
            continue
        for h in range(heads):
            for k in range(heads):
                own, other = covariances[s, h, h], covariances[s, k, k]
                ratio = abs(covariances[s, h, k]) / other if h != k and other > 0.0 else 0.0
                own = max(own - ratio**2 * other, 0.0)
                other = other if h != k else 0.0
                size = _largest_frequency(boxes.bases[h], own, ratio, other, needed[h, k])
                boxes.sizes[h, k] = max(boxes.sizes[h, k], size)
        needed[:] = 0.0


@compiled
def choose_boxes(laws: FieldLaws, race: Race, tolerance: float) -> Boxes:
    """Tilts, boxes and numbers of frequencies of all heads.

    Args:
        laws: of the fields.
        race: L and ν.
        tolerance: probability of ringing outside of a window on either side, and size of
            repetitions and of the largest coefficient left out; for unmarked tokens divided by L.
    """
    heads = laws.means.shape[1]
    digits = -math.log(tolerance)
    full = np.empty(heads)
    boxes = Boxes(
        np.empty(heads),
        np.empty(heads),
        np.empty(heads),
        np.empty((heads, 2)),
        np.empty((heads, heads), dtype=np.int64),
    )
    for h in range(heads):
        scores = _scores_of(laws, h)
        window = _window(scores, race, digits)
        boxes.tilts[h], length = _tilt_and_length(scores, race.tokens, digits, window)
        boxes.bases[h] = 2.0 * math.pi / length
        boxes.repeats[h] = 1.0 / math.expm1(boxes.tilts[h] * length)
        boxes.windows[h, 0], boxes.windows[h, 1], full[h] = window
    _fill_sizes(laws, race.tokens, digits - math.log(_OSCILLATE), boxes, full)
    return boxes
