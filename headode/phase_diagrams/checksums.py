"""A hash of each point of a phase diagram, by which lost and altered values are told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def checksums(
    arrays: Mapping[str, NDArray[Any]], shape: tuple[int, ...], points: Iterable[int]
) -> NDArray[np.uint64]:
    """(points,) hashes of the values of some points, by flat index; 0 is none.

    A value alone does not tell: that of a feature which does not split is NaN, and so is what is
    read in the place of a file that is gone.
    """
    rows = [_rows(array, shape) for _, array in sorted(arrays.items())]
    return np.array([_hash(row[point] for row in rows) for point in points], dtype=np.uint64)


def _rows(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The values of each point in a row."""
    return array.reshape(int(np.prod(shape)), *array.shape[len(shape) :])


def _hash(values: Iterable[Any]) -> int:
    hasher = hashlib.blake2b(digest_size=8)
    for value in values:
        if isinstance(value, str):
            # With its end, so that no text continues in the next one.
            hasher.update(value.encode() + b"\0")
        else:
            hasher.update(np.asarray(value).tobytes())
    return max(1, int.from_bytes(hasher.digest(), "little"))
