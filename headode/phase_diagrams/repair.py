"""Mend the files of a phase diagram on disk, so that it can be continued."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from headode._files import whole_file


def has_all_metadata(path: Path, names: Iterable[str]) -> bool:
    """Whether all of the files that describe a store and its arrays can be read."""
    files = [path / ".zgroup", path / ".zattrs", path / ".zmetadata"]
    files += [path / name / file for name in names for file in (".zarray", ".zattrs")]
    return all(map(_is_json, files))


def add_lost_files(path: Path, empty: Path) -> None:
    """Give a store what an empty one of the same sweep has and it has not, or cannot be read.

    Args:
        path: Zarr group.
        empty: another one.
    """
    for source in sorted(empty.rglob("*")):
        target = path / source.relative_to(empty)
        if source.is_dir():
            target.mkdir(exist_ok=True)
        elif not (_is_json(target) if target.name.startswith(".z") else target.exists()):
            with whole_file(target) as temporary:
                temporary.write_bytes(source.read_bytes())


def remove_damaged_chunks(folder: Path, array: Any) -> None:
    """Remove the chunks of an array that cannot be read: they count as not written.

    Raises:
        OSError: if a file may not be read, which is no damage.
    """
    try:
        array[...]
    except OSError:
        raise
    except Exception:  # whatever decoding makes of it
        for name, box in _chunks(array):
            try:
                array[box]
            except OSError:
                raise
            except Exception:
                (folder / name).unlink()


def _chunks(array: Any) -> Iterator[tuple[str, tuple[slice, ...]]]:
    """Names of the files of an array's chunks, and where they are in it."""
    sizes = zip(array.shape, array.chunks, strict=True)
    for index in product(*(range(-(-length // side)) for length, side in sizes)):
        box = tuple(slice(i * s, i * s + s) for i, s in zip(index, array.chunks, strict=True))
        yield ".".join(map(str, index)), box


def write_lost_values(array: Any, values: Any) -> None:
    """Write an array again if it is not what it should be."""
    if np.asarray(array[...]).tolist() != np.asarray(values).tolist():
        array[...] = values


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
