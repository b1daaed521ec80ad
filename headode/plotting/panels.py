"""What there is to draw of a trajectory, as plain data: panels of curves against time.

The same panels serve integrations, where a curve is (T,), and simulations, where it is (runs, T).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headode._checks import Array
from headode.plotting.style import DASHES, Look, head_look
from headode.signal import Signal
from headode.trajectory import configuration_of

if TYPE_CHECKING:
    import xarray as xr

# More distinct values than this along a feature and P_θ is marked by its range only.
MOST_LEVELS = 12


@dataclass(frozen=True)
class Curve:
    """Values against time, (T,) or (runs, T)."""

    values: Array
    look: Look
    label: str = ""


@dataclass(frozen=True)
class Level:
    """A horizontal reference line; ``dotted`` ones are averages, the others exact values."""

    value: float
    text: str = ""
    dotted: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes: a quantity, its curves and reference levels.

    Attributes:
        key: identifies the same panel of two datasets.
        label: of the ordinate.
        curves: in drawing order.
        levels: reference lines.
        log: logarithmic ordinate.
        span: the least range of the ordinate, so that small noise looks small.
        feature: number of the feature that the panel is about; 0 if it is about none.
        legend: whether the curves' labels are listed above the panel.
    """

    key: str
    label: str
    curves: tuple[Curve, ...]
    levels: tuple[Level, ...] = ()
    log: bool = False
    span: float = 0.0
    feature: int = 0
    legend: bool = False


def overlap_panels(dataset: xr.Dataset) -> list[Panel]:
    """One panel per feature, with a curve per head and the values that θ_f takes."""
    signal = Signal.from_dict(configuration_of(dataset)["signal"])
    levels = [_levels(signal, f) for f in range(signal.features)]
    span = 0.5 * max(abs(level.value) for feature in levels for level in feature)
    return [
        Panel(
            key=f"M{feature}",
            label=f"$M_{{h{feature}}}$",
            curves=_per_head(dataset["M"].values[..., f]),
            levels=levels[f],
            span=span,
            feature=int(feature),
        )
        for f, feature in enumerate(dataset["feature"].values)
    ]


def level_meanings(dataset: xr.Dataset) -> list[Level]:
    """What the reference lines of the overlap panels stand for: one level of each kind there."""
    signal = Signal.from_dict(configuration_of(dataset)["signal"])
    exact = r"values of $\theta_f$" if signal.is_discrete else r"$\bar\theta_f$ ± one s.d."
    meanings = [Level(np.nan, exact)]
    if any(level.dotted for f in range(signal.features) for level in _levels(signal, f)):
        meanings.append(Level(np.nan, r"mean of $\theta_f$", dotted=True))
    return meanings


def progress_panels(dataset: xr.Dataset, *, norms: bool) -> list[Panel]:
    """Risk, value and offsets, as far as they are there; ``norms``, or if none is, also Q_hh."""
    panels = _risk_panels(dataset)
    if "m_v" in dataset:
        curves = (
            Curve(dataset["m_v"].values, Look(), "$m_v$"),
            Curve(dataset["q_v"].values, Look(dash=DASHES[1]), "$q_v$"),
        )
        panels.append(Panel("value", "value", curves, (Level(1.0),), legend=True))
    if "offset" in dataset:
        panels.append(Panel("offset", "offset $b_h$", _per_head(dataset["offset"].values)))
    if norms or not panels:
        diagonal = np.diagonal(dataset["Q"].values, axis1=-2, axis2=-1)
        panels.append(Panel("norm", "$Q_{hh}$", _per_head(diagonal)))
    return panels


def _per_head(values: Array) -> tuple[Curve, ...]:
    """Curves of (..., T, H) values, one per head."""
    heads = range(values.shape[-1])
    return tuple(Curve(values[..., h], head_look(h), str(h + 1)) for h in heads)


def _levels(signal: Signal, f: int) -> tuple[Level, ...]:
    """Values of θ_f: the support of a discrete law, means ± one deviation of Gaussians."""
    deviation = np.sqrt(signal.covariances[:, f, f])
    centers = signal.means[:, f]
    values = np.unique(np.concatenate([centers - deviation, centers + deviation]).round(12))
    if values.size > MOST_LEVELS:
        values = values[[0, -1]]
    levels = [Level(float(value), f"{value + 0.0:.3g}".replace("-", "−")) for value in values]
    mean = float(signal.mean[f])
    if not np.isclose(values, mean).any():
        levels.append(Level(mean, dotted=True))
    return tuple(levels)


def _risk_panels(dataset: xr.Dataset) -> list[Panel]:
    """The risk; of an integration also what it exceeds the Bayes risk by, where that is known."""
    if "risk" not in dataset:
        return []
    risk = dataset["risk"].values
    floor = float(dataset.attrs.get("bayes_risk", np.nan))
    if not np.isfinite(floor):
        return [Panel("risk", "risk $E$", (Curve(risk, Look()),))]
    level = (Level(floor, "Bayes"),)
    panel = Panel("risk", "risk $E$", (Curve(risk, Look()),), level)
    if "run" in dataset.dims:
        return [panel]  # a Monte Carlo estimate of the risk may be below the Bayes risk
    excess = np.where(risk > floor, risk - floor, np.nan)
    return [
        panel,
        Panel("excess", r"$E - E_\mathrm{Bayes}$", (Curve(excess, Look()),), log=True),
    ]
