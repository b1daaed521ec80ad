"""The one place that says how the simulation's inner loops are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile to machine code, cached on disk, without the GIL so that runs share a process.

    Numba renews its cache when the file of a function changes, and not when that of a function it
    calls does: after such an edit, remove ``headode/simulation/__pycache__``.
    """
    return cast(F, njit(cache=True, nogil=True)(function))


def compiled_vector(function: F) -> F:
    """Like :func:`compiled`, for loops over d: sums may be reordered, so that they use SIMD.

    Infinities and NaN keep their meaning, so that a diverging run is still seen.
    """
    flags = {"reassoc", "contract", "nsz"}
    return cast(F, njit(cache=True, nogil=True, fastmath=flags)(function))
