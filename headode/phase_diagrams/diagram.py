"""The results of a sweep as arrays over the axes, and as a dataset."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headode._version import __version__
from headode.phase_diagrams.axes import Axis
from headode.phase_diagrams.measures import Measure
from headode.phase_diagrams.plan import Outcome, Plan

if TYPE_CHECKING:
    import xarray as xr

KIND = "phase_diagram"
SUMMARIES = ("_mean", "_std")


class Status(IntEnum):
    """What is known of a point."""

    PENDING = 0
    COMPUTED = 1
    FAILED = 2
    INTERPOLATED = 3


class Diagram:
    """The results so far: an array for each measure, and the status of each point.

    Args:
        plan: of the sweep.

    Attributes:
        plan: of the sweep.
        arrays: by variable; over the axes, then the seeds, then the features where there are any.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.arrays: dict[str, NDArray[Any]] = {
            measure.name: _empty(measure, plan) for measure in plan.measures
        }
        self.arrays["message"] = np.full(plan.shape, "", dtype=np.dtypes.StringDType())
        self.arrays["status"] = np.zeros(plan.shape, dtype=np.uint8)

    @property
    def status(self) -> NDArray[np.uint8]:
        """Status of each point."""
        return self.arrays["status"]

    @property
    def done(self) -> NDArray[np.bool_]:
        """Points that need not be computed (again)."""
        mask: NDArray[np.bool_] = np.isin(self.status, (Status.COMPUTED, Status.FAILED))
        return mask

    def record(self, flat: int, outcome: Outcome) -> None:
        """Take over the outcome of a point."""
        index = np.unravel_index(flat, self.plan.shape)
        for name, value in outcome.values.items():
            self.arrays[name][index] = value
        self.arrays["message"][index] = outcome.message
        self.status[index] = Status.FAILED if outcome.failed else Status.COMPUTED

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over the points that are done in the arrays of a store.

        What it has of other points was written just before it was left, and is computed again.
        """
        self.status[...] = arrays["status"]
        done = self.done
        self.status[~done] = Status.PENDING
        for name, array in self.arrays.items():
            if name != "status":
                array[done] = arrays[name][done]

    def pending(self, flat: Iterable[int]) -> list[int]:
        """Those of some points that are still to be computed."""
        done = self.done.ravel()
        return [number for number in flat if not done[number]]

    def coordinates(self) -> dict[str, NDArray[Any]]:
        """Values of the axes, and of the seeds and features where there are any."""
        return {name: values for name, (_, values, _) in _coordinates(self.plan).items()}

    def dataset(self) -> xr.Dataset:
        """What is known so far, with means and spreads over the seeds where there are several."""
        dataset = dataset_of(self.plan, self.arrays)
        return with_summaries(dataset) if self.plan.seeds > 1 else dataset


def dataset_of(plan: Plan, arrays: Mapping[str, NDArray[Any]]) -> xr.Dataset:
    """A dataset of arrays over the axes and the seeds; a single seed is no dimension."""
    import xarray as xr

    dims = [axis.key for axis in plan.axes] + (["seed"] if plan.seeds > 1 else [])
    shape = plan.shape if plan.seeds > 1 else plan.shape[:-1]
    data: dict[str, Any] = {}
    for measure in plan.measures:
        values = arrays[measure.name]
        inner = ["feature"] if measure.per_feature else []
        attributes = {"long_name": measure.long_name}
        if measure.units:
            attributes["units"] = measure.units
        data[measure.name] = (
            [*dims, *inner],
            values.reshape(*shape, *values.shape[len(plan.shape) :]).copy(),
            attributes,
        )
    meanings = " ".join(status.name.lower() for status in Status)
    data["status"] = (
        dims,
        arrays["status"].reshape(shape).copy(),
        {
            "long_name": "what is known of the point",
            "flag_values": [status.value for status in Status],
            "flag_meanings": meanings,
        },
    )
    data["message"] = (
        dims,
        arrays["message"].reshape(shape).copy(),
        {"long_name": "why the point failed, or what it was warned about"},
    )
    return xr.Dataset(data, coords=_coordinates(plan), attrs=_attributes(plan))


def _empty(measure: Measure, plan: Plan) -> NDArray[Any]:
    if measure.categorical:
        return np.full(plan.shape, "", dtype=np.dtypes.StringDType())
    return np.full((*plan.shape, *([plan.features] if measure.per_feature else [])), np.nan)


def _coordinates(plan: Plan) -> dict[str, Any]:
    coordinates: dict[str, Any] = {
        axis.key: (axis.key, _axis_array(axis), {"long_name": axis.key}) for axis in plan.axes
    }
    if plan.seeds > 1:
        first = plan.sections.get("initial", {}).get("seed", 0)
        seeds = np.arange(first, first + plan.seeds)
        coordinates["seed"] = ("seed", seeds, {"long_name": "seed of the random start"})
    if any(measure.per_feature for measure in plan.measures):
        features = np.arange(1, plan.features + 1)
        coordinates["feature"] = ("feature", features, {"long_name": "latent direction"})
    return coordinates


def _axis_array(axis: Axis) -> NDArray[Any]:
    if axis.is_numeric:
        return np.array(axis.values)
    return np.array([str(value) for value in axis.values], dtype=np.dtypes.StringDType())


def _attributes(plan: Plan) -> dict[str, Any]:
    return {
        "kind": KIND,
        "configuration": json.dumps(plan.sections),
        "identity": json.dumps(plan.identity()),
        "headode_version": __version__,
    }


def with_summaries(dataset: xr.Dataset) -> xr.Dataset:
    """Add ``NAME_mean`` and ``NAME_std`` over the seeds to each number of a dataset.

    Seeds without a value (no split, a failed point) are left out of both; a mean needs one value,
    a standard deviation two.
    """
    added = {}
    for name, variable in dataset.data_vars.items():
        if "seed" in variable.dims and variable.dtype.kind == "f":
            for summary, array in _summaries(variable).items():
                added[f"{name}_{summary}"] = array
    return dataset.assign(added)


def _summaries(variable: xr.DataArray) -> dict[str, xr.DataArray]:
    count = variable.notnull().sum("seed")
    # NumPy's own nanmean warns where there is no value; here NaN is what is meant.
    total = variable.fillna(0.0).sum("seed")
    mean = (total / count.where(count > 0)).assign_attrs(variable.attrs)
    squares = ((variable - mean) ** 2).fillna(0.0).sum("seed")
    spread = ((squares / (count - 1).where(count > 1)) ** 0.5).assign_attrs(variable.attrs)
    label = variable.attrs.get("long_name", str(variable.name))
    mean.attrs["long_name"] = f"{label} (mean over the seeds)"
    spread.attrs["long_name"] = f"{label} (standard deviation over the seeds)"
    return {"mean": mean, "std": spread}
