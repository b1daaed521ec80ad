"""When the heads will split: dates from the linearized dynamics of their differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headode._checks import Array, check_array, check_number
from headode._floats import own_errstate
from headode.errors import NumericalFailure
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.split_rule import DATED
from headode.stability.course import follow_course
from headode.stability.dates import final_spreads, read_dates
from headode.stability.feature_rates import feature_rates
from headode.stability.flow import Flow
from headode.stability.unspecialized import unspecialized_state
from headode.training import Training

if TYPE_CHECKING:
    import xarray as xr

# Of the flow, for dates with four digits, and of the fixed point with its rates.
FLOW_TOLERANCE, RATE_TOLERANCE = 1e-2, 1e-4

LONG_NAMES = {
    "specialization_time": "predicted time at which the spread reaches half of the final one",
    "departure_time": "predicted time at which the spread reaches a tenth of the final one",
    "growth": "logarithm of the growth of the spread until the departure",
    "departure_rate": "growth rate of the spread at the departure",
    "alignment": "overlap of the mean head with the mean signal at the departure, over its square",
    "fixed_point_rate": "growth rate of head differences at the unspecialized state",
    "fixed_point_time": "specialization time if that rate held from the start",
    "initial_spread": "standard deviation over the heads at time 0",
    "final_spread": "standard deviation over the heads that the dates refer to",
}


@own_errstate
def predict_specialization(
    model: Model,
    state: OrderParameters,
    *,
    time: float,
    learning_rate: float | None = None,
    value_learning_rate: float = 1.0,
    offset_learning_rate: float = 1.0,
    batch_size: int = 1,
    weight_decay: float = 0.0,
    final_spread: Any = None,
    fixed_point: OrderParameters | None = None,
    method: str = "auto",
    seed: int = 0,
) -> xr.Dataset:
    """When the heads will split along each feature, from given overlaps (theory: specialization).

    Differences of the heads grow by the linearized ODE about the course that identical heads would
    take, and about the one that they do take once they differ along other features; only what is
    larger than a twentieth of its final value is followed nonlinearly, to saturation.

    Args:
        model: any model.
        state: at time 0, with small differences between the heads.
        time: last time that is looked at, in steps/d (gradient flow: η·steps/d).
        learning_rate: η; None is gradient flow.
        value_learning_rate: η_v of a learned value.
        offset_learning_rate: η_b of learned offsets.
        batch_size: B.
        weight_decay: λ.
        final_spread: (F,) standard deviations over the heads, of each feature's overlaps, that the
            dates refer to, 0 for features of no interest. None: those of θ_f, which heads have that
            settle at the points of P_θ; or, where they settle at less than half and more than an
            eighth of it until ``time``, what they have then.
        fixed_point: the unspecialized state; None: found by :func:`unspecialized_state`.
        method: of the expectations; see :func:`headode.expected_update`.
        seed: of quasi-Monte-Carlo nodes.

    Returns:
        A dataset over ``feature``: ``specialization_time``, when the spread over the heads reaches
        half of the final one; ``departure_time``, when it reaches a tenth; ``growth``, the
        logarithm of how much it has grown until then; ``departure_rate``, at which it grows then;
        ``alignment`` then, the mean head's overlap with the mean signal over its square;
        ``fixed_point_rate`` and ``fixed_point_time``, the limit of small initial differences;
        ``initial_spread`` and ``final_spread``. NaN where something does not happen until ``time``.

    Raises:
        ArgumentError: for a state that does not fit the model, or an argument out of range.
        NumericalFailure: if the integrator fails.
    """
    time = check_number("time", time, 0.0, exclusive=True)
    model.check_state(state)
    scales = _scales(model, final_spread)
    rates: dict[str, Any] = {
        "learning_rate": learning_rate,
        "value_learning_rate": value_learning_rate,
        "offset_learning_rate": offset_learning_rate,
        "batch_size": batch_size,
        "weight_decay": weight_decay,
    }
    training = Training(**rates)
    flow = Flow(model, training, tolerance=FLOW_TOLERANCE, method=method, seed=seed)
    course = follow_course(flow, state, scales, DATED, time)
    final = scales if final_spread is not None else final_spreads(course, scales, time)
    if fixed_point is None:
        try:
            fixed_point = unspecialized_state(
                model, **rates, tolerance=RATE_TOLERANCE, method=method, seed=seed
            )
        except NumericalFailure:
            # The dates do not need it: its rates stay unknown.
            fixed_point = None
    limit = np.full(model.features, np.nan)
    if fixed_point is not None:
        flow = Flow(model, training, tolerance=RATE_TOLERANCE, method=method, seed=seed)
        limit = feature_rates(flow, flow.pack(model.check_state(fixed_point)))
    found = read_dates(course, final, model.signal.mean)
    found |= {"initial_spread": course.spread[0], "fixed_point_rate": limit}
    return _dataset(found, final)


def _scales(model: Model, given: Any) -> Array:
    """(F,) spreads to refer to; infinite for features that are not looked at."""
    spread = np.sqrt(np.diag(model.signal.covariance))
    if given is not None:
        spread = check_array("final_spread", given, (model.features,))
    result: Array = np.where(spread > 0, spread, np.inf)
    return result


def _dataset(values: dict[str, Array], final: Array) -> xr.Dataset:
    import xarray as xr

    limit = values["fixed_point_rate"]
    with np.errstate(divide="ignore", invalid="ignore"):
        wait = np.log(DATED * final / values["initial_spread"]) / limit
    values["fixed_point_time"] = np.where((limit > 0) & np.isfinite(wait), wait, np.nan)
    values["final_spread"] = np.where(np.isfinite(final), final, 0.0)
    data = {}
    for name, text in LONG_NAMES.items():
        units = {"time": "steps/d", "rate": "d/steps"}.get(name.rsplit("_", 1)[-1])
        attributes = {"long_name": text} | ({} if units is None else {"units": units})
        data[name] = ("feature", values[name], attributes)
    return xr.Dataset(
        data, coords={"feature": np.arange(1, len(final) + 1)}, attrs={"kind": "prediction"}
    )
