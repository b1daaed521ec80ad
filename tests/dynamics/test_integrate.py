"""The ODE against systems that can be solved by hand, and what integrate promises."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import headode as ho
from headode.dynamics.integrate import INTEGRATORS
from headode.trajectory import state_at

SIGNAL = ho.Signal.sign_flips([1.0, 0.2], [0.0, 0.8])
STATE = ho.OrderParameters([[0.3, 0.2], [0.1, -0.4]], [[0.2, 0.05], [0.05, 0.3]])


def test_with_one_token_only_weight_decay_acts():
    """L = 1: M(t) = M₀ e^{−ηλt}, R(t) = R₀ e^{−2ηλt}."""
    model = ho.Model(1, 2, SIGNAL, "softmax")
    times = [0.0, 0.5, 2.0, 7.0]
    run = ho.integrate(model, STATE, times=times, learning_rate=2.0, weight_decay=0.3)
    decay = np.exp(-0.6 * np.array(times))[:, None, None]
    np.testing.assert_allclose(run.M, STATE.M * decay, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(run.R, STATE.R * decay**2, rtol=1e-5, atol=1e-8)
    assert np.array_equal(run.time, times)


def test_value_of_a_single_token():
    """L = 1: A = 1, so m_v relaxes to 1 and q_v obeys a linear equation with label noise."""
    rate, batch, noise = 0.8, 2, 0.5
    model = ho.Model(1, 1, SIGNAL, "softmax", value="learned", label_noise=noise)
    state = ho.OrderParameters([[0.1, 0.0]], [[0.1]], m_v=0.2, q_v=0.5)
    times = np.linspace(0, 6, 13)
    run = ho.integrate(
        model, state, times=times, learning_rate=1.0, value_learning_rate=rate, batch_size=batch
    )
    m_v = 1 - 0.8 * np.exp(-rate * times)
    np.testing.assert_allclose(run.m_v, m_v, rtol=1e-5)
    # s = q_v − 2 m_v + 1 = |v − v*|²/d: ds/dt = −(2η_v − η_v²/B) s + η_v² Δ²/B.
    gain = 2 * rate - rate**2 / batch
    floor = rate**2 * noise**2 / batch / gain
    s = floor + (0.5 - 0.4 + 1 - floor) * np.exp(-gain * times)
    np.testing.assert_allclose(run.q_v, s + 2 * m_v - 1, rtol=1e-5)
    np.testing.assert_allclose(run.risk, 0.5 * (s + noise**2), rtol=1e-5)


def test_linear_attention_in_gradient_flow_is_a_linear_ode():
    """Known value, one head, θ = a e_1: dM/dt = −(c²L m + c² a (1 + a m) − c a), R decays."""
    a, c, L = 1.3, 0.4, 3
    model = ho.Model(L, 1, ho.Signal.one_hot([a]), "linear", prefactor=c)
    times = np.linspace(0, 8, 9)
    run = ho.integrate(model, ho.OrderParameters([[0.1]], [[0.7]]), times=times)
    slope = c**2 * (L + a**2)
    fixed = a * c * (1 - c) / slope
    np.testing.assert_allclose(
        run.M[:, 0, 0], fixed + (0.1 - fixed) * np.exp(-slope * times), rtol=1e-5
    )
    np.testing.assert_allclose(run.R[:, 0, 0], 0.7 * np.exp(-2 * c**2 * L * times), rtol=1e-5)
    assert run.attrs["expectation_method"] == "closed_form"


def test_learned_offset_follows_its_gradient():
    """erf with M = Q = 0: E = ½(1 − 2A + L A²), A = c(1 − erf b), and b starts with −η_b E'(b)."""
    model = ho.Model(3, 1, ho.Signal.one_hot([1.0]), "erf", offset="learned", prefactor=0.5)
    state = ho.OrderParameters([[0.0]], [[0.0]], offset=[0.3])
    run = ho.integrate(
        model, state, times=[0, 1e-3, 200.0], offset_learning_rate=0.7, rtol=1e-9, atol=1e-12
    )
    attention = 0.5 * (1 - math.erf(0.3))
    slope = -0.5 * 2 / math.sqrt(math.pi) * math.exp(-(0.3**2))
    rate = -0.7 * (-1 + 3 * attention) * slope
    change = float(run.offset[1, 0] - run.offset[0, 0])
    # One Euler step of 1e-3: its relative remainder is of the order of the step.
    assert change == pytest.approx(1e-3 * rate, rel=5e-3)
    assert run.risk[2] < run.risk[0]


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_integrators_agree(integrator):
    model = ho.Model(3, 2, SIGNAL, "erf", prefactor=0.3)
    run = ho.integrate(model, STATE, time=20.0, count=12, integrator=integrator)
    reference = ho.integrate(
        model, STATE, time=20.0, count=12, integrator="DOP853", rtol=1e-11, atol=1e-13
    )
    # Global error: local tolerance 1e-6 times the number of steps, at most a few hundred.
    assert np.abs(run.M - reference.M).max() < 1e-4
    assert np.abs(run.R - reference.R).max() < 1e-4


