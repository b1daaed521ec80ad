"""Adaptive refinement: compute the points along phase boundaries, and few elsewhere.

The grid of two axes is covered with coarse cells, and only their corners are computed. A cell in
which two computed points belong to different phases is cut into four, down to the asked grid. Its
neighbors count the points on their edges, so that a boundary is followed into cells whose own
corners are alike. What remains uncomputed lies in cells with one phase, and is interpolated.

Libraries for adaptive sampling choose points one after the other, in the order in which results
arrive; here the points depend on the results alone, and lie on the grid of the diagram.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headode._checks import check_integer, check_number, check_option
from headode._limits import LARGEST_COUNT
from headode.errors import ArgumentError
from headode.phase_diagrams.axes import Axis
from headode.phase_diagrams.measures import Measure

if TYPE_CHECKING:
    from headode.phase_diagrams.diagram import Diagram

# Coarse cells along the shorter axis, if the size of cells is not given.
COARSE_CELLS = 8


@dataclass(frozen=True)
class Refinement:
    """What phases are, and where refinement starts.

    Attributes:
        measure: tells phases apart.
        threshold: a number has two phases, below it or not; None: each value is a phase.
        cell: steps of the grid along a coarse cell.
    """

    measure: str
    threshold: float | None
    cell: int


class Cell(NamedTuple):
    """A box of grid points, corners included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def box(self) -> tuple[slice, slice]:
        """Its points."""
        return slice(self.top, self.bottom + 1), slice(self.left, self.right + 1)

    @property
    def corners(self) -> list[tuple[int, int]]:
        """Its four corners."""
        return [(i, j) for i in (self.top, self.bottom) for j in (self.left, self.right)]

    def parts(self) -> list[Cell]:
        """The four quarters; halves where one side is a single step; none of a smallest cell."""
        rows, columns = _cut(self.top, self.bottom), _cut(self.left, self.right)
        if len(rows) == len(columns) == 1:
            return []
        return [Cell(*row, *column) for row in rows for column in columns]


def make_refinement(
    given: Any, axes: Sequence[Axis], measures: Sequence[Measure]
) -> Refinement | None:
    """A refinement from ``{measure, threshold, cell}``, or the name of a measure.

    Args:
        given: as said, or None.
        axes: of the diagram: two, of increasing numbers.
        measures: of the diagram.
    """
    if given is None:
        return None
    given = {"measure": given} if isinstance(given, str) else dict(given)
    given = {key: value for key, value in given.items() if value is not None}
    if len(axes) != 2 or not all(_increases(axis) for axis in axes):
        raise ArgumentError(
            "refine", "be left out unless there are two axes of increasing numbers", given
        )
    for key in given:
        check_option("refine", key, ("measure", "threshold", "cell"))
    names = [measure.name for measure in measures if not measure.per_feature]
    name = check_option("refine.measure", given.get("measure"), names)
    threshold = given.get("threshold")
    if threshold is not None:
        threshold = check_number("refine.threshold", threshold)
    shortest = min(len(axis.values) for axis in axes) - 1
    default = 2 ** max(0, int(np.log2(max(1, shortest / COARSE_CELLS))))
    cell = check_integer("refine.cell", given.get("cell", default), 1, LARGEST_COUNT)
    return Refinement(name, threshold, cell)


def refine(diagram: Diagram, compute: Callable[[Iterable[int]], None]) -> None:
    """Compute points along phase boundaries, and interpolate the others.

    Args:
        diagram: of a plan with a refinement.
        compute: computes points by flat index, if they are not done.
    """
    plan = diagram.plan
    refinement = plan.refinement
    assert refinement is not None
    rows, columns, seeds = plan.shape
    cells = [
        Cell(*row, *column)
        for row in _coarse(rows, refinement.cell)
        for column in _coarse(columns, refinement.cell)
    ]
    while True:
        corners = sorted({corner for cell in cells for corner in cell.corners})
        compute([(i * columns + j) * seeds + s for i, j in corners for s in range(seeds)])
        phases = _phases(diagram, refinement)
        finer: list[Cell] = []
        for cell in cells:
            known = phases[cell.box]
            mixed = len(np.unique(known[known >= 0])) > 1
            finer += (cell.parts() if mixed else []) or [cell]
        if len(finer) == len(cells):
            break
        cells = finer
    _interpolate(diagram, cells)


def _increases(axis: Axis) -> bool:
    return axis.is_numeric and bool((np.diff(axis.values) > 0).all())


def _cut(first: int, last: int) -> list[tuple[int, int]]:
    if last - first < 2:
        return [(first, last)]
    middle = (first + last) // 2
    return [(first, middle), (middle, last)]


def _coarse(count: int, step: int) -> list[tuple[int, int]]:
    """Ends of the coarse cells along one axis."""
    lines = [*range(0, count - 1, step), count - 1]
    return list(pairwise(lines)) or [(0, 0)]


def _phases(diagram: Diagram, refinement: Refinement) -> NDArray[np.intp]:
    """(rows, columns) number of the phase of each computed point, −1 elsewhere.

    Over several seeds, a name is the most frequent one, and a number is the mean. A point without
    a value is a phase of its own.
    """
    values, done = diagram.arrays[refinement.measure], diagram.done.all(axis=-1)
    numbers: dict[Any, int] = {}
    phases = np.full(done.shape, -1, dtype=np.intp)
    for index in zip(*np.nonzero(done), strict=True):
        key = _phase(values[index], refinement.threshold)
        phases[index] = numbers.setdefault(key, len(numbers))
    return phases


def _phase(values: NDArray[Any], threshold: float | None) -> Any:
    if values.dtype.kind != "f":
        names, counts = np.unique(values.astype(object), return_counts=True)
        return names[counts.argmax()]
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    mean = float(known.mean())
    return mean if threshold is None else mean >= threshold


def _interpolate(diagram: Diagram, cells: list[Cell]) -> None:
    """Fill what was not computed: numbers bilinearly, names by the nearest corner."""
    from headode.phase_diagrams.diagram import Status

    done = np.asarray(diagram.done.all(axis=-1))
    for cell in cells:
        for i, j in np.ndindex(cell.bottom - cell.top + 1, cell.right - cell.left + 1):
            here = (cell.top + i, cell.left + j)
            if done[here] or diagram.status[here][0] == Status.INTERPOLATED:
                continue
            u, v = i / max(1, cell.bottom - cell.top), j / max(1, cell.right - cell.left)
            weights = [(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v]
            for name, array in diagram.arrays.items():
                if array.dtype.kind == "f":
                    array[here] = sum(
                        weight * array[corner]
                        for weight, corner in zip(weights, cell.corners, strict=True)
                        if weight
                    )
                elif name not in ("status", "message"):
                    array[here] = array[cell.corners[int(np.argmax(weights))]]
            diagram.status[here] = Status.INTERPOLATED
