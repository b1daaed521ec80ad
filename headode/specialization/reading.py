"""All that is read from a trajectory, as one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headode._floats import own_errstate
from headode.model import Model
from headode.signal import Signal
from headode.specialization.assignment import (
    MOST_POINTS,
    Flags,
    coordinates,
    directions_of_heads,
    has_points,
    points_of,
    principal_directions,
)
from headode.specialization.computed import computed_runs, signal_of
from headode.specialization.excursions import Excursion, find_excursions
from headode.specialization.heads import Heads, configured_model, final_heads
from headode.specialization.stages import Drop, Plateau, risk_stages
from headode.specialization.summary import summary_rows
from headode.specialization.times import specialization_times

if TYPE_CHECKING:
    import xarray as xr

# Dimensions, values, and attributes or the long name alone.
Variables = dict[str, tuple[tuple[str, ...], Any, dict[str, str]]]
Columns = dict[str, tuple[tuple[str, ...], Any, str]]


@own_errstate
def read_trajectory(run: xr.Dataset, model: Model | None = None) -> xr.Dataset:
    """What the heads have learned, when, and in which stages (theory: dynamics to expect).

    The rules are those of the page on specialization. What is said of the heads holds at the last
    computed time of each run.

    Args:
        run: a trajectory, of an integration or of a simulation; it may have stopped early.
        model: what is learned; None: that of the run's configuration.

    Returns:
        A dataset with the variables of :func:`specialization_times` and (with a leading ``run``
        for simulations, where (head, ...) is written):

        - ``side`` (head, feature): +1 or −1 for the side of a specialized feature, 0 between;
        - ``drop_time``, ``drop_size`` (drop), ``plateau_start``, ``plateau_stop``, ``plateau_risk``
          (plateau): stages of the risk (simulations: of its mean);
        - ``serves`` and ``distance`` (head, point), ``head_of_point`` (point, 0 for none),
          ``point_position`` (point, feature) and ``probability`` (point), if there are at most 1024
          points; or for a single Gaussian ``along`` (head, direction) in standard deviations,
          ``direction_of_head`` (head, signed, 0 for none), ``direction_vector`` (direction,
          feature) and ``direction_variance`` (direction);
        - ``alike`` (head): the first head of its group; ``silent``, ``negligible`` (head);
          ``redundant_heads``: how many are one of these, of alike ones all but one;
        - ``excursion_head``, ``excursion_feature``, ``excursion_left``, ``excursion_extremum``,
          ``excursion_extremum_time``, ``excursion_back`` and for simulations ``excursion_run``
          (excursion).

        The attribute ``summary`` is a short text. Heads, features, points and directions are
        numbered from 1.

    Raises:
        ArgumentError: if ``run`` is no trajectory, or not one of the model.
    """
    result = specialization_times(run, model)
    signal = signal_of(run, model)
    if model is None:
        model = configured_model(run, signal)
    runs = computed_runs(run)
    split = result["specialized"].values.reshape(len(runs), -1)
    rows = [
        _heads(final_heads(each, signal, model), signal, specialized)
        for each, specialized in zip(runs, split, strict=True)
    ]
    leading = ("run",) if "run" in run.dims else ()
    data: Variables = {}
    for name, (dims, _, long_name) in rows[0].items():
        stacked = np.array([row[name][1] for row in rows])
        values = stacked if leading else stacked[0]
        data[name] = ((*leading, *dims), values, {"long_name": long_name})
    data |= _targets(signal)
    data |= _stages(*risk_stages(run), units=run["time"].attrs.get("units", "steps/d"))
    data |= _excursions([find_excursions(each, signal) for each in runs], run)
    numbered = ("head", "point", "direction", "drop", "plateau", "excursion")
    result = result.assign(data)
    result = result.assign_coords(
        {name: np.arange(1, result.sizes[name] + 1) for name in numbered if name in result.sizes}
    )
    if "configuration" in run.attrs:
        result.attrs["configuration"] = run.attrs["configuration"]
    result.attrs["kind"] = "reading"
    rows_of_text = summary_rows(result)
    width = max(len(label) for label, _ in rows_of_text)
    result.attrs["summary"] = "\n".join(f"{label:<{width}}  {text}" for label, text in rows_of_text)
    return result


def _heads(heads: Heads, signal: Signal, specialized: Flags) -> Columns:
    """What is said of the heads of one run."""
    found: Columns = {
        "side": (("head", "feature"), heads.sides(specialized), "side of the mean over heads"),
        "alike": (("head",), heads.alike + 1, "first of the heads that are alike"),
        "silent": (("head",), heads.silent, "whether the head does not look at the tokens"),
        "negligible": (("head",), heads.negligible, "whether the head has no weight"),
        "redundant_heads": ((), heads.redundant, "heads silent, negligible or like another"),
    }
    if heads.head_of_point is not None:
        dims = ("head", "point")
        found |= {
            "serves": (dims, heads.serves, "whether the head serves the point"),
            "distance": (dims, heads.distance, "distance of head and point"),
            "head_of_point": (("point",), heads.head_of_point + 1, "head of the point alone"),
        }
    elif not has_points(signal):
        along = coordinates(heads.M, signal, *principal_directions(signal))
        text = "overlap beyond the mean signal, in standard deviations of the signal"
        found |= {
            "along": (("head", "direction"), along, text),
            "direction_of_head": (
                ("head",),
                directions_of_heads(along),
                "direction on which the head sits, with sign; 0 for none",
            ),
        }
    return found


def _targets(signal: Signal) -> Variables:
    """The points or directions that heads are assigned to."""
    if not has_points(signal):
        variances, directions = principal_directions(signal)
        text = "principal direction of the signal"
        return {
            "direction_vector": (("direction", "feature"), directions, {"long_name": text}),
            "direction_variance": (("direction",), variances, {"long_name": "variance along it"}),
        }
    if signal.components > MOST_POINTS:
        return {}
    points, odds = points_of(signal)
    text = "point of the support, or mean of a component"
    return {
        "point_position": (("point", "feature"), points, {"long_name": text}),
        "probability": (("point",), odds, {"long_name": "probability of the point"}),
    }


def _stages(drops: Sequence[Drop], plateaus: Sequence[Plateau], *, units: str) -> Variables:
    """The stages of the risk as columns."""
    time = {"units": units}
    return {
        "drop_time": (("drop",), [drop.time for drop in drops], time),
        "drop_size": (("drop",), [drop.size for drop in drops], {"long_name": "risk taken off"}),
        "plateau_start": (("plateau",), [each.start for each in plateaus], time),
        "plateau_stop": (("plateau",), [each.stop for each in plateaus], time),
        "plateau_risk": (("plateau",), [each.risk for each in plateaus], {"long_name": "risk"}),
    }


def _excursions(found: Sequence[Sequence[Excursion]], run: xr.Dataset) -> Variables:
    """The excursions of all runs as columns."""
    flat = [each for runs in found for each in runs]
    time = {"units": run["time"].attrs.get("units", "steps/d")}
    dims = ("excursion",)
    columns: Variables = {
        "excursion_head": (dims, [each.head for each in flat], {"long_name": "head"}),
        "excursion_feature": (dims, [each.feature for each in flat], {"long_name": "feature"}),
        "excursion_left": (dims, [each.left for each in flat], time),
        "excursion_extremum": (dims, [each.extremum for each in flat], {"long_name": "M_hf"}),
        "excursion_extremum_time": (dims, [each.extremum_time for each in flat], time),
        "excursion_back": (dims, [each.back for each in flat], time),
    }
    if "run" in run.dims:
        numbers = [r for r, runs in zip(run["run"].values, found, strict=True) for _ in runs]
        columns["excursion_run"] = (dims, numbers, {"long_name": "run"})
    return columns
