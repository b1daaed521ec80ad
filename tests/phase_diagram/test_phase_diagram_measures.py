"""Measures are what single calls give."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from sweeps import overlap, sections

import headode as ho
from headode.config.schema import Measure as MeasureName
from headode.errors import ArgumentError, NumericalFailure
from headode.phase_diagrams.api import make_plan
from headode.phase_diagrams.measures import BUILTIN, describe_function, make_measures
from headode.phase_diagrams.plan import Outcome
from headode.phase_diagrams.point import Point

# Heads that part along feature 2 in half a second, with expectations that are cheap.
SPLITTING = {
    "model": {"tokens": 3, "heads": 2, "activation": "bayes_softmax"},
    "signal": {"kind": "sign_flips", "mean": [2.0, 0.0], "amplitude": [0.0, 1.8]},
    "training": {"time": 200.0, "learning_rate": "gradient_flow"},
    "initial": {"scale": 0.1},
    "expectation": {"tolerance": 1e-3},
    "integrator": {"rtol": 1e-3, "atol": 1e-6},
    "output": {"count": 40},
}
TRAJECTORY = [
    "final_risk",
    "excess_risk",
    "bayes_risk",
    "specialization_time",
    "specialization_times",
    "specialized_features",
    "feature_order",
    "redundant_heads",
    "phase",
]


def outcome_of(configuration: dict[str, Any], measures: Any) -> Outcome:
    """The outcome of the only point of a sweep."""
    plan = make_plan(
        configuration, axes={"model.heads": [configuration["model"]["heads"]]}, measures=measures
    )
    return plan.evaluate((0, 0))


def test_schema_knows_the_measures() -> None:
    assert get_args(MeasureName) == tuple(BUILTIN)
    assert all(measure.long_name for measure in BUILTIN.values())


def test_measures_of_a_trajectory() -> None:
    config = ho.config_from_dict(SPLITTING)
    model = config.build_model()
    run = ho.integrate(
        model,
        config.build_state(),
        times=config.output_times(),
        tolerance=1e-3,
        rtol=1e-3,
        atol=1e-6,
    )
    values, message, failed = outcome_of(SPLITTING, TRAJECTORY)
    assert not failed
    assert not message
    dates = ho.specialization_times(run, model)["specialization_time"].values
    assert np.isnan(dates[0])
    assert 5 < dates[1] < 200
    assert values == {
        "final_risk": float(run["risk"][-1]),
        "excess_risk": float(run["risk"][-1]) - run.attrs["bayes_risk"],
        "bayes_risk": run.attrs["bayes_risk"],
        "specialization_time": dates[1],
        "specialization_times": [pytest.approx(np.nan, nan_ok=True), dates[1]],
        "specialized_features": 1.0,
        "feature_order": "2",
        "redundant_heads": 0.0,
        "phase": "specialized",
    }


def test_an_early_end_is_unspecialized() -> None:
    early = SPLITTING | {"training": {"time": 1.0}}
    values = outcome_of(early, TRAJECTORY).values
    assert values["phase"] == "unspecialized"
    assert values["feature_order"] == "none"
    assert values["specialized_features"] == 0
    assert np.isnan(values["specialization_time"])


def test_statics_and_stability_are_measured() -> None:
    values = outcome_of(SPLITTING, ["growth_rate", "bayes_risk"]).values
    model = ho.config_from_dict(SPLITTING).build_model()
    assert values["bayes_risk"] == ho.bayes_risk(model, tolerance=1e-3)
    # The growth law κ Var θ_f, with κ of two heads (theory: specialization).
    assert values["growth_rate"] == pytest.approx(2 * 1.418e-2 * 1.8**2, rel=2e-3)


def test_optimal_risk_is_the_bayes_risk_where_heads_suffice() -> None:
    small = SPLITTING | {"model": SPLITTING["model"] | {"tokens": 2, "heads": 2}}
    values = outcome_of(small, ["optimal_risk", "bayes_risk"]).values
    assert values["optimal_risk"] == pytest.approx(values["bayes_risk"], abs=2e-3)


def test_success_rate_counts_the_runs_that_specialize() -> None:
    simulated = SPLITTING | {
        "training": {"time": 20.0, "learning_rate": 1.0},
        "simulation": {"dimension": 100, "runs": 6},
        "output": {"times": [0.0, 10.0, 20.0]},
    }
    config = ho.config_from_dict(simulated)
    ensemble = ho.simulate(
        config.build_model(),
        config.build_state(),
        times=[0.0, 10.0, 20.0],
        learning_rate=1.0,
        dimension=100,
        runs=6,
    )
    reached = ho.specialization_times(ensemble)["specialized"].any("feature").mean("run")
    assert outcome_of(simulated, ["success_rate"]).values == {"success_rate": float(reached)}
    with pytest.raises(ArgumentError, match=r"training\.learning_rate"):
        make_plan(SPLITTING, axes={"model.heads": [2]}, measures=["success_rate"])


def test_divergence_is_a_phase_and_no_value_of_other_measures() -> None:
    diverging = sections(training={"time": 50.0, "learning_rate": 50.0})
    values, message, failed = outcome_of(diverging, ["phase"])
    assert values == {"phase": "fails"}
    assert not failed
    assert message.startswith("the order parameters diverged")
    values, message, failed = outcome_of(diverging, ["phase", "final_risk", "bayes_risk"])
    assert failed
    assert set(values) == {"phase", "bayes_risk"}
    assert message.startswith("final_risk: the order parameters diverged")


def test_a_failing_trajectory_is_integrated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def fails(*_: Any, **__: Any) -> None:
        calls.append(1)
        raise NumericalFailure("too hard")

    monkeypatch.setattr("headode.dynamics.integrate.integrate", fails)
    outcome = outcome_of(sections(), ["final_risk", "excess_risk", "phase", "redundant_heads"])
    assert calls == [1]
    assert outcome.message == "final_risk, excess_risk, redundant_heads: too hard"


def test_only_what_is_measured_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def length(point: Point) -> float:
        """Number of recorded times."""
        lengths.append(point.run.sizes["time"])
        return 0.0

    outcome_of(sections(), [length])
    assert lengths == [3]
    experiment = ho.config_from_dict(sections()).experiment
    assert Point(experiment, {}, whole_run=False).run.sizes["time"] == 2


def test_functions_are_measures() -> None:
    (named,) = make_measures([overlap])
    assert named.name == "overlap"
    assert named.long_name == "Product of the largest overlap and the signal strength"
    assert named.describe().startswith("sweeps.overlap (")
    (other,) = make_measures({"strength": lambda point: point.model.heads})
    assert other.name == "strength"

    def changed(point: Point) -> float:
        return point.model.heads + 1

    assert describe_function(other.function) != describe_function(changed)


@pytest.mark.parametrize(
    ("measures", "said"),
    [
        ([], "nonempty"),
        ("final_risk", "list of names and functions"),
        (["final_rsik"], "did you mean final_risk"),
        (["final_risk", "final_risk"], "without one twice"),
        ([lambda point: point.model.heads], "a name of its own"),
        ({"final_risk": overlap}, "a name of its own"),
        ({"status": overlap}, "a name of its own"),
        ({"risk": "final_risk"}, "under its own name"),
        ([7], "names or functions"),
    ],
)
def test_measures_that_are_refused(measures: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        make_measures(measures)
