"""The laws of the logarithmic ring times of exponential scores (theory: tokens).

A token with the score u rings at a time e^T, T = log E − u with E a standard exponential. If the
scores of the heads are Gaussian with means a and covariance Q,

    E exp(z·T) = Π_h Γ(1 + z_h) exp(−z·a + z·Qz/2).

At z = ik − α these are the coefficients of Fourier series for e^{−α·x} times the joint density and,
divided by α − ik, for e^{−α·x} P(T < x). The tilt α > 0 makes the early times, at which one of
many tokens rings first, as large as any other. A series repeats itself with the length of its box;
of P(T < x) the repetitions from later times are known, P(T < ∞) = 1 each.
"""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from headode._checks import Array
from headode.kernels._compile import compiled

# Exponents s of bounds: 1 − e^{−y} ≤ y^s for s ≤ 1, and e^{−y} ≤ (s/e)^s y^{−s}; log (s/e)^s.
_BELOW = np.append(np.geomspace(0.01, 0.8, 15), (0.9, 1.0))
_ABOVE = np.geomspace(0.02, 50.0, 28)
_LOG_ABOVE = _ABOVE * (np.log(_ABOVE) - 1.0)
# Standard normal quantiles, and the probability to be above.
_QUANTILES = np.arange(-6.0, 7.0, 0.5)
_ABOVE_QUANTILES: Array = ndtr(-_QUANTILES)
# Of Stirling's series, and where it is used, 1 − α + SHIFT on.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_SHIFT = 9
# Tilts that are tried, as fractions of the largest one that a head takes; and the largest
# logarithms of what a tilt may make of the latest times that matter, and of those of the window.
_TILTS = (0.15, 0.35, 0.55, 0.75, 0.9, 1.0)
_LARGEST_TILT, _LARGEST_GROWTH, _LARGEST_LATE_GROWTH = 0.5, 2.0, 8.0
# Digits, beyond those for the number of tokens, at the window's end: there n^{L−1} need only be
# small.
_ROUGH = 4.0
# Coefficients left out oscillate, and do not add up: by measurement they may be so much larger, and
# those of unmarked tokens smaller by this power of the number of tokens only.
_OSCILLATE, _TOKENS_POWER = 20.0, 0.6

Complex = NDArray[np.complex128]
# Of the laws of a head's score that are alike: smallest and largest mean, largest variance.
Bounds = tuple[float, float, float]
# Tilts α (H,); smallest frequencies k₁ (H,); Σ_{m ≥ 1} e^{−αmB} (H,), what the series of P(T < x)
# have of the repetitions of P(T < ∞); ends of the windows (H, 2); sizes (H, H): the number of
# frequencies of h that the pair with k takes, and of h alone on the diagonal; moduli (H, K + 1) of
# Γ(1 − α + ik) and its turns Γ/|Γ|.
RingLaws = tuple[Array, Array, Array, Array, NDArray[np.int64], Array, Complex]


@compiled
def _before(variance: float, digits: float, high: float, tilt: float) -> float:
    """Least B with P(T < high − B) e^{αB} ≤ e^{−digits}, for a score of zero mean.

    P(T < x) = E[1 − e^{−y}] with y = e^{x + u} is at most E y^s = e^{sx + s²Q/2}.
    """
    best = math.sqrt(2.0 * digits / variance) if variance > 0.0 else 1.0
    least = np.inf
    for i in range(_BELOW.size + 1):
        s = _BELOW[i] if i < _BELOW.size else min(best + tilt, 1.0)
        if s > tilt:
            least = min(least, (digits + s * high + 0.5 * s * s * variance) / (s - tilt))
    return least


@compiled
def _after(variance: float, digits: float, low: float, tilt: float) -> float:
    """Least B with P(T > low + B) e^{−αB} ≤ e^{−digits}, for a score of zero mean.

    P(T > x) = E e^{−y} is at most (s/e)^s E y^{−s} = (s/e)^s e^{−sx + s²Q/2}.
    """
    best = math.sqrt(2.0 * digits / variance) if variance > 0.0 else 1.0
    least = np.inf
    for i in range(_ABOVE.size + 1):
        s = _ABOVE[i] if i < _ABOVE.size else min(best, _ABOVE[-1])
        logarithm = _LOG_ABOVE[i] if i < _ABOVE.size else s * (math.log(s) - 1.0)
        exponent = digits + logarithm - s * low + 0.5 * s * s * variance
        least = min(least, exponent / (s + tilt))
    return least


@compiled
def _reach_of_all(variance: float, digits: float, tokens: int) -> float:
    """After which T − (−a) all of some tokens are silent with a probability of e^{−digits} only.

    P(T < x) is at least P(u > v)·P(T < x | u = v), for any v; for few tokens the other bound on
    P(T > x) is better.
    """
    each = digits / tokens
    reach = _after(variance, each, 0.0, 0.0)
    rung = -math.expm1(-each)
    deviation = math.sqrt(variance)
    for i in range(_QUANTILES.size):
        share = rung / _ABOVE_QUANTILES[i]
        if share < 1.0:
            time = math.log(-math.log1p(-share)) - deviation * _QUANTILES[i]
            reach = min(reach, time)
    return reach


