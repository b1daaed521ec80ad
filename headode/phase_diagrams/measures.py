"""What is measured at each point of a phase diagram."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headode.errors import ArgumentError, one_of
from headode.phase_diagrams.point import Point


@dataclass(frozen=True)
class Measure:
    """One variable of a phase diagram.

    Attributes:
        name: of the variable.
        function: computes it from a :class:`Point`; NaN (or an empty name) where it does not apply.
        long_name: what it is.
        units: of its values.
        categorical: whether its values are names rather than numbers.
        per_feature: whether it has a value for each feature.
        whole_run: whether it looks at more of the trajectory than its last time.
        simulates: whether it needs finite-d runs.
    """

    name: str
    function: Callable[[Point], Any]
    long_name: str
    units: str = ""
    categorical: bool = False
    per_feature: bool = False
    whole_run: bool = False
    simulates: bool = False

    def describe(self) -> str:
        """What identifies it: the name of a built-in one; of another one also its source."""
        return self.name if BUILTIN.get(self.name) is self else describe_function(self.function)


def _final_risk(point: Point) -> float:
    return float(point.run["risk"][-1])


def _excess_risk(point: Point) -> float:
    return _final_risk(point) - point.bayes_risk


def _bayes_risk(point: Point) -> float:
    return point.bayes_risk


def _optimal_risk(point: Point) -> float:
    from headode.statics.optimal_risk import optimal_risk

    return float(optimal_risk(point.model, **_only(point, "tolerance", "method")).risk)


def _growth_rate(point: Point) -> float:
    from headode.stability.linear_stability import linear_stability
    from headode.stability.unspecialized import unspecialized_state

    arguments = point.experiment.training_arguments() | _only(point, "tolerance", "method", "seed")
    state = unspecialized_state(point.model, **arguments)
    return float(linear_stability(point.model, state, **arguments)["growth_rate"].max())


def _only(point: Point, *names: str) -> dict[str, Any]:
    """Some keys of the section about expectations, as far as they are given."""
    given = point.experiment.given("expectation")
    return {name: given[name] for name in names if name in given}


def _dates(point: Point) -> Any:
    """(F,) dates of the splits, NaN for a feature along which the heads do not part."""
    from headode.specialization.times import specialization_times

    def compute() -> Any:
        return specialization_times(point.run, point.model)["specialization_time"].values

    return point.once("dates", compute)


def _first_date(point: Point) -> float:
    dates = _dates(point)
    return float(np.nanmin(dates)) if np.isfinite(dates).any() else np.nan


def _specialized_features(point: Point) -> float:
    return float(np.isfinite(_dates(point)).sum())


def _feature_order(point: Point) -> str:
    dates = _dates(point)
    order = [f for f in np.argsort(dates, kind="stable") if np.isfinite(dates[f])]
    return " < ".join(str(f + 1) for f in order) or "none"


def _redundant_heads(point: Point) -> float:
    from headode.specialization.heads import redundant_heads

    return float(redundant_heads(point.run, point.model))


def _phase(point: Point) -> str:
    """Where training ends up; learning nothing, or diverging, is a phase too."""
    if point.failure is not None or not point.run["risk"][-1] < point.run["risk"][0]:
        return "fails"
    split = np.isfinite(_dates(point))[np.diag(point.model.signal.covariance) > 0]
    if not split.any():
        return "unspecialized"
    return "specialized" if split.all() else "partly specialized"


def _success_rate(point: Point) -> float:
    from headode.specialization.times import specialization_times

    runs = specialization_times(point.simulation, point.model)
    return float(runs["specialized"].any("feature").mean("run"))


BUILTIN = {
    measure.name: measure
    for measure in (
        Measure("final_risk", _final_risk, "population risk at the end"),
        Measure("excess_risk", _excess_risk, "population risk at the end, less the Bayes risk"),
        Measure("bayes_risk", _bayes_risk, "Bayes risk"),
        Measure("optimal_risk", _optimal_risk, "least risk of the activation"),
        Measure("growth_rate", _growth_rate, "largest growth rate at the unspecialized state"),
        Measure(
            "specialization_time",
            _first_date,
            "time of the first split of the heads",
            units="steps/d",
            whole_run=True,
        ),
        Measure(
            "specialization_times",
            _dates,
            "time at which the heads split along a feature",
            units="steps/d",
            per_feature=True,
            whole_run=True,
        ),
        Measure(
            "specialized_features",
            _specialized_features,
            "features along which the heads have split",
            whole_run=True,
        ),
        Measure(
            "feature_order",
            _feature_order,
            "features in the order in which the heads split along them",
            categorical=True,
            whole_run=True,
        ),
        Measure("redundant_heads", _redundant_heads, "heads that are redundant", whole_run=True),
        Measure("phase", _phase, "where training ends up", categorical=True, whole_run=True),
        Measure(
            "success_rate",
            _success_rate,
            "fraction of finite-d runs that specialize",
            simulates=True,
        ),
    )
}


def make_measures(measures: Any) -> tuple[Measure, ...]:
    """Measures from names, functions of a :class:`Point`, or a mapping of names to either.

    Raises:
        ArgumentError: for an unknown name, or a function whose name is no valid one.
    """
    if isinstance(measures, Mapping):
        named = [_named(name, value) for name, value in measures.items()]
    elif isinstance(measures, Sequence) and not isinstance(measures, str):
        named = [_named(None, value) for value in measures]
    else:
        raise ArgumentError("measures", "be a list of names and functions, or a mapping", measures)
    names = [measure.name for measure in named]
    if not names or len(set(names)) < len(names):
        raise ArgumentError("measures", "be nonempty, without one twice", names)
    return tuple(named)


def _named(name: str | None, value: Any) -> Measure:
    if isinstance(value, str):
        if value not in BUILTIN:
            raise ArgumentError("measures", one_of(BUILTIN, value), value)
        if name not in (None, value):
            raise ArgumentError("measures", f"have {value} under its own name", name)
        return BUILTIN[value]
    if not callable(value):
        raise ArgumentError("measures", "be names or functions of a point", value)
    name = getattr(value, "__name__", "") if name is None else name
    if not name.isidentifier() or name in BUILTIN or name in RESERVED:
        requirement = "have a name of its own: use a mapping {name: function}"
        raise ArgumentError("measures", requirement, name)
    long_name = (inspect.getdoc(value) or name).splitlines()[0].rstrip(".")
    return Measure(name, value, long_name, whole_run=True)


# Names of other variables and coordinates.
RESERVED = ("status", "message", "seed", "feature")


def describe_function(function: Callable[..., Any]) -> str:
    """A name for a function that changes when its source does."""
    name = f"{function.__module__}.{getattr(function, '__qualname__', type(function).__name__)}"
    try:
        source = inspect.getsource(function).encode()
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        source = b"" if code is None else code.co_code + repr(code.co_consts).encode()
    return f"{name} ({hashlib.sha256(source).hexdigest()[:12]})"
