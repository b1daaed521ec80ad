"""Races of one head's clocks, from the series of their logarithmic ring times.

With T the logarithmic ring time, r is its density, n = P(T > x) and q = r − r'. All are e^{αx}
times a Fourier series. Grids of x are symmetric about a center: the waves on one side of it give
those on the other one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.kernels._compile import compiled
from headode.kernels.ring_laws import Complex, RingLaws
from headode.kernels.symmetric_grid import fold, multiply, unfold

# A rotation of a wave is started anew so often that it stays exact to the last digits.
_ANEW = 16
# The step of a grid grows by this factor as long as the integrands' spectra allow it.
_GROWTH = 1.1
# Entries of a table of functions of x: some seconds.
LARGEST_TABLE = 1 << 26

# Grids of all heads for two clocks: center and step (H, 2); half the number of points (H,), none if
# a race takes too many; cosines and sines of waves (H, frequencies · half), from the center on; and
# on all points, in their order, e^{α(x − center)} (H, points), the null token's survival times the
# step (H, points), and n of an unmarked and of the marked token (H, 2, points).
Grids = tuple[Array, NDArray[np.int64], Array, Array, Array, Array, Array]


@compiled
def _waves(step: float, base: float, cosines: Array, sines: Array) -> None:
    """cos and sin of jbx in the rows j, at x = step/2, 3 step/2, …"""
    for j in range(cosines.shape[0]):
        k = j * base
        turn_cos, turn_sin = math.cos(k * step), math.sin(k * step)
        for begin in range(0, cosines.shape[1], _ANEW):
            cos = math.cos(k * (begin + 0.5) * step)
            sin = math.sin(k * (begin + 0.5) * step)
            for i in range(begin, min(begin + _ANEW, cosines.shape[1])):
                cosines[j, i], sines[j, i] = cos, sin
                cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin


@compiled
def _fill_growth(tilt: float, step: float, growth: Array) -> None:
    """e^{αx} at the points of a grid, in their order."""
    half = growth.size // 2
    for i in range(half):
        growth[half + i] = math.exp(tilt * (i + 0.5) * step)
        growth[half - 1 - i] = 1.0 / growth[half + i]


@compiled
def _fill_weight(start: float, step: float, null: float, weight: Array) -> None:
    """The null token's survival at logarithmic times from ``start`` on, times their step."""
    for i in range(weight.size):
        weight[i] = step * math.exp(-null * math.exp(min(start + i * step, 700.0)))


@compiled
def _fill_law(
    factor: float,
    head: tuple[float, float, float],
    mean: float,
    variance: float,
    moduli: Array,
    turns: Complex,
    law: Complex,
) -> None:
    """A law's coefficients e^{αc} φ(k) e^{−ikc}, times ``factor``; head: α, k₁ and the center c."""
    tilt, base, center = head
    # A tilted Gaussian has its mean shifted.
    turn = -base * (mean + tilt * variance + center)
    size = factor * math.exp(tilt * (mean + 0.5 * tilt * variance + center))
    step = complex(math.cos(turn), math.sin(turn))
    wave = 1.0 + 0.0j
    for j in range(law.size):
        if j % _ANEW == 0:
            wave = complex(math.cos(j * turn), math.sin(j * turn))
        k = j * base
        law[j] = size * moduli[j] * math.exp(-0.5 * variance * k * k) * wave * turns[j]
        wave *= step


@compiled
def _series(laws: Complex, tilt: float, base: float) -> tuple[Array, Array]:
    """Coefficients (6, K + 1) of cosines and of sines: P(T < x), r and q of either law."""
    cosines, sines = np.empty((6, laws.shape[1])), np.empty((6, laws.shape[1]))
    for j in range(laws.shape[1]):
        slope = complex(tilt, -j * base)
        double = 2.0 if j else 1.0
        for s in range(2):
            rung = double * laws[s, j]
            rang, twice = rung / slope, (1.0 - slope) * rung
            cosines[3 * s, j], sines[3 * s, j] = rang.real, rang.imag
            cosines[3 * s + 1, j], sines[3 * s + 1, j] = rung.real, rung.imag
            cosines[3 * s + 2, j], sines[3 * s + 2, j] = twice.real, twice.imag
    return cosines, sines