@compiled
def _bounds(means: Array, covariances: Array, h: int) -> tuple[Bounds, Bounds]:
    """Those of an unmarked token's law and of the marked token's laws.

    What windows and boxes hold grows with the variance, on one side with the mean and on the other
    one against it: these three decide for all laws.
    """
    unmarked = means[0, h], means[0, h], covariances[0, h, h]
    low, high, variance = means[1, h], means[1, h], covariances[1, h, h]
    for s in range(2, means.shape[0]):
        low, high = min(low, means[s, h]), max(high, means[s, h])
        variance = max(variance, covariances[s, h, h])
    return unmarked, (low, high, variance)


@compiled
def _window(
    laws: tuple[Bounds, Bounds], tokens: int, null: float, digits: float
) -> tuple[float, float, float]:
    """Logarithmic times before which nothing rings, and after which something has rung.

    Both but for a probability of e^{−digits}. Third, a time after which what is wrong with a law
    matters less and less, for n^{L−2} falls.
    """
    (mean, _, variance), (smallest, largest, marked) = laws
    # Where n = E e^{−a} is small, its second derivative is a² times as large.
    late = digits + 2.0 * math.log(digits)
    low = -largest - _before(marked, digits, 0.0, 0.0)
    high = -smallest + _after(marked, late, 0.0, 0.0)
    if tokens > 1:
        low = min(low, -mean - _before(variance, digits + math.log(tokens), 0.0, 0.0))
        high = min(high, -mean + _reach_of_all(variance, late, tokens - 1))
    if null > 0.0:
        high = min(high, math.log(late / null))
    high = max(high, low + 1.0)
    full = high
    if tokens > 2:
        full = min(full, -mean + _reach_of_all(variance, 1.0, tokens - 2))
    return low, high, max(full, low + 1.0)


@compiled
def _largest_tilt(laws: tuple[Bounds, Bounds], high: float, limit: float) -> float:
    """The largest tilt that does not make late times x too large: α (a + αQ + x) ≤ limit.

    That is, α (a + αQ/2 + x), and half of what a pair has beyond, α_h α_k Q_hk.
    """
    largest = _LARGEST_TILT
    for _, mean, variance in laws:
        linear = mean + high
        if largest * (linear + largest * variance) > limit:
            root = math.sqrt(linear * linear + 4.0 * variance * limit)
            largest = 2.0 * limit / (linear + root)
    return largest


@compiled
def _box(
    laws: tuple[Bounds, Bounds], tokens: int, digits: float, window: tuple[float, float, float]
) -> tuple[float, float]:
    """Tilt and length of the box with which a head takes the fewest frequencies, about."""
    low, high, full = window
    largest = min(
        _largest_tilt(laws, full, _LARGEST_GROWTH),
        _largest_tilt(laws, high, _LARGEST_LATE_GROWTH),
    )
    tilt, length, fewest = largest, np.inf, np.inf
    for fraction in _TILTS:
        tried = fraction * largest
        long, cost = high - low, 0.0
        for s in range(0 if tokens > 1 else 1, 2):
            smallest, mean, variance = laws[s]
            each = 0.0 if s else math.log(tokens)
            needed = digits + each
            # Repetitions from later times are seen in P(T < x), those from earlier ones, too.
            late = needed + 2.0 * math.log(needed)
            long = max(long, _after(variance, late, smallest + low, tried))
            long = max(long, _before(variance, needed, mean + full, tried))
            long = max(long, _before(variance, _ROUGH + each, mean + high, tried))
            # Of two heads, P(T_h < x, T_k < y) is at most E y_h^s y_k^t, which is the product of
            # two such terms with the variances doubled, whatever the correlation.
            long = max(long, _before(2.0 * variance, 0.5 * needed, mean + full, tried))
            long = max(long, _before(2.0 * variance, 0.5 * (_ROUGH + each), mean + high, tried))
            cost = max(cost, needed + tried * (mean + 0.5 * tried * variance + full))
        if long * cost < fewest:
            tilt, length, fewest = tried, long, long * cost
    return tilt, length


@compiled
def _exponent(k: float, own: float, ratio: float, other: float) -> float:
    """Logarithm of a bound on the characteristic function at k, see :func:`_frequencies`."""
    exponent = (
        0.5 * math.log1p(2.0 * math.pi * k) + math.log1p(k) - 0.5 * math.pi * k - 0.5 * own * k * k
    )
    l = ratio * k
    if 2.0 * l * other > math.pi:
        return exponent - 0.5 * math.pi * l + math.pi**2 / (8.0 * other)
    return exponent - 0.5 * other * l * l


