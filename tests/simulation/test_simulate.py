"""``simulate``: records, reproducibility, refusals, interruption."""

import json

import numpy as np
import pytest
import sympy
import xarray as xr

from headode import (
    Activation,
    ArgumentError,
    Interrupted,
    Model,
    NumericalFailure,
    OrderParameters,
    Signal,
    simulate,
)
from headode.simulation.ensemble import Ensemble, RunRecords, run_ensemble

SIGNAL = Signal.sign_flips(mean=[1.0, 0.0], amplitude=[0.0, 1.5])
MODEL = Model(3, 2, SIGNAL, "softmax", label_noise=0.3)
STATE = OrderParameters.random(2, 2, scale=0.5, seed=1)
LEARNING = Model(3, 2, SIGNAL, "softmax1", offset="learned", value="learned")
METHODS = ["overlaps", "weights"]


def run(model=MODEL, state=STATE, **changes):
    options = {"times": [0.0, 0.5, 1.0], "learning_rate": 1.0, "dimension": 40, "runs": 3}
    return simulate(model, state, **(options | changes))


@pytest.mark.parametrize("method", METHODS)
def test_starts_from_exactly_the_given_overlaps(method):
    state = STATE.replace(m_v=0.3, q_v=0.5, offset=[0.1, -0.4])
    data = run(LEARNING, state, method=method).isel(time=0)
    for name in ("M", "R", "Q", "m_v", "q_v", "offset"):
        expected = np.broadcast_to(getattr(state, name), data[name].shape)
        np.testing.assert_allclose(data[name], expected, rtol=0, atol=1e-12, err_msg=name)
    for name in ("k_v_star", "k_v", "v_k_star"):
        np.testing.assert_allclose(data[name], 0, rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_dataset_has_what_applies_and_nothing_else(method):
    always = {"M", "R", "Q", "risk", "risk_standard_error", "k_v_star"}
    known, learned = run(method=method), run(LEARNING, method=method)
    assert set(known.data_vars) == always
    assert set(learned.data_vars) == always | {
        *("m_v", "q_v", "offset"),
        *("k_v", "v_k_star"),
    }
    for data in (known, learned):
        assert (data["k_v_star"].isel(time=-1) != 0).all()
        assert all(variable.attrs["long_name"] for variable in data.data_vars.values())
    assert learned["M"].dims == ("run", "time", "head", "feature")
    assert learned["risk"].dims == ("run", "time")
    assert learned.attrs["kind"] == "simulation"
    for name in ("wall_time", "microseconds_per_step"):
        assert learned.attrs[name] > 0
    assert (known.attrs["dimension"], known.attrs["runs"], known.attrs["seed"]) == (40, 3, 0)
    configuration = json.loads(known.attrs["configuration"])
    assert configuration["simulation"] == {
        "dimension": 40,
        "runs": 3,
        "method": method,
        "seed": 0,
    }
    assert configuration["training"]["learning_rate"] == 1.0
    assert json.loads(run(configuration={"mine": 1}).attrs["configuration"]) == {"mine": 1}


def test_records_at_the_asked_times_after_the_nearest_number_of_steps():
    times = [0.0, 0.011, 0.26, 1.0]
    data = run(times=times)
    np.testing.assert_array_equal(data["time"], times)
    np.testing.assert_array_equal(data["step"], [0, 0, 10, 40])
    xr.testing.assert_equal(data["M"][:, 0].drop_vars(["time"]), data["M"][:, 1].drop_vars("time"))
    # Recording does not disturb the runs.
    alone = run(times=[1.0])
    np.testing.assert_array_equal(data["M"][:, -1], alone["M"][:, -1])


def test_last_time_with_count_and_spacing():
    data = run(times=None, time=2.0, count=5, spacing="linear")
    np.testing.assert_allclose(data["time"], [0.0, 0.5, 1.0, 1.5, 2.0], rtol=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_the_number_of_workers_changes_nothing(method):
    reference = run(LEARNING, workers=1, method=method)
    for workers in (2, 5):
        xr.testing.assert_equal(run(LEARNING, workers=workers, method=method), reference)


def test_the_two_methods_agree():
    """The test of the whole; that of the laws is test_overlaps_law.py."""
    ends = [
        run(LEARNING, runs=200, method=method, times=[2.0], seed=seed).isel(time=0)
        for seed, method in enumerate(METHODS)
    ]
    for name in ("M", "R", "risk", "m_v", "q_v", "offset", "k_v_star", "k_v", "v_k_star"):
        a, b = (data[name].values for data in ends)
        error = np.hypot(a.std(axis=0), b.std(axis=0)) / np.sqrt(200)
        # Some twenty comparisons; 4.5 standard errors have probability 7e-6 each.
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) <= 4.5 * error).all(), name


