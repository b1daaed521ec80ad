"""Exact properties of the model, under hypothesis (theory: invariances).

Here for closed forms and quasi-Monte-Carlo; test_factorized.py has those of the factorized method.
"""

from __future__ import annotations

import numpy as np
import pytest
from cases import ACTIVATIONS, random_model, random_signal, random_state
from hypothesis import given, settings
from hypothesis import strategies as st

import headode as ho

few = settings(max_examples=12)
seeds = st.integers(0, 2**32 - 1)
TOLERANCE = 1e-2
ROUNDOFF = 1e-9


def update(model, state, **options):
    # Relaxed: what is compared below is computed on the same nodes, or to the reported error.
    options = {"tolerance": TOLERANCE * (1 + 100 * (model.activation.name == "softmax1"))} | options
    closed = model.activation.name in ("linear", "erf")
    method = "auto" if closed else "quasi_monte_carlo"
    return ho.expected_update(model, state, noise=True, method=method, **options)


def with_signal(model, signal, offset=None):
    """The same model on another signal."""
    return ho.Model(
        model.tokens,
        model.heads,
        signal,
        model.activation,
        offset=model.offset if offset is None else offset,
        value=model.value,
        label_noise=model.label_noise,
        prefactor=model.prefactor if model.activation.takes_prefactor else None,
    )


@few
@given(st.sampled_from(ACTIVATIONS), seeds)
def test_permuting_heads_permutes_the_updates(activation, seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng, activation)
    state = random_state(rng, model)
    order = rng.permutation(model.heads)
    if not isinstance(model.offset, str):
        permuted = with_signal(model, model.signal, offset=model.offset[order])
    else:
        permuted = model
    one, two = update(model, state), update(permuted, state.permuted(order))
    # Nodes are not permutation symmetric: the two agree to their errors.
    allowed = 2 * (one.error + two.error) + ROUNDOFF
    assert abs(one.risk - two.risk) <= allowed
    assert np.abs(one.G[order] - two.G).max() <= allowed
    assert np.abs(one.C[np.ix_(order, order)] - two.C).max() <= allowed
    assert np.abs(one.N[np.ix_(order, order)] - two.N).max() <= allowed


@few
@given(st.sampled_from(ACTIVATIONS), seeds)
def test_rotating_features_rotates_G(activation, seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng, activation)
    state = random_state(rng, model)
    O, _ = np.linalg.qr(rng.standard_normal((model.features, model.features)))
    signal = model.signal
    rotated = ho.Signal.mixture(
        signal.means @ O.T, list(O @ signal.covariances @ O.T), signal.probabilities
    )
    one = update(model, state)
    two = update(with_signal(model, rotated), state.replace(M=state.M @ O.T))
    scale = ROUNDOFF * (1 + np.abs(one.N).max())
    assert abs(one.risk - two.risk) <= scale
    assert np.abs(one.G @ O.T - two.G).max() <= scale
    assert np.abs(one.C - two.C).max() <= scale
    assert np.abs(one.N - two.N).max() <= scale


@few
@given(st.sampled_from(ACTIVATIONS), seeds)
def test_permuting_mixture_components_changes_nothing(activation, seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng, activation)
    state = random_state(rng, model)
    signal = model.signal
    order = rng.permutation(signal.components)
    shuffled = ho.Signal.mixture(
        signal.means[order], list(signal.covariances[order]), signal.probabilities[order]
    )
    one, two = update(model, state), update(with_signal(model, shuffled), state)
    scale = ROUNDOFF * (1 + np.abs(one.N).max())
    assert abs(one.risk - two.risk) <= scale
    assert np.abs(one.G - two.G).max() <= scale
    assert np.abs(one.C - two.C).max() <= scale


@few
@given(st.sampled_from(["softmax", "bayes_softmax"]), seeds, st.floats(-300, 300))
def test_adding_a_number_to_all_scores_changes_nothing(activation, seed, number):
    """Per head for softmax, one number for all heads of bayes_softmax."""
    rng = np.random.default_rng(seed)
    model = random_model(rng, activation)
    state = random_state(rng, model).replace(offset=None)
    offset = 0.3 * rng.standard_normal(model.heads)
    change = number * (rng.random(model.heads) if activation == "softmax" else 1.0)
    one = update(with_signal(model, model.signal, offset=offset), state)
    two = update(with_signal(model, model.signal, offset=offset + change), state)
    # Scores of size 300 carry a roundoff of 300·2⁻⁵³.
    assert abs(one.risk - two.risk) <= ROUNDOFF
    assert np.abs(one.G - two.G).max() <= ROUNDOFF
    assert np.abs(one.C - two.C).max() <= ROUNDOFF
    assert abs(two.offset_gradient.sum()) <= ROUNDOFF


