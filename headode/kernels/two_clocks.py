"""Two clocks for each token: the overlap of two heads' softmaxes, from the series of ring times.

With T_h and T_k the logarithmic ring times, ρ is their joint density and n = P(T_h > x, T_k > y).
The series are of ρ and of P(T_h < x, T_k < y), of an unmarked token and of the marked one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.kernels._compile import compiled, compiled_apart
from headode.kernels.one_clock import Grids
from headode.kernels.ring_laws import Complex, RingLaws
from headode.kernels.symmetric_grid import fold, multiply, unfold

# A rotation of a wave is started anew so often that it stays exact to the last digits.
_ANEW = 16

# Of one head in a pair: tilt α, smallest frequency k₁, center of the grid.
Head = tuple[float, float, float]


@compiled
def _powers(n: Array, weight: Array, tokens: int, result: Array) -> None:
    """w n^{L−1}, w n^{L−2} and w n^{L−3} in the rows of ``result``; w for a power below zero,
    which is never used."""
    base, square = np.empty(n.size), np.empty(n.size)
    for i in range(n.size):
        base[i] = max(n[i], 0.0)
        square[i] = base[i]
        result[2, i] = weight[i]
    exponent = tokens - 3
    while exponent > 0:
        odd = exponent & 1
        for i in range(n.size):
            if odd:
                result[2, i] *= square[i]
            square[i] *= square[i]
        exponent >>= 1
    for i in range(n.size):
        result[1, i] = result[2, i] * base[i] if tokens > 2 else weight[i]
        result[0, i] = result[1, i] * base[i] if tokens > 1 else weight[i]


@compiled
def _moduli(
    gammas: tuple[Array, Array],
    bases: tuple[float, float],
    covariance: Array,
    moduli: Array,
) -> None:
    """Moduli (2, K + 1, K' + 1) of the characteristic function at (k, l) and (k, −l), of scores
    without tilts."""
    one, two = gammas
    along_one = 0.5 * covariance[0, 0] * bases[0] ** 2
    along_two = 0.5 * covariance[1, 1] * bases[1] ** 2
    across = covariance[0, 1] * bases[0] * bases[1]
    for j in range(moduli.shape[1]):
        for m in range(moduli.shape[2]):
            size = one[j] * two[m]
            exponent = -along_one * (j * j) - along_two * (m * m)
            moduli[0, j, m] = size * math.exp(exponent - across * (j * m))
            moduli[1, j, m] = size * math.exp(exponent + across * (j * m))


@compiled
def _turn(base: float, shift: float, turns: Complex, law: Array) -> None:
    """Cosines and sines (2, K + 1) of a law's phases: those of Γ, and −k times ``shift``."""
    angle = -base * shift
    step = complex(math.cos(angle), math.sin(angle))
    wave = 1.0 + 0.0j
    for j in range(law.shape[1]):
        if j % _ANEW == 0:
            wave = complex(math.cos(j * angle), math.sin(j * angle))
        phase = wave * turns[j]
        law[0, j], law[1, j] = phase.real, phase.imag
        wave *= step


@compiled
def _fill_law(
    heads: tuple[Head, Head],
    mean: Array,
    covariance: Array,
    turns: tuple[Complex, Complex],
    law: Array,
    other: Array,
) -> float:
    """A law's phases in ``law`` and ``other``; returns the factor of its tilts."""
    (tilt, base, center), (tilt_k, base_k, center_k) = heads
    # A tilted Gaussian has its mean shifted.
    shift = tilt * covariance[0, 0] + tilt_k * covariance[0, 1]
    shift_k = tilt_k * covariance[1, 1] + tilt * covariance[0, 1]
    _turn(base, mean[0] + shift + center, turns[0], law)
    _turn(base_k, mean[1] + shift_k + center_k, turns[1], other)
    exponent = tilt * (mean[0] + 0.5 * shift + center)
    return math.exp(exponent + tilt_k * (mean[1] + 0.5 * shift_k + center_k))


@compiled
def _add_law(factor: float, law: Array, other: Array, moduli: Array, spectrum: Array) -> None:
    """Add a law's characteristic function to ``spectrum``.

    law, other: (2, K + 1) cosines and sines of the phases of h and k; moduli: (2, K + 1, K' + 1);
    spectrum: (4, K + 1, K' + 1) real and imaginary parts at (k, l) and at (k, −l).
    """
    for j in range(spectrum.shape[1]):
        cos, sin = factor * law[0, j], factor * law[1, j]
        for m in range(spectrum.shape[2]):
            one, two = cos * other[0, m], sin * other[1, m]
            three, four = sin * other[0, m], cos * other[1, m]
            spectrum[0, j, m] += moduli[0, j, m] * (one - two)
            spectrum[1, j, m] += moduli[0, j, m] * (three + four)
            spectrum[2, j, m] += moduli[1, j, m] * (one + two)
            spectrum[3, j, m] += moduli[1, j, m] * (three - four)


@compiled
def _inverse_slopes(head: Head, size: int) -> Array:
    """(2, size): real and imaginary parts of 1/(α − ik)."""
    result = np.empty((2, size))
    for j in range(size):
        k = j * head[1]
        norm = 1.0 / (head[0] ** 2 + k * k)
        result[0, j], result[1, j] = head[0] * norm, k * norm
    return result


@compiled
def _series(spectrum: Array, inverses: tuple[Array, Array], at: int, series: Array) -> None:
    """Series of ρ, number ``at``, and of P(T_h < x, T_k < y), the next one.

    series: (2, 2, K + 1, 4, K' + 1), of cosines and sines of x, of cosines and sines of y.
    """
    one, two = inverses
    for j in range(spectrum.shape[1]):
        re, im = one[0, j], one[1, j]
        for m in range(spectrum.shape[2]):
            weight = (2.0 if j else 1.0) * (1.0 if m else 0.5)
            plus, i_plus = weight * spectrum[0, j, m], weight * spectrum[1, j, m]
            minus, i_minus = weight * spectrum[2, j, m], weight * spectrum[3, j, m]
            series[0, 0, j, at, m] = plus + minus
            series[1, 1, j, at, m] = minus - plus
            series[1, 0, j, at, m] = i_plus + i_minus
            series[0, 1, j, at, m] = i_plus - i_minus
            # Times 1/(α − ik) and 1/(α' ∓ il).
            a, b = re * two[0, m], im * two[1, m]
            c, d = re * two[1, m], im * two[0, m]
            plus, i_plus = plus * (a - b) - i_plus * (c + d), plus * (c + d) + i_plus * (a - b)
            minus, i_minus = (
                minus * (a + b) - i_minus * (d - c),
                minus * (d - c) + i_minus * (a + b),
            )
            series[0, 0, j, at + 1, m] = plus + minus
            series[1, 1, j, at + 1, m] = minus - plus
            series[1, 0, j, at + 1, m] = i_plus + i_minus
            series[0, 1, j, at + 1, m] = i_plus - i_minus


@compiled
def _transposed_series(
    response: Array, inverses: tuple[Array, Array], at: int, spectrum: Array
) -> None:
    """Derivatives with respect to what :func:`_series` takes, from those with respect to it."""
    one, two = inverses
    for j in range(spectrum.shape[1]):
        re, im = one[0, j], one[1, j]
        for m in range(spectrum.shape[2]):
            weight = (2.0 if j else 1.0) * (1.0 if m else 0.5)
            cc, ss = response[0, 0, j, at + 1, m], response[1, 1, j, at + 1, m]
            sc, cs = response[1, 0, j, at + 1, m], response[0, 1, j, at + 1, m]
            plus, i_plus, minus, i_minus = cc - ss, sc + cs, cc + ss, sc - cs
            a, b = re * two[0, m], im * two[1, m]
            c, d = re * two[1, m], im * two[0, m]
            plus, i_plus = plus * (a - b) + i_plus * (c + d), i_plus * (a - b) - plus * (c + d)
            minus, i_minus = (
                minus * (a + b) + i_minus * (d - c),
                i_minus * (a + b) - minus * (d - c),
            )
            cc, ss = response[0, 0, j, at, m], response[1, 1, j, at, m]
            sc, cs = response[1, 0, j, at, m], response[0, 1, j, at, m]
            spectrum[0, j, m] = weight * (plus + cc - ss)
            spectrum[1, j, m] = weight * (i_plus + sc + cs)
            spectrum[2, j, m] = weight * (minus + cc + ss)
            spectrum[3, j, m] = weight * (i_minus + sc - cs)


@compiled
def _law_derivatives(
    factor: float,
    laws: tuple[Array, Array],
    moduli: Array,
    response: Array,
    heads: tuple[Head, Head],
    first: Array,
    second: Array,
) -> None:
    """First and second derivatives with respect to a law's means: α − ik, α' − il at (k, l).

    response: (4, K + 1, K' + 1) as of :func:`_transposed_series`.
    """
    law, other = laws
    (tilt, base, _), (tilt_k, base_k, _) = heads
    first[:] = 0.0
    second[:] = 0.0
    for j in range(response.shape[1]):
        cos, sin = factor * law[0, j], factor * law[1, j]
        # Σ_l (at l + at −l), Σ_l l (at l − at −l), Σ_l l² (at l + at −l).
        even, i_even, odd, i_odd, even_2 = 0.0, 0.0, 0.0, 0.0, 0.0
        for m in range(response.shape[2]):
            one, two = cos * other[0, m], sin * other[1, m]
            three, four = sin * other[0, m], cos * other[1, m]
            re, im = moduli[0, j, m] * (one - two), moduli[0, j, m] * (three + four)
            plus = re * response[0, j, m] + im * response[1, j, m]
            i_plus = im * response[0, j, m] - re * response[1, j, m]
            re, im = moduli[1, j, m] * (one + two), moduli[1, j, m] * (three - four)
            minus = re * response[2, j, m] + im * response[3, j, m]
            i_minus = im * response[2, j, m] - re * response[3, j, m]
            l = m * base_k
            even += plus + minus
            i_even += i_plus + i_minus
            odd += l * (plus - minus)
            i_odd += l * (i_plus - i_minus)
            even_2 += l * l * (plus + minus)
        k = j * base
        # Times α' − il and its square, then α − ik and its square.
        by_k, i_by_k = tilt_k * even + i_odd, tilt_k * i_even - odd
        first[0] += tilt * even + k * i_even
        first[1] += by_k
        second[0, 0] += (tilt * tilt - k * k) * even + 2.0 * tilt * k * i_even
        second[0, 1] += tilt * by_k + k * i_by_k
        second[1, 1] += tilt_k * tilt_k * even + 2.0 * tilt_k * i_odd - even_2
    second[1, 0] = second[0, 1]


@compiled_apart
def _on_grid(series: Array, waves: tuple[Array, Array, Array, Array]) -> Array:
    """(points of x, 4, points of y) values of four series, in the order of the points.

    waves: cosines and sines (K + 1, half) of x, then of y.
    """
    rows, count, columns = series.shape[2:]
    half, half_k = waves[0].shape[1], waves[2].shape[1]
    width = count * 2 * half_k
    even, odd = np.empty((rows * count, half_k)), np.empty((rows * count, half_k))
    along = np.empty((rows * count, 2 * half_k))
    parts = np.empty((2, half, width))
    flat = series.reshape((2, 2, rows * count, columns))
    for p in range(2):
        multiply(flat[p, 0], waves[2], even)
        multiply(flat[p, 1], waves[3], odd)
        unfold(even, odd, along)
        multiply(waves[p].T, along.reshape((rows, width)), parts[p])
    values = np.empty((2 * half, width))
    for i in range(half):
        for a in range(width):
            values[half + i, a] = parts[0, i, a] + parts[1, i, a]
            values[half - 1 - i, a] = parts[0, i, a] - parts[1, i, a]
    return values.reshape((2 * half, count, 2 * half_k))


@compiled_apart
def _from_grid(factors: Array, waves: tuple[Array, Array, Array, Array]) -> Array:
    """Derivatives, with respect to the series, of Σ factors · their values."""
    count = factors.shape[1]
    half, half_k = waves[0].shape[1], waves[2].shape[1]
    rows, columns = waves[0].shape[0], waves[2].shape[0]
    width = count * 2 * half_k
    flat = factors.reshape((2 * half, width))
    parts = np.empty((2, half, width))
    for i in range(half):
        for a in range(width):
            parts[0, i, a] = flat[half + i, a] + flat[half - 1 - i, a]
            parts[1, i, a] = flat[half + i, a] - flat[half - 1 - i, a]
    response = np.empty((2, 2, rows * count, columns))
    even, odd = np.empty((rows * count, half_k)), np.empty((rows * count, half_k))
    along = np.empty((rows, width))
    for p in range(2):
        multiply(waves[p], parts[p], along)
        fold(along.reshape((rows * count, 2 * half_k)), even, odd)
        multiply(even, waves[2].T, response[p, 0])
        multiply(odd, waves[3].T, response[p, 1])
    return response.reshape((2, 2, rows, count, columns))


@compiled
def _correct(values: Array, later: tuple[Array, Array], repeated: tuple[float, float]) -> None:
    """Make n of P(T_h < x, T_k < y) and its repetitions.

    values: (points of x, 4, points of y); later: (2, points) P(T > x) of either law, of h and of k;
    repeated: Σ_{m ≥ 1} e^{−αmB} of h and k.
    """
    one, two = 1.0 + repeated[0], 1.0 + repeated[1]
    for s in range(2):
        at = 2 * s + 1
        for i in range(values.shape[0]):
            shift = two * (later[0][s, i] - one)
            for j in range(values.shape[2]):
                values[i, at, j] += shift + one * later[1][s, j]


@compiled
def _vary(values: Array, weights: tuple[Array, Array], tokens: int, factors: Array) -> float:
    """The overlap, and what multiplies ρ and n of an unmarked token and of the marked one in it.

    values, factors: (points of x, 4, points of y).
    """
    rows, columns = values.shape[0], values.shape[2]
    weight, n = np.empty(rows * columns), np.empty(rows * columns)
    for i in range(rows):
        for j in range(columns):
            weight[i * columns + j] = weights[0][i] * weights[1][j]
            n[i * columns + j] = values[i, 1, j]
    power = np.empty((3, rows * columns))
    _powers(n, weight, tokens, power)
    others = tokens - 1.0
    overlap = 0.0
    for i in range(rows):
        for j in range(columns):
            at = i * columns + j
            rung, rung_marked, n_marked = values[i, 0, j], values[i, 2, j], values[i, 3, j]
            unmarked = others * rung * power[1, at]
            factors[i, 2, j] = power[0, at]
            factors[i, 3, j] = unmarked
            factors[i, 0, j] = others * n_marked * power[1, at]
            factors[i, 1, j] = others * (
                rung_marked * power[1, at] + (others - 1.0) * rung * n_marked * power[2, at]
            )
            overlap += rung_marked * power[0, at] + n_marked * unmarked
    return overlap


@compiled
def _tilt_all(values: Array, growth: tuple[Array, Array]) -> None:
    """Multiply by e^{αx + α'y}."""
    for i in range(values.shape[0]):
        for f in range(values.shape[1]):
            for j in range(values.shape[2]):
                values[i, f, j] *= growth[0][i] * growth[1][j]


@compiled
def _add_marginals(factors: Array, repeated: tuple[float, float], one: Array, two: Array) -> None:
    """Add, to what multiplies P(T_h > x) and P(T_k > y) of either law, what n has of them."""
    for s in range(2):
        for i in range(factors.shape[0]):
            total = 0.0
            for j in range(factors.shape[2]):
                total += factors[i, 2 * s + 1, j]
                two[s, j] += (1.0 + repeated[0]) * factors[i, 2 * s + 1, j]
            one[s, i] += (1.0 + repeated[1]) * total


@compiled
def _two_clocks(
    heads: tuple[Head, Head],
    repeated: tuple[float, float],
    gammas: tuple[tuple[Array, Array], tuple[Complex, Complex]],
    laws: tuple[Array, Array, Array],
    tokens: int,
    waves: tuple[Array, Array, Array, Array],
    grids: tuple[tuple[Array, Array], tuple[Array, Array], tuple[Array, Array]],
    marginals: tuple[Array, Array],
    first: Array,
    second: Array,
) -> float:
    """E p_h·p_k, and its derivatives with respect to the means of every law.

    ``gammas``: moduli and turns of both heads' Γ(1 − α + ik); ``laws``: means (S + 1, 2),
    covariances (S + 1, 2, 2) and factors (S + 1,); ``waves`` (K + 1, half) cosines and sines of x,
    then of y; ``grids``: of both heads' grids e^{αx}, weights, and P(T > x) of either law. Adds
    what multiplies the latter to ``marginals``. Receives in ``first`` (S + 1, 2) and ``second``
    (S + 1, 2, 2) the other derivatives, over the laws' probabilities; the unmarked law's summed
    over L − 1 tokens.
    """
    means, covariances, factors = laws
    growth, weights, later = grids
    rows, columns = waves[0].shape[0], waves[2].shape[0]
    count = means.shape[0]
    moduli = np.empty((count, 2, rows, columns))
    law, other = np.empty((count, 2, rows)), np.empty((count, 2, columns))
    sizes = np.empty(count)
    spectra = np.zeros((2, 4, rows, columns))
    for s in range(count):
        if s > 0 and (covariances[s] == covariances[s - 1]).all():
            moduli[s] = moduli[s - 1]
        else:
            _moduli(gammas[0], (heads[0][1], heads[1][1]), covariances[s], moduli[s])
        tilted = _fill_law(heads, means[s], covariances[s], gammas[1], law[s], other[s])
        sizes[s] = factors[0] * tilted
        _add_law(factors[s] * tilted, law[s], other[s], moduli[s], spectra[min(s, 1)])
    inverses = _inverse_slopes(heads[0], rows), _inverse_slopes(heads[1], columns)
    series = np.empty((2, 2, rows, 4, columns))
    for marked in range(2):
        _series(spectra[marked], inverses, 2 * marked, series)
    values = _on_grid(series, waves)
    _tilt_all(values, growth)
    _correct(values, later, repeated)
    multipliers = np.empty(values.shape)
    overlap = _vary(values, weights, tokens, multipliers)
    _add_marginals(multipliers, repeated, marginals[0], marginals[1])
    _tilt_all(multipliers, growth)
    response = _from_grid(multipliers, waves)
    for marked in range(2):
        _transposed_series(response, inverses, 2 * marked, spectra[marked])
    for s in range(count):
        _law_derivatives(
            sizes[s], (law[s], other[s]), moduli[s], spectra[min(s, 1)], heads, first[s], second[s]
        )
    return overlap


@compiled
def overlap_pairs(
    pairs: NDArray[np.int64],
    ring: RingLaws,
    means: Array,
    covariances: Array,
    probabilities: Array,
    tokens: int,
    grids: Grids,
    overlaps: Array,
    first: Array,
    second: Array,
    marginals: Array,
) -> None:
    """The overlaps of pairs of heads.

    Args:
        pairs: (n, 2) heads.
        ring: what ``ring_laws`` returned.
        means: (S + 1, H).
        covariances: (S + 1, H, H).
        probabilities: (S,) of the signal's components.
        tokens: L.
        grids: what ``race_heads`` returned.
        overlaps: (n,) receives E p_h·p_k.
        first: (S + 1, H): its derivatives with respect to the means are added, the unmarked law's
            summed over L − 1 tokens, but for those by way of single heads.
        second: (S + 1, H, H): likewise the second derivatives.
        marginals: (H, 2, points): what multiplies each head's P(T > x) of either law is added.
    """
    tilts, bases, repeated, _, sizes, moduli, turns = ring
    centers, halves, cosines, sines, growth, weight, later = grids
    count = means.shape[0]
    mean, covariance, factors = np.empty((count, 2)), np.empty((count, 2, 2)), np.empty(count)
    gradient, curvature = np.empty((count, 2)), np.empty((count, 2, 2))
    for i in range(pairs.shape[0]):
        h, k = pairs[i]
        rows, columns = sizes[h, k] + 1, sizes[k, h] + 1
        half, half_k = halves[h], halves[k]
        points, points_k = 2 * half, 2 * half_k
        for s in range(count):
            mean[s, 0], mean[s, 1] = means[s, h], means[s, k]
            covariance[s, 0, 0], covariance[s, 1, 1] = covariances[s, h, h], covariances[s, k, k]
            covariance[s, 0, 1], covariance[s, 1, 0] = covariances[s, h, k], covariances[s, k, h]
            factors[s] = bases[h] * bases[k] / (4.0 * math.pi**2)
            if s:
                factors[s] *= probabilities[s - 1]
        overlaps[i] = _two_clocks(
            ((tilts[h], bases[h], centers[h, 0]), (tilts[k], bases[k], centers[k, 0])),
            (repeated[h], repeated[k]),
            ((moduli[h], moduli[k]), (turns[h], turns[k])),
            (mean, covariance, factors),
            tokens,
            (
                cosines[h, : rows * half].reshape((rows, half)),
                sines[h, : rows * half].reshape((rows, half)),
                cosines[k, : columns * half_k].reshape((columns, half_k)),
                sines[k, : columns * half_k].reshape((columns, half_k)),
            ),
            (
                (growth[h, :points], growth[k, :points_k]),
                (weight[h, :points], weight[k, :points_k]),
                (later[h, :, :points], later[k, :, :points_k]),
            ),
            (marginals[h, :, :points], marginals[k, :, :points_k]),
            gradient,
            curvature,
        )
        for s in range(count):
            first[s, h] += gradient[s, 0]
            first[s, k] += gradient[s, 1]
            second[s, h, h] += curvature[s, 0, 0]
            second[s, k, k] += curvature[s, 1, 1]
            second[s, h, k] += curvature[s, 0, 1]
            second[s, k, h] += curvature[s, 1, 0]
