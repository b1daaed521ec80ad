"""Two clocks for each token: the overlap of two heads' softmaxes, from the series of ring times.

With T_h and T_k the logarithmic ring times, ρ is their joint density and n = P(T_h > x, T_k > y).
The series are of ρ and of P(T_h < x, T_k < y), of an unmarked token and of the marked one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.kernels._compile import compiled
from headode.kernels.one_clock import Grids
from headode.kernels.ring_laws import Complex, RingLaws
from headode.kernels.symmetric_grid import multiply, series_from_grid, series_on_grid

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
def _runs(covariances: Array) -> NDArray[np.int64]:
    """(n + 1, 2): the first law of each run with the same covariances, and the number of these.

    The unmarked token's law is a run by itself. The last row counts laws and covariances.
    """
    runs = np.zeros((covariances.shape[0] + 1, 2), dtype=np.int64)
    count, kinds = 1, 1
    for s in range(1, covariances.shape[0]):
        other = (covariances[s] != covariances[s - 1]).any()
        kinds += other
        if s == 1 or other:
            runs[count, 0], runs[count, 1] = s, kinds - 1
            count += 1
    runs[count, 0], runs[count, 1] = covariances.shape[0], kinds
    return runs[: count + 1]


@compiled
def _add_laws(sizes: Array, laws: Array, others: Array, moduli: Array, spectrum: Array) -> None:
    """Add the characteristic functions of laws with the same moduli to ``spectrum``.

    laws: (n, 2, K + 1) cosines and sines of the phases of h; others: (n, 2, K' + 1) of k; sizes:
    (n,) factors; moduli: (2, (K + 1)(K' + 1)); spectrum: (4, (K + 1)(K' + 1)) real and imaginary
    parts at (k, l) and at (k, −l).
    """
    count, _, rows = laws.shape
    columns = others.shape[2]
    # Cosines, then sines, of k; with each of them, cosines and sines of h.
    planes, product = np.empty((2, count, columns)), np.empty((2, 2 * rows, columns))
    for p in range(2):
        for i in range(count):
            for m in range(columns):
                planes[p, i, m] = sizes[i] * others[i, p, m]
        multiply(laws.reshape((count, 2 * rows)).T, planes[p], product[p])
    blocks = product.reshape((4, rows * columns))
    cos_cos, sin_cos, cos_sin, sin_sin = blocks[0], blocks[1], blocks[2], blocks[3]
    for a in range(cos_cos.size):
        spectrum[0, a] += moduli[0, a] * (cos_cos[a] - sin_sin[a])
        spectrum[1, a] += moduli[0, a] * (sin_cos[a] + cos_sin[a])
        spectrum[2, a] += moduli[1, a] * (cos_cos[a] + sin_sin[a])
        spectrum[3, a] += moduli[1, a] * (sin_cos[a] - cos_sin[a])


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

    series: (2, K + 1, 2, 4, K' + 1), of cosines and sines of x, of cosines and sines of y.
    """
    one, two = inverses
    for j in range(spectrum.shape[1]):
        re, im = one[0, j], one[1, j]
        for m in range(spectrum.shape[2]):
            weight = (2.0 if j else 1.0) * (1.0 if m else 0.5)
            plus, i_plus = weight * spectrum[0, j, m], weight * spectrum[1, j, m]
            minus, i_minus = weight * spectrum[2, j, m], weight * spectrum[3, j, m]
            series[0, j, 0, at, m] = plus + minus
            series[1, j, 1, at, m] = minus - plus
            series[1, j, 0, at, m] = i_plus + i_minus
            series[0, j, 1, at, m] = i_plus - i_minus
            # Times 1/(α − ik) and 1/(α' ∓ il).
            a, b = re * two[0, m], im * two[1, m]
            c, d = re * two[1, m], im * two[0, m]
            plus, i_plus = plus * (a - b) - i_plus * (c + d), plus * (c + d) + i_plus * (a - b)
            minus, i_minus = (
                minus * (a + b) - i_minus * (d - c),
                minus * (d - c) + i_minus * (a + b),
            )
            series[0, j, 0, at + 1, m] = plus + minus
            series[1, j, 1, at + 1, m] = minus - plus
            series[1, j, 0, at + 1, m] = i_plus + i_minus
            series[0, j, 1, at + 1, m] = i_plus - i_minus


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
            cc, ss = response[0, j, 0, at + 1, m], response[1, j, 1, at + 1, m]
            sc, cs = response[1, j, 0, at + 1, m], response[0, j, 1, at + 1, m]
            plus, i_plus, minus, i_minus = cc - ss, sc + cs, cc + ss, sc - cs
            a, b = re * two[0, m], im * two[1, m]
            c, d = re * two[1, m], im * two[0, m]
            plus, i_plus = plus * (a - b) + i_plus * (c + d), i_plus * (a - b) - plus * (c + d)
            minus, i_minus = (
                minus * (a + b) + i_minus * (d - c),
                i_minus * (a + b) - minus * (d - c),
            )
            cc, ss = response[0, j, 0, at, m], response[1, j, 1, at, m]
            sc, cs = response[1, j, 0, at, m], response[0, j, 1, at, m]
            spectrum[0, j, m] = weight * (plus + cc - ss)
            spectrum[1, j, m] = weight * (i_plus + sc + cs)
            spectrum[2, j, m] = weight * (minus + cc + ss)
            spectrum[3, j, m] = weight * (i_minus + sc - cs)


@compiled
def _times_slopes(head: Head, phases: Array, result: Array) -> None:
    """Phases (2, K + 1) times α − ik."""
    tilt, base, _ = head
    for j in range(phases.shape[1]):
        k = j * base
        result[0, j] = tilt * phases[0, j] + k * phases[1, j]
        result[1, j] = tilt * phases[1, j] - k * phases[0, j]


@compiled
def _law_derivatives(
    sizes: Array,
    laws: Array,
    others: Array,
    moduli: Array,
    response: Array,
    heads: tuple[Head, Head],
    first: Array,
    second: Array,
) -> None:
    """First (n, 2) and second (n, 2, 2) derivatives with respect to the means of laws with the
    same moduli: α − ik, α' − il at (k, l).

    sizes, laws, others, moduli: as of :func:`_add_laws`; response: (4, (K + 1)(K' + 1)) as of
    :func:`_transposed_series`.
    """
    count, _, rows = laws.shape
    columns = others.shape[2]
    # What multiplies cosines and sines of h with cosines of k, then with sines of k.
    form = np.empty((4, rows * columns))
    for a in range(form.shape[1]):
        plus, i_plus = moduli[0, a] * response[0, a], moduli[0, a] * response[1, a]
        minus, i_minus = moduli[1, a] * response[2, a], moduli[1, a] * response[3, a]
        form[0, a], form[1, a] = minus + plus, i_plus + i_minus
        form[2, a], form[3, a] = i_plus - i_minus, minus - plus
    # Of h, times no slope, one and two; then summed over k.
    steep, summed = np.empty((count, 3, 2, rows)), np.empty((2, 3 * count, columns))
    for i in range(count):
        for j in range(rows):
            steep[i, 0, 0, j], steep[i, 0, 1, j] = laws[i, 0, j], laws[i, 1, j]
        _times_slopes(heads[0], steep[i, 0], steep[i, 1])
        _times_slopes(heads[0], steep[i, 1], steep[i, 2])
    flat, forms = steep.reshape((3 * count, 2 * rows)), form.reshape((2, 2 * rows, columns))
    for p in range(2):
        multiply(flat, forms[p], summed[p])
    once, twice = np.empty((2, columns)), np.empty((2, columns))
    for i in range(count):
        _times_slopes(heads[1], others[i], once)
        _times_slopes(heads[1], once, twice)
        by_one, by_two, by_one_one, by_one_two, by_two_two = 0.0, 0.0, 0.0, 0.0, 0.0
        for p in range(2):
            none, one, two = summed[p, 3 * i], summed[p, 3 * i + 1], summed[p, 3 * i + 2]
            for m in range(columns):
                by_one += one[m] * others[i, p, m]
                by_two += none[m] * once[p, m]
                by_one_one += two[m] * others[i, p, m]
                by_one_two += one[m] * once[p, m]
                by_two_two += none[m] * twice[p, m]
        first[i, 0], first[i, 1] = sizes[i] * by_one, sizes[i] * by_two
        second[i, 0, 0], second[i, 1, 1] = sizes[i] * by_one_one, sizes[i] * by_two_two
        second[i, 0, 1] = second[i, 1, 0] = sizes[i] * by_one_two


@compiled
def _correct(values: Array, later: tuple[Array, Array], repeated: tuple[float, float]) -> None:
    """Make n of P(T_h < x, T_k < y) and its repetitions.

    values: (points of y, 4, points of x); later: (2, points) P(T > x) of either law, of k and of h;
    repeated: Σ_{m ≥ 1} e^{−αmB} of k and h.
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

    values, factors: (points of y, 4, points of x); weights: of y and of x.
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
    """Multiply by e^{α'y + αx}; growth: of y and of x."""
    for i in range(values.shape[0]):
        for f in range(values.shape[1]):
            for j in range(values.shape[2]):
                values[i, f, j] *= growth[0][i] * growth[1][j]


@compiled
def _add_marginals(factors: Array, repeated: tuple[float, float], one: Array, two: Array) -> None:
    """Add, to what multiplies P(T_k > y) and P(T_h > x) of either law, what n has of them."""
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
    runs: NDArray[np.int64],
    first: Array,
    second: Array,
) -> float:
    """E p_h·p_k, and its derivatives with respect to the means of every law.

    ``gammas``: moduli and turns of both heads' Γ(1 − α + ik); ``laws``: means (S + 1, 2),
    covariances (S + 1, 2, 2) and factors (S + 1,); ``waves`` (K + 1, half) cosines and sines of x,
    then of y; ``grids``, in the order of values, of y and of x: e^{αx}, weights, and P(T > x) of
    either law. Adds what multiplies the latter to ``marginals``, in this order, too, and so is
    ``repeated``; ``runs``: see :func:`_runs`. Receives in ``first``
    (S + 1, 2) and ``second`` (S + 1, 2, 2) the other derivatives, over the laws' probabilities; the
    unmarked law's summed over L − 1 tokens.
    """
    means, covariances, factors = laws
    growth, weights, later = grids
    rows, columns = waves[0].shape[0], waves[2].shape[0]
    count = means.shape[0]
    law, other = np.empty((count, 2, rows)), np.empty((count, 2, columns))
    sizes, scales = np.empty(count), np.empty(count)
    for s in range(count):
        tilted = _fill_law(heads, means[s], covariances[s], gammas[1], law[s], other[s])
        sizes[s], scales[s] = factors[s] * tilted, factors[0] * tilted
    moduli = np.empty((runs[-1, 1], 2, rows, columns))
    spectra = np.zeros((2, 4, rows, columns))
    flat_moduli = moduli.reshape((moduli.shape[0], 2, rows * columns))
    flat_spectra = spectra.reshape((2, 4, rows * columns))
    for run in range(runs.shape[0] - 1):
        begin, kind, end = runs[run, 0], runs[run, 1], runs[run + 1, 0]
        if run == 0 or kind > runs[run - 1, 1]:
            _moduli(gammas[0], (heads[0][1], heads[1][1]), covariances[begin], moduli[kind])
        each = sizes[begin:end], law[begin:end], other[begin:end]
        _add_laws(*each, flat_moduli[kind], flat_spectra[min(run, 1)])
    inverses = _inverse_slopes(heads[0], rows), _inverse_slopes(heads[1], columns)
    series = np.empty((2, rows, 2, 4, columns))
    for marked in range(2):
        _series(spectra[marked], inverses, 2 * marked, series)
    values = series_on_grid(series, waves)
    _tilt_all(values, growth)
    _correct(values, later, repeated)
    multipliers = np.empty(values.shape)
    overlap = _vary(values, weights, tokens, multipliers)
    _add_marginals(multipliers, repeated, marginals[0], marginals[1])
    _tilt_all(multipliers, growth)
    response = series_from_grid(multipliers, waves)
    for marked in range(2):
        _transposed_series(response, inverses, 2 * marked, spectra[marked])
    for run in range(runs.shape[0] - 1):
        cut = slice(runs[run, 0], runs[run + 1, 0])
        _law_derivatives(
            scales[cut],
            law[cut],
            other[cut],
            flat_moduli[runs[run, 1]],
            flat_spectra[min(run, 1)],
            heads,
            first[cut],
            second[cut],
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
    scale: float,
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
        scale: of derivatives.
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
    runs = _runs(covariances)
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
            (repeated[k], repeated[h]),
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
                (growth[k, :points_k], growth[h, :points]),
                (weight[k, :points_k], weight[h, :points]),
                (later[k, :, :points_k], later[h, :, :points]),
            ),
            (marginals[k, :, :points_k], marginals[h, :, :points]),
            runs,
            gradient,
            curvature,
        )
        for s in range(count):
            first[s, h] += scale * gradient[s, 0]
            first[s, k] += scale * gradient[s, 1]
            second[s, h, h] += scale * curvature[s, 0, 0]
            second[s, k, k] += scale * curvature[s, 1, 1]
            second[s, h, k] += scale * curvature[s, 0, 1]
            second[s, k, h] += scale * curvature[s, 1, 0]