@compiled
def _transposed_series(cosines: Array, sines: Array, tilt: float, base: float) -> Complex:
    """(2, K + 1): derivatives with respect to the real parts of the laws' coefficients and, by
    −i, to the imaginary ones, from those with respect to the series."""
    response = np.empty((2, cosines.shape[1]), dtype=np.complex128)
    for j in range(cosines.shape[1]):
        slope = complex(tilt, -j * base)
        double = 2.0 if j else 1.0
        for s in range(2):
            rang = complex(cosines[3 * s, j], -sines[3 * s, j])
            rung = complex(cosines[3 * s + 1, j], -sines[3 * s + 1, j])
            twice = complex(cosines[3 * s + 2, j], -sines[3 * s + 2, j])
            response[s, j] = double * (rang / slope + rung + (1.0 - slope) * twice)
    return response


@compiled
def _on_grid(coefficients: tuple[Array, Array], waves: tuple[Array, Array], growth: Array) -> Array:
    """(6, points) values of series, in the order of the points."""
    half = growth.size // 2
    even, odd = np.empty((6, half)), np.empty((6, half))
    multiply(coefficients[0], waves[0], even)
    multiply(coefficients[1], waves[1], odd)
    values = np.empty((6, 2 * half))
    unfold(even, odd, values)
    for a in range(6):
        for i in range(growth.size):
            values[a, i] *= growth[i]
    return values


@compiled
def _from_grid(factors: Array, waves: tuple[Array, Array], growth: Array) -> tuple[Array, Array]:
    """Derivatives, with respect to the series, of Σ factors · their values."""
    half = growth.size // 2
    tilted = np.empty(factors.shape)
    for a in range(6):
        for i in range(growth.size):
            tilted[a, i] = factors[a, i] * growth[i]
    even, odd = np.empty((6, half)), np.empty((6, half))
    fold(tilted, even, odd)
    cosines, sines = np.empty((6, waves[0].shape[0])), np.empty((6, waves[0].shape[0]))
    multiply(even, waves[0].T, cosines)
    multiply(odd, waves[1].T, sines)
    return cosines, sines


@compiled
def _one_clock(
    values: Array,
    tokens: int,
    weight: Array,
    alpha: tuple[float, float],
    integrands: Array,
    factors: Array,
) -> None:
    """The race of one head's clocks.

    values: (6, points) n, r and q of an unmarked token and of the marked one, averaged over the
    signal; weight: (points,) the null token's survival times the grid's step; alpha: α₁, α₂.
    Receives in ``integrands`` (5, points) those of E p_ε and of E Σ p², the two n and Z n^{L−1},
    and in ``factors`` (6, points) the derivatives of −α₁ E p_ε + ½ α₂ E Σ p² with respect to
    P(T < x), r and q, the unmarked token's summed over L − 1 tokens.
    """
    others = tokens - 1.0
    half = 0.5 * alpha[1]
    for i in range(weight.size):
        q, n_marked, r_marked, q_marked = values[2, i], values[3, i], values[4, i], values[5, i]
        once = max(values[0, i], 0.0)
        # Z n^{L−1}, Z n^{L−2}, Z n^{L−3}; one below zero is never used.
        power_3 = weight[i] * once ** max(tokens - 3, 0)
        power_2 = power_3 * once if tokens > 2 else weight[i]
        power_1 = power_2 * once if tokens > 1 else weight[i]
        integrands[2, i], integrands[3, i], integrands[4, i] = values[0, i], n_marked, power_1
        integrands[0, i] = r_marked * power_1
        integrands[1, i] = q_marked * power_1 + others * q * n_marked * power_2
        factors[0, i] = -others * (
            (half * q_marked - alpha[0] * r_marked) * power_2
            + half * (others - 1.0) * q * n_marked * power_3
        )
        factors[1, i] = 0.0
        factors[2, i] = half * others * n_marked * power_2
        factors[3, i] = -half * others * q * power_2
        factors[4, i] = -alpha[0] * power_1
        factors[5, i] = half * power_1


