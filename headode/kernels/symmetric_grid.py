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
