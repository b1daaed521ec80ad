"""Races of one head's clocks, from the series of their logarithmic ring times.

The functions of x are ordered 1, cos k₁x, sin k₁x, cos k₂x, ... with x from the start of the box.
With T the logarithmic ring time, r is its density, n = P(T > x) and q = r − r'.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.kernels._compile import compiled

# A rotation of a wave is started anew so often that it stays exact to the last digits.
_ANEW = 16
# The step of a grid grows by this factor as long as the integrands' spectra allow it.
_GROWTH = 1.1
# Entries of a table of functions of x: some seconds.
LARGEST_TABLE = 1 << 26


@compiled
def _waves(start: float, step: float, length: float, density: Array, survival: Array) -> None:
    """The series' functions (2K + 1, points), and their integrals from x to the end of the box.

    start: of the grid of x, from the start of the box; length: of the box.
    """
    points = density.shape[1]
    for i in range(points):
        density[0, i] = 1.0
        survival[0, i] = length - (start + i * step)
    for j in range(1, density.shape[0] // 2 + 1):
        k = 2.0 * math.pi * j / length
        per = 1.0 / k
        turn_cos = math.cos(k * step)
        turn_sin = math.sin(k * step)
        for begin in range(0, points, _ANEW):
            cos = math.cos(k * (start + begin * step))
            sin = math.sin(k * (start + begin * step))
            for i in range(begin, min(begin + _ANEW, points)):
                density[2 * j - 1, i] = cos
                density[2 * j, i] = sin
                survival[2 * j - 1, i] = -per * sin
                survival[2 * j, i] = per * (cos - 1.0)
                cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin


@compiled
def _on_grid(
    series: Array, base: float, density: Array, survival: Array
) -> tuple[Array, Array, Array]:
    """n, r and q = r − r', (2, points) each, of two series."""
    size, points = density.shape
    twice = series.copy()  # of q = r − r', with a² g for a g
    for s in range(2):
        for j in range(1, size // 2 + 1):
            twice[s, 2 * j - 1] -= j * base * series[s, 2 * j]
            twice[s, 2 * j] += j * base * series[s, 2 * j - 1]
    n, r, q = np.zeros((2, points)), np.zeros((2, points)), np.zeros((2, points))
    for s in range(2):
        for a in range(size):
            for i in range(points):
                n[s, i] += series[s, a] * survival[a, i]
                r[s, i] += series[s, a] * density[a, i]
                q[s, i] += twice[s, a] * density[a, i]
    return n, r, q


@compiled
def _from_grid(
    factors: Array, base: float, density: Array, survival: Array, response: Array
) -> None:
    """Derivatives, with respect to the series, of Σ factors · (r, q, n), the marked one's first."""
    size, points = density.shape
    twice = np.empty((2, size))
    for s in range(2):
        at = 3 * (1 - s)
        for a in range(size):
            direct, doubled = 0.0, 0.0
            for i in range(points):
                rung = factors[at, i] + factors[at + 1, i]
                direct += rung * density[a, i] + factors[at + 2, i] * survival[a, i]
                doubled += factors[at + 1, i] * density[a, i]
            response[s, a] = direct
            twice[s, a] = doubled
        for j in range(1, size // 2 + 1):
            response[s, 2 * j - 1] += j * base * twice[s, 2 * j]
            response[s, 2 * j] -= j * base * twice[s, 2 * j - 1]


@compiled
def _one_clock(
    series: Array,
    base: float,
    tokens: int,
    weight: Array,
    alpha: tuple[float, float],
    density: Array,
    survival: Array,
    integrands: Array,
    response: Array,
) -> None:
    """The race of one head's clocks.

    series: (2, 2K + 1) of an unmarked token and of the marked one, averaged over the signal;
    base: smallest frequency; weight: (points,) the null token's survival times the grid's step;
    alpha: α₁, α₂; density, survival: the functions. Receives in ``integrands`` (5, points) those of
    E p_ε and of E Σ p², the two n and Z n^{L−1}, and in ``response`` (2, 2K + 1) the derivatives of
    −α₁ E p_ε + ½ α₂ E Σ p² with respect to the series, the unmarked one's summed over L − 1 tokens.
    """
    points = density.shape[1]
    n, r, q = _on_grid(series, base, density, survival)
    power = np.empty((3, points))  # Z n^{L−1}, Z n^{L−2}, Z n^{L−3}; one below zero is never used
    for i in range(points):
        once = max(n[0, i], 0.0)
        power[2, i] = weight[i] * once ** max(tokens - 3, 0)
        power[1, i] = power[2, i] * once if tokens > 2 else weight[i]
        power[0, i] = power[1, i] * once if tokens > 1 else weight[i]
    others = tokens - 1.0
    half = 0.5 * alpha[1]
    # What multiplies r, q and n of the marked token, then of the others.
    factors = np.empty((6, points))
    integrands[2:4] = n
    integrands[4] = power[0]
    for i in range(points):
        integrands[0, i] = r[1, i] * power[0, i]
        integrands[1, i] = q[1, i] * power[0, i] + others * q[0, i] * n[1, i] * power[1, i]
        factors[0, i] = -alpha[0] * power[0, i]
        factors[1, i] = half * power[0, i]
        factors[2, i] = half * others * q[0, i] * power[1, i]
        factors[3, i] = 0.0
        factors[4, i] = half * others * n[1, i] * power[1, i]
        factors[5, i] = others * (
            (half * q[1, i] - alpha[0] * r[1, i]) * power[1, i]
            + half * (others - 1.0) * q[0, i] * n[1, i] * power[2, i]
        )
    _from_grid(factors, base, density, survival, response)


@compiled
def _amplitude(integrands: Array, turn: float) -> float:
    """The largest |Σ_i f(i) e^{i·turn}| of the rows f."""
    largest = 0.0
    for row in integrands:
        cos, sin = 1.0, 0.0
        real, imaginary = 0.0, 0.0
        turn_cos, turn_sin = math.cos(turn), math.sin(turn)
        for i in range(row.size):
            real += row[i] * cos
            imaginary += row[i] * sin
            cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin
        largest = max(largest, math.hypot(real, imaginary))
    return largest


@compiled
def _fill_weight(start: float, step: float, null: float, weight: Array) -> None:
    """The null token's survival at logarithmic times from ``start`` on, times their step."""
    for i in range(weight.size):
        weight[i] = step * math.exp(-null * math.exp(min(start + i * step, 700.0)))


@compiled
def _coarsest(
    integrands: Array, step: float, tokens: int, widest: float, left_out: float, cut: float
) -> tuple[float, float, int]:
    """Begin, step and number of points of the coarsest grid that will do for two clocks.

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
        if _amplitude(integrands[:2], 2.0 * math.pi * step / wider) > left_out:
            break
        coarse = wider
    return first * step, coarse, math.ceil((last - first) * step / coarse) + 1


@compiled
def _law_sums(
    responses: Array,
    base: float,
    variance: float,
    moduli: Array,
    phases: Array,
) -> tuple[float, float]:
    """Derivatives with respect to a law's mean, factors −ik of its coefficients."""
    first, second = 0.0, 0.0
    for j in range(1, responses.size // 2 + 1):
        k = j * base
        size = 2.0 * moduli[j] * math.exp(-0.5 * variance * k * k)
        cos, sin = size * phases[0, j], size * phases[1, j]
        first += k * (responses[2 * j - 1] * sin - responses[2 * j] * cos)
        second -= k * k * (responses[2 * j - 1] * cos + responses[2 * j] * sin)
    return first, second


@compiled
def _add_law(
    factor: float, base: float, variance: float, moduli: Array, phases: Array, series: Array
) -> None:
    """Add a law's coefficients to those of the functions of x."""
    series[0] += factor
    for j in range(1, series.size // 2 + 1):
        k = j * base
        size = 2.0 * factor * moduli[j] * math.exp(-0.5 * variance * k * k)
        series[2 * j - 1] += size * phases[0, j]
        series[2 * j] += size * phases[1, j]


@compiled
def _race(
    start: float,
    base: float,
    variances: Array,
    moduli: Array,
    phases: Array,
    probabilities: Array,
    tokens: int,
    null: float,
    alpha: tuple[float, float],
    steps: tuple[float, float],
    left_out: float,
    cut: float,
    first: Array,
    second: Array,
) -> tuple[float, float, float, float, int]:
    """One head's race.

    Takes ``start`` and ``base`` of the box, ``variances`` (S + 1,) of the field, ``moduli``
    (K + 1,) and ``phases`` (S + 1, 2, K + 1) as of the ring laws; the rest as :func:`race_heads`.
    ``first`` and ``second`` (S + 1,) receive the derivatives of −α₁ E p_ε + ½ α₂ E Σ p² with
    respect to the means, the unmarked law's summed over L − 1 tokens. Returns E p_ε, E Σ p², and
    begin (from the start of the box), step and number of points of the grid that will do for two
    clocks; no points if this takes too many.
    """
    size = 2 * moduli.size - 1
    length = 2.0 * math.pi / base
    series = np.zeros((2, size))
    for s in range(variances.size):
        factor = probabilities[s - 1] / length if s else 1.0 / length
        _add_law(factor, base, variances[s], moduli, phases[s], series[min(s, 1)])
    step = max(steps[0], math.pi / (size * base))
    while True:
        points = math.ceil(length / step) + 1
        if size * points > LARGEST_TABLE:
            return 0.0, 0.0, 0.0, 0.0, 0
        density, survival = np.empty((size, points)), np.empty((size, points))
        _waves(0.0, step, length, density, survival)
        weight = np.empty(points)
        _fill_weight(start, step, null, weight)
        integrands, response = np.empty((5, points)), np.empty((2, size))
        _one_clock(series, base, tokens, weight, alpha, density, survival, integrands, response)
        if _amplitude(integrands[:2], math.pi) < left_out or step < 0.5 * steps[0]:
            break
        step *= 0.5
    for s in range(variances.size):
        first[s], second[s] = _law_sums(
            response[min(s, 1)] / length, base, variances[s], moduli, phases[s]
        )
    begin, coarse, count = _coarsest(integrands, step, tokens, steps[1], left_out, cut)
    return integrands[0].sum(), integrands[1].sum(), begin, coarse, count


@compiled
def race_heads(
    laws: tuple[Array, Array, NDArray[np.int64], Array, Array],
    covariances: Array,
    probabilities: Array,
    tokens: int,
    null: float,
    alpha: tuple[float, float],
    step: float,
    left_out: float,
    cut: float,
) -> tuple[Array, Array, Array, NDArray[np.int64], Array, Array, Array]:
    """The races of all heads, and what pairs of heads need of each.

    Args:
        laws: what ``ring_laws`` returned.
        covariances: (S + 1, H, H).
        probabilities: (S,) of the signal's components.
        tokens: L.
        null: ν, the rate of the null token.
        alpha: α₁, α₂.
        step: of a grid that is fine enough whatever the scores.
        left_out: what a grid may leave out.
        cut: what lies beyond its ends.

    Returns:
        sums (2, H): E p_ε and E Σ p²; first and second (S + 1, H): derivatives with respect to the
        means; points (H,) of each head's grid, none if a race takes too many; and, for all heads
        one after another, density and survival (2K + 1, points): the functions of x and their
        integrals from x on, with the largest K that a pair takes; weight (points,): the null
        token's survival times the grid's step.
    """
    starts, bases, sizes, moduli, phases = laws
    count, heads = covariances.shape[:2]
    sums, grids = np.empty((2, heads)), np.empty((heads, 2))
    first, second = np.empty((count, heads)), np.empty((count, heads))
    gradient, curvature = np.empty(count), np.empty(count)
    needed = np.empty(heads, dtype=np.int64)
    spread = math.sqrt(1.0 + 2.0 * math.log(tokens))
    for h in range(heads):
        size = sizes[h, h] + 1
        # Two clocks of strongly correlated scores are sharper along x − y than either race shows:
        # as sharp as the law's highest frequency, times √(1 + 2 ln L) for the power of n, or, where
        # that is less, as exponential clocks are at any score.
        highest = spread * sizes[h].max() * bases[h]
        widest = max(2.0 * step, 2.0 * math.pi / highest)
        sums[0, h], sums[1, h], grids[h, 0], grids[h, 1], needed[h] = _race(
            starts[h],
            bases[h],
            covariances[:, h, h].copy(),
            moduli[h, :size],
            np.ascontiguousarray(phases[h, :, :, :size]),
            probabilities,
            tokens,
            null,
            alpha,
            (step, widest),
            left_out,
            cut,
            gradient,
            curvature,
        )
        first[:, h], second[:, h] = gradient, curvature
    if needed.min() == 0:
        needed[:] = 0
    rows = np.empty(heads, dtype=np.int64)
    for h in range(heads):
        rows[h] = 2 * sizes[h].max() + 1
    density, survival = np.empty((rows * needed).sum()), np.empty((rows * needed).sum())
    weight = np.empty(needed.sum())
    at, table = 0, 0
    for h in range(heads):
        begin, step = grids[h]
        points, entries = needed[h], rows[h] * needed[h]
        _waves(
            begin,
            step,
            2.0 * math.pi / bases[h],
            density[table : table + entries].reshape((rows[h], points)),
            survival[table : table + entries].reshape((rows[h], points)),
        )
        _fill_weight(starts[h] + begin, step, null, weight[at : at + points])
        at, table = at + points, table + entries
    return sums, first, second, needed, density, survival, weight
