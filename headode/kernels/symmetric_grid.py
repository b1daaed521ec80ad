"""Values on grids that are symmetric about a center, and their even and odd parts on one side.

Cosines from the center on have even values and sines odd ones, so that half of the waves do. None
of this depends on how it is compiled, so that several kernels share it.
"""

from __future__ import annotations

import numpy as np

from headode._checks import Array
from headode.kernels._compile import compiled_apart


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
def series_on_grid(series: Array, waves: tuple[Array, Array, Array, Array]) -> Array:
    """(points of x, n, points of y) values of n series of two variables, in the points' order.

    series: (2, 2, K + 1, n, K' + 1), of cosines and sines of y, of cosines and sines of x; waves:
    cosines and sines (K + 1, half) of x, then of y.
    """
    rows, count, columns = series.shape[2:]
    half, half_y = waves[0].shape[1], waves[2].shape[1]
    total, width = 2 * rows * count, count * 2 * half_y
    even, odd = np.empty((total, half_y)), np.empty((total, half_y))
    flat, along = series.reshape((2, total, columns)), np.empty((total, 2 * half_y))
    multiply(flat[0], waves[2], even)
    multiply(flat[1], waves[3], odd)
    unfold(even, odd, along)
    by_x, parts = along.reshape((2, rows, width)), np.empty((2, half, width))
    for p in range(2):
        multiply(waves[p].T, by_x[p], parts[p])
    values = np.empty((2 * half, width))
    for i in range(half):
        plus, minus = values[half + i], values[half - 1 - i]
        for a in range(width):
            plus[a] = parts[0, i, a] + parts[1, i, a]
            minus[a] = parts[0, i, a] - parts[1, i, a]
    return values.reshape((2 * half, count, 2 * half_y))


@compiled_apart
def series_from_grid(factors: Array, waves: tuple[Array, Array, Array, Array]) -> Array:
    """Derivatives, with respect to the series, of Σ factors · :func:`series_on_grid`."""
    count = factors.shape[1]
    rows, half = waves[0].shape
    columns, half_y = waves[2].shape
    total, width = 2 * rows * count, count * 2 * half_y
    flat, parts = factors.reshape((2 * half, width)), np.empty((2, half, width))
    for i in range(half):
        plus, minus = flat[half + i], flat[half - 1 - i]
        for a in range(width):
            parts[0, i, a] = plus[a] + minus[a]
            parts[1, i, a] = plus[a] - minus[a]
    along = np.empty((2, rows, width))
    for p in range(2):
        multiply(waves[p], parts[p], along[p])
    even, odd = np.empty((total, half_y)), np.empty((total, half_y))
    fold(along.reshape((total, 2 * half_y)), even, odd)
    response = np.empty((2, total, columns))
    multiply(even, waves[2].T, response[0])
    multiply(odd, waves[3].T, response[1])
    return response.reshape((2, 2, rows, count, columns))
