"""The page that every figure shares: overlaps on the left, progress on the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from headode._checks import Array
from headode.plotting.curves import Turn
from headode.plotting.header import Rows, describe, draw_legend
from headode.plotting.panels import Curve, Panel
from headode.plotting.phase_bands import name_phases, shade_phases
from headode.plotting.phases import Phase
from headode.plotting.style import QUIET, SMALL, TEXT_WIDTH, label_level, level_look
from headode.plotting.time_axis import set_time_axis, time_label
from headode.plotting.value_axis import set_log_axis

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.gridspec import SubplotSpec

# Inches. Panels are PANEL high, and shrink to LOW_PANEL when their column outgrows COLUMN.
PANEL, LOW_PANEL, COLUMN = 0.92, 0.7, 5.0
LEAST_COLUMN = 1.8
# Room for the labels of the abscissa, for the title, for a row of the legend and of phases' names.
LABELS, TITLE, LEGEND_ROW, NAME_ROW = 0.35, 0.2, 0.2, 0.14
MOST_TICKS = 5  # of an ordinate

Draw = Callable[["Axes", Array, Curve, Turn], None]


@dataclass(frozen=True)
class Page:
    """A figure under construction.

    Attributes:
        figure: what is drawn on.
        engine: of the figure's layout.
        left: (axes, panel) from top to bottom.
        right: likewise.
        phases: of the trajectory.
        below: the place of what comes under the panels, or None.
    """

    figure: Figure
    engine: ConstrainedLayoutEngine
    left: list[tuple[Axes, Panel]]
    right: list[tuple[Axes, Panel]]
    phases: tuple[Phase, ...]
    below: SubplotSpec | None

    @property
    def panels(self) -> list[tuple[Axes, Panel]]:
        """Both columns, the left one first."""
        return self.left + self.right


def new_page(
    left: Sequence[Panel],
    right: Sequence[Panel],
    time: Array,
    legend: Rows,
    phases: Sequence[Phase],
    *,
    below: float = 0.0,
) -> Page:
    """Lay out the axes of the panels over ``time``, and ``below`` inches for what comes under."""
    rows = max(len(left), len(right))
    column = max(LEAST_COLUMN, rows * LOW_PANEL, min(rows * PANEL, COLUMN))
    column += LABELS + NAME_ROW * len(phases)
    heights = [len(legend) * LEGEND_ROW, column, *([below] if below else [])]
    engine = ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.02, wspace=0.02, hspace=0.0)
    figure = Figure(figsize=(TEXT_WIDTH, TITLE + sum(heights)), layout=engine)
    outer = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    head = figure.add_subplot(outer[0])
    head.set_axis_off()
    draw_legend(head, legend)
    halves = outer[1].subgridspec(1, 2)
    columns = []
    for half, panels in zip((halves[0], halves[1]), (left, right), strict=True):
        grid = half.subgridspec(len(panels), 1)
        columns.append([(figure.add_subplot(grid[i]), panel) for i, panel in enumerate(panels)])
        for axes, _ in columns[-1]:
            set_time_axis(axes, time)
    place = outer[2] if below else None
    return Page(figure, engine, columns[0], columns[1], tuple(phases), place)


def fill_page(page: Page, panels: Sequence[Panel], time: Array, draw: Draw) -> None:
    """Draw the curves of panels that correspond to the page's, one by one."""
    for (axes, _), panel in zip(page.panels, panels, strict=True):
        for i, curve in enumerate(panel.curves):
            draw(axes, time, curve, Turn(i, len(panel.curves)))


def finish_page(page: Page, dataset: xr.Dataset) -> None:
    """Add the title, labels, reference levels and phases, once the curves are drawn."""
    page.figure.suptitle(describe(dataset), fontsize="small", color=QUIET)
    for axes, panel in page.panels:
        _finish_panel(axes, panel, page.phases)
    for column in (page.left, page.right):
        lowest = column[-1][0]
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(time_label(dataset))
        page.figure.align_ylabels([axes for axes, _ in column])
    # Names of phases are fitted to the axes' width, which is known once the page is laid out.
    page.engine.execute(page.figure)
    name_phases([page.left[0][0], page.right[0][0]], page.phases)
    # Laid out once more with those names, and then left: a second drawing is the same picture.
    page.engine.execute(page.figure)
    page.figure.set_layout_engine("none")


def _finish_panel(axes: Axes, panel: Panel, phases: Sequence[Phase]) -> None:
    axes.set_ylabel(panel.label)
    axes.tick_params(labelbottom=False)
    for level in panel.levels:
        axes.axhline(level.value, zorder=1, **level_look(dotted=level.dotted))
    if panel.log:
        set_log_axis(axes)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(MOST_TICKS, steps=[1, 2, 5, 10]))
        low, high = axes.get_ylim()
        missing = max(0.0, panel.span - (high - low))
        axes.set_ylim(low - missing / 2, high + missing / 2)
    shade_phases(axes, phases, panel.feature)
    if panel.legend:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.2)
    _name_levels(axes, panel)


def _name_levels(axes: Axes, panel: Panel) -> None:
    """Write the values of the reference levels on the right, those that have room.

    Before the page is laid out the axes are a little lower than in the end: there is room.
    """
    points = axes.get_window_extent().height * 72 / axes.figure.dpi
    low, high = axes.get_ylim()
    gap, last = (high - low) * SMALL / points, -float("inf")
    for level in sorted(panel.levels, key=lambda level: level.value):
        if level.text and level.value - last >= gap:
            label_level(axes, level.text, level.value)
            last = level.value
