"""Predicted dates of splits against those of integrated trajectories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from staged_model import KAPPA, alike, staged

import headode as ho
from headode.stability.flow import Flow

# What is promised; measured are 0.4 % at the first and 0.2 % at the second split.
PROMISED = 0.05


def half_way(run: xr.Dataset, spread: np.ndarray) -> np.ndarray:
    """(F,) first times at which the heads' standard deviation reaches half of a final one."""
    reached = run["M"].values.std(axis=1)
    dates = np.full(len(spread), np.nan)
    for f in np.flatnonzero(spread):
        over = reached[:, f] >= 0.5 * spread[f]
        if over.any():
            i = int(over.argmax())
            dates[f] = np.interp(
                0.5 * spread[f], reached[i - 1 : i + 1, f], run["time"].values[i - 1 : i + 1]
            )
    return dates


@pytest.mark.parametrize(("scale", "seed"), [(1e-3, 0), (1e-4, 2)])
def test_both_splits_of_the_staged_example(scale: float, seed: int) -> None:
    model = staged()
    state = ho.OrderParameters.random(4, 3, scale=scale, seed=seed)
    predicted = ho.predict_specialization(model, state, time=800.0)
    run = ho.integrate(model, state, time=800.0, count=150, tolerance=1e-5, rtol=1e-5)
    integrated = half_way(run, np.sqrt(np.diag(model.signal.covariance)))
    dates = predicted["specialization_time"].values
    assert np.isnan(dates[0])
    np.testing.assert_allclose(dates[1:], integrated[1:], rtol=PROMISED)
    assert (predicted["departure_time"].values[1:] < dates[1:]).all()


def test_dates_of_a_reading_with_its_own_final_spread() -> None:
    """The rule of `specialization_times`: half of the spread at the end of the run."""
    model = staged()
    state = ho.OrderParameters.random(4, 3, scale=1e-3, seed=3)
    run = ho.integrate(model, state, time=500.0, tolerance=1e-5, rtol=1e-5)
    read = ho.specialization_times(run)
    spread = np.array([0.0, *read["final_spread"].values[1:]])
    predicted = ho.predict_specialization(model, state, time=500.0, final_spread=spread)
    for name in ("specialization_time", "departure_time"):
        np.testing.assert_allclose(predicted[name][1:], read[name][1:], rtol=PROMISED)


def test_smaller_differences_wait_longer_at_the_rate_of_the_fixed_point() -> None:
    """The later the departure, the nearer it is to the fixed point, and the better its rate."""
    model = staged(heads=2, signal=ho.Signal.sign_flips([2.0, 0.0], [0.0, 1.2]))
    early, late, later = (
        ho.predict_specialization(
            model,
            ho.OrderParameters([[0.0, size], [0.0, -size]], np.zeros((2, 2))),
            time=1e4,
            fixed_point=alike(model),
        ).sel(feature=2)
        for size in (1e-4, 1e-12, 1e-20)
    )
    limit = float(early["fixed_point_rate"])
    # κ ∝ 1/H.
    assert limit == pytest.approx(2 * KAPPA["bayes_softmax"] * 1.2**2, rel=1e-5)
    waiting = np.log(1e8) / limit
    for first, second, accuracy in ((early, late, 0.05), (late, later, 0.01)):
        time = float(second["specialization_time"] - first["specialization_time"])
        assert time == pytest.approx(waiting, rel=accuracy)
    # Before the fixed point they grow faster.
    assert float(early["specialization_time"]) < float(early["fixed_point_time"])
    assert float(early["alignment"]) < float(late["alignment"]) < float(later["alignment"]) < 1.0
    assert float(late["growth"]) == pytest.approx(np.log(0.1 * 1.2 / 1e-12))


def test_roundoff_does_not_slow_down_what_grows_from_tiny_differences(monkeypatch) -> None:
    """Against the tolerance of the differences at the start it would be large at the end."""
    calls, noise, terms = 0, np.random.default_rng(0), Flow.terms

    def with_roundoff(flow: Flow, vector: np.ndarray) -> ho.ExpectedUpdate:
        nonlocal calls
        calls += 1
        found = terms(flow, vector)
        return replace(found, G=found.G + 1e-16 * noise.standard_normal(found.G.shape))

    monkeypatch.setattr(Flow, "terms", with_roundoff)
    model = staged(heads=2, signal=ho.Signal.sign_flips([2.0, 0.0], [0.0, 1.2]))
    fixed_point = alike(model)
    needed = []
    for size in (1e-4, 1e-20):
        calls = 0
        state = ho.OrderParameters([[0.0, size], [0.0, -size]], np.zeros((2, 2)))
        found = ho.predict_specialization(model, state, time=1e4, fixed_point=fixed_point)
        assert found["specialization_time"].notnull().sel(feature=2)
        needed.append(calls)
    # It waits six times as long; measured are three times as many, and hundreds with one tolerance.
    assert needed[1] < 10 * needed[0]


