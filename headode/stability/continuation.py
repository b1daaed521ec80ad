"""States continued along a parameter, and where their stability changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from headode._checks import (
    Array,
    check_array,
    check_integer,
    check_number,
    check_option,
    check_seed,
)
from headode._floats import own_errstate
from headode._limits import LARGEST_COUNT
from headode._version import __version__
from headode.errors import ArgumentError, Interrupted, NumericalFailure
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.stability.flow import Flow
from headode.stability.linear_stability import modes_at, verdict_of
from headode.stability.modes import Mode
from headode.stability.unspecialized import unspecialized_state
from headode.training import Training

if TYPE_CHECKING:
    import xarray as xr

BRANCHES = ("unspecialized", "optimal")
ModelAt = Callable[[float], Model | tuple[Model, Mapping[str, Any]]]


@dataclass(frozen=True, eq=False)
class Point:
    """A state on a branch.

    Attributes:
        model: at this value of the parameter.
        state: of the branch.
        risk: population risk of the state.
        modes: of its linearized dynamics.
    """

    model: Model
    state: OrderParameters
    risk: float
    modes: list[Mode]

    def rate(self, name: str) -> tuple[float, float]:
        """The largest growth rate among modes of a name, and its error; NaN if there is none."""
        rates = [(mode.rate.real, mode.error) for mode in self.modes if mode.name == name]
        return max(rates, default=(np.nan, np.nan))


@own_errstate
def continue_states(
    model_at: ModelAt,
    values: Any,
    *,
    branch: str = "unspecialized",
    parameter: str = "parameter",
    location_tolerance: float = 1e-3,
    restarts: int = 4,
    tolerance: float = 1e-6,
    method: str = "auto",
    seed: int = 0,
) -> xr.Dataset:
    """Follow a state along one parameter and locate where modes begin to grow, or cease to.

    Args:
        model_at: the model at a value of the parameter, or the model together with the arguments of
            the training (``learning_rate``, ``weight_decay`` ...) there, where the state is to be
            stable or not.
        values: (V,) increasing values of the parameter.
        branch: ``unspecialized`` (:func:`unspecialized_state`) or ``optimal`` (the state of the
            lowest risk; each value starts from the state at the one before, among others).
        parameter: name of the parameter, for pictures.
        location_tolerance: of a bifurcation, in units of the distance of the values around it.
        restarts: random starts of the optimizer at each value, on the optimal branch.
        tolerance: of states and derivatives.
        method: of the expectations on the unspecialized branch.
        seed: of random starts and quasi-Monte-Carlo nodes.

    Returns:
        A dataset over ``value`` with ``M``, ``R``, ``risk``, ``leading_rate`` and ``leading_mode``
        (the fastest growing one), ``verdict``; ``growth_rate`` (value, name), NaN where there is no
        mode of that name; and over ``bifurcation``: ``bifurcation_value`` and ``bifurcation_mode``,
        where the growth rate of modes of one name changes its sign.

    Raises:
        ArgumentError: for an argument out of range, or models with different numbers of heads.
        NumericalFailure: if there is no unspecialized state at some value; ``partial`` is the
            dataset of the values before it.
        Interrupted: on Ctrl-C; likewise.
    """
    grid = check_array("values", values, (None,))
    if (np.diff(grid) <= 0).any():
        raise ArgumentError("values", "be increasing", values)
    branch = check_option("branch", branch, BRANCHES)
    location_tolerance = check_number("location_tolerance", location_tolerance, 0.0, exclusive=True)
    restarts = check_integer("restarts", restarts, 0, LARGEST_COUNT)
    tolerance = check_number("tolerance", tolerance, 0.0, exclusive=True)
    seed = check_seed("seed", seed)
    follow = _Branch(model_at, branch, restarts, tolerance, method, seed)
    points: list[Point] = []
    crossings: list[tuple[float, str]] = []

    def so_far() -> xr.Dataset | None:
        count = len(points)
        return _dataset(grid[:count], points, crossings, branch, parameter) if points else None

    try:
        for value in grid:
            points.append(follow.point(float(value), points[-1] if points else None))
            if points[-1].state.M.shape != points[0].state.M.shape:
                requirement = "return models with the same numbers of heads and features"
                raise ArgumentError("model_at", requirement, points[-1].model)
        for (low, one), (high, two) in pairwise(zip(grid.tolist(), points, strict=True)):
            for name in _changing(one, two):
                ends, where = (one, two), (low, high)
                crossings.append((follow.crossing(name, where, ends, location_tolerance), name))
    except KeyboardInterrupt:
        message = f"interrupted: {len(points)} of {grid.size} values are finished"
        raise Interrupted(message, so_far()) from None
    except NumericalFailure as failure:
        where_not = f" (after {len(points)} of {grid.size} values)"
        raise NumericalFailure(f"{failure}{where_not}", so_far()) from None
    return _dataset(grid, points, crossings, branch, parameter)


def _changing(one: Point, two: Point) -> list[str]:
    """Names of modes that grow at one of two points and decay at the other, beyond their errors."""
    names = []
    for name in dict.fromkeys(mode.name for mode in one.modes):
        (before, error_1), (after, error_2) = one.rate(name), two.rate(name)
        if before * after < 0 and abs(before) > error_1 and abs(after) > error_2:
            names.append(name)
    return names


class _Branch:
    """Points of one branch; each is computed once."""

    def __init__(
        self,
        model_at: ModelAt,
        branch: str,
        restarts: int,
        tolerance: float,
        method: str,
        seed: int,
    ) -> None:
        self._model_at, self._branch, self._restarts = model_at, branch, restarts
        self._tolerance, self._method, self._seed = tolerance, method, seed
        self._known: dict[float, Point] = {}

    def point(self, value: float, near: Point | None) -> Point:
        """The state at a value of the parameter, and its modes."""
        if value not in self._known:
            self._known[value] = self._new_point(value, near)
        return self._known[value]

    def _new_point(self, value: float, near: Point | None) -> Point:
        given = self._model_at(value)
        model, training = given if isinstance(given, tuple) else (given, {})
        if not isinstance(model, Model):
            raise ArgumentError("model_at", "return a Model, or a pair of it and a mapping", given)
        flow = Flow(
            model,
            Training(**training),
            tolerance=self._tolerance,
            method=self._method,
            seed=self._seed,
        )
        start = None if near is None or near.state.M.shape[0] != model.heads else near.state
        state = self._state(model, training, start)
        vector = flow.pack(state)
        _, modes = modes_at(flow, vector, self._tolerance)
        return Point(model, state, flow.terms(vector).risk, modes)

    def _state(
        self, model: Model, training: Mapping[str, Any], start: OrderParameters | None
    ) -> OrderParameters:
        if self._branch == "unspecialized":
            return unspecialized_state(
                model,
                **training,
                tolerance=self._tolerance,
                method=self._method,
                seed=self._seed,
                start=start,
            )
        from headode.statics.optimal_risk import optimal_risk

        starts = () if start is None else (start,)
        best = optimal_risk(
            model,
            restarts=self._restarts,
            seed=self._seed,
            starts=starts,
            tolerance=self._tolerance,
        )
        return best.state if start is None else _in_the_order_of(start, best.state, model)

    def crossing(
        self, name: str, interval: tuple[float, float], ends: tuple[Point, Point], tolerance: float
    ) -> float:
        """Where the rate of the modes of a name vanishes between two values."""
        import scipy.optimize

        low, high = interval

        def rate(value: float) -> float:
            nearer = ends[0] if value - low < high - value else ends[1]
            return self.point(float(value), nearer).rate(name)[0]

        found: float = scipy.optimize.brentq(rate, low, high, xtol=tolerance * (high - low))
        return found


def _in_the_order_of(
    start: OrderParameters, state: OrderParameters, model: Model
) -> OrderParameters:
    """The state with its heads numbered as those of another one that are nearest to them."""
    import scipy.optimize

    if isinstance(model.offset, np.ndarray) and np.ptp(model.offset):
        return state  # its heads are not interchangeable
    distances = ((start.M[:, None] - state.M[None]) ** 2).sum(axis=2)
    _, order = scipy.optimize.linear_sum_assignment(distances)
    return state.permuted(order)


def _dataset(
    grid: Array,
    points: list[Point],
    crossings: list[tuple[float, str]],
    branch: str,
    parameter: str,
) -> xr.Dataset:
    import xarray as xr

    names = sorted({mode.name for point in points for mode in point.modes})
    leading = [point.modes[0] for point in points]
    crossings = sorted(crossings)
    data: dict[str, Any] = {
        "M": (("value", "head", "feature"), np.array([point.state.M for point in points])),
        "R": (("value", "head", "head_2"), np.array([point.state.R for point in points])),
        "risk": ("value", [point.risk for point in points], {"long_name": "population risk"}),
        "leading_rate": ("value", [mode.rate.real for mode in leading], {"units": "d/steps"}),
        "leading_mode": ("value", [mode.name for mode in leading]),
        "verdict": ("value", [verdict_of(point.modes) for point in points]),
        "growth_rate": (
            ("value", "name"),
            np.array([[point.rate(name)[0] for name in names] for point in points]),
            {"long_name": "growth rate λ", "units": "d/steps"},
        ),
        "bifurcation_value": ("bifurcation", np.array([value for value, _ in crossings])),
        "bifurcation_mode": ("bifurcation", np.array([name for _, name in crossings], dtype=str)),
    }
    model = points[0].model
    if model.learns_value:
        data["m_v"] = ("value", [point.state.m_v for point in points])
        data["q_v"] = ("value", [point.state.q_v for point in points])
    if model.learns_offset:
        data["offset"] = (("value", "head"), np.array([point.state.offset for point in points]))
    coordinates = {
        "value": ("value", grid, {"long_name": parameter}),
        "name": names,
        "head": np.arange(1, model.heads + 1),
        "head_2": np.arange(1, model.heads + 1),
        "feature": np.arange(1, model.features + 1),
    }
    attributes = {
        "kind": "continuation",
        "branch": branch,
        "configuration": json.dumps(model.to_dict()),
        "headode_version": __version__,
    }
    return xr.Dataset(data, coords=coordinates, attrs=attributes)
