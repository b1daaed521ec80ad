"""Quasi-Monte-Carlo against brute force, closed forms and its own error estimate."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from brute_force import _built_in, brute_force_update
from cases import ACTIVATIONS, random_model, random_state

import headode as ho
from headode.errors import ToleranceWarning
from headode.expectation.quasi_monte_carlo import QuasiMonteCarlo
from headode.expectation.select import expectation

SAMPLES = 200_000
TERMS = ("risk", "marked_attention", "squared_attention", "value_noise", "G", "N")
STANDARD_ERRORS = 4.0


def quasi_monte_carlo(model, state, tolerance, **options):
    return ho.expected_update(
        model, state, method="quasi_monte_carlo", tolerance=tolerance, **options
    )


def agree(terms, name, expected, estimate):
    """Within 4 standard errors of the sampled mean and of the nodes' own error together."""
    spread = np.hypot(estimate.standard_error, 0.5 * terms.error)
    deviation = np.abs(estimate.value - expected) / (spread + 1e-12)
    assert deviation.max() < STANDARD_ERRORS, name


@pytest.mark.parametrize("case", range(3))
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_equals_brute_force(activation, case):
    rng = np.random.default_rng([case, ACTIVATIONS.index(activation)])
    model = random_model(rng, activation)
    state = random_state(rng, model, rank=1 if case == 2 else None)
    # The standard errors of the sampled means are about 1e-3.
    terms = quasi_monte_carlo(model, state, 2e-3 if activation == "softmax1" else 5e-4, noise=True)
    brute = brute_force_update(model, state, SAMPLES, rng)
    for name in TERMS:
        agree(terms, name, getattr(terms, name), getattr(brute, name))
    agree(terms, "offset_gradient", terms.offset_gradient, brute.offset_gradient)
    agree(terms, "drift of M", terms.G + terms.C @ state.M, brute.drift_M)
    agree(terms, "drift of Q", terms.G @ state.M.T + terms.C @ state.Q, brute.drift_Q)


def sampled_loss(model, M, R, draws):
    """Sampled losses ½(y − f)² at (M, R), a smooth function of both for fixed draws."""
    theta, teacher, residual, true_value, noise = draws
    rows = np.arange(len(theta))
    fields = teacher.copy()
    fields[rows, 0] += theta
    offset = model.offsets(ho.OrderParameters(M, R))
    chi = fields @ M.T + residual @ np.linalg.cholesky(R).T - offset
    attention, _ = _built_in(model.activation.name, chi, true_value, model.prefactor)
    label = true_value[rows, 0] + model.label_noise * noise
    return 0.5 * (label - np.einsum("nl,nl->n", attention, true_value)) ** 2


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_drift_is_the_finite_difference_of_the_sampled_risk(activation):
    """∂E/∂M at fixed R is G + C M, and ∂E/∂R along a symmetric D is ½ tr(C D)."""
    rng = np.random.default_rng([7, ACTIVATIONS.index(activation)])
    signal = ho.Signal.sign_flips([1.0, 0.3], [0.5, 0.8])
    model = ho.Model(3, 2, signal, activation, offset="nishimori", label_noise=0.2)
    M, R = rng.standard_normal((2, 2)), np.array([[0.6, 0.1], [0.1, 0.8]])
    draws = (
        signal.sample(rng, SAMPLES),
        rng.standard_normal((SAMPLES, 3, 2)),
        rng.standard_normal((SAMPLES, 3, 2)),
        rng.standard_normal((SAMPLES, 3)),
        rng.standard_normal(SAMPLES),
    )
    terms = quasi_monte_carlo(model, ho.OrderParameters(M, R), 1e-4)
    step = 1e-3
    for h in range(2):
        for f in range(2):
            D = np.zeros((2, 2))
            D[h, f] = step
            change = sampled_loss(model, M + D, R, draws) - sampled_loss(model, M - D, R, draws)
            check_mean(change / (2 * step), (terms.G + terms.C @ M)[h, f], terms.error)
        for k in range(h + 1):
            D = np.zeros((2, 2))
            D[h, k] = D[k, h] = step
            change = sampled_loss(model, M, R + D, draws) - sampled_loss(model, M, R - D, draws)
            expected = 0.5 * np.sum(terms.C * D) / step
            check_mean(change / (2 * step), expected, terms.error)


def check_mean(samples, expected, error):
    # The central difference adds about step² ≈ 1e-6 times a third derivative of order one.
    spread = np.hypot(samples.std() / np.sqrt(len(samples)), error)
    assert abs(samples.mean() - expected) < STANDARD_ERRORS * spread + 1e-5


@pytest.mark.parametrize("activation", ["linear", "erf"])
def test_reported_error_covers_the_true_one(activation):
    """Against closed forms: the 95 % interval of the worst entry covers almost always."""
    rng = np.random.default_rng(3)
    covered = []
    for seed in range(40):
        model = random_model(rng, activation, tokens=3, heads=2)
        state = random_state(rng, model)
        exact = ho.expected_update(model, state, method="auto")
        terms = quasi_monte_carlo(model, state, 1e-2, seed=seed)
        true = max(
            np.abs(terms.G - exact.G).max(),
            np.abs(terms.C - exact.C).max(),
            abs(terms.risk - exact.risk),
        )
        covered.append(true <= terms.error)
    # Nominally 95 %; 34 of 40 is three binomial standard deviations (1.4 cases) below 38.
    assert sum(covered) >= 34