def test_heads_without_differences_never_split() -> None:
    model = staged()
    found = ho.predict_specialization(model, alike(model, [0.01, 0.0, 0.0]), time=50.0)
    assert np.isnan(found["specialization_time"]).all()
    assert (found["initial_spread"] == 0).all()
    assert float(found["fixed_point_rate"].sel(feature=2)) > 0


def test_a_single_head_cannot_split() -> None:
    model = staged(heads=1)
    found = ho.predict_specialization(model, alike(model), time=10.0)
    assert np.isnan(found["specialization_time"]).all()
    assert np.isnan(found["fixed_point_rate"]).all()


def test_heads_that_have_split_are_dated_at_the_start() -> None:
    model = staged()
    state = ho.OrderParameters(model.signal.means, np.zeros((4, 4)))
    found = ho.predict_specialization(model, state, time=10.0)
    np.testing.assert_array_equal(found["specialization_time"][1:], 0.0)
    np.testing.assert_array_equal(found["departure_time"][1:], 0.0)


def test_what_comes_after_the_last_time_is_not_known() -> None:
    model = staged()
    state = ho.OrderParameters.random(4, 3, scale=1e-3, seed=0)
    found = ho.predict_specialization(model, state, time=100.0)
    assert np.isnan(found["specialization_time"]).all()
    assert 60.0 < float(found["departure_time"].sel(feature=2)) < 70.0


def test_heads_that_settle_early_have_a_final_spread_of_their_own() -> None:
    """Weight decay holds them back."""
    signal = ho.Signal.sign_flips([2.0, 0.0], [0.0, 1.8])
    model = staged(heads=2, signal=signal)
    state = ho.OrderParameters([[0.1, 1e-2], [0.1, -1e-2]], np.zeros((2, 2)))
    decay = {"weight_decay": 0.02}
    predicted = ho.predict_specialization(model, state, time=1000.0, **decay).sel(feature=2)
    run = ho.integrate(model, state, time=1000.0, tolerance=1e-5, rtol=1e-5, **decay)
    read = ho.specialization_times(run).sel(feature=2)
    assert float(read["final_spread"]) < 0.5 * 1.8
    assert float(predicted["final_spread"]) == pytest.approx(float(read["final_spread"]), rel=1e-3)
    for name in ("specialization_time", "departure_time"):
        assert float(predicted[name]) == pytest.approx(float(read[name]), rel=PROMISED)


def test_features_that_are_not_independent() -> None:
    """One-hot: no feature has a mean of 0, and none is absent before it splits."""
    model = staged(heads=3, signal=ho.Signal.one_hot([2.5, 2.0, 1.5]))
    state = ho.OrderParameters.random(3, 3, scale=1e-3, seed=1)
    predicted = ho.predict_specialization(model, state, time=2000.0)
    run = ho.integrate(model, state, time=2000.0, tolerance=1e-5, rtol=1e-5)
    integrated = half_way(run, np.sqrt(np.diag(model.signal.covariance)))
    assert not np.isnan(integrated).any()
    np.testing.assert_allclose(predicted["specialization_time"], integrated, rtol=PROMISED)


def test_learning_rate_noise_with_residuals_that_differ() -> None:
    model = staged(heads=2, signal=ho.Signal.sign_flips([2.0, 0.0], [0.0, 1.8]))
    state = ho.OrderParameters(
        [[1e-3, 2e-3], [-1e-3, -1e-3]], np.array([[0.010, 0.002], [0.002, 0.020]])
    )
    arguments = {"learning_rate": 0.5, "batch_size": 4}
    predicted = ho.predict_specialization(model, state, time=150.0, **arguments)
    run = ho.integrate(model, state, time=150.0, tolerance=1e-3, rtol=1e-4, **arguments)
    integrated = half_way(run, np.sqrt(np.diag(model.signal.covariance)))
    np.testing.assert_allclose(
        predicted["specialization_time"].values[1], integrated[1], rtol=PROMISED
    )


def test_arguments_are_checked() -> None:
    model = staged()
    state = alike(model)
    with pytest.raises(ho.ArgumentError, match="time"):
        ho.predict_specialization(model, state, time=0.0)
    with pytest.raises(ho.ArgumentError, match="final_spread"):
        ho.predict_specialization(model, state, time=1.0, final_spread=[1.0])
