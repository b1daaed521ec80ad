"""The one place that says how the simulation's inner loops are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from headode._kernel_cache import cached

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile to machine code, cached on disk, without the GIL so that runs share a process."""
    return cast(F, cached(nogil=True)(function))


def compiled_vector(function: F) -> F:
    """Like :func:`compiled`, for loops over d: sums may be reordered, so that they use SIMD.

    Infinities and NaN keep their meaning, so that a diverging run is still seen.
    """
    flags = {"reassoc", "contract", "nsz"}
    return cast(F, cached(nogil=True, fastmath=flags)(function))
