"""Checks of arguments, each with the one message form of :class:`headode.errors.ArgumentError`."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headode.errors import ArgumentError, one_of

Array = NDArray[np.float64]

# Roundoff allowed, relative to the largest entry, before a matrix is asymmetric or indefinite.
MATRIX_ROUNDOFF = 1e-10


def check_integer(name: str, value: Any, minimum: int) -> int:
    """Return ``value`` as an int, refusing bools, fractions and anything below ``minimum``."""
    integral = isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)
    if not integral or int(value) < minimum:
        raise ArgumentError(name, f"be an integer ≥ {minimum}", value)
    return int(value)


def check_number(
    name: str, value: Any, minimum: float = -math.inf, *, exclusive: bool = False
) -> float:
    """Return ``value`` as a finite float, at least (``exclusive``: above) ``minimum``."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
    number = float(value) if real else math.nan
    too_small = number <= minimum if exclusive else number < minimum
    if not math.isfinite(number) or too_small:
        bound = "" if minimum == -math.inf else f" {'>' if exclusive else '≥'} {minimum:g}"
        raise ArgumentError(name, f"be a finite number{bound}", value)
    return number


def check_option(name: str, value: Any, options: Iterable[str]) -> str:
    """Return ``value`` when it is one of ``options``; else name the nearest one."""
    names = tuple(options)
    if not isinstance(value, str) or value not in names:
        raise ArgumentError(name, one_of(names, value), value)
    return value


def check_array(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> Array:
    """Return a read-only float64 copy of the asked shape (None: any length ≥ 1), all finite."""
    expected = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
    requirement = f"be an array of finite numbers of shape {expected}"
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(name, requirement, value) from None
    fits = array.ndim == len(shape) and all(
        (size >= 1 if wanted is None else size == wanted)
        for size, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits or not np.isfinite(array).all():
        raise ArgumentError(name, requirement, value)
    array.setflags(write=False)
    return array


def check_positive_semidefinite(name: str, value: ArrayLike, size: int) -> Array:
    """Return a symmetric positive semidefinite (size, size) array, symmetrized to the last bit."""
    array = check_array(name, value, (size, size))
    roundoff = MATRIX_ROUNDOFF * max(float(np.abs(array).max()), np.finfo(float).tiny)
    if np.abs(array - array.T).max() > roundoff:
        raise ArgumentError(name, "be a symmetric matrix", value)
    symmetric: Array = 0.5 * (array + array.T)
    smallest = float(np.linalg.eigvalsh(symmetric)[0])
    if smallest < -roundoff:
        requirement = f"be positive semidefinite (its smallest eigenvalue is {smallest:.3g})"
        raise ArgumentError(name, requirement, value)
    symmetric.setflags(write=False)
    return symmetric


def check_probabilities(name: str, value: ArrayLike | None, count: int) -> Array:
    """Return ``count`` probabilities that sum to 1; None means all equal."""
    if value is None:
        value = np.full(count, 1.0 / count)
    array = check_array(name, value, (count,))
    # 1e-6: written by hand with a few digits, then normalized to the last bit.
    if array.min() < 0 or abs(array.sum() - 1.0) > 1e-6:
        raise ArgumentError(name, "be nonnegative and sum to 1", value)
    normalized: Array = array / array.sum()
    normalized.setflags(write=False)
    return normalized
