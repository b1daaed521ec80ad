"""How the kernels that are written by hand are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit

from headode._checks import Array

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile for sums that may be reordered, cached on disk, without the interpreter's lock.

    What a kernel calls becomes a part of it. Otherwise a process that compiles runs another copy of
    a called function than one that loads the kernel from the disk, with sums in another order.

    Numba renews its cache when the file of a function changes, and not when that of a function it
    calls does: what a kernel calls must be in its own file. After a change here, remove
    ``headode/kernels/__pycache__``.
    """
    flags = {"reassoc", "contract", "nsz"}
    made = njit(cache=True, nogil=True, fastmath=flags, error_model="numpy", forceinline=True)
    return cast(F, made(function))


def compiled_apart(function: F) -> F:
    """Compile a function that stays one: its callers are compiled several times as fast.

    Only for sums and differences of two numbers and for products of matrices by the linear algebra
    library: these have the same bits whoever compiles them.
    """
    return cast(F, njit(nogil=True)(function))


@compiled_apart
def multiply(one: Array, two: Array, result: Array) -> None:
    """The matrix product, by the linear algebra library, into ``result``."""
    np.dot(one, two, result)
