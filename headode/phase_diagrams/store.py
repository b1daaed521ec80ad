"""A phase diagram on disk: a Zarr group that is valid at any moment.

Nothing in it changes but chunks of arrays, and each chunk is a file that is replaced whole. The
``status`` of points is written after their values: what it does not call computed does not count,
whenever the process was killed. So whatever happens, points are there whole or not at all. A hash
of each point, in a group that xarray does not look into, tells whether its values are those that
were written: a chunk that is gone reads like one without results.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headode._differences import shown_differences
from headode._files import final_place, whole_folder
from headode.errors import ArgumentError
from headode.phase_diagrams.checksums import checksums
from headode.phase_diagrams.diagram import KIND, SUMMARIES, Diagram, Status
from headode.phase_diagrams.plan import Plan
from headode.phase_diagrams.repair import (
    add_lost_files,
    has_all_metadata,
    remove_damaged_chunks,
    write_lost_values,
)

if TYPE_CHECKING:
    import xarray as xr

# Points in a chunk: few files for a million points, and a file that is rewritten in a millisecond.
CHUNK = 1024
# Hashes of the points.
CHECKSUMS = "checks/checksum"
# zarr writes each chunk to such a file first; one is left behind when the process is killed.
LEFTOVERS = "*.partial"


class Store:
    """A phase diagram on disk, open for writing by one process.

    Use :func:`locked_store`.

    Args:
        path: of the Zarr group, which exists.
        plan: of the sweep.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        import zarr

        self.path = path
        self._single_seed = plan.seeds == 1
        group: Any = zarr.open_group(path, mode="r+")
        self._arrays: dict[str, Any] = dict(group.arrays())
        self._checksums: Any = zarr.open_array(path / CHECKSUMS, mode="r+")
        self._hashes = np.zeros(plan.shape, dtype=np.uint64)

    def restore(self, diagram: Diagram) -> None:
        """Let a diagram take over what is here, as far as it is what was written."""
        for leftover in self.path.rglob(LEFTOVERS):
            leftover.unlink()
        remove_damaged_chunks(self.path / CHECKSUMS, self._checksums)
        for name, array in self._arrays.items():
            remove_damaged_chunks(self.path / name, array)
        arrays = {name: self._read(name, array) for name, array in diagram.arrays.items()}
        shape = diagram.plan.shape
        points = np.flatnonzero(arrays["status"])
        hashes = checksums(arrays, shape, points)
        kept = np.asarray(self._checksums[...]).ravel()[points]
        arrays["status"].ravel()[points[kept != hashes]] = Status.PENDING
        self._hashes.ravel()[points] = hashes
        diagram.restore(arrays)
        for name, values in diagram.coordinates().items():
            write_lost_values(self._arrays[name], values)

    def write(self, diagram: Diagram, points: Iterable[int]) -> None:
        """Write the chunks of some points, by flat index; their status last.

        Raises:
            OSError: if something cannot be written; what was here before still is.
        """
        shape, points = diagram.plan.shape, list(points)
        sides = chunk_sides(shape)
        chunks = {
            tuple(int(i) // side for i, side in zip(index, sides, strict=True))
            for index in (np.unravel_index(point, shape) for point in points)
        }
        boxes = [
            tuple(slice(c * s, c * s + s) for c, s in zip(chunk, sides, strict=True))
            for chunk in sorted(chunks)
        ]
        hashes = self._hashes.ravel()
        hashes[points] = checksums(diagram.arrays, shape, points)
        for box in boxes:
            self._checksums[box] = self._hashes[box]
        names = [name for name in diagram.arrays if name != "status"]
        for name in (*names, "status"):
            values = diagram.arrays[name]
            for box in boxes:
                self._write(name, box, values[box])

    def finish(self, diagram: Diagram, dataset: xr.Dataset) -> None:
        """Write what was not computed point by point: interpolated points, means and spreads."""
        self.write(diagram, np.flatnonzero(~diagram.done).tolist())
        for name in dataset.data_vars:
            if str(name).endswith(SUMMARIES):
                self._arrays[str(name)][...] = dataset[name].values

    def _read(self, name: str, like: NDArray[Any]) -> NDArray[Any]:
        values: NDArray[Any] = np.asarray(self._arrays[name][...])
        return values.reshape(like.shape).astype(like.dtype)

    def _write(self, name: str, box: tuple[slice, ...], values: NDArray[Any]) -> None:
        if self._single_seed:
            box, values = box[:-1], values.squeeze(axis=len(box) - 1)
        self._arrays[name][box] = values


def chunk_sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Sides of a chunk: whole rows of the last dimensions, as many as fit."""
    sides, room = [], CHUNK
    for size in reversed(shape):
        sides.append(max(1, min(size, room)))
        room //= sides[-1]
    return tuple(reversed(sides))


@contextmanager
def locked_store(
    path: str | os.PathLike[str], plan: Plan, *, resume: bool, replace: bool = False
) -> Iterator[Store]:
    """The store of a sweep, made if it does not exist, while no other process has it.

    Args:
        path: of the Zarr group.
        plan: of the sweep.
        resume: whether to continue what is there.
        replace: whether another diagram that is there is replaced; without it, it is refused.

    Raises:
        ArgumentError: if it exists (unless ``resume`` or ``replace``), is of something else or of
            another sweep (the message says in what they differ), is in use, or cannot be made.
    """
    from filelock import FileLock, Timeout

    target = final_place(Path(path))
    if not target.parent.is_dir():
        raise ArgumentError("store", "be in an existing folder", str(path))
    # Next to the store, not inside it, where Zarr would not know it. It is never deleted: that
    # cannot be done safely. The operating system unlocks it when a process ends, in whatever way.
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ArgumentError("store", "not be in use by another process", str(path)) from None
    except OSError as error:
        requirement = f"be in a folder that can be written ({error.strerror})"
        raise ArgumentError("store", requirement, str(path)) from error
    try:
        if not os.path.lexists(target):
            _create(target, plan)
        elif resume:
            check_identity(Path(path), plan)
            _repair(target, plan)
        elif replace:
            check_replaceable(Path(path))
            _create(target, plan)
        else:
            raise ArgumentError("store", "not exist yet (or be resumed)", str(path))
        yield Store(target, plan)
    finally:
        lock.release()


def is_diagram(path: Path) -> bool:
    """Whether a path is a phase diagram on disk."""
    return _kept_attributes(path).get("kind") == KIND


def check_replaceable(path: Path, *, argument: str = "store") -> None:
    """Refuse to replace what is no phase diagram.

    Raises:
        ArgumentError: naming the argument.
    """
    if not is_diagram(path):
        raise ArgumentError(argument, "be a phase diagram, to be replaced", str(path))


def check_identity(path: Path, plan: Plan) -> None:
    """Refuse a store that another sweep has made."""
    if not is_diagram(path):
        raise ArgumentError("store", "be a phase diagram", str(path))
    try:
        kept = json.loads(_kept_attributes(path)["identity"])
    except (KeyError, TypeError, ValueError) as error:
        requirement = f"have an `identity` that can be read ({error})"
        raise ArgumentError("store", requirement, str(path)) from error
    shown = shown_differences(kept, plan.identity())
    if shown:
        raise ArgumentError("store", f"belong to the same sweep ({shown})", str(path))


def load_diagram(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read a phase diagram, finished or not, into memory.

    Raises:
        ArgumentError: if it is none.
    """
    import xarray as xr

    source = Path(path)
    if not is_diagram(source):
        raise ArgumentError("file", "be a phase diagram (a Zarr group)", str(source))
    try:
        with xr.open_zarr(source, chunks=None) as dataset:
            loaded: xr.Dataset = dataset.load()
    except MemoryError:
        raise
    except Exception as error:  # damaged stores make the libraries below fail in any way
        text = " ".join(str(error).split())
        requirement = f"be a whole phase diagram ({text})"
        raise ArgumentError("file", requirement, str(source)) from error
    return loaded


def _kept_attributes(path: Path) -> dict[str, Any]:
    """The attributes of a Zarr group, from either of the files that have them."""
    for name in (".zattrs", ".zmetadata"):
        try:
            found = json.loads((path / name).read_text(encoding="utf-8"))
            attributes: dict[str, Any] = (
                found if name == ".zattrs" else found["metadata"][".zattrs"]
            )
            return dict(attributes)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return {}


def _create(target: Path, plan: Plan) -> None:
    """Write an empty diagram, which appears whole or not at all."""
    with whole_folder(target, replace=True) as temporary:
        _write_empty(temporary, plan)


def _repair(target: Path, plan: Plan) -> None:
    """Give a store back what is missing besides values."""
    names = [str(name) for name in Diagram(plan).dataset().variables]
    if not has_all_metadata(target, [*names, CHECKSUMS]):
        with tempfile.TemporaryDirectory() as temporary:
            _write_empty(Path(temporary), plan)
            add_lost_files(target, Path(temporary))


def _write_empty(folder: Path, plan: Plan) -> None:
    """Write an empty diagram into a folder."""
    import zarr

    dataset = _with_plain_text(Diagram(plan).dataset())
    sides = dict(
        zip((*(axis.key for axis in plan.axes), "seed"), chunk_sides(plan.shape), strict=True)
    )
    encoding: dict[str, Any] = {
        str(name): {
            "chunks": tuple(sides.get(str(dim), dataset.sizes[dim]) for dim in variable.dims)
        }
        for name, variable in dataset.data_vars.items()
    }
    encoding["status"]["_FillValue"] = None
    # Format 2: names in arrays have no settled form in format 3 yet.
    dataset.to_zarr(folder, mode="w", zarr_format=2, consolidated=True, encoding=encoding)
    root: Any = zarr.open_group(folder, mode="r+", use_consolidated=False)
    group, name = CHECKSUMS.split("/")
    root.create_group(group).create_array(
        name,
        shape=plan.shape,
        chunks=chunk_sides(plan.shape),
        dtype="uint64",
        fill_value=0,
    )


def _with_plain_text(dataset: xr.Dataset) -> xr.Dataset:
    """Texts as objects, which are written with any length; else they get the length of now."""
    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "T":
            dataset[name] = variable.astype(object)
    return dataset


def stored_bytes(plan: Plan) -> int:
    """About how large the store becomes, without compression and text."""
    numbers = sum(plan.features if measure.per_feature else 1 for measure in plan.measures)
    return math.prod(plan.shape) * (8 * numbers + 1)
