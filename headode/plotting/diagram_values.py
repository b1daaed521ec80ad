"""What is drawn of one measure: its values without seeds, its label, colors and limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm, Normalize, TwoSlopeNorm

from headode._checks import Array
from headode.plotting.style import COLORS

if TYPE_CHECKING:
    import xarray as xr

LABELS = {
    "final_risk": "risk $E$",
    "excess_risk": r"$E - E_\mathrm{Bayes}$",
    "bayes_risk": "Bayes risk",
    "optimal_risk": "optimal risk",
    "growth_rate": r"growth rate $\lambda_\mathrm{max}$",
    "specialization_time": "specialization time $t$",
    "specialized_features": "specialized features",
    "redundant_heads": "redundant heads",
    "feature_order": "order of the features",
    "phase": "phase",
    "success_rate": "fraction that specializes",
}
MISSING = {
    "specialization_time": "no split",
    "phase": "not computed",
}
# Different in gray too; lines and hatches are seen over all of them.
PALE, SKY, BLUE, RED, GREEN = "#E8E3D3", "#A6CEE3", "#0072B2", "#D55E00", "#009E73"
# Names that have an order and a color of their own.
KNOWN_NAMES = {
    "none": PALE,
    "unspecialized": PALE,
    "partly specialized": SKY,
    "specialized": BLUE,
    "fails": RED,
}
OTHER_COLORS = (SKY, BLUE, RED, GREEN, "#CC79A7", "#F0C75E", "#7A5195")
COLOR_MAP, SIGNED_COLOR_MAP = "cividis", "RdBu_r"
# Positive numbers over more than this ratio get a logarithmic scale; times, which go as the inverse
# of a rate, soon do.
WIDE, WIDE_TIMES = 30.0, 4.0
MOST_INTEGERS = 8


@dataclass(frozen=True)
class Shown:
    """One measure, ready to be drawn.

    Attributes:
        name: of the measure.
        label: of the color bar or ordinate.
        values: over the axes: numbers, or positions in ``names``; NaN where there is none.
        spread: standard deviation over the seeds, if there are several.
        names: of the categories; empty for numbers.
    """

    name: str
    label: str
    values: xr.DataArray
    spread: xr.DataArray | None
    names: tuple[str, ...] = ()

    @property
    def is_integer(self) -> bool:
        """Whether all values are small whole numbers."""
        known = self.known
        return bool(
            known.size
            and (known == np.round(known)).all()
            and known.min() >= 0
            and known.max() < MOST_INTEGERS
        )

    @property
    def known(self) -> Array:
        """The finite values."""
        values: Array = self.values.values[np.isfinite(self.values.values)]
        return values

    @property
    def is_wide(self) -> bool:
        """Whether a logarithmic scale fits."""
        ratio = WIDE_TIMES if self.name == "specialization_time" else WIDE
        positive = self.known[self.known > 0]
        return bool(
            positive.size
            and positive.size >= 0.9 * self.known.size
            and positive.max() > ratio * positive.min()
        )


def shown(diagram: xr.Dataset, name: str) -> Shown:
    """What is drawn of a measure: means over the seeds, or the most frequent name."""
    variable = diagram[name]
    label = LABELS.get(name, str(variable.attrs.get("long_name", name)))
    if variable.dtype.kind == "f":
        if "seed" not in variable.dims:
            return Shown(name, label, variable, None)
        return Shown(name, label, diagram[f"{name}_mean"], diagram[f"{name}_std"])
    texts = variable.astype(object)
    names = _ordered({str(text) for text in texts.values.ravel() if text})
    codes = np.full(texts.shape, np.nan)
    for number, each in enumerate(names):
        codes[texts.values == each] = number
    numbers = texts.copy(data=codes).astype(float)
    if "seed" in numbers.dims:
        numbers = _most_frequent(numbers, len(names))
    return Shown(name, label, numbers, None, names)


def _most_frequent(numbers: xr.DataArray, count: int) -> xr.DataArray:
    """The most frequent of ``count`` numbers over the seeds; NaN where there is none."""
    result = numbers.isel(seed=0, drop=True)
    if not count:
        return result
    counts = np.stack([(numbers == number).sum("seed").values for number in range(count)])
    found = np.where(counts.sum(axis=0) > 0, counts.argmax(axis=0), np.nan)
    return result.copy(data=found)


def _ordered(names: set[str]) -> tuple[str, ...]:
    known = [name for name in KNOWN_NAMES if name in names]
    return (*known, *sorted(names - set(known)))


def colors_of(measure: Shown) -> tuple[Any, Any]:
    """Color map and norm."""
    if measure.names or measure.is_integer:
        count = len(measure.names) or int(measure.known.max()) + 1
        palette = _name_colors(measure.names) if measure.names else _steps(count)
        return ListedColormap(palette), BoundaryNorm(np.arange(count + 1) - 0.5, count)
    known = measure.known
    if not known.size:
        return COLOR_MAP, Normalize(0, 1)
    low, high = float(known.min()), float(known.max())
    if low < 0 < high:
        return SIGNED_COLOR_MAP, TwoSlopeNorm(0.0, low, high)
    if measure.is_wide:
        return COLOR_MAP, LogNorm(float(known[known > 0].min()), high)
    if low == high:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    return COLOR_MAP, Normalize(low, high)


def _name_colors(names: tuple[str, ...]) -> list[str]:
    others = [name for name in names if name not in KNOWN_NAMES]
    return [
        KNOWN_NAMES[name]
        if name in KNOWN_NAMES
        else OTHER_COLORS[others.index(name) % len(OTHER_COLORS)]
        for name in names
    ]


def _steps(count: int) -> list[Any]:
    from matplotlib import colormaps

    return list(colormaps[COLOR_MAP](np.linspace(0.05, 0.98, count)))


def line_color(number: int) -> str:
    """Color of a line."""
    return COLORS[number % len(COLORS)]
