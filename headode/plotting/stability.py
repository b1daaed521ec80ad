"""The picture of a linear stability: growth rates of the named modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from headode.errors import ArgumentError
from headode.plotting.header import describe
from headode.plotting.style import COLORS, INK, QUIET, SMALL, TEXT_WIDTH, headode_style

if TYPE_CHECKING:
    import xarray as xr

# Inches around the rows, and of a row; more rows than these are left out in the middle.
AROUND, PER_MODE, MOST_MODES = 0.9, 0.2, 30


def stability_figure(stability: xr.Dataset) -> Figure:
    """Draw the growth rate of every mode, with the number of independent ones.

    Orange ones grow, blue ones decay, open ones are zero within their errors.

    Args:
        stability: a dataset of :func:`headode.linear_stability`.

    Raises:
        ArgumentError: if it is something else.
    """
    if "mode_M" not in stability:
        requirement = "be a result of headode.linear_stability"
        raise ArgumentError("stability", requirement, list(stability.data_vars))
    half = MOST_MODES // 2
    count = stability.sizes["mode"]
    shown = (
        list(range(count)) if count <= MOST_MODES else [*range(half), *range(count - half, count)]
    )
    each = stability.isel(mode=shown)
    rates, errors = each["growth_rate"].values, each["error"].values
    with headode_style():
        height = AROUND + PER_MODE * len(shown)
        figure = Figure(figsize=(TEXT_WIDTH, height), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0.0, color=INK, linewidth=0.6)
        places = np.arange(len(shown))
        colors = [COLORS[1] if rate > 0 else COLORS[0] for rate in rates]
        axes.hlines(places, 0.0, rates, colors=colors, linewidth=1.2)
        for place, rate, error, color in zip(places, rates, errors, colors, strict=True):
            marginal = abs(rate) <= error
            axes.errorbar(
                rate,
                place,
                xerr=error,
                color=QUIET if marginal else color,
                marker="o",
                markersize=4,
                markerfacecolor="white" if marginal else color,
            )
        axes.set_yticks(places, [str(name) for name in each["name"].values])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        numbers = axes.secondary_yaxis("right")
        numbers.set_yticks(places, [f"× {number}" for number in each["multiplicity"].values])
        numbers.tick_params(length=0, labelsize=SMALL, labelcolor=QUIET)
        numbers.spines[:].set_visible(False)
        axes.set_xlabel("growth rate $\\lambda$")
        figure.suptitle(describe(stability), fontsize="small", color=QUIET)
    return figure
