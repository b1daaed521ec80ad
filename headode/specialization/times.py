"""When each feature is specialized, as a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headode._floats import own_errstate
from headode.model import Model
from headode.specialization.computed import ComputedRun, computed_runs, natural_scales, signal_of
from headode.specialization.splits import find_splits, splits_of

if TYPE_CHECKING:
    import xarray as xr

    from headode._checks import Array
    from headode.signal import Signal

LONG_NAMES = {
    "specialization_time": "last upward crossing of half of the final spread",
    "specialization_time_error": "error of the specialization time from the recorded times",
    "departure_time": "last upward crossing of a tenth of the final spread",
    "order": "place among the specialized features, 0 for others",
    "specialized": "whether the heads have parted along the feature",
    "final_spread": "final standard deviation of M_hf over the heads",
}


@own_errstate
def specialization_times(run: xr.Dataset, model: Model | None = None) -> xr.Dataset:
    """When the heads part along each feature (theory: dynamics to expect).

    The spread along feature f is the standard deviation of ``M_hf`` over the heads. A feature is
    specialized if its spread is, at the last computed time, at least an eighth of the standard
    deviation of θ_f (of its root mean square, if θ_f does not vary). Its specialization time is the
    last upward crossing of half of that final spread.

    Args:
        run: a trajectory, of an integration or of a simulation; it may have stopped early.
        model: whose signal is learned; None: that of the run's configuration.

    Returns:
        A dataset over ``feature`` (and ``run`` for simulations): ``specialization_time`` in units
        of the run's time, with the error that the distance of its recorded times leaves,
        ``departure_time`` (NaN where a feature is not specialized), ``order``, ``specialized`` and
        ``final_spread`` (NaN where nothing was computed). The attribute ``specialized_features`` is
        their number, for simulations that of the median spread over the runs.

    Raises:
        ArgumentError: if ``run`` is no trajectory, or not one of the model.
    """
    import xarray as xr

    signal = signal_of(run, model)
    rows = [_row(each, signal) for each in computed_runs(run)]
    runs = "run" in run.dims
    dims = ("run", "feature") if runs else ("feature",)
    data = {}
    for name, long_name in LONG_NAMES.items():
        values = np.array([row[name] for row in rows])
        attributes = {"long_name": long_name}
        if "time" in name:
            attributes["units"] = run["time"].attrs.get("units", "steps/d")
        data[name] = (dims, values if runs else values[0], attributes)
    coordinates = {name: run[name] for name in dims if name in run.coords}
    return xr.Dataset(
        data,
        coords=coordinates,
        attrs={"specialized_features": len(find_splits(run, signal))},
    )


def _row(run: ComputedRun, signal: Signal) -> dict[str, Array]:
    """The (F,) variables of one run."""
    features = signal.features
    row: dict[str, Any] = {name: np.full(features, np.nan) for name in LONG_NAMES}
    row["order"] = np.zeros(features, dtype=np.int64)
    row["specialized"] = np.zeros(features, dtype=bool)
    if run.time.size:
        row["final_spread"] = run.spread[-1]
    for place, split in enumerate(splits_of(run.time, run.spread, natural_scales(signal)), start=1):
        f = split.feature - 1
        row["specialization_time"][f] = split.time
        row["specialization_time_error"][f] = split.error
        row["departure_time"][f] = split.departure
        row["order"][f] = place
        row["specialized"][f] = True
    return row
