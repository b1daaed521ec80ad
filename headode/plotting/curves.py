"""Ways of drawing a curve: a line, a band over runs, points with error bars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.specialization.runs import over_runs, standard_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from headode.plotting.panels import Curve

# The band over the runs; with fewer than ten runs it is nearly their range.
QUANTILES = (0.1, 0.9)


@dataclass(frozen=True)
class Turn:
    """Which of a panel's curves is drawn: equal curves show by markers at different times."""

    index: int
    count: int

    @property
    def marks(self) -> int:
        """Number of markers on each line."""
        return min(7, max(3, 28 // self.count))


def draw_line(axes: Axes, time: Array, curve: Curve, turn: Turn) -> None:
    """A line with a few markers."""
    axes.plot(
        time,
        curve.values,
        color=curve.look.color,
        linestyle=curve.look.dash,
        marker=curve.look.marker or ("o" if time.size == 1 else ""),
        markerfacecolor="white",
        markevery=spaced(axes, time, turn.marks, turn).tolist(),
        label=curve.label,
    )


def draw_theory(axes: Axes, time: Array, curve: Curve, turn: Turn) -> None:
    """A plain line, which leaves the markers to the simulation."""
    draw_line(axes, time, replace(curve, look=replace(curve.look, marker="")), turn)


def draw_band(axes: Axes, time: Array, curve: Curve, turn: Turn) -> None:
    """The median over the runs as a line, in the band between two quantiles."""
    _shade(axes, time, curve)
    median = over_runs(curve.values, np.nanmedian)
    draw_line(axes, time, replace(curve, values=median), turn)


def draw_points(axes: Axes, time: Array, curve: Curve, turn: Turn) -> None:
    """The mean over the runs with its standard error, in the band between two quantiles."""
    _shade(axes, time, curve)
    shown = spaced(axes, time, 2 * turn.marks, turn)
    axes.errorbar(
        time[shown],
        over_runs(curve.values, np.nanmean)[shown],
        standard_error(curve.values)[shown],
        color=curve.look.color,
        linestyle="none",
        marker=curve.look.marker or "o",
        markerfacecolor="white",
        markersize=2.8,
        elinewidth=0.8,
    )


def spaced(axes: Axes, time: Array, count: int, turn: Turn) -> NDArray[np.intp]:
    """Indices of about ``count`` times, equally far apart on the axis."""
    positions = axes.xaxis.get_transform().transform(time)
    length = positions[-1] - positions[0]
    wanted = positions[0] + (np.arange(count) + turn.index / turn.count) / count * length
    return np.unique(np.abs(positions[:, None] - wanted).argmin(axis=0))


def _shade(axes: Axes, time: Array, curve: Curve) -> None:
    low, high = (over_runs(curve.values, partial(np.nanquantile, q=q)) for q in QUANTILES)
    axes.fill_between(time, low, high, color=curve.look.color, alpha=0.2, linewidth=0)
