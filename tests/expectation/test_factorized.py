"""Token factorization against quasi-Monte-Carlo, multiple precision, and itself."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from brute_force import brute_force_update
from cases import random_model, random_signal, random_state
from hypothesis import given, settings
from hypothesis import strategies as st

import headode as ho
from headode.activation import BUILTIN
from headode.expectation.gaussian_rule import TooManyNodes

NORMALIZED = tuple(n for n, a in BUILTIN.items() if a.normalization != "none")
SIGNAL = ho.Signal.sign_flips([2, 0, 0], [0, 1.8, 1.2])
few = settings(max_examples=8)
seeds = st.integers(0, 2**32 - 1)


def factorized(model, state, tolerance=1e-6, **options):
    return ho.expected_update(model, state, method="factorized", tolerance=tolerance, **options)


def largest_difference(one, two):
    return max(
        abs(one.risk - two.risk),
        np.abs(one.G - two.G).max(),
        np.abs(one.C - two.C).max(),
        np.abs(one.offset_gradient - two.offset_gradient).max(),
        abs(one.marked_attention - two.marked_attention),
        abs(one.squared_attention - two.squared_attention),
    )


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("activation", NORMALIZED)
def test_equals_quasi_monte_carlo_within_its_error(activation, case):
    rng = np.random.default_rng([case, NORMALIZED.index(activation), 5])
    model = random_model(rng, activation, tokens=[1, 2, 3, 8][case], heads=[3, 2, 3, 1][case])
    state = random_state(rng, model, rank=1 if case == 2 else None)
    sampled = ho.expected_update(
        model,
        state,
        method="quasi_monte_carlo",
        tolerance=1e-2 if activation == "softmax1" else 1e-3,
    )
    exact = factorized(model, state)
    # The 95 % interval of each entry; twice it for the largest of a few dozen entries.
    assert largest_difference(exact, sampled) <= 2 * sampled.error + 1e-5
    assert exact.error <= 2e-6 * max(1.0, sampled.squared_attention)


@pytest.mark.parametrize("activation", NORMALIZED)
def test_heads_that_oppose_one_another(activation):
    """Their strongest motion is opposite: hardly any of it is common, though it moves both."""
    signal = ho.Signal.sign_flips([1.5, 0.0], [0.0, 1.5])
    model = ho.Model(3, 2, signal, activation, label_noise=0.3)
    M = [[-0.47044035, -0.05813822], [0.4223893, 0.26794165]]
    state = ho.OrderParameters(M, [[0.33466239, 0.03996213], [0.03996213, 0.32229094]])
    sampled = ho.expected_update(model, state, method="quasi_monte_carlo", tolerance=1e-3)
    exact = factorized(model, state)
    assert largest_difference(exact, sampled) <= 2 * sampled.error + exact.error


@pytest.mark.parametrize("activation", NORMALIZED)
def test_long_sequences_equal_brute_force(activation):
    """L = 300: no node set over all tokens enters the factorized method."""
    rng = np.random.default_rng(8)
    model = ho.Model(300, 2, ho.Signal.one_hot([4.0, 3.0]), activation, label_noise=0.2)
    state = ho.OrderParameters([[3.0, 0.2], [0.1, 2.0]], [[0.3, 0.1], [0.1, 0.2]])
    exact = factorized(model, state)
    brute = brute_force_update(model, state, 20_000, rng)
    names = ("risk", "G", "marked_attention", "squared_attention", "offset_gradient")
    pairs = [(getattr(brute, name), getattr(exact, name)) for name in names]
    for estimate, value in [*pairs, (brute.drift_M, exact.G + exact.C @ state.M)]:
        deviation = np.abs(estimate.value - value)
        assert np.all(deviation <= 4.0 * estimate.standard_error + exact.error)


def softmax_reference(L, mu, q, m_v=1.0, q_v=1.0):
    """Risk of one softmax head on a one-point signal, by nested quadrature with mpmath.

    Shares no code with the package: n(x) = E exp(−e^{x+u}) is integrated over u, the race over x.
    """
    mpmath.mp.dps = 20
    root = mpmath.sqrt(q)

    def moments(x, mean):
        """E rateᵏ e^{−rate} for k = 0, 1, 2: trapezoidal, spectrally accurate for Gaussians."""
        step = mpmath.mpf(1) / 5
        totals = [mpmath.mpf(0)] * 3
        for k in range(-36, 37):
            z = k * step
            rate = mpmath.exp(x + mean + root * z)
            weight = step * mpmath.exp(-z * z / 2 - rate) / mpmath.sqrt(2 * mpmath.pi)
            totals = [totals[0] + weight, totals[1] + weight * rate, totals[2] + weight * rate**2]
        return totals

    step = mpmath.mpf(1) / 4
    marked, squared = mpmath.mpf(0), mpmath.mpf(0)
    for j in range(-140, 60):
        x = j * step
        n, _, two = moments(x, 0)
        n_marked, one_marked, two_marked = moments(x, mu)
        marked += step * one_marked * n ** (L - 1)
        squared += step * two_marked * n ** (L - 1)
        if L > 1:
            squared += step * (L - 1) * two * n_marked * n ** (L - 2)
    return float((1 - 2 * m_v * marked + q_v * squared) / 2)


@pytest.mark.parametrize(("L", "mu", "q"), [(2, 1.5, 0.5), (7, 2.0, 2.0)])
def test_equals_multiple_precision(L, mu, q):
    model = ho.Model(L, 1, ho.Signal.discrete([[1.0]]), "softmax")
    state = ho.OrderParameters([[mu]], [[q - mu**2]] if q > mu**2 else [[0.0]])
    q = float(state.Q[0, 0])
    exact = factorized(model, state, tolerance=1e-10)
    assert abs(exact.risk - softmax_reference(L, mu, q)) < 1e-9
    # bayes_softmax with one head is the same attention, by the other code path.
    pooled = factorized(ho.Model(L, 1, ho.Signal.discrete([[1.0]]), offset="zero"), state, 1e-10)
    assert largest_difference(exact, pooled) < 1e-9


def fourth_order(f, step):
    """Central difference with error O(step⁴)."""
    return (8 * (f(step) - f(-step)) - (f(2 * step) - f(-2 * step))) / (12 * step)


@pytest.mark.parametrize("activation", NORMALIZED)
def test_drift_is_the_gradient_of_the_risk(activation):
    """∂E/∂M at fixed R is G + C M, ∂E/∂R along a symmetric D is ½ tr(C D): to 1e-7."""
    rng = np.random.default_rng(2)
    covariances = [[[0.5, 0.1], [0.1, 0.3]], 0.0]
    signal = ho.Signal.mixture([[1.0, 0.3], [-0.5, 0.8]], covariances, [0.4, 0.6])
    offset = "nishimori" if activation == "bayes_softmax" else "zero"
    model = ho.Model(4, 2, signal, activation, offset=offset)
    M, R = rng.standard_normal((2, 2)), np.array([[0.6, 0.1], [0.1, 0.8]])
    tolerance = 1e-10
    terms = factorized(model, ho.OrderParameters(M, R), tolerance)

    def risk(M, R):
        return factorized(model, ho.OrderParameters(M, R), tolerance).risk

    for h, f in ((0, 0), (1, 1)):
        D = np.zeros((2, 2))
        D[h, f] = 1.0
        slope = fourth_order(lambda s, D=D: risk(M + s * D, R), 0.02)
        assert abs(slope - (terms.G + terms.C @ M)[h, f]) < 1e-7
    for h, k in ((0, 0), (1, 0)):
        D = np.zeros((2, 2))
        D[h, k] = D[k, h] = 1.0
        slope = fourth_order(lambda s, D=D: risk(M, R + s * D), 0.02)
        assert abs(slope - 0.5 * np.sum(terms.C * D)) < 1e-7


@pytest.mark.parametrize("activation", ["softmax", "bayes_softmax"])
def test_learned_offset_has_the_gradient_of_the_risk(activation):
    signal = ho.Signal.one_hot([1.5, 1.0])
    model = ho.Model(3, 2, signal, activation, offset="learned")
    state = ho.OrderParameters([[1, 0.2], [0.1, 0.8]], 0.2 * np.eye(2), offset=[0.3, -0.2])
    terms = factorized(model, state, 1e-10)
    for h in range(2):
        change = np.eye(2)[h]
        slope = fourth_order(
            lambda s, c=change: (
                factorized(model, state.replace(offset=state.offset + s * c), 1e-10).risk
            ),
            0.02,
        )
        assert abs(slope - terms.offset_gradient[h]) < 1e-7


@few
@given(st.sampled_from(NORMALIZED), seeds)
def test_dissipation_to_eight_digits(activation, seed):
    """Along the gradient flow dE/dt = −(|G + CM|² + tr(C R C))."""
    rng = np.random.default_rng(seed)
    model = ho.Model(3, 2, random_signal(rng, 2), activation)
    state = random_state(rng, model)
    tolerance = 1e-9
    terms = factorized(model, state, tolerance)
    dM = -(terms.G + terms.C @ state.M)
    dR = -(terms.C @ state.R + state.R @ terms.C)
    rate = np.sum(dM**2) + np.trace(terms.C @ state.R @ terms.C)
    speed = np.abs(dM).max() + np.abs(dR).max()
    step = 0.01 / (1 + speed)

    def risk(s):
        # M and R move along the tangent of the flow: the slope at s = 0 is that of the flow.
        return factorized(
            model, ho.OrderParameters(state.M + s * dM, state.R + s * dR), tolerance
        ).risk

    # Differences over step 0.01: 1e-10 of roundoff and quadrature over 0.01, and step⁴.
    assert abs(fourth_order(risk, step) + rate) < 1e-8 * (1 + speed) ** 2


@pytest.mark.parametrize("activation", NORMALIZED)
@pytest.mark.parametrize("L", [1, 2, 1000, 10**6])
def test_extreme_states(activation, L):
    """Singular R, identical heads (correlation 1), a silent head, scores far from zero."""
    model = ho.Model(L, 2, ho.Signal.one_hot([1.0, 2.0]), activation, offset="zero")
    zero, one = np.zeros((2, 2)), np.ones((2, 2))
    for M, R in (
        (zero, zero),
        (one, zero),
        (np.diag([1.5, 0.0]), zero),
        (one, one),
        (np.array([[20.0, 0], [0, -10.0]]), zero),
    ):
        terms = factorized(model, ho.OrderParameters(M, R), 1e-4)
        for value in (terms.risk, terms.G, terms.C):
            assert np.all(np.isfinite(value))
        # softmax1 sums over heads: its error is reported for weights up to 2.
        assert terms.error < 2e-4
        if activation != "softmax1":
            assert -terms.error <= terms.risk <= 1.0
    uniform = factorized(model, ho.OrderParameters(zero, zero), 1e-8)
    weight = 2 / (L + 1) if activation == "softmax1" else 1 / L
    assert uniform.marked_attention == pytest.approx(weight, abs=1e-8)


@pytest.mark.parametrize("activation", NORMALIZED)
@pytest.mark.parametrize("case", range(3))
def test_reported_error_bounds_the_true_one(activation, case):
    """Against a rule a thousand times finer."""
    rng = np.random.default_rng([case, 3])
    model = random_model(rng, activation, tokens=[2, 5, 100][case], heads=2)
    state = random_state(rng, model)
    finest = factorized(model, state, 1e-10)
    for tolerance in (1e-3, 1e-5, 1e-7):
        terms = factorized(model, state, tolerance)
        assert largest_difference(terms, finest) <= terms.error
        assert terms.error <= 3 * tolerance * max(1.0, terms.squared_attention)


@few
@given(st.sampled_from(NORMALIZED), seeds)
def test_invariances(activation, seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng, activation, heads=3)
    model = ho.Model(model.tokens, 3, random_signal(rng, 2), activation, offset="zero")
    state = random_state(rng, model)
    terms = factorized(model, state, 1e-8)
    allowed = 1e-7 * max(1.0, terms.squared_attention)

    order = rng.permutation(3)
    permuted = factorized(model, state.permuted(order), 1e-8)
    assert abs(permuted.risk - terms.risk) < allowed
    assert np.abs(permuted.G - terms.G[order]).max() < allowed
    assert np.abs(permuted.C - terms.C[np.ix_(order, order)]).max() < allowed

    O, _ = np.linalg.qr(rng.standard_normal((2, 2)))
    signal = model.signal
    rotated = ho.Signal.mixture(
        signal.means @ O.T, list(O @ signal.covariances @ O.T), signal.probabilities
    )
    turned = factorized(
        ho.Model(model.tokens, 3, rotated, activation, offset="zero"),
        state.replace(M=state.M @ O.T),
        1e-8,
    )
    assert np.abs(turned.G - terms.G @ O.T).max() < allowed
    assert np.abs(turned.C - terms.C).max() < allowed

    if activation != "softplus":
        shift = 40.0 if activation != "softmax1" else 0.0
        moved = factorized(ho.Model(model.tokens, 3, signal, activation, offset=shift), state, 1e-8)
        assert largest_difference(moved, terms) < allowed


@pytest.mark.parametrize("activation", NORMALIZED)
def test_scores_of_several_hundred(activation):
    """One head with M = 100 (scores of ±500) on a one-point signal of strength 3."""
    model = ho.Model(5, 1, ho.Signal.discrete([[3.0]]), activation, offset="zero")
    state = ho.OrderParameters([[100.0]], [[0.0]])
    terms = factorized(model, state, 1e-5)
    if activation != "softplus":
        # The marked token wins if u_ε + 300 is the largest of five N(0, 100²): an arg max.
        z = np.random.default_rng(0).standard_normal((400_000, 5))
        wins = z[:, 0] + 3.0 > z[:, 1:].max(axis=1)
        won = wins.mean()
        # A race decided by less than a few units in 100 is not decided: 1 % of it at most.
        assert abs(terms.marked_attention - won) < 4 * np.sqrt(won * (1 - won) / len(z)) + 0.01
    shifted = ho.Model(5, 1, model.signal, activation, offset=300.0)
    if activation in ("softmax", "bayes_softmax"):
        assert largest_difference(factorized(shifted, state, 1e-5), terms) < 1e-5


def test_auto_takes_it_and_says_so():
    model = ho.Model(3, 2, ho.Signal.one_hot([1.0, 2.0]), "softmax")
    state = ho.OrderParameters(np.eye(2), 0.1 * np.eye(2))
    assert ho.expected_update(model, state).method == "factorized"
    noisy = ho.expected_update(model, state, noise=True, tolerance=1e-3)
    assert noisy.method == "factorized+quasi_monte_carlo"
    assert noisy.N.shape == (2, 2)
    with pytest.raises(ho.ArgumentError, match="closed_form"):
        ho.expected_update(ho.Model(3, 2, model.signal, "linear"), state, method="factorized")


def test_too_many_directions(monkeypatch):
    """auto goes over to quasi-Monte-Carlo; factorized says what to do."""
    monkeypatch.setattr("headode.expectation.factorized.LARGEST_NODES", 100)
    model = ho.Model(3, 3, SIGNAL, "bayes_softmax")
    state = ho.OrderParameters(np.eye(3), np.eye(3))
    with pytest.raises(ho.NumericalFailure, match="try method auto"):
        factorized(model, state)
    fallback = ho.expected_update(model, state, tolerance=1e-3)
    assert fallback.method == "quasi_monte_carlo"


@pytest.mark.parametrize("activation", NORMALIZED)
def test_risk_is_monotone_along_the_flow_of_long_sequences(activation):
    """Gradient flow at L = 1000 never raises the risk by more than the reported error."""
    model = ho.Model(1000, 2, ho.Signal.one_hot([4.0, 3.5]), activation)
    state = ho.OrderParameters([[2.0, 0.1], [0.2, 1.5]], 0.05 * np.eye(2))
    run = ho.integrate(model, state, time=10.0, count=8, tolerance=1e-6)
    assert np.diff(run.risk).max() <= 2 * run.expectation_error.max()
    assert run.attrs["expectation_method"] == "factorized"


def test_where_rules_are_too_large_looser_ones_are_tried():
    """Twelve heads with residuals of their own: still factorized, and honest about the error."""
    rng = np.random.default_rng(0)
    signs = np.array([[1, (-1) ** h, (-1) ** (h // 2)] for h in range(12)])
    M = np.array([2.0, 1.8, 1.2]) * signs + 0.1 * rng.normal(size=(12, 3))
    signal = ho.Signal.sign_flips([2.0, 0.0, 0.0], [0.0, 1.8, 1.2])
    model = ho.Model(3, 12, signal, "bayes_softmax")
    state = ho.OrderParameters(M, 1e-4 * np.eye(12))
    with pytest.raises(TooManyNodes):
        factorized(model, state, 1e-6)
    with pytest.warns(ho.ToleranceWarning, match="most nodes that the method takes"):
        terms = ho.expected_update(model, state, tolerance=1e-6)
    assert terms.method == "factorized"
    assert 1e-6 < terms.error < 1e-3
    sampled = ho.expected_update(model, state, method="quasi_monte_carlo", tolerance=1e-3)
    assert largest_difference(terms, sampled) < terms.error + sampled.error
