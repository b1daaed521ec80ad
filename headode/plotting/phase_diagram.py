"""The picture of a phase diagram: a block for each measure, with small pictures for other axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from headode.errors import ArgumentError
from headode.phase_diagrams.diagram import KIND, Status, with_summaries
from headode.plotting.diagram_axes import Scale, axis_label, value_text
from headode.plotting.diagram_layout import (
    Layout,
    axis_keys,
    layout_of,
    measured,
    shown_values,
)
from headode.plotting.diagram_lines import draw_lines, line_handles
from headode.plotting.diagram_maps import draw_color_bar, draw_map, map_handles
from headode.plotting.diagram_values import Shown, shown
from headode.plotting.header import SEPARATOR, describe_sections
from headode.plotting.style import QUIET, TEXT_WIDTH, headode_style
from headode.trajectory import configuration_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

COLUMN_WIDTH = 0.5 * TEXT_WIDTH
# Inches: of one picture, of small ones, of a line of the title and of the legend.
HEIGHT, SMALL_HEIGHT, TITLE, LEGEND_ROW, LEGEND_GAP = 2.35, 1.8, 0.18, 0.17, 0.12
# Inches of a legend's entry without its text, and of a character.
ENTRY, CHARACTER = 0.4, 0.06


def phase_diagram_figure(diagram: xr.Dataset) -> Figure:
    """Draw a phase diagram, finished or not.

    Over two axes with more than six numbers each, a measure is a map: numbers with contours, names
    in colors of their own; a line bounds each phase, and what has no value is gray. Else it is
    drawn as lines over the longest axis, with one color for each value of a short one, in bands
    of one standard deviation over the seeds. Further axes get small pictures, up to four a row.

    Args:
        diagram: of :func:`headode.phase_diagram`, or read from its store.

    Raises:
        ArgumentError: if it is none.
    """
    if diagram.attrs.get("kind") != KIND:
        raise ArgumentError("diagram", "be a phase diagram", diagram.attrs.get("kind"))
    if "seed" in diagram.dims:
        diagram = with_summaries(diagram)
    layout = layout_of(diagram)
    measures = [shown(diagram, name) for name in measured(diagram)]
    configuration = configuration_of(diagram)
    with headode_style():
        rows = len(shown_values(diagram, layout.rows))
        small = len(shown_values(diagram, layout.columns)) > 1
        across = 1 if small or len(measures) == 1 else 2
        width = TEXT_WIDTH if small or across > 1 else COLUMN_WIDTH
        block = [_Block(diagram, each, layout, configuration, width / across) for each in measures]
        picture = rows * (SMALL_HEIGHT if layout.facets else HEIGHT)
        # Pictures side by side are equally high, whatever their legends are.
        legends = [
            max(one.legend_height for one in block[i : i + across])
            for i in range(0, len(block), across)
        ]
        heights = [picture + legend for legend in legends]
        title = _wrapped(describe_sections(configuration, without=axis_keys(diagram)), width)
        top = TITLE * (1 + title.count("\n"))
        figure = Figure(figsize=(width, top + sum(heights)), layout="constrained")
        places = figure.subfigures(len(heights), across, squeeze=False, height_ratios=heights)
        for i, (one, place) in enumerate(zip(block, places.flat, strict=False)):
            one.draw(place, legends[i // across] / heights[i // across])
        figure.suptitle(title, fontsize="small", color=QUIET)
    return figure


@dataclass(frozen=True)
class _Block:
    """All pictures of one measure."""

    diagram: xr.Dataset
    measure: Shown
    layout: Layout
    configuration: dict[str, Any]
    width: float

    @property
    def legend_height(self) -> float:
        """Inches that the legend takes."""
        handles = self._handles()
        if not handles:
            return 0.0
        titled = self._legend_title is not None
        return LEGEND_ROW * (-(-len(handles) // self._in_row(handles)) + titled) + LEGEND_GAP

    def draw(self, place: SubFigure, legend: float) -> None:
        """Draw all pictures and what belongs to them, with a part of the height for the legend."""
        figure = place
        if legend:
            parts = place.subfigures(2, 1, squeeze=False, height_ratios=[1 - legend, legend])
            figure, foot = parts[:, 0]
            self._draw_legend(foot)
        layout = self.layout
        rows = shown_values(self.diagram, layout.rows)
        columns = shown_values(self.diagram, layout.columns)
        grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
        draw = self._draw_lines if layout.y is None else self._draw_map
        marks: list[Any] = []
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                axes = grid[i, j]
                marks.append(draw(axes, self._piece(row, column)))
                axes.set_title(self._facet_text(row, column))
                if j == 0:
                    axes.set_ylabel(self._ordinate())
                if i == len(rows) - 1:
                    axes.set_xlabel(axis_label(layout.x, self.configuration))
        if layout.y is not None and not self.measure.names:
            draw_color_bar(figure, marks[0], list(grid.flat), self.measure)

    def _draw_legend(self, figure: SubFigure) -> None:
        handles = self._handles()
        if not handles:
            return
        columns = self._in_row(handles)
        figure.legend(
            # Matplotlib fills column by column; people read row by row.
            handles=[handle for i in range(columns) for handle in handles[i::columns]],
            loc="upper center",
            ncols=columns,
            borderaxespad=0.0,
            handlelength=1.6,
            columnspacing=1.0,
            handletextpad=0.5,
            title=self._legend_title,
        )

    @property
    def _legend_title(self) -> str | None:
        """What the colors are, where no color bar says it."""
        return self.measure.label if self.measure.names and self.layout.y is not None else None

    def _handles(self) -> list[Any]:
        piece = self._piece(None, None)
        if self.layout.y is None:
            return line_handles(self.measure, piece, self.layout.hue)
        return map_handles(self.measure, piece["values"].values, piece["status"].values)

    def _in_row(self, handles: list[Any]) -> int:
        """Entries of the legend side by side, in few rows of about equal length."""
        widest = ENTRY + CHARACTER * max(len(handle.get_label()) for handle in handles)
        fitting = max(1, min(len(handles), int(self.width / widest)))
        return -(-len(handles) // -(-len(handles) // fitting))

    def _piece(self, row: int | None, column: int | None) -> xr.Dataset:
        """What one small picture shows."""
        status = self.diagram["status"]
        if "seed" in status.dims:
            # A point of which a seed failed is marked if nothing else is known of it.
            status = status.max("seed") if self.measure.names else status.min("seed")
        # Where another measure failed, this one has a value, which a mark would hide.
        kept = (status == Status.FAILED) & self.measure.values.notnull()
        status = status.where(~kept, Status.COMPUTED.value)
        parts = {"values": self.measure.values, "status": status}
        if self.measure.spread is not None:
            parts["spread"] = self.measure.spread
        piece = xr.Dataset(parts)
        for key, place in ((self.layout.rows, row), (self.layout.columns, column)):
            if key is not None and place is not None:
                piece = piece.isel({key: place})
        return piece

    def _draw_map(self, axes: Axes, piece: xr.Dataset) -> Any:
        x, y = self.layout.x, self.layout.y
        assert y is not None
        ordered = piece.transpose(x, y).sortby([x, y])
        x_scale, y_scale = Scale.of(ordered[x].values), Scale.of(ordered[y].values)
        values, status = ordered["values"].values, ordered["status"].values
        return draw_map(axes, self.measure, values, status, x_scale, y_scale)

    def _draw_lines(self, axes: Axes, piece: xr.Dataset) -> None:
        draw_lines(axes, self.measure, piece, self.layout.x, self.layout.hue)

    def _ordinate(self) -> str:
        if self.layout.y is None:
            return self.measure.label
        return axis_label(self.layout.y, self.configuration)

    def _facet_text(self, row: int | None, column: int | None) -> str:
        texts = []
        for key, place in ((self.layout.columns, column), (self.layout.rows, row)):
            if key is not None and place is not None:
                value = self.diagram[key].values[place]
                texts.append(value_text(key, value if np.isreal(value) else str(value)))
        return ", ".join(texts)


def _wrapped(title: str, width: float) -> str:
    """A title on as many lines as it takes at this width in inches."""
    lines = [""]
    for part in title.split(SEPARATOR):
        longer = f"{lines[-1]}{SEPARATOR}{part}" if lines[-1] else part
        if len(longer.replace("$", "")) * CHARACTER > width:
            lines.append(part)
        else:
            lines[-1] = longer
    return "\n".join(lines)
