"""The unspecialized state is where the flow of identical heads goes, and is at rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from staged_model import alike, staged

import headode as ho
from headode.dynamics.packing import Packing
from headode.dynamics.right_hand_side import RightHandSide
from headode.expectation.select import expectation
from headode.expectation.symmetry import Symmetry
from headode.training import Training


def drift(model: ho.Model, state: ho.OrderParameters, tolerance: float, **training: Any) -> float:
    """Largest rate of change at a state."""
    evaluate = expectation(model, noise="learning_rate" in training, tolerance=tolerance)
    packing = Packing(model, Symmetry.of(model, state))
    rhs = RightHandSide(evaluate, packing, Training(**training))
    return float(np.abs(rhs(0.0, packing.pack(state))).max())


@pytest.mark.parametrize("activation", ["bayes_softmax", "softmax"])
def test_heads_reach_the_mean_signal(activation: str) -> None:
    state = ho.unspecialized_state(staged(activation))
    np.testing.assert_allclose(state.M, np.tile([2.0, 0.0, 0.0], (4, 1)), atol=1e-6)
    assert not state.R.any()
    assert not np.ptp(state.M, axis=0).any()


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(staged("softmax1", heads=2), id="null token"),
        pytest.param(staged("softmax1", heads=2, offset="learned"), id="learned offset"),
        pytest.param(staged(heads=3, value="learned"), id="learned value"),
        pytest.param(staged("erf"), id="erf"),
        pytest.param(staged("linear", value="learned"), id="linear with learned value"),
        pytest.param(staged(signal=ho.Signal.one_hot([2.0, 2.0, 1.0])), id="one-hot"),
        pytest.param(staged(signal=ho.Signal.gaussian([1.0, 1.0], [1.0, 0.5])), id="Gaussian"),
    ],
)
def test_it_is_at_rest_with_identical_heads(model: ho.Model) -> None:
    state = ho.unspecialized_state(model)
    assert drift(model, state, 1e-9) < 1e-7
    assert np.abs(state.M).max() > 0.1
    assert not np.ptp(state.M, axis=0).any()
    if state.offset is not None:
        assert (state.offset == state.offset[0]).all()
        assert state.offset[0] != 0


def test_the_flow_of_identical_heads_ends_there() -> None:
    """Off a Nishimori point: nothing but the flow says where it is."""
    model = staged(signal=ho.Signal.one_hot([2.0, 2.0, 1.0]))
    start = alike(model, 0.01 * model.signal.mean)
    run = ho.integrate(model, start, times=[1000.0], tolerance=1e-8, rtol=1e-8, atol=1e-10)
    # The slowest rate of identical heads is −0.023: exp(−23) is left of the way.
    np.testing.assert_allclose(
        run["M"].values[-1], ho.unspecialized_state(model).M, rtol=0, atol=1e-6
    )


def test_known_value_is_the_limit_of_a_learned_one_at_a_nishimori_point() -> None:
    state = ho.unspecialized_state(staged(value="learned"))
    np.testing.assert_allclose(state.M[:, 0], 2.0, atol=1e-6)
    assert state.m_v == pytest.approx(1.0, abs=1e-6)
    assert state.q_v == pytest.approx(1.0, abs=1e-6)


def test_without_a_mean_heads_stay_at_zero() -> None:
    symmetric = ho.Signal.sign_flips(mean=[0.0, 0.0], amplitude=[1.0, 2.0])
    skewed = ho.Signal.discrete([[2.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]])
    for signal in (symmetric, skewed):
        model = staged(signal=signal)
        state = ho.unspecialized_state(model)
        assert np.abs(state.M).max() < 1e-9
        assert drift(model, state, 1e-10) < 1e-9


def test_weight_decay_shortens_it() -> None:
    model = staged()
    state = ho.unspecialized_state(model, weight_decay=0.01)
    assert 1.0 < state.M[0, 0] < 1.2
    assert drift(model, state, 1e-9, weight_decay=0.01) < 1e-7


def test_learning_rate_noise_gives_identical_heads_a_common_residual() -> None:
    """Linear attention: everything is in closed form, also the noise."""
    model = staged("linear")
    state = ho.unspecialized_state(model, learning_rate=0.5, batch_size=2)
    assert drift(model, state, 1e-9, learning_rate=0.5, batch_size=2) < 1e-9
    assert state.R[0, 0] > 0.01
    np.testing.assert_allclose(state.R, state.R[0, 0], rtol=1e-12)


def test_pooled_heads_at_a_finite_learning_rate() -> None:
    model = staged(heads=2)
    state = ho.unspecialized_state(model, learning_rate=0.5)
    assert drift(model, state, 1e-9, learning_rate=0.5) < 1e-7
    assert state.R[0, 0] > 0.1
    assert state.R[0, 0] == state.R[0, 1]


def test_sampled_noise_is_said_to_limit_the_accuracy() -> None:
    model = staged("softmax", heads=2)
    with pytest.warns(ho.ToleranceWarning, match="sampled"):
        state = ho.unspecialized_state(model, learning_rate=0.5, tolerance=1e-3)
    # Other nodes, with a tolerance of their own: the errors of both.
    assert drift(model, state, 1e-3, learning_rate=0.5) < 1e-3


def test_residuals_apart_from_a_start_with_them() -> None:
    """A second fixed point, at which heads differ in their residuals alone."""
    model = staged()
    start = ho.OrderParameters(np.tile([2.2, 0.0, 0.0], (4, 1)), 0.4 * np.eye(4))
    state = ho.unspecialized_state(model, learning_rate=0.5, start=start)
    assert state.R[0, 0] - state.R[0, 1] > 0.3
    assert drift(model, state, 1e-8, learning_rate=0.5) < 1e-7


def test_a_start_is_taken_up() -> None:
    model = staged()
    start = ho.OrderParameters(np.tile([1.9, 0.0, 0.0], (4, 1)), np.zeros((4, 4)))
    np.testing.assert_allclose(ho.unspecialized_state(model, start=start).M[:, 0], 2.0, atol=1e-6)
    with pytest.raises(ho.ArgumentError, match="state"):
        ho.unspecialized_state(staged(heads=3), start=start)


def test_a_diverging_flow_is_a_numerical_failure_with_advice() -> None:
    with pytest.raises(ho.NumericalFailure, match="smaller learning rate"):
        ho.unspecialized_state(staged("linear", value="learned"), learning_rate=200.0)


def test_where_identical_heads_never_come_to_rest() -> None:
    """With a learned value too, the null token is best got rid of: its offset goes to −∞."""
    model = staged("softmax1", heads=1, offset="learned", value="learned")
    with pytest.raises(ho.NumericalFailure, match="there may be none"):
        ho.unspecialized_state(model)


def test_arguments_are_checked() -> None:
    with pytest.raises(ho.ArgumentError, match="tolerance"):
        ho.unspecialized_state(staged(), tolerance=0.0)
    with pytest.raises(ho.ArgumentError, match="learning_rate"):
        ho.unspecialized_state(staged(), learning_rate=-1.0)
    with pytest.raises(ho.ArgumentError, match="method"):
        ho.unspecialized_state(staged(), method="closed_form")
