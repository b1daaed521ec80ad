"""Linear attention: closed forms against an exact quadrature, sampling and differences."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import brute_force_update
from gauss_hermite import gauss_hermite_update

from headode.expectation.closed_form_linear import expected_update
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal

TERMS = (
    "risk",
    "marked_attention",
    "squared_attention",
    "value_noise",
    "G",
    "N",
    "offset_gradient",
)

LEARNED = {"value": "learned", "label_noise": 0.4}
MIXTURE = Signal.mixture([[1.0, 0.2], [-0.5, 0.3]], [0.3, [[0.6, 0.2], [0.2, 0.4]]], [0.3, 0.7])
CASES = {
    "one token": (Model(1, 2, Signal.one_hot([1.0, 0.7]), "linear", offset=[0.3, -0.1]), (1, 1)),
    "discrete": (Model(2, 2, Signal.sign_flips([1.0], [0.6]), "linear", **LEARNED), (0.6, 0.9)),
    "gaussian": (Model(2, 3, Signal.gaussian([0.5], 0.8), "linear", prefactor=0.7), (1, 1)),
    "mixture": (Model(2, 2, MIXTURE, "linear", offset=0.2, **LEARNED), (-0.3, 0.4)),
    "nishimori": (Model(3, 2, MIXTURE, "linear", offset="nishimori", label_noise=1.0), (1, 1)),
    "learned offset": (Model(2, 1, MIXTURE, "linear", offset="learned", **LEARNED), (0.6, 0.9)),
    "zero learned value": (Model(2, 2, MIXTURE, "linear", value="learned"), (0, 0)),
}


def random_state(model, value, seed=0, rank=None):
    """Order-one overlaps; R of the given rank (full by default)."""
    rng = np.random.default_rng(seed)
    M = rng.standard_normal((model.heads, model.features))
    root = 0.6 * rng.standard_normal((model.heads, model.heads if rank is None else rank))
    offset = 0.3 * rng.standard_normal(model.heads) if model.learns_offset else None
    return OrderParameters(M, root @ root.T, m_v=value[0], q_v=value[1], offset=offset)


@pytest.mark.parametrize("name", CASES)
def test_equals_gauss_hermite_quadrature(name):
    model, value = CASES[name]
    state = random_state(model, value)
    terms = expected_update(model, state, noise=True)
    # Three nodes integrate polynomials up to degree 5: A⁴ is of degree 4, so this is exact.
    exact = gauss_hermite_update(model, state, order=3)
    for term in TERMS:
        size = max(1.0, np.abs(exact[term]).max())
        assert np.abs(getattr(terms, term) - exact[term]).max() < 1e-13 * size, term
    C = terms.C - np.diag(terms.offset_gradient) if model.is_nishimori else terms.C
    drift_Q = terms.G @ state.M.T + C @ state.Q
    assert np.abs(drift_Q - exact["drift_Q"]).max() < 1e-12


@pytest.mark.parametrize("name", ["mixture", "nishimori"])
def test_equals_brute_force_sampling(name):
    model, value = CASES[name]
    state = random_state(model, value, seed=1)
    terms = expected_update(model, state, noise=True)
    sampled = brute_force_update(model, state, 300_000, np.random.default_rng(2))
    for term in TERMS:
        # 4.5 standard errors: a false alarm in 1e5 per entry.
        assert getattr(sampled, term).deviations(getattr(terms, term)) < 4.5, term
    assert sampled.drift_M.deviations(terms.G + terms.C @ state.M) < 4.5
    assert sampled.drift_Q.deviations(terms.G @ state.M.T + terms.C @ state.Q) < 4.5


@pytest.mark.parametrize("rank", [0, 1])
def test_singular_residual(rank):
    model, value = CASES["mixture"]
    state = random_state(model, value, seed=3, rank=rank)
    terms = expected_update(model, state, noise=True)
    exact = gauss_hermite_update(model, state, order=3)
    for term in TERMS:
        assert np.abs(getattr(terms, term) - exact[term]).max() < 1e-12, term


def test_noise_is_computed_only_when_asked():
    model, value = CASES["discrete"]
    terms = expected_update(model, random_state(model, value), noise=False)
    assert terms.N is None
    assert terms.value_noise is None
    assert (terms.method, terms.nodes) == ("closed_form", 0)


def test_only_the_sum_of_the_heads_matters():
    """H equal heads with c/H are one head with c: same risk, and the same drift of each head."""
    signal = Signal.gaussian([1.0, -0.5], 0.4)
    one = Model(3, 1, signal, "linear", prefactor=0.2)
    many = Model(3, 4, signal, "linear", prefactor=0.05)
    M, R = np.array([[0.7, 0.3]]), np.array([[0.2]])
    single = expected_update(one, OrderParameters(M, R), noise=True)
    copies = OrderParameters(np.tile(M, (4, 1)), np.tile(R, (4, 4)))
    repeated = expected_update(many, copies, noise=True)
    assert abs(repeated.risk - single.risk) < 1e-14
    # The gradient with respect to each of four equal heads is a quarter of the single head's.
    assert np.abs(repeated.G - single.G / 4).max() < 1e-14
    assert np.abs(repeated.C @ copies.M - (single.C @ M) / 4).max() < 1e-14
    assert np.abs(repeated.N - single.N / 16).max() < 1e-14