@compiled
def _frequencies(base: float, own: float, ratio: float, other: float, digits: float) -> int:
    """Number of multiples of ``base`` at which the characteristic function is above e^{−digits}.

    For a pair of heads the function of k is the largest one over the other head's frequencies l:
    own is the variance of the field given the other one's, other the variance of that one, and
    ratio Q_hk/Q_kk; for a single head, ratio is 0. |Γ(1 − α + ik)| is below √(1 + 2πk) e^{−πk/2} up
    to a factor near 1. Second derivatives take k² times as much, of which integrals of the density
    leave k.
    """
    most = 8
    while digits + _exponent(most * base, own, ratio, other) > 0.0:
        most *= 2
    least = most // 2 if most > 8 else 0
    while most - least > 1:
        middle = (least + most) // 2
        if digits + _exponent(middle * base, own, ratio, other) > 0.0:
            least = middle
        else:
            most = middle
    return most


@compiled
def _raise_digits(
    digits: float, means: Array, covariance: Array, tilts: Array, ends: Array, needed: Array
) -> None:
    """Raise ``needed`` (H, H) to so many digits and what tilts make of a law at these times."""
    for h in range(means.size):
        alone = tilts[h] * (means[h] + 0.5 * tilts[h] * covariance[h, h] + ends[h])
        needed[h, h] = max(needed[h, h], digits + alone)
        for k in range(h):
            other = tilts[k] * (means[k] + 0.5 * tilts[k] * covariance[k, k] + ends[k])
            both = digits + alone + other + tilts[h] * tilts[k] * covariance[h, k]
            needed[h, k] = max(needed[h, k], both)
            needed[k, h] = needed[h, k]


@compiled
def _sizes(
    means: Array,
    covariances: Array,
    tokens: int,
    digits: float,
    box: tuple[Array, Array, Array, Array],
) -> NDArray[np.int64]:
    """(H, H) numbers of frequencies, of pairs and, on the diagonal, of heads alone.

    box: tilts, smallest frequencies, the latest times that matter and the windows' ends.
    """
    count, heads = means.shape
    tilts, bases, full, high = box
    sizes = np.zeros((heads, heads), dtype=np.int64)
    most = np.zeros((heads, heads))
    for s in range(0 if tokens > 1 else 1, count):
        each = 0.0 if s else _TOKENS_POWER * math.log(tokens)
        _raise_digits(digits + each, means[s], covariances[s], tilts, full, most)
        _raise_digits(_ROUGH + each, means[s], covariances[s], tilts, high, most)
        if s + 1 < count and (covariances[s] == covariances[s + 1]).all():
            continue
        for h in range(heads):
            for k in range(heads):
                own, other = covariances[s, h, h], covariances[s, k, k]
                ratio = abs(covariances[s, h, k]) / other if h != k and other > 0.0 else 0.0
                own = max(own - ratio**2 * other, 0.0)
                other = other if h != k else 0.0
                size = _frequencies(bases[h], own, ratio, other, most[h, k])
                sizes[h, k] = max(sizes[h, k], size)
        most[:] = 0.0
    return sizes


@compiled
def _gamma(z: complex) -> tuple[float, complex]:
    """|Γ(z)| and Γ(z)/|Γ(z)|, by Stirling's series."""
    shifted = z + _SHIFT
    inverse = 1.0 / shifted
    square = inverse * inverse
    logarithm = (shifted - 0.5) * cmath.log(shifted) - shifted + 0.5 * math.log(2.0 * math.pi)
    for coefficient in _STIRLING:
        logarithm += coefficient * inverse
        inverse *= square
    product = 1.0 + 0.0j
    for n in range(_SHIFT):
        product *= z + n
    size = abs(product)
    turn = complex(math.cos(logarithm.imag), math.sin(logarithm.imag))
    return math.exp(logarithm.real) / size, turn * (product.conjugate() / size)


@compiled
def ring_laws(
    means: Array, covariances: Array, tokens: int, null: float, tolerance: float
) -> RingLaws:
    """The series of each head's ring times.

    Args:
        means: (S + 1, H) of the shifted fields, of an unmarked token and of the marked one under
            each component of the signal.
        covariances: (S + 1, H, H).
        tokens: L.
        null: ν, the rate of the null token.
        tolerance: probability to be outside a window on either side; size of the largest
            coefficient left out and of repetitions; of unmarked tokens, over L.
    """
    heads = means.shape[1]
    digits = -math.log(tolerance)
    tilts, bases, windows = np.empty(heads), np.empty(heads), np.empty((heads, 2))
    repeated, full = np.empty(heads), np.empty(heads)
    for h in range(heads):
        laws = _bounds(means, covariances, h)
        window = _window(laws, tokens, null, digits)
        tilts[h], length = _box(laws, tokens, digits, window)
        bases[h] = 2.0 * math.pi / length
        repeated[h] = 1.0 / math.expm1(tilts[h] * length)
        windows[h, 0], windows[h, 1], full[h] = window
    box = tilts, bases, full, windows[:, 1].copy()
    sizes = _sizes(means, covariances, tokens, digits - math.log(_OSCILLATE), box)
    moduli = np.empty((heads, sizes.max() + 1))
    turns = np.empty((heads, sizes.max() + 1), dtype=np.complex128)
    for h in range(heads):
        for j in range(sizes[h].max() + 1):
            moduli[h, j], turns[h, j] = _gamma(complex(1.0 - tilts[h], j * bases[h]))
    return tilts, bases, repeated, windows, sizes, moduli, turns
