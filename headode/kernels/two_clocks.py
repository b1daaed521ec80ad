"""Two clocks for each token: the overlap of two heads' softmaxes, from the series of ring times.

With T_h and T_k the logarithmic ring times, ρ is their joint density and n = P(T_h > x, T_k > y).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.kernels._compile import compiled


@compiled
def _powers(n: Array, weight: Array, tokens: int, result: Array) -> None:
    """w n^{L−1}, w n^{L−2} and w n^{L−3} in the rows of ``result``; w for a power below zero,
    which is never used."""
    base = np.maximum(n, 0.0)
    square = base.copy()
    result[2] = weight
    exponent = tokens - 3
    while exponent > 0:
        if exponent & 1:
            result[2] *= square
        square *= square
        exponent >>= 1
    for i in range(n.size):
        result[1, i] = result[2, i] * base[i] if tokens > 2 else weight[i]
        result[0, i] = result[1, i] * base[i] if tokens > 1 else weight[i]


@compiled
def _add_law(
    probability: float, law: Array, other: Array, moduli: Array, real: Array, imaginary: Array
) -> None:
    """Add a law's characteristic function at (k, l) and (k, −l) to ``real``, ``imaginary``.

    law, other: (2, K + 1) cosines and sines of the phases of h and k; moduli, real, imaginary:
    (2, K + 1, K' + 1).
    """
    for j in range(real.shape[1]):
        cos, sin = probability * law[0, j], probability * law[1, j]
        for m in range(real.shape[2]):
            one, two = cos * other[0, m], sin * other[1, m]
            three, four = sin * other[0, m], cos * other[1, m]
            real[0, j, m] += moduli[0, j, m] * (one - two)
            imaginary[0, j, m] += moduli[0, j, m] * (three + four)
            real[1, j, m] += moduli[1, j, m] * (one + two)
            imaginary[1, j, m] += moduli[1, j, m] * (three - four)


@compiled
def _series(real: Array, imaginary: Array, scale: float) -> Array:
    """(2K + 1, 2K' + 1) coefficients of the functions of x and of y."""
    rows, columns = real.shape[1:]
    series = np.empty((2 * rows - 1, 2 * columns - 1))
    series[0, 0] = scale * real[0, 0, 0]
    double = 2.0 * scale
    for j in range(1, rows):
        series[2 * j - 1, 0] = double * real[0, j, 0]
        series[2 * j, 0] = double * imaginary[0, j, 0]
    for m in range(1, columns):
        series[0, 2 * m - 1] = double * real[0, 0, m]
        series[0, 2 * m] = double * imaginary[0, 0, m]
    for j in range(1, rows):
        for m in range(1, columns):
            series[2 * j - 1, 2 * m - 1] = double * (real[0, j, m] + real[1, j, m])
            series[2 * j, 2 * m] = double * (real[1, j, m] - real[0, j, m])
            series[2 * j, 2 * m - 1] = double * (imaginary[0, j, m] + imaginary[1, j, m])
            series[2 * j - 1, 2 * m] = double * (imaginary[0, j, m] - imaginary[1, j, m])
    return series


@compiled
def _transposed_series(response: Array, scale: float, real: Array, imaginary: Array) -> None:
    """Derivatives with respect to what :func:`_series` takes, from those with respect to it."""
    rows, columns = real.shape[1:]
    real[:] = 0.0
    imaginary[:] = 0.0
    double = 2.0 * scale
    for j in range(1, rows):
        real[0, j, 0] = double * response[2 * j - 1, 0]
        imaginary[0, j, 0] = double * response[2 * j, 0]
    for m in range(1, columns):
        real[0, 0, m] = double * response[0, 2 * m - 1]
        imaginary[0, 0, m] = double * response[0, 2 * m]
    for j in range(1, rows):
        for m in range(1, columns):
            cc, ss = response[2 * j - 1, 2 * m - 1], response[2 * j, 2 * m]
            sc, cs = response[2 * j, 2 * m - 1], response[2 * j - 1, 2 * m]
            real[0, j, m] = double * (cc - ss)
            real[1, j, m] = double * (cc + ss)
            imaginary[0, j, m] = double * (sc + cs)
            imaginary[1, j, m] = double * (sc - cs)


@compiled
def _law_derivatives(
    law: Array,
    other: Array,
    moduli: Array,
    real: Array,
    imaginary: Array,
    bases: tuple[float, float],
    first: Array,
    second: Array,
) -> None:
    """First and second derivatives with respect to a law's means, −ik and −il at (k, l)."""
    sums = np.zeros(5)
    for j in range(real.shape[1]):
        cos, sin = law[0, j], law[1, j]
        even, odd, even_l, odd_l, even_ll = 0.0, 0.0, 0.0, 0.0, 0.0
        for m in range(real.shape[2]):
            one, two = cos * other[0, m], sin * other[1, m]
            three, four = sin * other[0, m], cos * other[1, m]
            re, im = moduli[0, j, m] * (one - two), moduli[0, j, m] * (three + four)
            plus = re * real[0, j, m] + im * imaginary[0, j, m]
            turned_plus = im * real[0, j, m] - re * imaginary[0, j, m]
            re, im = moduli[1, j, m] * (one + two), moduli[1, j, m] * (three - four)
            minus = re * real[1, j, m] + im * imaginary[1, j, m]
            turned_minus = im * real[1, j, m] - re * imaginary[1, j, m]
            even += plus + minus
            odd += turned_plus + turned_minus
            odd_l += m * (turned_plus - turned_minus)
            even_l += m * (plus - minus)
            even_ll += m * m * (plus + minus)
        sums[0] += j * odd
        sums[1] += odd_l
        sums[2] += j * j * even
        sums[3] += j * even_l
        sums[4] += even_ll
    one_base, two_base = bases
    first[0], first[1] = one_base * sums[0], two_base * sums[1]
    second[0, 0] = -(one_base**2) * sums[2]
    second[0, 1] = -one_base * two_base * sums[3]
    second[1, 0] = second[0, 1]
    second[1, 1] = -(two_base**2) * sums[4]


@compiled
def _moduli(
    gammas: tuple[Array, Array],
    bases: tuple[float, float],
    covariance: Array,
    moduli: Array,
) -> None:
    """Moduli (2, K + 1, K' + 1) of the characteristic function at (k, l) and (k, −l)."""
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
def _on_grid(series: Array, functions: tuple[Array, Array]) -> Array:
    """(points of x, points of y) values of a series."""
    values: Array = np.dot(functions[0].T, np.dot(series, functions[1]))
    return values


@compiled
def _from_grid(factor: Array, functions: tuple[Array, Array]) -> Array:
    """Derivatives, with respect to a series, of Σ factor · its values."""
    response: Array = np.dot(functions[0], np.dot(factor, functions[1].T))
    return response


@compiled
def _variation(
    rung: Array,
    n: Array,
    rung_marked: Array,
    n_marked: Array,
    weights: tuple[Array, Array],
    tokens: int,
) -> tuple[Array, float]:
    """What multiplies the marked token's ρ and n, then the others', on the grid; and the overlap.

    rung, n and those of the marked token: (points of x, points of y).
    """
    points = n.shape
    power = np.empty((3, n.size))
    weight = np.empty(points)
    for i in range(points[0]):
        for j in range(points[1]):
            weight[i, j] = weights[0][i] * weights[1][j]
    _powers(n.ravel(), weight.ravel(), tokens, power)
    power = power.reshape((3, points[0], points[1]))
    others = tokens - 1.0
    overlap = 0.0
    factors = np.empty((4, points[0], points[1]))
    for i in range(points[0]):
        for j in range(points[1]):
            factors[0, i, j] = power[0, i, j]
            factors[1, i, j] = others * rung[i, j] * power[1, i, j]
            factors[2, i, j] = others * n_marked[i, j] * power[1, i, j]
            factors[3, i, j] = others * (
                rung_marked[i, j] * power[1, i, j]
                + (others - 1.0) * rung[i, j] * n_marked[i, j] * power[2, i, j]
            )
            overlap += rung_marked[i, j] * factors[0, i, j] + n_marked[i, j] * factors[1, i, j]
    return factors, overlap


@compiled
def _two_clocks(
    laws: tuple[Array, Array],
    gammas: tuple[Array, Array],
    bases: tuple[float, float],
    covariances: Array,
    probabilities: Array,
    tokens: int,
    sizes: tuple[int, int],
    densities: tuple[Array, Array],
    survivals: tuple[Array, Array],
    weights: tuple[Array, Array],
    first: Array,
    second: Array,
) -> float:
    """E p_h·p_k, and its derivatives with respect to the means of every law.

    For each of the two heads: ``laws`` (S + 1, 2, K + 1 or more) cosines and sines of the phases of
    the characteristic functions, of an unmarked token and of the marked one under each component;
    ``gammas`` (K + 1 or more,) |Γ(1 + ik)|; ``bases``, the smallest frequency; ``sizes``, K + 1;
    functions (2K + 1, points); ``weights`` (points,) as for one clock. covariances:
    (S + 1, 2, 2). Receives in ``first`` (S + 1, 2) and ``second``
    (S + 1, 2, 2) the derivatives, the unmarked law's summed over L − 1 tokens.
    """
    rows, columns = sizes
    count = covariances.shape[0]
    moduli = np.empty((count, 2, rows, columns))
    real, imaginary = np.zeros((2, 2, rows, columns)), np.zeros((2, 2, rows, columns))
    for s in range(count):
        if s > 0 and (covariances[s] == covariances[s - 1]).all():
            moduli[s] = moduli[s - 1]
        else:
            _moduli(gammas, bases, covariances[s], moduli[s])
        probability = probabilities[s - 1] if s else 1.0
        at = min(s, 1)
        _add_law(probability, laws[0][s], laws[1][s], moduli[s], real[at], imaginary[at])
    scale = bases[0] * bases[1] / (4.0 * math.pi**2)
    series = _series(real[0], imaginary[0], scale)
    series_marked = _series(real[1], imaginary[1], scale)
    rung, n = _on_grid(series, densities), _on_grid(series, survivals)
    rung_marked = _on_grid(series_marked, densities)
    n_marked = _on_grid(series_marked, survivals)
    factors, overlap = _variation(rung, n, rung_marked, n_marked, weights, tokens)
    for marked in range(2):
        at = 2 * (1 - marked)
        response = _from_grid(factors[at], densities) + _from_grid(factors[at + 1], survivals)
        _transposed_series(response, scale, real[marked], imaginary[marked])
    for s in range(count):
        at = min(s, 1)
        one, two = laws[0][s], laws[1][s]
        _law_derivatives(one, two, moduli[s], real[at], imaginary[at], bases, first[s], second[s])
    return overlap


@compiled
def _functions(tables: Array, start: int, size: int, points: int) -> Array:
    """The first functions of a head, up to a pair's last frequency."""
    rows = 2 * size - 1
    return tables[start : start + rows * points].reshape((rows, points))


@compiled
def overlap_pairs(
    pairs: NDArray[np.int64],
    laws: tuple[Array, Array, NDArray[np.int64], Array, Array],
    covariances: Array,
    probabilities: Array,
    tokens: int,
    points: NDArray[np.int64],
    density: Array,
    survival: Array,
    weight: Array,
    overlaps: Array,
    first: Array,
    second: Array,
) -> None:
    """The overlaps of pairs of heads.

    Args:
        pairs: (n, 2) heads.
        laws: what ``ring_laws`` returned.
        covariances: (S + 1, H, H).
        probabilities: (S,) of the signal's components.
        tokens: L.
        points: (H,) of the grids, from ``race_heads``.
        density: the functions of x, likewise.
        survival: their integrals, likewise.
        weight: of the grids, likewise.
        overlaps: (n,) receives E p_h·p_k.
        first: (S + 1, H): its derivatives with respect to the means are added, the unmarked law's
            summed over L − 1 tokens.
        second: (S + 1, H, H): likewise the second derivatives.
    """
    _, bases, sizes, moduli, phases = laws
    count = covariances.shape[0]
    covariance = np.empty((count, 2, 2))
    gradient, curvature = np.empty((count, 2)), np.empty((count, 2, 2))
    at, table = np.zeros(points.size + 1, dtype=np.int64), np.zeros(points.size, dtype=np.int64)
    for h in range(points.size):
        at[h + 1] = at[h] + points[h]
        if h:
            table[h] = table[h - 1] + (2 * sizes[h - 1].max() + 1) * points[h - 1]
    for i in range(pairs.shape[0]):
        h, k = pairs[i]
        rows, columns = sizes[h, k] + 1, sizes[k, h] + 1
        for s in range(count):
            covariance[s, 0, 0], covariance[s, 1, 1] = covariances[s, h, h], covariances[s, k, k]
            covariance[s, 0, 1], covariance[s, 1, 0] = covariances[s, h, k], covariances[s, k, h]
        overlaps[i] = _two_clocks(
            (phases[h], phases[k]),
            (moduli[h], moduli[k]),
            (bases[h], bases[k]),
            covariance,
            probabilities,
            tokens,
            (rows, columns),
            (
                _functions(density, table[h], rows, points[h]),
                _functions(density, table[k], columns, points[k]),
            ),
            (
                _functions(survival, table[h], rows, points[h]),
                _functions(survival, table[k], columns, points[k]),
            ),
            (weight[at[h] : at[h + 1]], weight[at[k] : at[k + 1]]),
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