@few
@given(st.sampled_from(["softmax", "bayes_softmax", "softplus"]), seeds)
def test_with_one_token_nothing_is_to_be_learned(activation, seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng, activation, tokens=1)
    model = ho.Model(1, model.heads, model.signal, activation, label_noise=0.3)
    terms = update(model, random_state(rng, model))
    assert terms.risk == pytest.approx(0.3**2 / 2, abs=1e-14)
    for drift in (terms.G, terms.C, terms.N, terms.offset_gradient):
        assert np.abs(drift).max() < 1e-14


@few
@given(seeds, st.integers(2, 4))
def test_identical_softmax_heads_are_one_head(seed, heads):
    rng = np.random.default_rng(seed)
    signal = random_signal(rng, 2)
    M, Q = rng.standard_normal((1, 2)), 0.4
    one = update(ho.Model(3, 1, signal, "softmax"), ho.OrderParameters(M, [[Q]]))
    many = update(
        ho.Model(3, heads, signal, "softmax"),
        ho.OrderParameters(np.tile(M, (heads, 1)), np.full((heads, heads), Q)),
    )
    allowed = 2 * (one.error + many.error)
    assert abs(one.risk - many.risk) <= allowed
    # Each of H heads carries 1/H of the gradient: ∂E/∂M summed over heads is the single head's.
    assert np.abs(many.G.sum(axis=0) - one.G[0]).max() <= allowed * heads
    assert abs(many.C.sum() - one.C[0, 0]) <= allowed * heads**2


@few
@given(seeds)
def test_bayes_softmax_with_one_head_is_softmax(seed):
    rng = np.random.default_rng(seed)
    signal = random_signal(rng, 2)
    state = ho.OrderParameters(rng.standard_normal((1, 2)), [[0.5]])
    terms = [
        update(ho.Model(4, 1, signal, name, offset="zero"), state)
        for name in ("softmax", "bayes_softmax")
    ]
    assert abs(terms[0].risk - terms[1].risk) < 1e-13
    assert np.abs(terms[0].G - terms[1].G).max() < 1e-12
    assert np.abs(terms[0].C - terms[1].C).max() < 1e-12
    assert np.abs(terms[0].N - terms[1].N).max() < 1e-12


@few
@given(st.sampled_from(ACTIVATIONS), seeds)
def test_no_attention_beats_the_bayes_risk(activation, seed):
    """The Brier score is proper."""
    rng = np.random.default_rng(seed)
    model = random_model(rng, activation)
    terms = update(model, random_state(rng, model))
    assert terms.risk >= ho.bayes_risk(model, tolerance=1e-3) - terms.error - 1e-3


@few
@given(st.sampled_from(ACTIVATIONS), seeds)
def test_matrices_are_symmetric_and_noise_is_positive(activation, seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng, activation)
    terms = update(model, random_state(rng, model))
    assert np.array_equal(terms.C, terms.C.T)
    assert np.array_equal(terms.N, terms.N.T)
    assert np.linalg.eigvalsh(terms.N)[0] > -1e-12 * max(1.0, np.abs(terms.N).max())


@few
@given(st.sampled_from(ACTIVATIONS), seeds)
def test_risk_falls_at_the_rate_of_dissipation(activation, seed):
    """Gradient flow, known value: dE/dt = −(|G + CM|² + tr(C R C)) along the flow."""
    rng = np.random.default_rng(seed)
    model = random_model(rng, activation, tokens=3, heads=2)
    model = ho.Model(3, 2, model.signal, activation, label_noise=model.label_noise)
    state = random_state(rng, model)
    terms = update(model, state, tolerance=1e-4 if activation != "softmax1" else 1e-2)
    dM = -(terms.G + terms.C @ state.M)
    dR = -(terms.C @ state.R + state.R @ terms.C)
    rate = np.sum(dM**2) + np.trace(terms.C @ state.R @ terms.C)
    step = 1e-3 / (1 + np.abs(dM).max() + np.abs(dR).max())
    # Backward and forward along the flow; R stays positive at this step.
    risks = [
        update(
            model,
            state.replace(M=state.M + s * dM, R=state.R + s * dR),
            tolerance=1e-4 if activation != "softmax1" else 1e-2,
        ).risk
        for s in (-step, step)
    ]
    slope = (risks[1] - risks[0]) / (2 * step)
    # The two sides differ by the errors of G and C times the size of the flow.
    size = np.abs(dM).sum() + np.abs(dR).sum()
    assert abs(slope + rate) <= 4 * terms.error * (1 + size) + 1e-5 * (1 + rate)


@pytest.mark.parametrize("name", ["softmax", "softmax1", "softplus"])
def test_every_per_head_activation_is_uniform_without_scores(name):
    model = ho.Model(4, 2, ho.Signal.one_hot([1.0]), name)
    terms = update(model, ho.OrderParameters(np.zeros((2, 1)), np.zeros((2, 2))))
    weight = 2 / 5 if name == "softmax1" else 1 / 4
    assert terms.marked_attention == pytest.approx(weight, abs=1e-13)
    assert terms.squared_attention == pytest.approx(4 * weight**2, abs=1e-13)
