"""A phase diagram over two axes: colors, contours, and the boundaries of phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from headode._checks import Array
from headode.phase_diagrams.diagram import Status
from headode.plotting.diagram_axes import Scale, round_locator
from headode.plotting.diagram_values import MISSING, Shown, colors_of
from headode.plotting.style import INK, NOT_COMPUTED, QUIET
from headode.plotting.value_axis import number_text, round_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray

EMPTY = "0.9"
FAILED_HATCH = "/////"


def draw_map(
    axes: Axes, measure: Shown, values: Array, status: NDArray[np.uint8], x: Scale, y: Scale
) -> Any:
    """Draw values (x, y) in increasing order of both; returns what a color bar is made of.

    Args:
        axes: to draw on.
        measure: what the values are of; it fixes the colors, also over several maps.
        values: numbers, or positions of names.
        status: of the points.
        x: abscissa.
        y: ordinate.
    """
    axes.set_facecolor(EMPTY)
    color_map, norm = colors_of(measure)
    mesh = axes.pcolormesh(
        x.edges, y.edges, np.ma.masked_invalid(values.T), cmap=color_map, norm=norm
    )
    mesh.set_rasterized(values.size > 2500)  # a vector file of a million cells opens nowhere
    x.apply(axes.xaxis)
    y.apply(axes.yaxis)
    _hatch_failed(axes, status, x, y)
    discrete = bool(measure.names) or measure.is_integer
    phases = np.where(np.isfinite(values), values if discrete else 0, -1)
    axes.add_collection(_boundaries(phases, x, y))
    if not discrete:
        _draw_contours(axes, values, x, y, mesh)
    computed = status != Status.INTERPOLATED
    if not computed.all():
        at = [(x.values[i], y.values[j]) for i, j in zip(*np.nonzero(computed), strict=True)]
        axes.plot(*np.transpose(at), ".", color=QUIET, markersize=0.9, alpha=0.7)
    axes.set(xlim=x.edges[[0, -1]], ylim=y.edges[[0, -1]])
    axes.spines[["top", "right"]].set_visible(True)
    return mesh


def draw_color_bar(figure: Figure | SubFigure, mesh: Any, axes: list[Axes], measure: Shown) -> None:
    """A color bar for maps of one measure."""
    bar = figure.colorbar(mesh, ax=axes, pad=0.02, aspect=24)
    bar.set_label(measure.label)
    bar.outline.set_linewidth(0.6)
    if measure.is_integer:
        bar.set_ticks(np.arange(int(measure.known.max()) + 1).tolist())
        bar.ax.yaxis.set_minor_locator(NullLocator())
    elif not measure.is_wide:
        bar.locator = round_locator()
    else:
        bar.locator = FixedLocator(round_numbers(*mesh.get_clim()))
        bar.minorlocator = NullLocator()
    if not measure.is_integer:
        bar.formatter = FuncFormatter(lambda value, _: number_text(value))
        bar.update_ticks()


def map_handles(measure: Shown, values: Array, status: NDArray[np.uint8]) -> list[Any]:
    """Legend entries: the names there are, and what is not a value."""
    color_map, _ = colors_of(measure)
    handles: list[Any] = [
        Patch(facecolor=color_map(number), edgecolor=INK, linewidth=0.4, label=name)
        for number, name in enumerate(measure.names)
    ]
    missing = ~np.isfinite(values)
    done = np.isin(status, (Status.COMPUTED, Status.INTERPOLATED))
    if (missing & done).any():
        label = MISSING.get(measure.name, "no value")
        handles.append(Patch(facecolor=EMPTY, edgecolor=INK, linewidth=0.4, label=label))
    if (missing & (status == Status.PENDING)).any():
        handles.append(Patch(facecolor=EMPTY, edgecolor=QUIET, linewidth=0.4, label="not computed"))
    if (status == Status.FAILED).any():
        handles.append(
            Patch(facecolor=NOT_COMPUTED, edgecolor=INK, hatch=FAILED_HATCH, label="failed")
        )
    if (status == Status.INTERPOLATED).any():
        handles.append(
            Line2D([], [], linestyle="", marker=".", color=QUIET, markersize=3, label="computed")
        )
    return handles


def _hatch_failed(axes: Axes, status: NDArray[np.uint8], x: Scale, y: Scale) -> None:
    left, low = x.edges, y.edges
    cells = [
        Rectangle((left[i], low[j]), left[i + 1] - left[i], low[j + 1] - low[j])
        for i, j in zip(*np.nonzero(status == Status.FAILED), strict=True)
    ]
    look: dict[str, Any] = {"facecolor": NOT_COMPUTED, "edgecolor": INK, "linewidth": 0}
    axes.add_collection(PatchCollection(cells, hatch=FAILED_HATCH, **look))


def _boundaries(phases: Array, x: Scale, y: Scale) -> LineCollection:
    """Lines along the edges of neighboring cells with different phases."""
    left, low = x.edges, y.edges
    across = zip(*np.nonzero(phases[1:] != phases[:-1]), strict=True)
    along = zip(*np.nonzero(phases[:, 1:] != phases[:, :-1]), strict=True)
    lines = [[(left[i + 1], low[j]), (left[i + 1], low[j + 1])] for i, j in across]
    lines += [[(left[i], low[j + 1]), (left[i + 1], low[j + 1])] for i, j in along]
    return LineCollection(lines, colors=INK, linewidths=0.9, capstyle="projecting")


def _draw_contours(axes: Axes, values: Array, x: Scale, y: Scale, mesh: Any) -> None:
    """Thin contours at round levels; a heavier one at zero, where a rate changes its sign."""
    known = values[np.isfinite(values)]
    if min(values.shape) < 3 or known.size < 4 or np.ptp(known) == 0:
        return
    low, high = mesh.get_clim()
    wide = isinstance(mesh.norm, LogNorm)
    levels = round_numbers(low, high) if wide else round_locator().tick_values(low, high)
    inside = [float(level) for level in levels if known.min() < level < known.max()]
    if inside:
        # Contours are interpolated linearly on the scale of the colors.
        scaled = np.log(np.where(values > 0, values, np.nan)) if wide else values
        axes.contour(
            x.values,
            y.values,
            np.ma.masked_invalid(scaled.T),
            levels=np.log(inside) if wide else inside,
            colors=[_seen_on(mesh.to_rgba(level)) for level in inside],
            linewidths=[1.2 if level == 0 else 0.5 for level in inside],
            linestyles="-",
            alpha=0.8,
        )


def _seen_on(color: tuple[float, ...]) -> str:
    """Black on a light color, white on a dark one."""
    red, green, blue = color[:3]
    return INK if 0.3 * red + 0.59 * green + 0.11 * blue > 0.45 else "white"