@compiled
def _amplitude(integrands: Array, turn: float) -> float:
    """The larger |Σ_i f(i) e^{i·turn}| of two rows f."""
    one, two = integrands[0], integrands[1]
    cos, sin = 1.0, 0.0
    real, imaginary, real_two, imaginary_two = 0.0, 0.0, 0.0, 0.0
    turn_cos, turn_sin = math.cos(turn), math.sin(turn)
    for i in range(one.size):
        real += one[i] * cos
        imaginary += one[i] * sin
        real_two += two[i] * cos
        imaginary_two += two[i] * sin
        cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin
    return math.sqrt(max(real**2 + imaginary**2, real_two**2 + imaginary_two**2))


@compiled
def _coarsest(
    integrands: Array, step: float, tokens: int, widest: float, left_out: float, cut: float
) -> tuple[float, float, float]:
    """Ends, from the first point on, and step of the coarsest grid that will do for two clocks.

    What a grid of step h gets wrong is the integrands' spectrum at 2π/h, looked at from the
    frequency on that is known to be negligible.
    """
    points = integrands.shape[1]
    first = 0
    for i in range(points):
        if (tokens - 1.0) * (1.0 - integrands[2, i]) + 1.0 - integrands[3, i] >= cut:
            first = max(i - 1, 0)
            break
    last = points - 1
    while last > first and integrands[4, last] * integrands[3, last] < cut * step:
        last -= 1
    coarse = min(2.0 * step, widest)
    while coarse < widest:
        wider = min(_GROWTH * coarse, widest)
        if _amplitude(integrands, 2.0 * math.pi * step / wider) > left_out:
            break
        coarse = wider
    return first * step, last * step, coarse


@compiled
def _law_sums(
    response: Complex,
    head: tuple[float, float, float],
    laws: tuple[Array, Array, Array],
    gammas: tuple[Array, Complex],
    first: Array,
    second: Array,
) -> None:
    """First and second derivatives with respect to every law's mean, over its probability.

    laws: means, variances and factors (S + 1,) of the laws.
    """
    means, variances, factors = laws
    law = np.empty(response.shape[1], dtype=np.complex128)
    for s in range(means.size):
        _fill_law(factors[0], head, means[s], variances[s], gammas[0], gammas[1], law)
        first[s], second[s] = 0.0, 0.0
        for j in range(law.size):
            slope = complex(head[0], -j * head[1])
            each = slope * law[j] * response[min(s, 1), j]
            first[s] += each.real
            second[s] += (slope * each).real


@compiled
def _sum_laws(
    head: tuple[float, float, float],
    laws: tuple[Array, Array, Array],
    gammas: tuple[Array, Complex],
) -> Complex:
    """(2, K + 1): the coefficients of an unmarked token, and of the marked one on average."""
    means, variances, factors = laws
    total = np.zeros((2, gammas[0].size), dtype=np.complex128)
    law = np.empty(gammas[0].size, dtype=np.complex128)
    for s in range(means.size):
        _fill_law(factors[s], head, means[s], variances[s], gammas[0], gammas[1], law)
        at = min(s, 1)
        for j in range(law.size):
            total[at, j] += law[j]
    return total


