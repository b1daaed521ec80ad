"""The Monte Carlo estimate of the population risk."""

import numpy as np
import pytest
from sgd_numpy import draw_sequence, loss

from headode import Model, OrderParameters, Signal
from headode.simulation.risk import estimate_risk
from headode.simulation.vectors import Overlaps, initial_vectors, measure_overlaps

SIGNALS = {
    "sign_flips": Signal.sign_flips(mean=[1.0, 0.0], amplitude=[0.0, 1.5]),
    "mixture": Signal.mixture(means=[[1.0, -0.5], [0.0, 1.0]], covariances=[0.5, [0.2, 0.9]]),
}


def overlaps_of(model, state):
    heads, features = state.M.shape
    cross = np.zeros(heads), np.zeros(heads), np.zeros(features)
    return Overlaps(state.M, state.R, state.m_v, state.q_v, *cross, model.offsets(state))


def linear_risk(model, state):
    """By hand: S_l = Σ_h χ_lh is Gaussian of variance 1ᵀQ1, with mean 1ᵀMθ on the marked token.

    E A_ε = c (H + E μ) and E Σ A² = c² (L (H² + 1ᵀQ1) + 2 H E μ + E μ²), μ = 1ᵀMθ.
    """
    heads, direction = model.heads, state.M.sum(axis=0)
    mean = direction @ model.signal.mean
    square = mean**2 + direction @ model.signal.covariance @ direction
    marked = model.prefactor * (heads + mean)
    squares = model.prefactor**2 * (
        model.tokens * (heads**2 + state.Q.sum()) + 2 * heads * mean + square
    )
    return 0.5 * (1 + model.label_noise**2 - 2 * state.m_v * marked + state.q_v * squares)


@pytest.mark.parametrize("kind", SIGNALS)
@pytest.mark.parametrize("tokens", [1, 3, 400])
def test_risk_of_linear_attention_is_the_one_computed_by_hand(tokens, kind):
    model = Model(tokens, 3, SIGNALS[kind], "linear", value="learned", label_noise=0.5)
    state = OrderParameters.random(3, 2, scale=0.8, seed=1).replace(m_v=0.7, q_v=0.9)
    samples = 4_000
    risk, error = estimate_risk(model, overlaps_of(model, state), np.random.default_rng(1), samples)
    # Six comparisons; 4.5 standard errors have probability 4e-5.
    assert abs(risk - linear_risk(model, state)) < 4.5 * error
    assert 0 < error < 0.1 * risk


@pytest.mark.parametrize(
    ("activation", "offset"),
    [("softmax", "zero"), ("softmax1", "learned"), ("bayes_softmax", "nishimori")],
)
def test_risk_is_the_mean_loss_on_full_vectors(activation, offset):
    model = Model(
        3, 2, SIGNALS["mixture"], activation, offset=offset, value="learned", label_noise=0.3
    )
    state = OrderParameters.random(2, 2, scale=0.9, seed=2).replace(m_v=0.8, q_v=1.1)
    if model.learns_offset:
        state = state.replace(offset=[0.4, -0.3])
    rng = np.random.default_rng(3)
    offset = model.offsets(state)
    teacher, student = initial_vectors(state, offset, 10, rng)
    losses = np.array(
        [loss(model, [draw_sequence(rng, model, teacher)], *student) for _ in range(10_000)]
    )
    risk, error = estimate_risk(model, overlaps_of(model, state), rng)
    combined = np.hypot(error, losses.std() / 100)
    assert abs(risk - losses.mean()) < 4.5 * combined


@pytest.mark.parametrize("value", ["known", "learned"])
@pytest.mark.parametrize("activation", ["softmax1", "bayes_softmax"])
def test_risk_in_few_dimensions_includes_all_overlaps(activation, value):
    """With weights in any direction: heads along v* and v, a value along k*."""
    model = Model(3, 2, SIGNALS["mixture"], activation, offset="zero", value=value)
    state = OrderParameters.random(2, 2, learned_value=model.learns_value)
    rng = np.random.default_rng(4)
    teacher, student = initial_vectors(state, np.zeros(2), 6, rng)
    student.heads[:] = rng.normal(0.0, 0.7, (2, 6)) + 0.6 * teacher.value
    if model.learns_value:
        student.value[:] = rng.standard_normal(6) + 0.5 * teacher.features[0]
    overlaps = measure_overlaps(teacher, student)
    losses = np.array(
        [loss(model, [draw_sequence(rng, model, teacher)], *student) for _ in range(20_000)]
    )
    risk, error = estimate_risk(model, overlaps, rng, 40_000)
    combined = np.hypot(error, losses.std() / np.sqrt(losses.size))
    assert abs(risk - losses.mean()) < 4.5 * combined
    # These overlaps matter here.
    without = overlaps._replace(k_v_star=np.zeros(2), k_v=np.zeros(2), v_k_star=np.zeros(2))
    assert abs(estimate_risk(model, without, rng, 40_000)[0] - risk) > 6 * combined


def test_risk_does_not_depend_on_roundoff_of_vanishing_residuals():
    model = Model(3, 2, SIGNALS["mixture"], "softmax")
    state = OrderParameters(M=np.eye(2), R=np.zeros((2, 2)))
    overlaps = overlaps_of(model, state)
    rounded = overlaps._replace(
        R=1e-33 * np.eye(2), k_v_star=np.full(2, 1e-17), k_v=np.full(2, 1e-17)
    )
    expected, error = estimate_risk(model, overlaps, np.random.default_rng(0))
    assert abs(estimate_risk(model, rounded, np.random.default_rng(1))[0] - expected) < 6 * error


@pytest.mark.parametrize("size", [np.inf, np.nan, 1e200])
def test_overlaps_of_a_diverged_run_have_no_risk(size):
    model = Model(3, 2, SIGNALS["mixture"], "linear")
    state = OrderParameters.random(2, 2)
    overlaps = overlaps_of(model, state)._replace(M=np.full((2, 2), size))
    assert np.isnan(estimate_risk(model, overlaps, np.random.default_rng(0))).all()
