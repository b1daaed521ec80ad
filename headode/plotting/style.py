"""How every figure looks: sizes in inches, fonts in points, colors safe for the color-blind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib.style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The text width of a two-column page; each half of a figure is one column wide.
TEXT_WIDTH = 6.75

SMALL = 6.5  # the smallest text, in points
STYLE: dict[str, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 8.5,
    "axes.labelsize": 9,
    "axes.titlesize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.ymargin": 0.08,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.2,
    "lines.markeredgewidth": 0.7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 1.6,
    "legend.frameon": False,
    "hatch.linewidth": 0.4,
    "figure.dpi": 150,
    "pdf.fonttype": 42,  # journals refuse Type 3 fonts
    "svg.hashsalt": "headode",  # the same figure is the same file
}

INK = "0.0"
QUIET = "0.42"  # reference lines and remarks
PHASE_SHADES = ("0.935", "0.865")
NOT_COMPUTED = "0.75"

# Okabe & Ito's palette without its black (kept for what belongs to no head) and pale yellow.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.4)), (0, (1.2, 1.2)))
MARKERS = "osD^vPX<>ph*d"


@dataclass(frozen=True)
class Look:
    """Color, dash pattern and marker of a curve; no marker by default."""

    color: str = INK
    dash: Any = "-"
    marker: str = ""


def head_look(head: int) -> Look:
    """The look of a head (numbered from 0), the same on every panel of every figure."""
    return Look(
        COLORS[head % len(COLORS)],
        DASHES[head // len(COLORS) % len(DASHES)],
        MARKERS[head % len(MARKERS)],
    )


def level_look(*, dotted: bool) -> dict[str, Any]:
    """The look of a reference line."""
    return {"color": QUIET, "linewidth": 0.6, "linestyle": (0, (1, 2)) if dotted else "-"}


def label_level(axes: Axes, text: str, value: float) -> None:
    """Write the name of a reference line beside its right end."""
    axes.annotate(
        text,
        (1, value),
        xycoords=axes.get_yaxis_transform(),
        xytext=(2, 0),
        textcoords="offset points",
        fontsize=SMALL,
        color=QUIET,
        verticalalignment="center",
        annotation_clip=False,
    )


@contextmanager
def headode_style() -> Iterator[None]:
    """Matplotlib's defaults with the settings above, whatever the user's settings are."""
    with matplotlib.style.context(["default", STYLE]):
        yield
