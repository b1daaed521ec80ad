"""Checks of arguments, each with the one message form of :class:`headode.errors.ArgumentError`."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headode._limits import LARGEST_INTEGER, LARGEST_SEED
from headode.errors import ArgumentError, one_of

Array = NDArray[np.float64]

# Roundoff allowed before a matrix is asymmetric or indefinite, relative to the overlaps that it was
# computed from: a few digits less than single precision has.
MATRIX_ROUNDOFF = 1e-6
# Below this, relative to the largest entry, an eigenvalue is zero in double precision.
ZERO_EIGENVALUE = 1e-14


def check_integer(name: str, value: Any, minimum: int, maximum: int = LARGEST_INTEGER) -> int:
    """Return ``value`` as an int, refusing bools, fractions and what is out of range."""
    value = _scalar(value)
    integral = isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)
    if not integral or not minimum <= int(value) <= maximum:
        upper = "" if maximum == LARGEST_INTEGER else f" and ≤ {maximum}"
        if integral and int(value) > LARGEST_INTEGER:
            upper = f" and ≤ {maximum}"
        raise ArgumentError(name, f"be an integer ≥ {minimum}{upper}", value)
    return int(value)


def check_seed(name: str, value: Any) -> int:
    """Return a seed as an int: what determines random numbers, and is kept in every result."""
    return check_integer(name, value, 0, LARGEST_SEED)


def check_number(
    name: str, value: Any, minimum: float = -math.inf, *, exclusive: bool = False
) -> float:
    """Return ``value`` as a finite float, at least (``exclusive``: above) ``minimum``."""
    value = _scalar(value)
    real = isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
    try:
        number = float(value) if real else math.nan
    except OverflowError:
        number = math.inf
    too_small = number <= minimum if exclusive else number < minimum
    if not math.isfinite(number) or too_small:
        bound = "" if minimum == -math.inf else f" {'>' if exclusive else '≥'} {minimum:g}"
        raise ArgumentError(name, f"be a finite number{bound}", value)
    return number


def check_option(name: str, value: Any, options: Iterable[str]) -> str:
    """Return ``value`` as a plain str when it is one of ``options``; else name the nearest one."""
    names = tuple(options)
    if not isinstance(value, str) or value not in names:
        raise ArgumentError(name, one_of(names, value), value)
    return str(value)


def check_keys(name: str, value: Any, known: Iterable[str]) -> dict[str, Any]:
    """Return a mapping as a dict when all its keys are ``known``; else name the nearest one."""
    if not isinstance(value, Mapping):
        raise ArgumentError(name, "be a mapping of names to values", value)
    names = tuple(known)
    for key in value:
        if key not in names:
            raise ArgumentError(name, f"have keys that {one_of(names, key)}", key)
    return {str(key): entry for key, entry in value.items()}


def plain_data(name: str, value: Any) -> Any:
    """A copy of data as text, numbers, lists and dicts, as it is stored with a result.

    Called before anything is computed, so that what cannot be stored costs no result.
    """
    if isinstance(value, Mapping):
        return {str(key): plain_data(f"{name}.{key}", entry) for key, entry in value.items()}
    value = _scalar(value)
    if hasattr(value, "tolist") and not has_masked(value):
        value = value.tolist()
    if isinstance(value, list | tuple | range):
        return [plain_data(name, entry) for entry in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, numbers.Integral):
        return check_integer(name, value, -LARGEST_INTEGER)
    if isinstance(value, numbers.Real):
        return float(value)
    raise ArgumentError(name, "be text, a number, or a list or mapping of these", value)


def check_array(
    name: str,
    value: Any,
    shape: tuple[int | None, ...],
    dims: tuple[str, ...] = (),
) -> Array:
    """Return a read-only float64 copy of the asked shape (None: any length ≥ 1), all finite.

    An xarray array of more than one dimension needs their names, ``dims``, in any order.
    """
    expected = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
    requirement = f"be an array of finite numbers of shape {expected}"
    if has_masked(value):
        raise ArgumentError(name, f"{requirement}, without masked entries", value)
    value = _in_order(name, value, dims)
    array = _floats(value)
    if array is None:
        raise ArgumentError(name, requirement, value)
    fits = array.ndim == len(shape) and all(
        (size >= 1 if wanted is None else size == wanted)
        for size, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits or not np.isfinite(array).all():
        raise ArgumentError(name, requirement, value)
    array.setflags(write=False)
    return array


def has_masked(value: Any) -> bool:
    """Whether an array, or one in a list, has entries that are masked, and so no values."""
    if isinstance(value, np.ma.MaskedArray):
        return bool(np.ma.getmaskarray(value).any())
    return isinstance(value, list | tuple) and any(has_masked(entry) for entry in value)


def _scalar(value: Any) -> Any:
    """What an array without dimensions, of NumPy or xarray, holds; anything else as it is."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item") and not has_masked(value):
        return value.item()
    return value


