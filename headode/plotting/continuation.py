"""The picture of a branch of states: growth rates, and the overlaps of the heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from headode.errors import ArgumentError
from headode.plotting.style import (
    COLORS,
    DASHES,
    INK,
    QUIET,
    TEXT_WIDTH,
    head_look,
    headode_style,
    level_look,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# Inches, without and for each line of the legend.
HEIGHT, PER_NAME = 2.3, 0.15
# Of the modes, those that come closest to growing.
MOST_MODES = 6
# Below this a rate is not positive, but zero.
ROUNDOFF = 1e-7


def continuation_figure(branch: xr.Dataset) -> Figure:
    """Draw growth rates and overlaps along a branch, with the bifurcations as vertical lines.

    Of the modes, those with the six largest growth rates are shown; what grows has full markers.

    Args:
        branch: a dataset of :func:`headode.continue_states`.

    Raises:
        ArgumentError: if it is something else.
    """
    if "leading_rate" not in branch:
        requirement = "be a result of headode.continue_states"
        raise ArgumentError("branch", requirement, list(branch.data_vars))
    shown = _shown_modes(branch)
    with headode_style():
        height = HEIGHT + PER_NAME * (len(shown) + 1)
        figure = Figure(figsize=(TEXT_WIDTH, height), layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True)
        _draw_rates(left, branch, shown)
        _draw_overlaps(right, branch)
        for axes in (left, right):
            for place in np.unique(branch["bifurcation_value"].values):
                axes.axvline(place, zorder=0, **level_look(dotted=True))
            axes.set_xlabel(branch["value"].attrs["long_name"])
        figure.suptitle(f"{branch.attrs['branch']} state", fontsize="small", color=QUIET)
    return figure


def _shown_modes(branch: xr.Dataset) -> list[int]:
    rates = branch["growth_rate"].values
    largest = np.where(np.isnan(rates), -np.inf, rates).max(axis=0)
    order = np.argsort(-largest, kind="stable")[:MOST_MODES]
    return [int(place) for place in order]


def _draw_rates(axes: Axes, branch: xr.Dataset, shown: list[int]) -> None:
    value = branch["value"].values
    axes.axhline(0.0, color=INK, linewidth=0.6)
    for number, place in enumerate(shown):
        rate = branch["growth_rate"].values[:, place]
        color = COLORS[number % len(COLORS)]
        axes.plot(
            value,
            rate,
            color=color,
            linestyle=DASHES[number % len(DASHES)],
            marker="o",
            markerfacecolor="white",
            label=str(branch["name"].values[place]),
        )
        grows = rate > ROUNDOFF
        axes.plot(value[grows], rate[grows], color=color, linestyle="none", marker="o")
    axes.set_ylabel("growth rate $\\lambda$")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize="small")


def _draw_overlaps(axes: Axes, branch: xr.Dataset) -> None:
    value = branch["value"].values
    M = branch["M"].values
    for f in range(M.shape[2]):
        same = bool((np.ptp(M[:, :, f], axis=1) < 1e-9).all())
        for h in range(1 if same else M.shape[1]):
            axes.plot(
                value,
                M[:, h, f],
                color=INK if same else head_look(h).color,
                linestyle=DASHES[f % len(DASHES)],
                label=f"feature {f + 1}" + ("" if same else f", head {h + 1}"),
            )
    axes.set_ylabel("overlap $M_{hf}$")
    if len(axes.lines) <= MOST_MODES:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize="small")
