"""Values on grids that are symmetric about a center, and their even and odd parts on one side.

Cosines from the center on have even values and sines odd ones, so that half of the waves do. None
of this depends on how it is compiled, so that several kernels share it.
"""

from __future__ import annotations

import numpy as np

from headode._checks import Array
from headode.expectation.race.softmax.waves import HalfWaves
from headode.kernels._compile import compiled_apart

# Entries of a matrix above which the library is as fast; terms of a product that are added at once.
LARGEST_WIDE, _TERMS = 1 << 13, 4


@compiled_apart
def multiply(one: Array, two: Array, result: Array) -> None:
    """The matrix product, by the linear algebra library, into ``result``."""
    np.dot(one, two, result)


@compiled_apart
def unfold(even: Array, odd: Array, whole: Array) -> None:
    """Rows of values on both sides, in the order of the points, from their parts on one side."""
    half = even.shape[1]
    for a in range(even.shape[0]):
        for i in range(half):
            whole[a, half + i] = even[a, i] + odd[a, i]
            whole[a, half - 1 - i] = even[a, i] - odd[a, i]


@compiled_apart
def fold(whole: Array, even: Array, odd: Array) -> None:
    """The transpose of :func:`unfold`."""
    half = even.shape[1]
    for a in range(even.shape[0]):
        for i in range(half):
            even[a, i] = whole[a, half + i] + whole[a, half - 1 - i]
            odd[a, i] = whole[a, half + i] - whole[a, half - 1 - i]


@compiled_apart
def multiply_wide(one: Array, two: Array, result: Array) -> None:
    """The matrix product of a few rows and long ones, into ``result``.

    At these sizes the library spends more time on its preparations than on the product. Two rows
    at a time share what is loaded of four rows of ``two``; an odd last row is done once more.
    """
    rows, terms = one.shape
    columns = two.shape[1]
    if two.size > LARGEST_WIDE:
        np.dot(one, two, result)
        return
    for row in range(0, rows, 2):
        i = max(min(row, rows - 2), 0)
        k = min(i + 1, rows - 1)
        begin = terms % _TERMS
        for j in range(columns):
            result[i, j], result[k, j] = 0.0, 0.0
        for m in range(begin):
            for j in range(columns):
                first = result[i, j] + one[i, m] * two[m, j]
                second = result[k, j] + one[k, m] * two[m, j]
                result[i, j], result[k, j] = first, second
        for m in range(begin, terms, _TERMS):
            a0, a1, a2, a3 = one[i, m], one[i, m + 1], one[i, m + 2], one[i, m + 3]
            b0, b1, b2, b3 = one[k, m], one[k, m + 1], one[k, m + 2], one[k, m + 3]
            for j in range(columns):
                c0, c1, c2, c3 = two[m, j], two[m + 1, j], two[m + 2, j], two[m + 3, j]
                first = result[i, j] + a0 * c0 + a1 * c1 + a2 * c2 + a3 * c3
                second = result[k, j] + b0 * c0 + b1 * c1 + b2 * c2 + b3 * c3
                result[i, j], result[k, j] = first, second


@compiled_apart
def series_on_grid(series: Array, x: HalfWaves, y: HalfWaves) -> Array:
    """(points of y, n, points of x) values of n series of two variables, in the points' order.

    series: (2, K + 1, 2, n, K' + 1), of cosines and sines of x, of cosines and sines of y.
    """
    rows, _, count, columns = series.shape[1:]
    half, half_y = x.cosines.shape[1], y.cosines.shape[1]
    flat = series.reshape((2, rows, 2 * count * columns))
    along = np.empty((2, half, 2 * count * columns))
    multiply_wide(x.cosines.T, flat[0], along[0])
    multiply_wide(x.sines.T, flat[1], along[1])
    by_x = along.reshape((2, half, 2, count, columns))
    # The second variable's frequencies come first, so that rows are long again.
    turned = np.empty((2, columns, count, 2 * half))
    for i in range(half):
        for p in range(2):
            for f in range(count):
                for m in range(columns):
                    even, odd = by_x[0, i, p, f, m], by_x[1, i, p, f, m]
                    turned[p, m, f, half + i] = even + odd
                    turned[p, m, f, half - 1 - i] = even - odd
    width = count * 2 * half
    wide, parts = turned.reshape((2, columns, width)), np.empty((2, half_y, width))
    multiply_wide(y.cosines.T, wide[0], parts[0])
    multiply_wide(y.sines.T, wide[1], parts[1])
    values = np.empty((2 * half_y, width))
    for i in range(half_y):
        for a in range(width):
            values[half_y + i, a] = parts[0, i, a] + parts[1, i, a]
            values[half_y - 1 - i, a] = parts[0, i, a] - parts[1, i, a]
    return values.reshape((2 * half_y, count, 2 * half))


@compiled_apart
def series_from_grid(factors: Array, x: HalfWaves, y: HalfWaves) -> Array:
    """Derivatives, with respect to the series, of Σ factors · :func:`series_on_grid`."""
    count = factors.shape[1]
    rows, half = x.cosines.shape
    columns, half_y = y.cosines.shape
    width = count * 2 * half
    flat, parts = factors.reshape((2 * half_y, width)), np.empty((2, half_y, width))
    for i in range(half_y):
        for a in range(width):
            parts[0, i, a] = flat[half_y + i, a] + flat[half_y - 1 - i, a]
            parts[1, i, a] = flat[half_y + i, a] - flat[half_y - 1 - i, a]
    wide = np.empty((2, columns, width))
    multiply_wide(y.cosines, parts[0], wide[0])
    multiply_wide(y.sines, parts[1], wide[1])
    turned, along = (
        wide.reshape((2, columns, count, 2 * half)),
        np.empty((2, half, 2, count, columns)),
    )
    for i in range(half):
        for p in range(2):
            for f in range(count):
                for m in range(columns):
                    after, before = turned[p, m, f, half + i], turned[p, m, f, half - 1 - i]
                    along[0, i, p, f, m], along[1, i, p, f, m] = after + before, after - before
    by_x = along.reshape((2, half, 2 * count * columns))
    response = np.empty((2, rows, 2 * count * columns))
    multiply_wide(x.cosines, by_x[0], response[0])
    multiply_wide(x.sines, by_x[1], response[1])
    return response.reshape((2, rows, 2, count, columns))
