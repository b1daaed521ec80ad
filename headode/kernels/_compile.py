"""How the kernels that are written by hand are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile for sums that may be reordered, cached on disk, without the interpreter's lock.

    What a kernel calls becomes a part of it. Otherwise a process that compiles runs another copy of
    a called function than one that loads the kernel from the disk, with sums in another order.

    Numba renews its cache when the file of a function changes, and not when that of a function it
    calls does: what a kernel calls must be in its own file, but for ``symmetric_grid``. After a
    change here or there, remove ``headode/kernels/__pycache__``.
    """
    flags = {"reassoc", "contract", "nsz"}
    made = njit(cache=True, nogil=True, fastmath=flags, error_model="numpy", forceinline=True)
    return cast(F, made(function))


def compiled_apart(function: F) -> F:
    """Compile a function that stays one, and that kernels of several files share.

    Only for sums and differences of two numbers and for products of matrices by the linear algebra
    library: these have the same bits whoever compiles them. Options that are not set would be
    those of the first caller.
    """
    made = njit(nogil=True, fastmath=False, error_model="numpy", forceinline=False)
    return cast(F, made(function))
