"""A logarithmic ordinate with few, short labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A curve that falls by more decades than this has reached its numerical noise.
MOST_DECADES = 8
MOST_LABELS = 4


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
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)))
    fine = np.outer(decades, range(1, 10))
    labeled = decades[(decades >= low) & (decades <= high)]
    if labeled.size < 2:
        labeled = fine[:, [0, 1, 4]].ravel()
        labeled = labeled[(labeled >= low) & (labeled <= high)]
    labeled = labeled[:: -(-labeled.size // MOST_LABELS) or 1]
    axes.yaxis.set_major_locator(FixedLocator(labeled.tolist()))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_text(value)))
    axes.yaxis.set_minor_locator(FixedLocator(fine[(fine >= low) & (fine <= high)].tolist()))
    axes.yaxis.set_minor_formatter(NullFormatter())


def short_text(value: float) -> str:
    """A number with at most three significant digits, plainly where that is short."""
    if value == 0 or 1e-2 <= value < 1e3:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    factor = "" if float(mantissa) == 1 else rf"{float(mantissa):g}\cdot"
    return rf"${factor}10^{{{int(exponent)}}}$"