def _in_order(name: str, value: Any, dims: tuple[str, ...]) -> Any:
    """An xarray array with its dimensions in the order of ``dims``."""
    own = getattr(value, "dims", None)
    if not isinstance(own, tuple) or len(own) < 2 or not hasattr(value, "transpose"):
        return value
    if sorted(map(str, own)) != sorted(dims):
        wanted = f"the dimensions ({', '.join(dims)})" if dims else "no names of dimensions"
        raise ArgumentError(name, f"have {wanted}", tuple(map(str, own)))
    return value.transpose(*dims).values


def _floats(value: Any) -> Array | None:
    """A float64 copy of an array of real numbers; None for anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            array = np.asarray(value)
            if array.dtype.kind == "O":
                plain = all(
                    isinstance(entry, numbers.Real) and not isinstance(entry, bool)
                    for entry in array.flat
                )
            else:
                plain = array.dtype.kind in "iuf"
            with np.errstate(all="ignore"):
                return np.array(array, dtype=np.float64) if plain else None
    except (TypeError, ValueError, OverflowError, Warning):
        return None


def check_positive_semidefinite(
    name: str,
    value: Any,
    size: int,
    *,
    scale: float = 0.0,
    dims: tuple[str, ...] = (),
) -> Array:
    """Return a symmetric positive semidefinite (size, size) array, symmetrized to the last bit.

    Eigenvalues that are negative by no more than the roundoff of single precision become 0.

    Args:
        name: of the argument.
        value: the matrix.
        size: its number of rows.
        scale: size of the overlaps whose difference it is, if that is larger than its entries.
        dims: names of its dimensions in xarray.
    """
    array = check_array(name, value, (size, size), dims)
    largest = float(np.abs(array).max())
    roundoff = MATRIX_ROUNDOFF * max(largest, scale)
    if np.abs(array - array.T).max() > roundoff:
        raise ArgumentError(name, "be a symmetric matrix", value)
    symmetric: Array = 0.5 * array + 0.5 * array.T
    with np.errstate(all="ignore"):
        values, vectors = np.linalg.eigh(symmetric)
        smallest = float(values[0])
        if smallest < -roundoff:
            requirement = f"be positive semidefinite (its smallest eigenvalue is {smallest:.3g})"
            raise ArgumentError(name, requirement, value)
        if smallest < -ZERO_EIGENVALUE * largest:
            projected = (vectors * np.clip(values, 0.0, None)) @ vectors.T
            symmetric = 0.5 * (projected + projected.T)
    symmetric.setflags(write=False)
    return symmetric


def check_probabilities(name: str, value: ArrayLike | None, count: int) -> Array:
    """Return ``count`` probabilities that sum to 1; None means all equal."""
    if value is None:
        value = np.full(count, 1.0 / count)
    array = check_array(name, value, (count,))
    # 1e-6: written by hand with a few digits, or in single precision; normalized to the last bit.
    if array.min() < 0 or abs(array.sum() - 1.0) > 1e-6:
        raise ArgumentError(name, "be nonnegative and sum to 1", value)
    normalized: Array = array / array.sum()
    normalized.setflags(write=False)
    return normalized
