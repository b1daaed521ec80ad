"""Overlaps of the heads at chosen times, as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headode._checks import Array
from headode.plotting.phases import Phase
from headode.plotting.style import SMALL, TEXT_WIDTH
from headode.plotting.time_axis import time_text
from headode.specialization.computed import computed_times

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

MOST_MAPS = 6
# Inches: the largest side of a map, what stands around the maps, and a character of a number.
LARGEST_SIDE, BETWEEN, BESIDE, ABOVE_AND_BELOW = 1.2, 0.12, 0.85, 0.75
CHARACTER = 0.05
BAR = 0.07  # width of the color bar, in widths of a map
COLOR_MAP = "RdBu_r"


@dataclass(frozen=True)
class Moment:
    """A recorded time worth a picture: its index, and why."""

    index: int
    name: str


def choose_moments(dataset: xr.Dataset, phases: Sequence[Phase]) -> tuple[Moment, ...]:
    """The start, each phase at the time that represents it, and the end.

    Without a split, the middle one is the time at which the mean overlap has gone half its way.
    Beyond six moments, those before the last ones are left out.
    """
    reached = np.flatnonzero(computed_times(dataset))
    if not reached.size:
        return ()
    first, last = int(reached[0]), int(reached[-1])
    moments = {first: "start"}
    shown = [phase for phase in phases if phase.shown is not None]
    if len(shown) > 1:
        for phase in shown:
            moments.setdefault(int(reached[phase.shown]), phase.name)
    else:
        mean = dataset["M"].values[reached].mean(axis=1)
        gone = np.linalg.norm(mean - mean[0], axis=-1)
        moments.setdefault(int(reached[np.flatnonzero(gone >= 0.5 * gone[-1])[0]]), "half-way")
    moments.setdefault(last, "end")
    ordered = [Moment(index, moments[index]) for index in sorted(moments)]
    keep = MOST_MAPS // 2
    return tuple(ordered if len(ordered) <= MOST_MAPS else ordered[:keep] + ordered[-keep:])


def map_side(count: int) -> float:
    """Side in inches of each of ``count`` maps that share the width of the page."""
    return min(LARGEST_SIDE, (TEXT_WIDTH - BESIDE) / count - BETWEEN)


def maps_height(count: int) -> float:
    """Inches that a row of ``count`` maps takes, with titles and labels."""
    return map_side(count) + ABOVE_AND_BELOW


def draw_heat_maps(
    figure: Figure, place: SubplotSpec, dataset: xr.Dataset, moments: Sequence[Moment]
) -> list[Axes]:
    """Draw Q at each moment, on one color scale symmetric about 0."""
    maps = [dataset["Q"].values[moment.index] for moment in moments]
    limit = max(float(np.abs(maps).max()), np.finfo(float).tiny)
    side = map_side(len(maps))
    # A few maps stand together in the middle.
    margin = max(0.01, 0.5 * ((TEXT_WIDTH - BESIDE) / (side + BETWEEN) - len(maps)))
    widths = [margin, *[1.0] * len(maps), BAR, margin]
    grid = place.subgridspec(1, len(widths), width_ratios=widths)
    drawn = []
    for i, (moment, values) in enumerate(zip(moments, maps, strict=True)):
        axes = figure.add_subplot(grid[i + 1])
        image = axes.imshow(values, cmap=COLOR_MAP, vmin=-limit, vmax=limit)
        date = time_text(float(dataset["time"][moment.index]))
        axes.set_title(f"{moment.name}\n$t = {date}$")
        _label_heads(axes, len(values), first=i == 0)
        _write_numbers(axes, values, limit, side)
        drawn.append(axes)
    bar = figure.colorbar(image, cax=figure.add_subplot(grid[-2]))
    bar.ax.set_box_aspect(1 / BAR)  # as high as a map
    bar.ax.set_anchor("W")
    bar.set_label("$Q_{hk}$")
    bar.outline.set_linewidth(0.4)
    return drawn


def _label_heads(axes: Axes, heads: int, *, first: bool) -> None:
    step = -(-heads // 6)
    ticks = np.arange(0, heads, step)
    axes.set_xticks(ticks, [str(h + 1) for h in ticks])
    axes.set_yticks(ticks, [str(h + 1) for h in ticks] if first else [])
    axes.tick_params(length=0, pad=1.5, labelsize=SMALL)
    axes.set_xlabel("head $k$", labelpad=1, fontsize="small")
    if first:
        axes.set_ylabel("head $h$", labelpad=2, fontsize="small")
    axes.spines[:].set_visible(False)


def _write_numbers(axes: Axes, values: Array, limit: float, side: float) -> None:
    """Write the entries where the cells are large enough, light on dark."""
    digits = max(0, 1 - int(np.floor(np.log10(limit))))  # two significant ones of the largest
    rounded = values.round(digits) + 0.0  # no minus before zero
    texts = [[f"{value:.{digits}f}".replace("-", "−") for value in row] for row in rounded]
    longest = max(len(text) for row in texts for text in row)
    if side / len(values) < CHARACTER * longest:
        return
    for h, row in enumerate(texts):
        for k, text in enumerate(row):
            color = "white" if abs(values[h, k]) > 0.6 * limit else "black"
            axes.text(k, h, text, ha="center", va="center", fontsize=SMALL - 0.5, color=color)
