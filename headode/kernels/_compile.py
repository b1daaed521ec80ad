"""How the kernels that are written by hand are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile for sums that may be reordered, cached on disk, without the interpreter's lock.

    Numba renews its cache when the file of a function changes, and not when that of a function it
    calls does: what a kernel calls must be in its own file. After a change here, remove
    ``headode/kernels/__pycache__``.
    """
    flags = {"reassoc", "contract", "nsz"}
    made = njit(cache=True, nogil=True, fastmath=flags, error_model="numpy")(function)
    return cast(F, made)
