"""Shading and names of the phases of a trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headode.plotting.phases import Phase
from headode.plotting.style import NOT_COMPUTED, PHASE_SHADES, QUIET
from headode.plotting.time_axis import time_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

# Distances in points: from one row of names to the next, between names in a row, from the axes to
# the first row, from a flag to its pole, and what a flag may stick out on the left.
ROW, GAP, LIFT, ASIDE, OVERHANG = 10.0, 6.0, 3.0, 2.5, 28.0


def shade_phases(axes: Axes, phases: Sequence[Phase], feature: int) -> None:
    """Shade the phases after the first, in two tones in turn, with a line where one begins.

    The line is solid on the panel of the feature that splits there.
    """
    for i, phase in enumerate(phases):
        computed = phase.shown is not None
        axes.axvspan(
            phase.start,
            phase.stop,
            facecolor=PHASE_SHADES[(i + 1) % 2] if i and computed else "none",
            edgecolor="none" if computed else NOT_COMPUTED,
            hatch="" if computed else "////",
            linewidth=0,
            zorder=0,
        )
        if i:
            dash = "-" if feature in phase.features else (0, (3, 2))
            axes.axvline(phase.start, color=QUIET, linewidth=0.6, linestyle=dash, zorder=0.5)


def name_phases(columns: Sequence[Axes], phases: Sequence[Phase]) -> None:
    """Write the phases' names above each of the axes: the first name over its band, then flags.

    A flag stands at its phase's start, above the earlier names in its way, at the same height in
    all columns. The figure must have been laid out: widths are measured.
    """
    placed: list[list[_Placed]] = [[] for _ in columns]
    for i, phase in enumerate(phases):
        text = phase.name if i == 0 else f"{phase.name}, $t = {time_text(phase.start)}$"
        names = [_write(axes, text, phase.start) for axes in columns]
        if i == 0 and not all(map(_is_over_its_band, names, columns, [phase] * len(names))):
            for name in names:
                name.remove()
            continue
        ends = [_ends(axes, name, flag=i > 0) for axes, name in zip(columns, names, strict=True)]
        row = 1 + max(map(_highest_in_the_way, placed, ends))
        for axes, name, (low, high), earlier in zip(columns, names, ends, placed, strict=True):
            earlier.append(_Placed(low, high, row))
            height = LIFT + row * ROW
            name.xyann = (low - _place_of(axes, phase.start), height)
            if i:
                _raise_pole(axes, phase.start, height + 0.7 * ROW)


@dataclass(frozen=True)
class _Placed:
    """A name above the axes: its ends in points from the left of the page, and its row."""

    low: float
    high: float
    row: int


def _is_over_its_band(name: Annotation, axes: Axes, phase: Phase) -> bool:
    """Whether a third of a name at least is; else it would seem to name the next phase."""
    return _place_of(axes, phase.stop) - _place_of(axes, phase.start) >= _width(axes, name) / 3


def _ends(axes: Axes, name: Annotation, *, flag: bool) -> tuple[float, float]:
    """Where a name begins and ends, in points.

    Flags point to the left, where there is room for the late events of a logarithmic axis, except
    near its beginning.
    """
    left, right = (_place_of(axes, time) for time in axes.get_xlim())
    start, width = _place_of(axes, name.xy[0]), _width(axes, name) + ASIDE
    leftward = flag and start - width >= left - OVERHANG
    low = start - width if leftward else min(start, right - width)
    return low, low + width


def _highest_in_the_way(earlier: Sequence[_Placed], ends: tuple[float, float]) -> int:
    """Row of the highest name that is not clearly on one side; −1 if there is none."""
    rows = [name.row for name in earlier if name.low < ends[1] + GAP and name.high > ends[0] - GAP]
    return max(rows, default=-1)


def _place_of(axes: Axes, time: float) -> float:
    """Abscissa of a time in points from the left of the page."""
    return float(axes.transData.transform((time, 0.0))[0]) * 72 / axes.figure.dpi


def _width(axes: Axes, name: Annotation) -> float:
    """Width of a name in points."""
    return float(name.get_window_extent().width) * 72 / axes.figure.dpi


def _write(axes: Axes, text: str, time: float) -> Annotation:
    return axes.annotate(
        text,
        (time, 1.0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, LIFT),
        textcoords="offset points",
        annotation_clip=False,
        fontsize="small",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
    )


def _raise_pole(axes: Axes, time: float, height: float) -> None:
    """Continue the line of an event above the axes, by ``height`` points."""
    line = {"arrowstyle": "-", "color": QUIET, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0}
    axes.annotate(
        "",
        (time, 1.0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, height),
        textcoords="offset points",
        annotation_clip=False,
        arrowprops=line,
        zorder=0,
    )
