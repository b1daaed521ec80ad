"""Logarithmic axes with few, short labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from headode._checks import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis

# A curve that falls by more decades than this has reached its numerical noise.
MOST_DECADES = 8
MOST_LABELS = 4
# Over more decades than this, ticks between powers of ten run into a bar.
MOST_FINE_DECADES = 5
# Labels on an axis of parameters.
FEW_TICKS = 6


def set_log_axis(axes: Axes) -> None:
    """Make the ordinate logarithmic; without a positive value, leave it empty.

    Labels are powers of ten, thinned out, or with less than two of them 1, 2, 5 times those.
    """
    values = np.concatenate([np.empty(0), *(np.ravel(line.get_ydata()) for line in axes.lines)])
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        axes.set_yticks([])
        return
    high = float(positive.max()) * 1.3
    low = max(float(positive.min()) / 1.3, high * 10.0**-MOST_DECADES)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    if high < 3 * low:
        axes.yaxis.set_major_locator(MaxNLocator(MOST_LABELS - 1))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_text(value)))
        axes.yaxis.set_minor_locator(NullLocator())
        return
    label_decades(axes.yaxis, low, high, most=MOST_LABELS, enough=2)


def label_decades(
    axis: XAxis | YAxis, low: float, high: float, *, most: int = FEW_TICKS, enough: int = 3
) -> None:
    """Put :func:`round_numbers` on a logarithmic axis between two positive numbers."""
    axis.set_major_locator(FixedLocator(round_numbers(low, high, most=most, enough=enough)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))
    decades = _decades(low, high)
    few = decades.size - 1 <= MOST_FINE_DECADES
    fine = np.outer(decades, range(1, 10)).ravel() if few else decades
    axis.set_minor_locator(FixedLocator(fine.tolist()))
    axis.set_minor_formatter(NullFormatter())


def round_numbers(
    low: float, high: float, *, most: int = FEW_TICKS, enough: int = 3
) -> list[float]:
    """At most so many powers of ten between two numbers, ends included.

    Where fewer than ``enough`` of them are there, 2 and 5 times those too.
    """
    low, high = 0.999 * low, 1.001 * high
    decades = _decades(low, high)
    numbers = decades[(decades >= low) & (decades <= high)]
    if numbers.size < enough:
        numbers = np.outer(decades, [1, 2, 5]).ravel()
        numbers = numbers[(numbers >= low) & (numbers <= high)]
    return [float(number) for number in numbers[:: -(-numbers.size // most) or 1]]


def _decades(low: float, high: float) -> Array:
    """Powers of ten from below the one number to above the other."""
    result: Array = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    return result


def number_text(value: float) -> str:
    """A number of either sign with at most three significant digits."""
    return short_text(value) if value >= 0 else f"−{short_text(-value)}"


def short_text(value: float) -> str:
    """A number with at most three significant digits, plainly where that is short."""
    if value == 0 or 1e-2 <= value < 1e3:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    factor = "" if float(mantissa) == 1 else rf"{float(mantissa):g}\cdot"
    return rf"${factor}10^{{{int(exponent)}}}$"
