"""The oracle itself: hand-written gradients against differences, and cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import _built_in, brute_force_update, central_differences

from headode.activation import BUILTIN
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal


@pytest.mark.parametrize("name", BUILTIN)
def test_hand_written_gradient_is_the_derivative_of_the_weights(name):
    rng = np.random.default_rng(1)
    s = 2 * rng.standard_normal((20, 3, 2))
    value = rng.standard_normal((20, 3))
    slope = _built_in(name, s, value, 0.3)[1]
    numerical = central_differences(lambda x: _built_in(name, x, value, 0.3)[0], s, value)
    # Second order with step 1e-5: 1e-10 of truncation, 1e-11 of cancellation.
    assert np.abs(slope - numerical).max() < 1e-9


@pytest.mark.parametrize("name", BUILTIN)
def test_weights_are_normalized_as_their_definition_says(name):
    s = 30 * np.random.default_rng(2).standard_normal((50, 4, 3))
    total = _built_in(name, s, np.ones((50, 4)), 1.0)[0].sum(axis=1)
    if name in ("softmax", "bayes_softmax", "softplus"):
        assert np.abs(total - 1).max() < 1e-12
    if name == "softmax1":
        # Each head gives e^s / (1 + e^s) of its mass to tokens; heads add up.
        assert (total > 0).all()
        assert (total <= 3 + 1e-12).all()


@pytest.mark.parametrize("name", ["softmax", "bayes_softmax"])
def test_attention_without_scores_is_uniform(name):
    """Zero heads: A_l = 1/L, so E L = ½(1 + Δ² − 2 m_v/L + q_v/L), and no head is pulled to R."""
    model = Model(4, 2, Signal.one_hot([1.5, 0.5]), name, value="learned", label_noise=0.5)
    state = OrderParameters(np.zeros((2, 2)), np.zeros((2, 2)), m_v=0.6, q_v=0.8)
    terms = brute_force_update(model, state, 100_000, np.random.default_rng(3))
    # 4.5 standard errors: one false alarm in 1e5 per entry.
    assert terms.risk.deviations(0.5 * (1.25 - 2 * 0.6 / 4 + 0.8 / 4)) < 4.5
    assert terms.marked_attention.deviations(0.25) < 4.5
    assert terms.squared_attention.deviations(0.25) < 4.5
    assert terms.value_noise.deviations(0.25 * 2 * terms.risk.value) < 4.5
    # At zero scores both activations have ∂A_j/∂χ_lh = (δ_jl − 1/L)/(LH), so that
    # ∂ℓ/∂χ_εh = −m_v (1 − 1/L)/(LH) and G_hf = that times E θ_f.
    expected = np.tile(-0.6 * 0.75 / 8 * model.signal.mean, (2, 1))
    assert terms.G.deviations(expected) < 4.5


def test_estimates_are_reproducible_and_shrink_with_samples():
    model = Model(2, 2, Signal.gaussian([0.5], 1.0), "erf", offset=[0.1, -0.2])
    state = OrderParameters([[0.4], [0.7]], np.diag([0.2, 0.0]))
    first = brute_force_update(model, state, 20_000, np.random.default_rng(4))
    again = brute_force_update(model, state, 20_000, np.random.default_rng(4))
    more = brute_force_update(model, state, 320_000, np.random.default_rng(5))
    assert (first.N.value == again.N.value).all()
    # The standard error falls as samples^(-1/2): a factor of 4, itself known to a few per cent.
    ratio = first.drift_Q.standard_error / more.drift_Q.standard_error
    assert np.abs(ratio - 4).max() < 0.6
