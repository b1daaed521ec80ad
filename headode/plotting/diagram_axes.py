"""The axes of a phase diagram on a picture: labels in the field's notation, scales and ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from headode._checks import Array
from headode.plotting.value_axis import FEW_TICKS, label_decades, number_text

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axis import XAxis, YAxis

LABELS = {
    "model.tokens": "tokens $L$",
    "model.heads": "heads $H$",
    "model.label_noise": r"label noise $\Delta$",
    "model.prefactor": "prefactor $c$",
    "model.offset": "offset $b$",
    "model.activation": "activation",
    "training.learning_rate": r"learning rate $\eta$",
    "training.value_learning_rate": r"$\eta_v$",
    "training.offset_learning_rate": r"$\eta_b$",
    "training.batch_size": "batch size $B$",
    "training.weight_decay": r"weight decay $\lambda$",
    "training.time": r"training time $t$",
    "initial.scale": "initial scale",
    "initial.seed": "seed",
    "simulation.dimension": "dimension $d$",
    "simulation.runs": "runs",
}
# Keys with an entry for each feature, which is numbered from 1 on pictures.
FEATURE_LABELS = {
    "signal.mean": r"$\mathrm{{E}}\,\theta_{{{f}}}$",
    "signal.amplitude": "signal strength $a_{{{f}}}$",
    "signal.covariance": r"$\mathrm{{Var}}\,\theta_{{{f}}}$",
    "signal.probabilities": "$p_{{{f}}}$",
}
# Values whose ratios, or differences, are equal to this relative accuracy are spaced so; those of
# integers are rounded.
EVEN = 0.2
# Irregular values over more than this ratio are drawn on a logarithmic scale.
WIDE = 20.0


@dataclass(frozen=True)
class Scale:
    """Numbers along one side of a picture.

    Attributes:
        values: in increasing order.
        log: whether on a logarithmic scale.
    """

    values: Array
    log: bool

    @classmethod
    def of(cls, values: Array) -> Scale:
        """The scale that fits the spacing of the values."""
        ordered = np.sort(np.asarray(values, dtype=float))
        if ordered.size < 3 or ordered[0] <= 0:
            return cls(ordered, False)
        steps, ratios = np.diff(ordered), np.diff(np.log(ordered))
        if np.ptp(steps) <= EVEN * steps.mean():
            return cls(ordered, False)
        even_ratios = np.ptp(ratios) <= EVEN * ratios.mean()
        return cls(ordered, bool(even_ratios or ordered[-1] > WIDE * ordered[0]))

    @property
    def edges(self) -> Array:
        """Ends of the cells around the values, midway between them."""
        places = np.log(self.values) if self.log else self.values
        if places.size == 1:
            edges = places[0] + np.array([-0.5, 0.5])
        else:
            middle = 0.5 * (places[1:] + places[:-1])
            ends = 2 * places[[0, -1]] - middle[[0, -1]]
            edges = np.concatenate([ends[:1], middle, ends[1:]])
        result: Array = np.exp(edges) if self.log else edges
        return result

    def apply(self, axis: XAxis | YAxis) -> None:
        """Scale an axis and put few, short labels on it."""
        axis.axes.set(**{f"{axis.axis_name}scale": "log" if self.log else "linear"})
        if self.values.size > FEW_TICKS and self.log:
            label_decades(axis, *self.values[[0, -1]])
            return
        few = self.values.size <= FEW_TICKS
        locator: Any = FixedLocator(self.values.tolist()) if few else round_locator()
        axis.set_major_locator(locator)
        axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))
        axis.set_minor_locator(NullLocator())


def round_locator() -> MaxNLocator:
    """A few round numbers on a linear axis."""
    return MaxNLocator(FEW_TICKS - 1, steps=[1, 2, 5, 10])


def axis_label(key: str, configuration: Mapping[str, Any]) -> str:
    """The label of an axis, by its dotted key."""
    if key in LABELS:
        return LABELS[key]
    section, _, rest = key.partition(".")
    name, *entries = rest.split(".")
    family = f"{section}.{name}"
    if family in FEATURE_LABELS and entries and len(set(entries)) == 1:
        label = FEATURE_LABELS[family]
        flips = configuration.get("signal", {}).get("kind") == "sign_flips"
        if family == "signal.amplitude" and flips:
            label = r"$\sqrt{{\mathrm{{Var}}\,\theta_{{{f}}}}}$"
        return label.format(f=int(entries[0]) + 1)
    return key.replace("_", " ")


def value_text(key: str, value: Any) -> str:
    """A value with the symbol of its axis, for a legend or the title of a small picture."""
    if isinstance(value, str):
        return value.replace("_", " ")
    return f"{_symbol(key)} = {number_text(float(value))}"


def _symbol(key: str) -> str:
    """The symbol in a label, or what is said instead of one."""
    label = axis_label(key, {"signal": {"kind": "sign_flips"}})
    return label[label.index("$") :] if "$" in label else label


def is_numeric(variable: xr.DataArray) -> bool:
    """Whether a coordinate has numbers."""
    return variable.dtype.kind in "iuf"