def test_error_of_the_integrator_follows_its_tolerance():
    model = ho.Model(3, 2, SIGNAL, "erf", prefactor=0.3)
    reference = ho.integrate(
        model, STATE, times=[0, 30.0], integrator="DOP853", rtol=1e-12, atol=1e-14
    )
    errors = []
    for rtol in (1e-4, 1e-6, 1e-8):
        run = ho.integrate(
            model, STATE, times=[0, 30.0], integrator="RK45", rtol=rtol, atol=rtol * 1e-3
        )
        errors.append(float(np.abs(run.M - reference.M).max()))
    slope = np.polyfit(np.log([1e-4, 1e-6, 1e-8]), np.log(errors), 1)[0]
    assert 0.6 < slope < 1.4


@pytest.mark.parametrize("activation", ["softmax", "softmax1", "bayes_softmax", "softplus"])
def test_gradient_flow_never_raises_the_risk(activation):
    model = ho.Model(3, 2, SIGNAL, activation)
    run = ho.integrate(model, STATE, time=60.0, count=30, tolerance=1e-3)
    assert np.diff(run.risk).max() <= run.expectation_error.max()
    assert run.risk[-1] < run.risk[0]
    assert np.linalg.eigvalsh(run.R.values).min() >= -1e-14
    assert np.array_equal(run.R.values, run.R.values.swapaxes(1, 2))


def test_identical_heads_stay_identical_for_ever():
    """Their differences are unstable: e^{0.045·10⁴} would turn one lost bit into everything."""
    model = ho.Model(3, 3, ho.Signal.sign_flips([2, 0], [0, 1.8]), "bayes_softmax")
    state = ho.OrderParameters(np.tile([[0.5, 0.01]], (3, 1)), 0.01 * np.eye(3))
    run = ho.integrate(model, state, time=1e4, count=10, tolerance=1e-2)
    assert np.array_equal(run.M.values, np.repeat(run.M.values[:, :1], 3, axis=1))
    last = run.Q.values[-1]
    assert len(set(np.diag(last))) == 1
    assert len(set(last[~np.eye(3, dtype=bool)])) == 1


def test_absent_symmetric_feature_stays_absent():
    model = ho.Model(3, 2, ho.Signal.sign_flips([2, 0], [0, 1.8]), "bayes_softmax")
    state = ho.OrderParameters([[0.5, 0.0], [0.3, 0.0]], 0.01 * np.eye(2))
    run = ho.integrate(model, state, time=3000.0, count=10, tolerance=1e-2)
    assert not run.M.values[:, :, 1].any()


def test_permuted_start_gives_the_permuted_trajectory():
    model = ho.Model(3, 2, SIGNAL, "softmax", label_noise=0.2)
    options = {"time": 15.0, "count": 8, "learning_rate": 0.7, "tolerance": 2e-4}
    one = ho.integrate(model, STATE, **options)
    two = ho.integrate(model, STATE.permuted([1, 0]), **options)
    error = float(one.expectation_error.max() + two.expectation_error.max())
    # Errors of the drift add up over the time, at most.
    assert np.abs(one.M.values[:, ::-1] - two.M.values).max() < 15.0 * error


def test_learning_rate_noise_scales_with_rate_and_batch():
    """At t → 0, dR/dt − (gradient-flow part)·η = (η²/B) N."""
    model = ho.Model(3, 2, SIGNAL, "linear", label_noise=0.5)
    terms = ho.expected_update(model, STATE, noise=True)
    step = 1e-4
    for rate, batch in ((1.0, 1), (2.0, 1), (2.0, 5)):
        run = ho.integrate(
            model, STATE, times=[0, step], learning_rate=rate, batch_size=batch, rtol=1e-10
        )
        measured = (run.R.values[1] - run.R.values[0]) / step
        CR = terms.C @ STATE.R
        expected = -rate * (CR + CR.T) + rate**2 / batch * terms.N
        np.testing.assert_allclose(measured, expected, rtol=1e-3, atol=1e-5)


def test_output_times_and_attributes():
    model = ho.Model(2, 1, ho.Signal.one_hot([1.0]), "linear", label_noise=0.1)
    run = ho.integrate(model, ho.OrderParameters([[0.1]], [[0.1]]), time=5.0, count=7)
    assert run.sizes["time"] == 7
    assert run.time[0] == 0
    assert run.time[-1] == 5.0
    assert run.attrs["status"] == "success"
    assert run.attrs["right_hand_side_evaluations"] > 0
    assert run.attrs["bayes_risk"] < float(run.risk[-1])
    configuration = json.loads(run.attrs["configuration"])
    assert configuration["model"]["label_noise"] == 0.1
    assert configuration["initial"]["M"] == [[0.1]]
    assert run.time.attrs["units"] == "steps/d"
    assert all("long_name" in run[name].attrs for name in run.variables)
    end = state_at(run)
    assert end.M[0, 0] == run.M[-1, 0, 0]


