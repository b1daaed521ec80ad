"""How the kernels that are written by hand are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

from headode._kernel_cache import cached

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile for sums that may be reordered, cached on disk, without the interpreter's lock.

    What a kernel calls becomes a part of it. Otherwise a process that compiles runs another copy of
    a called function than one that loads the kernel from the disk, with sums in another order.

    Slices are filled by loops, entry by entry. With an array assigned to a slice comes the text of
    the error that it might raise, in each kernel: a quarter of the time that compilation took.
    """
    flags = {"reassoc", "contract", "nsz"}
    made = cached(nogil=True, fastmath=flags, error_model="numpy", forceinline=True)
    return cast(F, made(function))


def compiled_in_order(function: F) -> F:
    """Compile like :func:`compiled`, but for sums in the order in which they are written.

    For what must be the same, to the last bit, for heads that are alike.
    """
    return cast(F, cached(nogil=True, error_model="numpy")(function))


def compiled_apart(function: F) -> F:
    """Compile a function that stays one, and that kernels of several files share.

    Only for what has the same bits whoever compiles it: sums in one order, of products that are
    added without rounding in between, and what the linear algebra library does. Options that are
    not set would be those of the first caller.
    """
    made = njit(nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=False)
    return cast(F, made(function))
