"""The picture of a pruning: the risk against the number of heads, and which ones these are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from headode.errors import ArgumentError
from headode.plotting.header import describe
from headode.plotting.style import (
    INK,
    PHASE_SHADES,
    QUIET,
    TEXT_WIDTH,
    head_look,
    headode_style,
    label_level,
    level_look,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# Inches.
LEAST_HEIGHT, PER_HEAD = 2.4, 0.16
MOST_LABELED = 12


def pruning_figure(pruning: xr.Dataset) -> Figure:
    """Draw the risk of the best heads against their number, and which heads these are.

    The band ends at the largest loss at which heads count as removable.

    Args:
        pruning: a dataset of :func:`headode.prune`.

    Raises:
        ArgumentError: if it is something else.
    """
    if "keeps" not in pruning:
        raise ArgumentError("pruning", "be a result of headode.prune", list(pruning.data_vars))
    heads = pruning.sizes["head"]
    with headode_style():
        size = (TEXT_WIDTH, max(LEAST_HEIGHT, 1.0 + PER_HEAD * heads))
        figure = Figure(figsize=size, layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True)
        _draw_risk(left, pruning)
        _draw_heads(right, pruning)
        figure.suptitle(describe(pruning), fontsize="small", color=QUIET)
    return figure


def _draw_risk(axes: Axes, pruning: xr.Dataset) -> None:
    kept, risk = pruning["kept"].values, pruning["risk"].values
    allowed = risk[-1] + pruning.attrs["largest_loss"]
    floor = pruning.attrs.get("bayes_risk")
    lowest = risk.min() if floor is None else floor
    axes.axhspan(lowest, allowed, color=PHASE_SHADES[0], linewidth=0, zorder=0)
    if floor is not None:
        axes.axhline(floor, zorder=1, **level_look(dotted=False))
        label_level(axes, "Bayes", floor)
    axes.plot(kept, risk, color=INK, marker="o", markerfacecolor="white")
    axes.set_ylabel("risk $E$")
    _label_abscissa(axes, len(kept))
    removable = int(pruning.attrs["removable"])
    noun = "head" if removable == 1 else "heads"
    loss = pruning.attrs["largest_loss"]
    axes.set_title(f"{removable} {noun} removable at a loss of {loss:g}")


def _draw_heads(axes: Axes, pruning: xr.Dataset) -> None:
    for h, row in enumerate(pruning["keeps"].values.T):
        kept = pruning["kept"].values[row]
        axes.plot(
            kept,
            np.full(kept.size, h + 1),
            linestyle="none",
            marker=head_look(h).marker,
            color=head_look(h).color,
            markersize=4.5,
        )
    heads = pruning.sizes["head"]
    step = -(-heads // MOST_LABELED)
    axes.set_yticks(np.arange(1, heads + 1, step))
    axes.set_ylim(heads + 0.6, 0.4)
    axes.set_ylabel("head")
    _label_abscissa(axes, heads)
    axes.set_title("heads of the best subset")


def _label_abscissa(axes: Axes, heads: int) -> None:
    axes.set_xlim(0.6, heads + 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(MOST_LABELED, integer=True))
    axes.set_xlabel("heads kept")
