"""A trajectory as far as it was computed, run by run, and the signal that it learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headode._checks import Array
from headode.errors import ArgumentError
from headode.model import Model
from headode.signal import Signal
from headode.trajectory import configuration_of

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class ComputedRun:
    """The recorded times of one run at which all its overlaps are finite; T may be 0.

    Attributes:
        time: (T,) times.
        M: (T, H, F) overlaps of heads and features.
        Q: (T, H, H) overlaps of the heads.
        offset: (T, H) learned offsets, or None.
    """

    time: Array
    M: Array
    Q: Array
    offset: Array | None

    @property
    def spread(self) -> Array:
        """(T, F) standard deviation of ``M_hf`` over the heads."""
        result: Array = self.M.std(axis=1)
        return result


def computed_runs(dataset: xr.Dataset) -> list[ComputedRun]:
    """The runs of a trajectory; an integration has one."""
    if "run" not in dataset.dims:
        dataset = dataset.expand_dims("run")
    time, M, Q = dataset["time"].values, dataset["M"].values, dataset["Q"].values
    offset = dataset["offset"].values if "offset" in dataset else None
    runs = []
    for r in range(len(M)):
        # Q has squares of M: it overflows first.
        known = np.isfinite(Q[r]).all(axis=(-2, -1))
        learned = None if offset is None else offset[r][known]
        runs.append(ComputedRun(time[known], M[r][known], Q[r][known], learned))
    return runs


def computed_times(dataset: xr.Dataset) -> Array:
    """(T,) mask of the recorded times at which all overlaps (of some run) are finite."""
    finite = np.isfinite(dataset["Q"].values).all(axis=(-2, -1))
    mask: Array = finite.any(axis=0) if finite.ndim == 2 else finite
    return mask


def natural_scales(signal: Signal) -> Array:
    """(F,) standard deviation of θ_f, or its root mean square if θ_f does not vary.

    Infinite for a feature that carries no signal.
    """
    deviation = np.sqrt(np.diag(signal.covariance))
    scales = np.where(deviation > 0, deviation, np.abs(signal.mean))
    result: Array = np.where(scales > 0, scales, np.inf)
    return result


def signal_of(dataset: xr.Dataset, model: Model | None = None) -> Signal:
    """The law P_θ that a trajectory learns: the model's, or that of its configuration.

    Raises:
        ArgumentError: if this is no trajectory, or not one of the model.
    """
    if not {"M", "Q", "time"} <= set(getattr(dataset, "variables", ())):
        raise ArgumentError("run", "be a trajectory of integrate or simulate", dataset)
    if model is None:
        if "configuration" not in dataset.attrs:
            requirement = "have its configuration as an attribute, or come with its model"
            raise ArgumentError("run", requirement, "without")
        return Signal.from_dict(configuration_of(dataset)["signal"])
    shape = (dataset.sizes["head"], dataset.sizes["feature"])
    if shape != (model.heads, model.features):
        requirement = f"have the {shape[0]} heads and {shape[1]} features of the run"
        raise ArgumentError("model", requirement, (model.heads, model.features))
    return model.signal