def test_seeds_and_runs_are_independent():
    first, second = run(seed=1), run(seed=2)
    ends = np.concatenate([first["M"][:, -1], second["M"][:, -1]]).reshape(6, -1)
    assert len(np.unique(ends, axis=0)) == 6
    risks = np.concatenate([first["risk"][:, 0], second["risk"][:, 0]])
    assert np.unique(risks).size == 6  # same overlaps at t = 0, independent estimates
    xr.testing.assert_equal(run(seed=1), first)


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"times": None}, "time"),
        ({"time": 1.0}, "time"),
        ({"times": [1.0, 0.5]}, "times"),
        ({"learning_rate": None}, "learning_rate"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"dimension": 5}, "dimension"),
        ({"runs": 0}, "runs"),
        ({"workers": 0}, "workers"),
        ({"seed": -1}, "seed"),
        ({"method": "weight"}, "method"),
        ({"method": "weights", "dimension": 5}, "dimension"),
        ({"state": OrderParameters.random(3, 2)}, "state"),
    ],
)
def test_impossible_arguments_are_named(changes, argument):
    with pytest.raises(ArgumentError) as caught:
        run(**changes)
    assert caught.value.argument == argument


def test_progress_counts_the_steps_to_the_end():
    reports = []
    run(progress=reports.append)
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert done[-1] == 40
    assert {report.total for report in reports} == {40}


def test_interruption_keeps_what_each_run_has_reached():
    options = {"times": [0.0, 1.0, 500.0, 1000.0], "dimension": 1000, "runs": 3, "workers": 2}

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="0 of 3 runs are finished") as caught:
        run(progress=stop, **options)  # 1.5 s of steps, stopped after 0.1 s
    partial = caught.value.partial
    options |= {"times": partial["time"].values, "runs": 2}
    assert partial["time"].size < 4
    assert 1 <= partial.sizes["run"] <= 2
    for number in partial["run"].values:
        recorded = np.isfinite(partial["risk"].sel(run=number)).values
        assert recorded[0]
        whole = run(**options).sel(run=number, time=partial["time"][recorded])
        xr.testing.assert_equal(partial.sel(run=number).isel(time=recorded), whole)


def test_what_a_run_raises_is_raised():
    class Fault(Exception):
        pass

    def start(number):
        raise Fault(number)

    steps = np.array([0, 10])
    ensemble = Ensemble(start, steps, lambda *_: (0.0, 0.0), lambda *_: None)
    with pytest.raises(Fault):
        run_ensemble(ensemble, [RunRecords() for _ in range(20)], range(20), 2, None)


def test_a_registered_activation_is_simulated():
    x = sympy.Symbol("x", real=True)
    exponential = Activation("exponential", sympy.exp(x), "per_head", average=True)
    model = Model(3, 2, SIGNAL, exponential, label_noise=0.3)
    # Two ways to round the same weights, over 40 steps.
    xr.testing.assert_allclose(run(model), run(), rtol=1e-9)


def test_divergence_is_a_numerical_failure_with_the_part_before_it():
    model = Model(3, 2, SIGNAL, "linear")
    message = "3 of 3 runs .* diverged, .* before t = .*: try a smaller learning rate"
    with pytest.raises(NumericalFailure, match=message) as caught:
        run(model, times=[0.0, 0.1, 1.0, 100.0], learning_rate=30.0)
    partial = caught.value.partial
    assert 2 <= partial.sizes["time"] < 4
    assert np.isfinite(partial["M"][:, :2]).all()
