"""Which axis of a phase diagram goes where on a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headode.plotting.diagram_axes import is_numeric

if TYPE_CHECKING:
    import xarray as xr

# Up to so many values are told apart by the color of a line.
MOST_LINES = 6
# Small pictures along one axis; of more values, so many are shown, evenly chosen.
MOST_FACETS = 4
NOT_MEASURED = ("status", "message")


@dataclass(frozen=True)
class Layout:
    """Keys of the axes by what they are on the picture.

    Attributes:
        x: the abscissa.
        y: the ordinate of maps; None for lines.
        hue: told apart by color among lines; None for maps, or where there is one line.
        columns: of small pictures; None for one column.
        rows: of small pictures; None for one row.
    """

    x: str
    y: str | None = None
    hue: str | None = None
    columns: str | None = None
    rows: str | None = None

    @property
    def facets(self) -> tuple[str, ...]:
        """The axes that small pictures are for."""
        return tuple(key for key in (self.columns, self.rows) if key is not None)


def layout_of(diagram: xr.Dataset) -> Layout:
    """Maps over the first two axes with many numbers; where there are no two, lines over one."""
    keys = axis_keys(diagram)
    numeric = [key for key in keys if is_numeric(diagram[key])]
    many = [key for key in numeric if diagram.sizes[key] > MOST_LINES]
    if len(many) >= 2:
        x, y = many[:2]
        rest = [key for key in keys if key not in (x, y)]
        return Layout(x, y, None, *_filled(rest))
    x = max(numeric or keys, key=lambda key: diagram.sizes[key])
    rest = [key for key in keys if key != x]
    hue = next((key for key in rest if diagram.sizes[key] <= MOST_LINES), None)
    rest = [key for key in rest if key != hue]
    if hue is None and rest:  # names in a large number: a small picture for some of them
        return Layout(x, None, None, *_filled(rest))
    return Layout(x, None, hue, *_filled(rest))


def _filled(keys: list[str]) -> tuple[str | None, str | None]:
    columns, rows = [*keys, None, None][:2]
    return columns, rows


def axis_keys(diagram: xr.Dataset) -> list[str]:
    """The axes of a diagram, in its order."""
    return [str(dim) for dim in diagram["status"].dims if dim != "seed"]


def measured(diagram: xr.Dataset) -> list[str]:
    """The variables that are drawn: one for each measure."""
    names = [str(name) for name in diagram.data_vars if name not in NOT_MEASURED]
    summaries = [f"{name}{summary}" for name in names for summary in ("_mean", "_std")]
    return [name for name in names if name not in summaries and "feature" not in diagram[name].dims]


def shown_values(diagram: xr.Dataset, key: str | None) -> list[Any]:
    """Positions along an axis that get a small picture; [None] without such an axis."""
    if key is None:
        return [None]
    size = diagram.sizes[key]
    chosen = np.linspace(0, size - 1, min(size, MOST_FACETS)).round().astype(int)
    return [int(i) for i in np.unique(chosen)]