@compiled
def _race(
    head: tuple[float, float, float],
    repeated: float,
    window: tuple[float, float],
    laws: tuple[Array, Array, Array],
    gammas: tuple[Array, Complex],
    race: tuple[int, float],
    alpha: tuple[float, float],
    steps: tuple[float, float],
    left_out: float,
    cut: float,
    first: Array,
    second: Array,
) -> tuple[float, float, float, float, float]:
    """One head's race, on a grid from one end of the ``window`` to the other.

    ``first`` and ``second`` (S + 1,) receive the derivatives of −α₁ E p_ε + ½ α₂ E Σ p² with
    respect to the means, the unmarked law's summed over L − 1 tokens. Returns E p_ε, E Σ p², and
    the ends and the step of the grid that will do for two clocks; no step if a race takes too
    long.
    """
    tilt, base, _ = head
    tokens, null = race
    size = gammas[0].size
    total = _sum_laws(head, laws, gammas)
    coefficients = _series(total, tilt, base)
    step = max(steps[0], 0.5 * math.pi / (size * base))
    while True:
        # Points at both ends, and none beyond: there the series are wrong.
        half = math.ceil(0.5 * (window[1] - window[0]) / step + 0.5)
        step = (window[1] - window[0]) / (2 * half - 1)
        if size * half > LARGEST_TABLE:
            return 0.0, 0.0, 0.0, 0.0, 0.0
        waves = np.empty((size, half)), np.empty((size, half))
        _waves(step, base, waves[0], waves[1])
        growth, weight = np.empty(2 * half), np.empty(2 * half)
        _fill_growth(tilt, step, growth)
        _fill_weight(window[0], step, null, weight)
        values = _on_grid(coefficients, waves, growth)
        for s in range(2):
            for i in range(2 * half):
                values[3 * s, i] = 1.0 + repeated - values[3 * s, i]
        integrands, factors = np.empty((5, 2 * half)), np.empty((6, 2 * half))
        _one_clock(values, tokens, weight, alpha, integrands, factors)
        if _amplitude(integrands, math.pi) < left_out or step < 0.5 * steps[0]:
            break
        step *= 0.5
    cosines, sines = _from_grid(factors, waves, growth)
    response = _transposed_series(cosines, sines, tilt, base)
    _law_sums(response, head, laws, gammas, first, second)
    begin, end, coarse = _coarsest(integrands, step, tokens, steps[1], left_out, cut)
    return integrands[0].sum(), integrands[1].sum(), window[0] + begin, window[0] + end, coarse


@compiled
def _head_laws(
    means: Array, covariances: Array, probabilities: Array, base: float, h: int
) -> tuple[Array, Array, Array]:
    """Means, variances and factors of the series of one head's laws."""
    factors = np.empty(means.shape[0])
    factors[0] = base / (2.0 * math.pi)
    for s in range(probabilities.size):
        factors[s + 1] = probabilities[s] * factors[0]
    return means[:, h].copy(), covariances[:, h, h].copy(), factors


@compiled
def race_heads(
    ring: RingLaws,
    means: Array,
    covariances: Array,
    probabilities: Array,
    race: tuple[int, float],
    alpha: tuple[float, float],
    step: float,
    left_out: float,
    cut: float,
) -> tuple[Array, Array, Array, int, Grids]:
    """The races of all heads, and what pairs of heads need of each.

    Args:
        ring: what ``ring_laws`` returned.
        means: (S + 1, H).
        covariances: (S + 1, H, H).
        probabilities: (S,) of the signal's components.
        race: L and ν, the rate of the null token.
        alpha: α₁, α₂.
        step: of a grid that is fine enough whatever the scores.
        left_out: what a grid may leave out.
        cut: what lies beyond its ends.

    Returns:
        sums (2,), over the heads: E p_ε and E Σ p²; first (S + 1, H) and second (S + 1, H, H):
        derivatives of −α₁ E p_ε + ½ α₂ E Σ p² with respect to the means; the number of points on
        all grids, of one clock and of two; and the grids for two clocks.
    """
    tilts, bases, repeated, windows, sizes, moduli, turns = ring
    count, heads = means.shape
    sums, grids = np.zeros(2), np.empty((heads, 2))
    first, second = np.empty((count, heads)), np.zeros((count, heads, heads))
    halves = np.zeros(heads, dtype=np.int64)
    gradient, curvature = np.empty(count), np.empty(count)
    spread = math.sqrt(1.0 + 2.0 * math.log(race[0]))
    for h in range(heads):
        size = sizes[h, h] + 1
        low, high = windows[h]
        # Two clocks of strongly correlated scores are sharper along x − y than either race shows:
        # as sharp as the law's highest frequency, times √(1 + 2 ln L) for the power of n, or, where
        # that is less, as exponential clocks are at any score.
        highest = spread * sizes[h].max() * bases[h]
        widest = max(2.0 * step, 2.0 * math.pi / highest)
        marked, squared, begin, end, coarse = _race(
            (tilts[h], bases[h], 0.5 * (low + high)),
            repeated[h],
            (low, high),
            _head_laws(means, covariances, probabilities, bases[h], h),
            (moduli[h, :size], turns[h, :size]),
            race,
            alpha,
            (step, widest),
            left_out,
            cut,
            gradient,
            curvature,
        )
        sums[0] += marked
        sums[1] += squared
        for s in range(count):
            first[s, h], second[s, h, h] = gradient[s], curvature[s]
        if coarse > 0.0:
            halves[h] = math.ceil(0.5 * (end - begin) / coarse + 0.5)
            grids[h, 0], grids[h, 1] = 0.5 * (begin + end), (end - begin) / (2 * halves[h] - 1)
    if halves.min() == 0:
        halves[:] = 0
    # Σ_h 2n_h for single heads and 4 Σ_{h<k} n_h n_k for pairs.
    points = 2 * (halves.sum() + halves.sum() ** 2 - (halves * halves).sum())
    filled = _fill_grids(ring, means, covariances, probabilities, grids, halves, race[1])
    return sums, first, second, points, filled


