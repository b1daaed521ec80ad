"""How the deviations of finite-d SGD from the ODE shrink with d."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from headode._checks import Array
from headode.errors import ArgumentError
from headode.plotting.deviations import SYMBOLS
from headode.plotting.style import COLORS, MARKERS, QUIET, TEXT_WIDTH, headode_style
from headode.plotting.value_axis import set_log_axis
from headode.validation.entries import distinct
from headode.validation.exponents import Exponent

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

HEIGHT = 2.7  # inches
MARGIN = 1.4  # of the abscissa, as a factor
EXPECTED = {"fluctuation_exponent": -0.5, "bias_exponent": -1.0}
TITLES = {
    "fluctuation_exponent": "standard deviation over runs",
    "bias_exponent": "|mean over runs − ODE|",
}


def scaling_figure(comparison: xr.Dataset) -> Figure:
    """Draw fluctuations and bias of each variable against the dimension, on logarithmic axes.

    Points are root mean squares over the entries of a variable and the times at which fluctuations
    are small. What the standard errors explain is subtracted from a bias that is significant in at
    least one entry; other ones are drawn hollow, as they are. Lines through what is significant
    have the expected slopes, −1/2 and −1.

    Args:
        comparison: the ``data`` of a :class:`headode.validation.report.Report`. The risk, whose
            scatter is in part that of its measurement, is left out.

    Raises:
        ArgumentError: if it has no such variables.
    """
    names = [name for name in SYMBOLS if name != "risk" and f"{name}_scatter" in comparison]
    if not names:
        raise ArgumentError("comparison", "be the data of a report", list(comparison))
    horizon = comparison.attrs.get("horizon")
    shown = comparison if not horizon else comparison.sel(time=slice(None, horizon))
    dimensions = comparison["dimension"].values.astype(float)
    with headode_style():
        figure = Figure(figsize=(TEXT_WIDTH, HEIGHT), layout="constrained")
        for axes, key in zip(figure.subplots(1, 2), EXPECTED, strict=True):
            for i, name in enumerate(names):
                values, significant = _summary(shown, name, key)
                _draw(axes, dimensions, values, significant, i, EXPECTED[key])
            _finish(axes, dimensions, comparison.attrs.get(key), key)
        handles = [_handle(i, SYMBOLS[name]) for i, name in enumerate(names)]
        handles += [Line2D([], [], color=QUIET, linestyle=":", label="expected slope")]
        handles += [_hollow_handle("not significant")]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _summary(comparison: xr.Dataset, name: str, key: str) -> tuple[Array, NDArray[np.bool_]]:
    """(dimensions,) root mean square over entries and times, and whether that is significant."""
    from scipy.stats import t as student_t

    mask = distinct(comparison[f"{name}_z"])

    def mean_square(part: str) -> Array:
        result: Array = (comparison[f"{name}_{part}"].values[:, mask] ** 2).mean(axis=1)
        return result

    if key == "fluctuation_exponent":
        return np.sqrt(mean_square("scatter")), np.ones(comparison.sizes["dimension"], dtype=bool)
    bias, error = (comparison[f"{name}_{part}"].values[:, mask] for part in ("bias", "bias_error"))
    level = 0.5 * comparison.attrs["level"] / bias.size
    critical = student_t.isf(level, comparison["runs"].values - 1)
    significant = (np.abs(bias) > critical[:, None] * error).any(axis=1)
    square, noise = mean_square("bias"), mean_square("bias_error")
    return np.sqrt(np.where(significant, np.maximum(square - noise, 0.0), square)), significant


def _draw(
    axes: Axes,
    dimensions: Array,
    values: Array,
    significant: NDArray[np.bool_],
    index: int,
    slope: float,
) -> None:
    color = COLORS[index % len(COLORS)]
    for d, value, solid in zip(dimensions, values, significant, strict=True):
        if value > 0:
            axes.plot(
                d,
                value,
                color=color,
                marker=MARKERS[index],
                markerfacecolor=color if solid else "white",
                markersize=4.5,
            )
    anchors = significant & (values > 0)
    if anchors.any():
        height = np.exp(np.mean(np.log(values[anchors]) - slope * np.log(dimensions[anchors])))
        span = np.array([dimensions.min() / MARGIN, dimensions.max() * MARGIN])
        axes.plot(span, height * span**slope, color=color, linestyle=":", linewidth=0.9)


def _finish(axes: Axes, dimensions: Array, exponent: tuple[float, float] | None, key: str) -> None:
    axes.set_xscale("log")
    set_log_axis(axes)
    axes.set_xlim(dimensions.min() / MARGIN, dimensions.max() * MARGIN)
    axes.xaxis.set_major_locator(FixedLocator(dimensions.tolist()))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("dimension $d$")
    fitted = "not resolved" if exponent is None else f"∝ $d^{{\\,{Exponent(*exponent)}}}$"
    axes.set_title(f"{TITLES[key]}: {fitted}")


def _handle(index: int, label: str) -> Line2D:
    return Line2D(
        [],
        [],
        color=COLORS[index % len(COLORS)],
        linestyle="none",
        marker=MARKERS[index],
        label=label,
    )


def _hollow_handle(label: str) -> Line2D:
    return Line2D(
        [], [], color=QUIET, linestyle="none", marker="o", markerfacecolor="white", label=label
    )
