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

SIGNAL = Signal.sign_flips(mean=[1.0, 0.0], amplitude=[0.0, 1.5])
MODEL = Model(3, 2, SIGNAL, "softmax", label_noise=0.3)
STATE = OrderParameters.random(2, 2, scale=0.5, seed=1)
LEARNING = Model(3, 2, SIGNAL, "softmax1", offset="learned", value="learned")


def run(model=MODEL, state=STATE, **changes):
    options = {"times": [0.0, 0.5, 1.0], "learning_rate": 1.0, "dimension": 40, "runs": 3}
    return simulate(model, state, **(options | changes))


def test_starts_from_exactly_the_given_overlaps():
    state = STATE.replace(m_v=0.3, q_v=0.5, offset=[0.1, -0.4])
    data = run(LEARNING, state).isel(time=0)
    for name in ("M", "R", "Q", "m_v", "q_v", "offset"):
        expected = np.broadcast_to(getattr(state, name), data[name].shape)
        np.testing.assert_allclose(data[name], expected, rtol=0, atol=1e-12, err_msg=name)


def test_dataset_has_what_applies_and_nothing_else():
    always = {"M", "R", "Q", "risk", "risk_standard_error"}
    known, learned = run(), run(LEARNING)
    assert set(known.data_vars) == always
    assert set(learned.data_vars) == always | {"m_v", "q_v", "offset"}
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
        "method": "weights",
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


def test_the_number_of_workers_changes_nothing():
    reference = run(LEARNING, workers=1)
    for workers in (2, 5):
        xr.testing.assert_equal(run(LEARNING, workers=workers), reference)


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
        ({"method": "overlaps"}, "method"),
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
    assert [report.done for report in reports] == [20, 40]
    assert {report.total for report in reports} == {40}


def test_interruption_keeps_what_every_run_has_reached():
    def stop(progress):
        if progress.done >= 40:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        run(progress=stop)
    partial = caught.value.partial
    np.testing.assert_array_equal(partial["time"], [0.0, 0.5])
    np.testing.assert_array_equal(partial["M"], run()["M"][:, :2])


def test_a_registered_activation_is_simulated():
    x = sympy.Symbol("x", real=True)
    exponential = Activation("exponential", sympy.exp(x), "per_head", average=True)
    model = Model(3, 2, SIGNAL, exponential, label_noise=0.3)
    # Two ways to round the same weights, over 40 steps.
    xr.testing.assert_allclose(run(model), run(), rtol=1e-9)


def test_divergence_is_a_numerical_failure_with_the_part_before_it():
    model = Model(3, 2, SIGNAL, "linear")
    with pytest.raises(NumericalFailure, match="smaller learning rate") as caught:
        run(model, times=[0.0, 0.1, 1.0, 100.0], learning_rate=30.0)
    partial = caught.value.partial
    assert 2 <= partial.sizes["time"] < 4
    assert np.isfinite(partial["M"]).all()
