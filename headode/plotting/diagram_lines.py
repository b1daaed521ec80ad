"""A phase diagram over one axis: lines, with bands where there are several seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from headode._checks import Array
from headode.phase_diagrams.diagram import Status
from headode.plotting.diagram_axes import Scale, is_numeric, value_text
from headode.plotting.diagram_values import Shown, line_color
from headode.plotting.style import DASHES, MARKERS, QUIET
from headode.plotting.value_axis import label_decades

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# Markers on each point of a line up to this many.
MOST_MARKERS = 25
# What is zero or negative on a logarithmic scale.
BELOW = "v"


def draw_lines(axes: Axes, measure: Shown, piece: xr.Dataset, x: str, hue: str | None) -> None:
    """Draw one line for each value of ``hue`` over the axis ``x``.

    Args:
        axes: to draw on.
        measure: what is drawn.
        piece: ``values``, ``status`` and maybe ``spread`` over these axes.
        x: key of the abscissa; one of names is drawn as points.
        hue: key of the axis told apart by color, or None.
    """
    numeric = is_numeric(piece[x])
    places = np.asarray(piece[x].values if numeric else range(piece.sizes[x]), dtype=float)
    order = np.argsort(places)
    for number in range(1 if hue is None else piece.sizes[hue]):
        line = piece if hue is None else piece.isel({hue: number})
        values = line["values"].values[order]
        below = np.zeros(values.shape, dtype=bool)
        if measure.is_wide:  # what is not positive, by roundoff say, has no place
            below = values <= 0
            values = np.where(below, np.nan, values)
        look: dict[str, Any] = {
            "color": line_color(number),
            "marker": MARKERS[number] if places.size <= MOST_MARKERS else "",
            "markerfacecolor": "white",
            "linestyle": DASHES[number // 6 % 3] if numeric else "",
        }
        if measure.names:
            look |= {"drawstyle": "steps-mid"}
        axes.plot(places[order], values, **look)
        if "spread" in line:
            spread = line["spread"].values[order]
            _shade(axes, places[order], values, spread, look["color"], numeric=numeric)
        failed = (line["status"].values == Status.FAILED)[order]
        for there, marker in ((failed, "x"), (below, BELOW)):
            _mark_bottom(axes, places[order][there], number, look["color"], marker)
    if numeric:
        Scale.of(piece[x].values).apply(axes.xaxis)
    else:
        names = [value_text(x, str(name)) for name in piece[x].values]
        axes.set_xticks(places, names, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.5, places.size - 0.5)
    _set_ordinate(axes, measure)


def line_handles(measure: Shown, piece: xr.Dataset, hue: str | None) -> list[Any]:
    """Legend entries of the lines, of the band and of points without a place."""
    handles: list[Any] = []
    if hue is not None:
        for number, value in enumerate(piece[hue].values):
            text = value_text(hue, value if is_numeric(piece[hue]) else str(value))
            look: dict[str, Any] = {
                "color": line_color(number),
                "linestyle": DASHES[number // 6 % 3],
                "marker": MARKERS[number],
                "markerfacecolor": "white",
            }
            handles.append(Line2D([], [], label=text, **look))
    if "spread" in piece:
        handles.append(Patch(facecolor="0.75", linewidth=0, label="± one s.d. over the seeds"))
    failed = bool((piece["status"] == Status.FAILED).any())
    below = measure.is_wide and bool((piece["values"] <= 0).any())
    for there, marker, label in ((failed, "x", "failed"), (below, BELOW, "≤ 0")):
        if there:
            mark: dict[str, Any] = {"marker": marker, "linestyle": "", "markersize": 3}
            handles.append(Line2D([], [], color=QUIET, label=label, **mark))
    return handles


def _shade(
    axes: Axes, x: Array, values: Array, spread: Array, color: str, *, numeric: bool
) -> None:
    if numeric:
        axes.fill_between(x, values - spread, values + spread, color=color, alpha=0.2, linewidth=0)
    else:
        axes.errorbar(x, values, spread, color=color, linestyle="", elinewidth=0.8)


def _mark_bottom(axes: Axes, x: Array, number: int, color: str, marker: str) -> None:
    """Mark points of a line that have no place, each line at a height of its own."""
    if x.size:
        bottom = np.full(x.size, 0.02 + 0.03 * number)
        look: dict[str, Any] = {"marker": marker, "markersize": 3, "linestyle": "", "color": color}
        axes.plot(x, bottom, transform=axes.get_xaxis_transform(), **look)


def _set_ordinate(axes: Axes, measure: Shown) -> None:
    if measure.names:
        axes.set_yticks(range(len(measure.names)), measure.names)
        axes.set_ylim(-0.5, len(measure.names) - 0.5)
        axes.yaxis.set_minor_locator(NullLocator())
    elif measure.is_wide:
        positive = measure.known[measure.known > 0]
        low, high = float(positive.min()), float(positive.max())
        axes.set_yscale("log")
        axes.set_ylim(low / 1.5, high * 1.5)
        label_decades(axes.yaxis, low, high)
    elif measure.is_integer:
        axes.set_yticks(range(int(measure.known.max()) + 1))