def test_error_falls_faster_than_random_sampling():
    """The slope of error against nodes, fitted over four doublings: −1/2 for random nodes."""
    model = ho.Model(2, 2, ho.Signal.one_hot([1.5, 1.0]), "softmax")
    state = ho.OrderParameters([[0.8, 0.1], [0.2, 0.7]], [[0.5, 0.1], [0.1, 0.4]])
    levels = np.arange(1, 7)
    errors = []
    for level in levels:
        averaged = []
        for seed in range(6):
            evaluate = QuasiMonteCarlo(model, tolerance=1.0, seed=seed)
            evaluate._level = int(level)
            averaged.append(evaluate(state).error)
        errors.append(np.mean(averaged))
    slope = np.polyfit(levels * np.log(2), np.log(errors), 1)[0]
    assert slope < -0.7


def test_nodes_are_doubled_until_the_tolerance_is_met():
    model = ho.Model(3, 2, ho.Signal.one_hot([2.0, 1.0]), "softmax")
    state = ho.OrderParameters(np.eye(2), 0.3 * np.eye(2))
    results = [quasi_monte_carlo(model, state, tolerance) for tolerance in (1e-2, 1e-3, 1e-4)]
    assert all(r.error <= t for r, t in zip(results, (1e-2, 1e-3, 1e-4), strict=True))
    assert results[0].nodes < results[1].nodes < results[2].nodes
    # What an evaluator has learned it keeps: no node is taken away along a trajectory.
    evaluate = QuasiMonteCarlo(model, tolerance=1e-3)
    first = evaluate(state).nodes
    assert evaluate(ho.OrderParameters(np.zeros((2, 2)), 1e-8 * np.eye(2))).nodes == first


def test_unreached_tolerance_is_said_once(monkeypatch):
    monkeypatch.setattr("headode.expectation.nodes.LARGEST_NODES", 1 << 12)
    model = ho.Model(3, 3, ho.Signal.one_hot([2.0, 1.0]), "softmax")
    state = ho.OrderParameters(np.ones((3, 2)) * [[1], [2], [0]], 0.3 * np.eye(3))
    evaluate = expectation(model, method="quasi_monte_carlo", tolerance=1e-7, seed=123)
    with pytest.warns(ToleranceWarning, match=r"tolerance is 1.0e-07"):
        first = evaluate(state)
    assert evaluate(state).risk == first.risk
    assert first.error > 1e-7


def test_result_does_not_depend_on_the_number_of_threads():
    model = ho.Model(4, 3, ho.Signal.sign_flips([1, 0], [0.5, 1]), "bayes_softmax")
    state = random_state(np.random.default_rng(0), model)
    threads = numba.get_num_threads()
    parallel = quasi_monte_carlo(model, state, 1e-3, noise=True)
    try:
        numba.set_num_threads(1)
        serial = quasi_monte_carlo(model, state, 1e-3, noise=True)
    finally:
        numba.set_num_threads(threads)
    assert np.array_equal(parallel.C, serial.C)
    assert np.array_equal(parallel.N, serial.N)
    assert parallel.risk == serial.risk


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_identical_heads_get_identical_updates(activation):
    """Also with R ∝ I, where the nodes treat the heads differently."""
    model = ho.Model(3, 4, ho.Signal.sign_flips([1, 0], [0, 1.5]), activation)
    M = np.tile([[0.7, 0.2]], (4, 1))
    for R in (np.zeros((4, 4)), 0.1 * np.eye(4), 0.05 + 0.1 * np.eye(4)):
        terms = quasi_monte_carlo(model, ho.OrderParameters(M, R), 1e-2, noise=True)
        assert np.array_equal(terms.G, np.tile(terms.G[:1], (4, 1)))
        for matrix in (terms.C, terms.N):
            assert len(set(np.diag(matrix))) == 1
            assert len(set(matrix[~np.eye(4, dtype=bool)])) == 1


def test_absent_symmetric_feature_stays_absent():
    model = ho.Model(3, 2, ho.Signal.sign_flips([1, 0.0], [0.2, 1.5]), "softmax")
    state = ho.OrderParameters([[0.7, 0], [0.2, 0]], 0.1 * np.eye(2))
    assert np.array_equal(quasi_monte_carlo(model, state, 1e-2).G[:, 1], np.zeros(2))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_singular_states_and_large_scores(activation):
    """No inverse of Q: silent heads, coinciding heads, scores of several hundred."""
    model = ho.Model(3, 3, ho.Signal.one_hot([1.0, 2.0]), activation)
    for M in (np.zeros((3, 2)), np.array([[1, 1], [1, 1], [0, 0.0]]), 300 * np.eye(3, 2)):
        terms = quasi_monte_carlo(model, ho.OrderParameters(M, np.zeros((3, 3))), 1e6, noise=True)
        for value in (terms.risk, terms.G, terms.C, terms.N):
            assert np.all(np.isfinite(value))


def test_more_dimensions_than_sobol_coordinates():
    model = ho.Model(1500, 2, ho.Signal.one_hot([3.0, 3.0]), "softmax")
    terms = quasi_monte_carlo(model, ho.OrderParameters(np.eye(2), np.zeros((2, 2))), 1.0)
    # Scores of variance one: the weights are 1/L up to factors of order one.
    assert 0.49 < terms.risk < 0.5
    assert 0 < terms.marked_attention < 0.05
