"""The time axis: logarithmic with a place for t = 0, or linear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from headode._checks import Array
from headode.trajectory import configuration_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# Equally spaced up to this ratio of the largest to the smallest step: drawn on a linear axis.
NEARLY_EQUAL = 3.0
# The logarithmic part covers the last three decades; what comes before, down to 0, is linear.
LOG_SPAN = 1e-3
# Width given to the linear stretch, in decades.
LINEAR_DECADES = 0.4


def time_label(dataset: xr.Dataset) -> str:
    """The label of the abscissa: time is steps/d, and for gradient flow η·steps/d."""
    training = configuration_of(dataset).get("training", {})
    flow = training.get("learning_rate") == "gradient_flow"
    return r"$t = \eta\cdot\mathrm{steps}/d$" if flow else r"$t = \mathrm{steps}/d$"


def is_logarithmic(time: Array) -> bool:
    """Whether times call for a logarithmic axis: not equally spaced, over a decade at least."""
    positive = time[time > 0]
    if positive.size < 2 or positive[-1] < 10 * positive[0]:
        return False
    steps = np.diff(time)
    return bool(steps.max() > NEARLY_EQUAL * steps.min())


def set_time_axis(axes: Axes, time: Array) -> None:
    """Scale, limits and ticks of the abscissa for these recorded times."""
    first, last = float(time[0]), float(time[-1])
    if first == last:
        axes.set_xlim(first - 0.5, last + 0.5)
        axes.set_xticks([first])
        return
    if not is_logarithmic(time):
        axes.set_xlim(first, last)
        return
    threshold = max(float(time[time > 0][0]), LOG_SPAN * last)
    axes.set_xscale("symlog", linthresh=threshold, linscale=LINEAR_DECADES)
    axes.set_xlim(first, last)
    exponents = np.arange(np.floor(np.log10(threshold)), np.floor(np.log10(last) + 1e-9) + 1)
    decades = 10.0**exponents
    minor = np.outer(decades, range(2, 10)).ravel()
    major = [0.0, *decades[decades >= 0.999 * threshold]]
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in major if first <= tick <= last]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: decade_text(value)))
    minor = minor[(minor >= threshold) & (minor <= last)]
    axes.xaxis.set_minor_locator(FixedLocator(minor.tolist()))
    axes.xaxis.set_minor_formatter(NullFormatter())


def decade_text(value: float) -> str:
    """A power of ten, plainly where that is short."""
    if value == 0 or 0.1 <= value <= 1000:
        return f"{value:g}"
    return f"$10^{{{round(np.log10(value))}}}$"


def time_text(time: float) -> str:
    """A date with three significant digits, to stand between the dollar signs of mathtext."""
    if time == 0 or 1e-3 <= time < 1e5:
        digits = 0 if time == 0 else max(0, 2 - int(np.floor(np.log10(time))))
        return f"{time:.{digits}f}" if time < 1000 else f"{float(f'{time:.3g}'):.0f}"
    exponent = int(np.floor(np.log10(time)))
    return rf"{time / 10.0**exponent:.2f}\times10^{{{exponent}}}"
