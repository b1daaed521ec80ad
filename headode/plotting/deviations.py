"""How far a simulation is from the theory, in units of what would still agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from headode._checks import Array
from headode.errors import ArgumentError
from headode.plotting.style import COLORS, INK, PHASE_SHADES, QUIET, TEXT_WIDTH, headode_style
from headode.plotting.time_axis import set_time_axis
from headode.validation.entries import distinct

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

SYMBOLS = {
    "M": "$M_{hf}$",
    "R": "$R_{hk}$",
    "risk": "risk",
    "m_v": "$m_v$",
    "q_v": "$q_v$",
    "offset": "$b_h$",
}
PANELS_IN_ROW = 3
PANEL_HEIGHT, HEADER = 1.7, 0.3  # inches
FARTHEST = 2.0  # deviations beyond this many critical values are drawn at the edge


def deviation_figure(comparison: xr.Dataset) -> Figure:
    """Draw every compared deviation against time, one panel per variable.

    A deviation is z over its critical value, so that all that agrees lies between −1 and 1; what
    does not is drawn in another color, and at the edge if it is far out. A line marks the last time
    at which fluctuations are small, if that is not the end.

    Args:
        comparison: the ``data`` of a :class:`headode.validation.report.Report`, with variables
            ``M_z``, ``M_critical``, ``risk_z`` ...

    Raises:
        ArgumentError: if it has no such variables.
    """
    names = [name for name in SYMBOLS if f"{name}_z" in comparison]
    if not names:
        known = ", ".join(f"{name}_z" for name in SYMBOLS)
        raise ArgumentError("comparison", f"have one of the variables {known}", list(comparison))
    columns = min(len(names), PANELS_IN_ROW)
    rows = -(-len(names) // columns)
    with headode_style():
        size = (TEXT_WIDTH, HEADER + PANEL_HEIGHT * rows)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        time = comparison["time"].values
        total, outside = 0, 0
        for axes, name in zip(grid.flat, names, strict=False):
            relative = _relative(comparison, name)
            total += relative.size
            outside += _draw(axes, time, relative)
            axes.set_title(SYMBOLS[name])
            if "horizon" in comparison.attrs:
                axes.axvline(comparison.attrs["horizon"], color=INK, linewidth=0.8, zorder=1)
        for axes in grid.flat[len(names) :]:
            axes.remove()
        for axes in grid[:, 0]:
            axes.set_ylabel("$z$ / critical $z$")
        for column in range(columns):
            lowest = grid[(len(names) - 1 - column) // columns, column]
            lowest.set_xlabel(r"$t = \mathrm{steps}/d$")
            lowest.tick_params(labelbottom=True)
        figure.suptitle(f"{outside} of {total} deviations too large", fontsize="small", color=QUIET)
    return figure


def _relative(comparison: xr.Dataset, name: str) -> Array:
    """(T, quantities) z over critical z; of a symmetric matrix each entry once."""
    z = comparison[f"{name}_z"]
    relative: Array = z.values / comparison[f"{name}_critical"].values
    return relative[:, distinct(z)[0]]


def _draw(axes: Axes, time: Array, relative: Array) -> int:
    """Draw the deviations of one variable; returns how many are too large."""
    axes.axhspan(-1, 1, color=PHASE_SHADES[0], linewidth=0, zorder=0)
    axes.axhline(0, color=QUIET, linewidth=0.6, zorder=1)
    set_time_axis(axes, time)
    shown = np.clip(relative, -FARTHEST, FARTHEST)
    inside = np.abs(relative) <= 1
    for fits, color in ((inside, COLORS[0]), (~inside, COLORS[1])):
        row, column = np.nonzero(fits)
        axes.plot(time[row], shown[row, column], ".", color=color, markersize=3, alpha=0.8)
    axes.set_ylim(-1.15 * FARTHEST, 1.15 * FARTHEST)
    axes.set_yticks([-FARTHEST, -1, 0, 1, FARTHEST])
    return int(np.sum(~inside))