def test_progress_reports_time_and_risk():
    seen = []
    model = ho.Model(2, 1, ho.Signal.one_hot([1.0]), "linear")
    ho.integrate(
        model, ho.OrderParameters([[0.1]], [[0.1]]), time=5.0, count=5, progress=seen.append
    )
    done = [report.done for report in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1].total == 5.0
    assert all(0 < report.risk < 1 for report in seen)


def test_interruption_keeps_what_was_computed():
    model = ho.Model(2, 1, ho.Signal.one_hot([1.0]), "linear")

    def interrupt(report):
        if report.done > 2.0:
            raise KeyboardInterrupt

    whole = ho.integrate(model, ho.OrderParameters([[0.1]], [[0.1]]), time=5.0, spacing="linear")
    with pytest.raises(ho.Interrupted, match="interrupted at time") as caught:
        ho.integrate(
            model,
            ho.OrderParameters([[0.1]], [[0.1]]),
            time=5.0,
            spacing="linear",
            progress=interrupt,
        )
    partial = caught.value.partial
    assert partial.attrs["status"] == "interrupted"
    assert partial.time[-1] >= 2.0
    kept = partial.sizes["time"] - 1  # the last one is where it stopped
    assert kept > 10
    assert np.array_equal(partial.M[:kept], whole.M[:kept])


def test_divergence_is_a_numerical_failure_that_keeps_what_was_computed():
    """η c² L > 2 ... : linear attention with a large learning rate blows up."""
    model = ho.Model(3, 1, ho.Signal.one_hot([1.0]), "linear", prefactor=1.0, label_noise=1.0)
    with pytest.raises(ho.NumericalFailure, match=r"diverged.*smaller learning rate") as caught:
        ho.integrate(model, ho.OrderParameters([[0.1]], [[0.1]]), time=500.0, learning_rate=3.0)
    partial = caught.value.partial
    assert partial.attrs["status"] == "failed"
    assert partial.sizes["time"] > 1
    assert np.isfinite(partial.M).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": None}, "time"),
        ({"times": [0, 1]}, "time"),
        ({"time": -1.0}, "time"),
        ({"time": None, "times": [0, 2, 1]}, "times"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"integrator": "Euler"}, "RK45"),
        ({"method": "quasi_monte_carl"}, "did you mean quasi_monte_carlo"),
        ({"method": "closed_form"}, "closed_form"),
        ({"tolerance": -1e-6}, "tolerance"),
        ({"rtol": 0.0}, "rtol"),
        ({"spacing": "cubic"}, "linear"),
        ({"count": 1}, "count"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_computed(change, message):
    model = ho.Model(3, 2, SIGNAL, "softmax")
    with pytest.raises(ho.ArgumentError, match=message):
        ho.integrate(model, STATE, **({"time": 1.0} | change))


def test_state_must_fit_the_model():
    model = ho.Model(3, 3, SIGNAL, "softmax")
    with pytest.raises(ho.ArgumentError, match=r"shape \(3, 2\)"):
        ho.integrate(model, STATE, time=1.0)
    known = ho.Model(3, 2, SIGNAL, "softmax")
    with pytest.raises(ho.ArgumentError, match="value is known"):
        ho.integrate(known, STATE.replace(m_v=0.5, q_v=0.5), time=1.0)


def test_a_loose_tolerance_does_not_take_more_steps():
    """Loose quadrature rules are so different from state to state that integrators stumble: the
    staged example until t = 500 took 8940 right-hand sides at 1e-3, and 253 at 1e-5."""
    signal = ho.Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, 1.8, 1.2])
    model = ho.Model(3, 4, signal, "bayes_softmax", label_noise=0.3)
    state = ho.OrderParameters.random(4, 3, scale=0.01, seed=0)
    loose, tight = (
        ho.integrate(model, state, time=120.0, tolerance=tolerance) for tolerance in (1e-3, 1e-5)
    )
    key = "right_hand_side_evaluations"
    assert loose.attrs[key] <= 1.5 * tight.attrs[key]


def test_runs_in_two_threads_and_within_each_other_are_those_made_one_by_one():
    """What integrates must keep its state to itself, whoever else integrates meanwhile."""
    models = [ho.Model(L, 2, SIGNAL, "linear") for L in (2, 3, 4, 5)]

    def final(model, progress=None):
        return ho.integrate(model, STATE, time=20.0, tolerance=1e-6, progress=progress)["M"].values

    alone = [final(model) for model in models]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(final, models))
    np.testing.assert_array_equal(together, alone)
    inner = []
    outer = final(models[0], lambda _: inner or inner.append(final(models[1])))
    np.testing.assert_array_equal(outer, alone[0])
    np.testing.assert_array_equal(inner[0], alone[1])