@compiled
def _fill_grids(
    ring: RingLaws,
    means: Array,
    covariances: Array,
    probabilities: Array,
    grids: Array,
    halves: NDArray[np.int64],
    null: float,
) -> Grids:
    """The functions on the grids for two clocks."""
    tilts, bases, repeated, _, sizes, moduli, turns = ring
    heads, most = halves.size, halves.max()
    rows = sizes.max() + 1
    cosines, sines = np.empty((heads, rows * most)), np.empty((heads, rows * most))
    growth, weight = np.empty((heads, 2 * most)), np.empty((heads, 2 * most))
    later = np.empty((heads, 2, 2 * most))
    for h in range(heads):
        half = halves[h]
        size, waves = sizes[h, h] + 1, sizes[h].max() + 1
        center, step = grids[h]
        cosine = cosines[h, : waves * half].reshape((waves, half))
        sine = sines[h, : waves * half].reshape((waves, half))
        _waves(step, bases[h], cosine, sine)
        _fill_growth(tilts[h], step, growth[h, : 2 * half])
        _fill_weight(center - (half - 0.5) * step, step, null, weight[h, : 2 * half])
        head = (tilts[h], bases[h], center)
        laws = _head_laws(means, covariances, probabilities, bases[h], h)
        total = _sum_laws(head, laws, (moduli[h, :size], turns[h, :size]))
        coefficients = _series(total, tilts[h], bases[h])
        values = _on_grid(coefficients, (cosine[:size], sine[:size]), growth[h, : 2 * half])
        for s in range(2):
            for i in range(2 * half):
                later[h, s, i] = 1.0 + repeated[h] - values[3 * s, i]
    return grids, halves, cosines, sines, growth, weight, later


@compiled
def add_marginals(
    ring: RingLaws,
    means: Array,
    covariances: Array,
    probabilities: Array,
    grids: Grids,
    factors: Array,
    scale: float,
    first: Array,
    second: Array,
) -> None:
    """Add derivatives of Σ factors · n, of single heads on the grids for two clocks.

    Args:
        ring: what ``ring_laws`` returned.
        means: (S + 1, H).
        covariances: (S + 1, H, H).
        probabilities: (S,) of the signal's components.
        grids: of two clocks.
        factors: (H, 2, points), of an unmarked token and of the marked one.
        scale: of what is added.
        first: (S + 1, H) receives derivatives with respect to the means.
        second: (S + 1, H, H) likewise, on its diagonal.
    """
    tilts, bases, _, _, sizes, moduli, turns = ring
    centers, halves, cosines, sines, growth, _, _ = grids
    count = means.shape[0]
    gradient, curvature = np.empty(count), np.empty(count)
    for h in range(means.shape[1]):
        half, size = halves[h], sizes[h, h] + 1
        cosine = cosines[h, : size * half].reshape((size, half))
        sine = sines[h, : size * half].reshape((size, half))
        each = np.zeros((6, 2 * half))
        for i in range(2 * half):
            each[0, i], each[3, i] = -factors[h, 0, i], -factors[h, 1, i]
        even, odd = _from_grid(each, (cosine, sine), growth[h, : 2 * half])
        response = _transposed_series(even, odd, tilts[h], bases[h])
        head = (tilts[h], bases[h], centers[h, 0])
        laws = _head_laws(means, covariances, probabilities, bases[h], h)
        gammas = (moduli[h, :size], turns[h, :size])
        _law_sums(response, head, laws, gammas, gradient, curvature)
        for s in range(count):
            first[s, h] += scale * gradient[s]
            second[s, h, h] += scale * curvature[s]
