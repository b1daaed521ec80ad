"""erf attention: closed forms against quadrature, sampling, differences and limits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from brute_force import brute_force_update
from gauss_hermite import gauss_hermite_update
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erf

from headode.expectation.closed_form_erf import _Laws, _mean_erf_erf, expected_update
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal

TERMS = ("risk", "marked_attention", "squared_attention", "G", "N", "offset_gradient")

LEARNED = {"value": "learned", "label_noise": 0.4}
MIXTURE = Signal.mixture([[1.0, 0.2], [-0.5, 0.3]], [0.3, [[0.6, 0.2], [0.2, 0.4]]], [0.3, 0.7])


def random_state(model, value=(1.0, 1.0), seed=0, scale=0.7):
    rng = np.random.default_rng(seed)
    M = scale * rng.standard_normal((model.heads, model.features))
    root = scale * rng.standard_normal((model.heads, model.heads))
    offset = 0.3 * rng.standard_normal(model.heads) if model.learns_offset else None
    return OrderParameters(M, root @ root.T, m_v=value[0], q_v=value[1], offset=offset)


def state_with_singular_Q(columns, value=(1.0, 1.0)):
    """R = 0: a quadrature then needs only as many dimensions per token as M has columns."""
    M = np.array(columns)
    return OrderParameters(M, np.zeros((len(M), len(M))), m_v=value[0], q_v=value[1])


# Few dimensions, hence many nodes, hence a quadrature exact to roundoff.
SHARP_CASES = {
    "one head, three tokens": (
        Model(3, 1, Signal.discrete([[1.0], [-0.4]], [0.6, 0.4]), "erf", offset=0.3, **LEARNED),
        OrderParameters([[0.3]], [[0.2]], m_v=0.6, q_v=0.9),
        40,
    ),
    "one token": (
        Model(1, 2, Signal.one_hot([1.0, 0.7]), "erf", offset=[0.3, -0.1], label_noise=0.4),
        OrderParameters([[0.4, 0.1], [0.2, -0.3]], [[0.3, -0.1], [-0.1, 0.2]]),
        100,
    ),
    "heads on one line, gaussian signal": (
        Model(2, 2, Signal.gaussian([0.5], 0.8), "erf", offset=[0.0, 0.2], **LEARNED),
        state_with_singular_Q([[0.5], [-0.3]], (-0.3, 0.5)),
        60,
    ),
    "identical heads": (
        Model(2, 3, Signal.one_hot([1.0]), "erf", offset="nishimori"),
        state_with_singular_Q([[0.6], [0.6], [0.6]]),
        100,
    ),
    "two equal heads and one": (
        Model(1, 3, Signal.sign_flips([1.0, 0.0], [0.0, 0.8]), "erf", offset=-0.2),
        state_with_singular_Q([[0.5, 0.2], [0.5, 0.2], [-0.1, 0.4]]),
        100,
    ),
}


@pytest.mark.parametrize("name", SHARP_CASES)
def test_equals_gauss_hermite_quadrature_to_roundoff(name):
    model, state, order = SHARP_CASES[name]
    terms = expected_update(model, state, noise=True)
    exact = gauss_hermite_update(model, state, order)
    for term in TERMS:
        # The quadrature sums up to 2e5 weighted nodes, which costs it some roundoff, too.
        assert np.abs(getattr(terms, term) - exact[term]).max() < 1e-12, term
    C = terms.C - np.diag(terms.offset_gradient) if model.is_nishimori else terms.C
    assert np.abs(terms.G @ state.M.T + C @ state.Q - exact["drift_Q"]).max() < 1e-12


def test_gauss_hermite_quadrature_converges_to_the_closed_form_geometrically():
    """Two tokens, two different heads: four dimensions at once, where few nodes are affordable."""
    model = Model(2, 2, Signal.discrete([[1.0]]), "erf", offset=[0.1, 0.3], **LEARNED)
    state = OrderParameters([[0.3], [0.4]], [[0.1, 0.02], [0.02, 0.2]], m_v=0.6, q_v=0.8)
    terms = expected_update(model, state, noise=True)
    errors = []
    for order in (8, 14, 20):
        exact = gauss_hermite_update(model, state, order)
        errors.append([np.abs(exact[term] - getattr(terms, term)).max() for term in TERMS])
    # Measured: a factor of 27 (N, second step) to 8000 for each six nodes more.
    assert (np.array(errors[1:]) < np.array(errors[:-1]) / 10).all()
    assert max(errors[-1]) < 1e-8


MODELS = {
    "discrete": (Model(3, 3, Signal.one_hot([1.5, 1.0]), "erf", label_noise=0.3), (1, 1)),
    "gaussian": (
        Model(2, 4, Signal.gaussian([0.5], 0.7), "erf", offset="nishimori", **LEARNED),
        (0.6, 0.9),
    ),
    "mixture": (Model(4, 2, MIXTURE, "erf", offset="learned", prefactor=0.4), (1, 1)),
    "no value": (Model(3, 2, MIXTURE, "erf", offset=[0.3, -0.5], **LEARNED), (0.0, 0.5)),
}


@pytest.mark.parametrize("name", MODELS)
def test_equals_brute_force_sampling(name):
    model, value = MODELS[name]
    state = random_state(model, value, seed=1)
    terms = expected_update(model, state, noise=True)
    sampled = brute_force_update(model, state, 250_000, np.random.default_rng(2))
    for term in TERMS:
        # 4.5 standard errors: a false alarm in 1e5 per entry.
        assert getattr(sampled, term).deviations(getattr(terms, term)) < 4.5, term
    assert sampled.drift_M.deviations(terms.G + terms.C @ state.M) < 4.5
    assert sampled.drift_Q.deviations(terms.G @ state.M.T + terms.C @ state.Q) < 4.5


def fourth_order_difference(function, step=2e-3):
    """Derivative at 0; truncation about step⁴ = 2e-11 times a fifth derivative over 30."""
    near = function(step) - function(-step)
    far = function(2 * step) - function(-2 * step)
    return (8 * near - far) / (12 * step)


@pytest.mark.parametrize("name", MODELS)
def test_drift_is_the_gradient_of_the_risk(name):
    """G = ∂E/∂M at fixed Q and C = 2 ∂E/∂Q at fixed M, the offset following Q if nishimori."""
    model, value = MODELS[name]
    state = random_state(model, value, seed=4)
    Q, terms = state.Q, expected_update(model, state, noise=False)

    def risk(M, Q):
        moved = state.replace(M=M, R=Q - M @ M.T)
        return expected_update(model, moved, noise=False).risk

    for h in range(model.heads):
        for f in range(model.features):
            unit = np.zeros_like(state.M)
            unit[h, f] = 1.0
            slope = fourth_order_difference(lambda t, u=unit: risk(state.M + t * u, Q))
            assert abs(slope - terms.G[h, f]) < 1e-9
        for k in range(h, model.heads):
            unit = np.zeros_like(Q)
            # Q_hk and Q_kh move together: dE = ½ (C_hk + C_kh) dQ_hk, and ½ C_hh dQ_hh.
            unit[h, k] = unit[k, h] = 1.0
            slope = fourth_order_difference(lambda t, u=unit: risk(state.M, Q + t * u))
            assert abs(slope - (terms.C[h, k] if h != k else terms.C[h, h] / 2)) < 1e-9


def test_offset_gradient_is_the_gradient_of_the_risk():
    model, value = MODELS["mixture"]
    state = random_state(model, value, seed=5)
    terms = expected_update(model, state, noise=False)
    for h in range(model.heads):

        def risk(t, h=h):
            moved = state.replace(offset=state.offset + t * np.eye(model.heads)[h])
            return expected_update(model, moved, noise=False).risk

        assert abs(fourth_order_difference(risk) - terms.offset_gradient[h]) < 1e-10


def test_without_variance_the_sequence_is_known():
    """M = R = 0: every field is −b_h, and all weights are c Σ_h (1 − erf b_h)."""
    b = np.array([0.3, -0.8])
    model = Model(3, 2, Signal.one_hot([2.0]), "erf", offset=b, prefactor=0.25, **LEARNED)
    state = OrderParameters(np.zeros((2, 1)), np.zeros((2, 2)), m_v=0.5, q_v=0.7)
    terms = expected_update(model, state, noise=True)
    weight = 0.25 * (1 - erf(b)).sum()
    slope = 0.25 * 2 / np.sqrt(np.pi) * np.exp(-(b**2))
    twice_loss = 1.16 - weight + 0.7 * 3 * weight**2
    gradient = slope * (0.7 * weight - np.array([[0.5], [0.0], [0.0]]))
    N = 3 * twice_loss * 0.7 * np.outer(slope, slope) + 2 * gradient.T @ gradient
    # Roundoff of a dozen operations on numbers of order one.
    assert abs(terms.risk - twice_loss / 2) < 1e-14
    assert np.abs(terms.G - 2.0 * gradient[:1].T).max() < 1e-14
    assert np.abs(terms.N - N).max() < 1e-14
    assert np.abs(terms.offset_gradient + gradient.sum(axis=0)).max() < 1e-14


def test_permuting_heads_permutes_the_terms():
    model, value = MODELS["discrete"]
    state = random_state(model, value, seed=6)
    terms = expected_update(model, state, noise=True)
    order = np.array([2, 0, 1])
    permuted = expected_update(model, state.permuted(order), noise=True)
    assert abs(permuted.risk - terms.risk) < 1e-14
    assert np.abs(permuted.G - terms.G[order]).max() < 1e-14
    assert np.abs(permuted.C - terms.C[np.ix_(order, order)]).max() < 1e-14
    assert np.abs(permuted.N - terms.N[np.ix_(order, order)]).max() < 1e-14


def conditional_quadrature(mean, variance, correlation):
    """``E erf φ_1 erf φ_2`` as one integral over φ_1, the other averaged given it."""
    s1, s2 = np.sqrt(variance)
    rest = 1 + 2 * variance[1] * (1 - correlation**2)

    def integrand(z):
        other = (mean[1] + correlation * s2 * z) / np.sqrt(rest)
        return erf(mean[0] + s1 * z) * erf(other) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

    kinks = [-mean[0] / s1 if s1 else 0.0, -mean[1] / (correlation * s2 or np.inf)]
    edges = np.unique(
        np.clip([-12.0, 12.0, *kinks, *(k + e for k in kinks for e in (-1, 1))], -12, 12)
    )
    pieces = [quad(integrand, a, b, epsabs=1e-14, limit=200)[0] for a, b in pairwise(edges)]
    return sum(pieces)


def closed_form(mean, variance, correlation):
    shared = correlation * np.sqrt(variance[0] * variance[1])
    covariance = np.array([[variance[0], shared], [shared, variance[1]]])
    laws = _Laws(np.array([mean]), covariance[None])
    return float(_mean_erf_erf(laws, np.array([0]), np.array([1]))[0, 0])


HARD_PAIRS = {
    "ordinary": ((0.4, -0.7), (0.8, 1.5), 0.6),
    "equal": ((0.7, 0.7), (2.0, 2.0), 1.0),
    "opposite": ((0.7, -0.7), (2.0, 2.0), -1.0),
    "both centered": ((0.0, 0.0), (1.0, 3.0), -0.4),
    "both centered, equal": ((0.0, 0.0), (400.0, 400.0), 1.0),
    "first centered": ((0.0, 1.3), (1.0, 2.0), 0.5),
    "second centered": ((-1.3, 0.0), (1.0, 2.0), 0.5),
    "negative zero": ((-0.0, -1.3), (1.0, 2.0), 0.5),
    "no variance": ((0.4, -0.7), (0.0, 0.0), 0.0),
    "one without variance": ((0.4, -0.7), (0.0, 2.0), 0.0),
    "steep, nearly equal": ((3.0, 3.1), (900.0, 900.0), 1.0),
    "tiny mean": ((1e-14, 0.5), (1.0, 1.0), 0.9),
    "tiny means": ((-3e-160, 1e-170), (1.0, 1.0), 0.9),
    "far tail": ((25.0, -25.0), (1.0, 1.0), 0.3),
}


@pytest.mark.parametrize("name", HARD_PAIRS)
def test_mean_of_a_product_of_erf_in_hard_cases(name):
    mean, variance, correlation = HARD_PAIRS[name]
    expected = conditional_quadrature(mean, variance, correlation)
    # The adaptive quadrature's own target is 1e-14 on each of at most seven pieces.
    assert abs(closed_form(mean, variance, correlation) - expected) < 3e-13


means = st.floats(-4, 4)
variances = st.floats(0, 20)


@settings(max_examples=60, deadline=None)
@given(mean=st.tuples(means, means), variance=st.tuples(variances, variances), r=st.floats(-1, 1))
def test_mean_of_a_product_of_erf(mean, variance, r):
    expected = conditional_quadrature(mean, variance, r)
    assert abs(closed_form(mean, variance, r) - expected) < 1e-12


@pytest.mark.parametrize("size", [1.0, 10.0, 300.0])
def test_error_estimate_covers_the_roundoff_of_large_overlaps(size):
    """Two heads that differ by a rotation as small as roundoff have the terms of equal heads."""
    model = Model(2, 2, Signal.one_hot([1.0, 0.5]), "erf", offset=0.2)
    M = np.sqrt(size) * np.array([[0.8, 0.6], [0.8, 0.6]])
    turned = M @ np.array([[1.0, 1e-16], [-1e-16, 1.0]])
    zero = np.zeros((2, 2))
    equal = expected_update(model, OrderParameters(M, zero), noise=True)
    moved = expected_update(model, OrderParameters(np.array([M[0], turned[1]]), zero), noise=True)
    for term in (*TERMS, "C"):
        difference = np.abs(np.asarray(getattr(equal, term)) - getattr(moved, term)).max()
        assert difference <= equal.error, term
        assert np.isfinite(getattr(moved, term)).all()


def test_value_noise_is_left_to_another_method():
    model, value = MODELS["no value"]
    terms = expected_update(model, random_state(model, value), noise=True)
    assert terms.value_noise is None
    assert terms.N is not None
    assert expected_update(model, random_state(model, value), noise=False).N is None
