"""Triangular factors of Gram matrices, never formed as such.

A set of vectors is known by the rows of a matrix A, up to a rotation of all of them. What matters
is A Aᵀ, and any A with the same A Aᵀ will do. Working on A itself costs no digits, and A Aᵀ cannot
become indefinite.
"""

from __future__ import annotations

import math

import numpy as np

from headode._checks import Array
from headode.simulation._compile import compiled

# Rows smaller than this count as zero: beside one another their squares are smaller than any float.
# A saturated softmax has such gradients.
SMALLEST_NORM = 1e-150


@compiled
def make_lower_triangular(A: Array) -> None:
    """Rotate the rows of A (n, m), m ≥ n, in place: A Aᵀ stays, A_ij becomes 0 for j > i.

    Householder reflections from the right. Rows may be dependent, or zero.
    """
    rows, columns = A.shape
    for i in range(rows):
        norm = 0.0
        for j in range(i, columns):
            norm += A[i, j] * A[i, j]
        norm = math.sqrt(norm)
        if norm < SMALLEST_NORM:
            A[i, i:] = 0.0
            continue
        # Away from A_ii, so that the reflection's own vector (A_ii + norm, ...) loses no digits.
        norm = -norm if A[i, i] < 0.0 else norm
        first = A[i, i] + norm
        scale = 1.0 / (norm * first)
        for k in range(i + 1, rows):
            product = A[k, i] * first
            for j in range(i + 1, columns):
                product += A[k, j] * A[i, j]
            product *= scale
            A[k, i] -= product * first
            for j in range(i + 1, columns):
                A[k, j] -= product * A[i, j]
        A[i, i] = -norm
        for j in range(i + 1, columns):
            A[i, j] = 0.0


@compiled
def draw_gaussian_factor(rng: np.random.Generator, columns: int, factor: Array) -> None:
    """Fill ``factor`` (n, n) so that ``factor factorᵀ`` is Wishart with ``columns`` degrees.

    Bartlett's decomposition: the triangular factor of an (n, columns) matrix of standard normals Z.
    Row i of Z has i standard normal coordinates along the rows before it, and what is left of it
    has ``columns − i`` dimensions. With fewer columns than rows the later rows lie in the span of
    the first ones, and their coordinates end there.
    """
    n = factor.shape[0]
    factor[:] = 0.0
    for i in range(n):
        for j in range(min(i, columns)):
            factor[i, j] = rng.standard_normal()
        if columns > i:
            factor[i, i] = math.sqrt(rng.chisquare(columns - i))
