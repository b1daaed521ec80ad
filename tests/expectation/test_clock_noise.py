"""The learning-rate noise of pooled heads by one clock."""

import numpy as np
import pytest
from cases import random_signal
from hypothesis import given, settings
from hypothesis import strategies as st

import headode as ho
from headode.expectation.factorized import Factorized

few = settings(max_examples=8, deadline=None)


def random_case(seed, tokens, value="learned"):
    rng = np.random.default_rng(seed)
    signal = random_signal(rng, 2)
    model = ho.Model(tokens, 2, signal, "bayes_softmax", value=value, label_noise=0.4)
    root = 0.5 * rng.normal(size=(2, 2))
    state = ho.OrderParameters(rng.normal(size=(2, 2)), root @ root.T, m_v=0.6, q_v=0.5)
    return model, state if value == "learned" else state.replace(m_v=1.0, q_v=1.0)


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 8]))
def test_equals_quasi_monte_carlo(seed, tokens):
    """The errors of the two methods bound their distance; that of the nodes is a 95 % interval,
    taken twice."""
    model, state = random_case(seed, tokens)
    exact = ho.expected_update(model, state, noise=True, tolerance=1e-7)
    assert exact.method == "factorized"
    sampled = ho.expected_update(
        model, state, noise=True, method="quasi_monte_carlo", tolerance=1e-3
    )
    bound = exact.error + 2 * sampled.error
    assert np.abs(exact.N - sampled.N).max() < bound
    assert abs(exact.value_noise - sampled.value_noise) < bound


@pytest.mark.parametrize("tokens", [2, 5, 1000])
def test_reported_error_bounds_that_of_the_noise(tokens):
    model, state = random_case(tokens, tokens)
    finest = Factorized(model, noise=True, tolerance=1e-10)(state)
    for tolerance in (1e-3, 1e-5, 1e-7):
        terms = Factorized(model, noise=True, tolerance=tolerance)(state)
        error = max(np.abs(terms.N - finest.N).max(), abs(terms.value_noise - finest.value_noise))
        assert error <= terms.error <= tolerance


def test_noise_is_positive_semidefinite_and_blind_to_common_offsets():
    """N is an average of positive matrices plus one of a square; only differences of offsets
    matter to pooled heads."""
    signal = ho.Signal.one_hot([1.5, 1.0])
    model = ho.Model(3, 2, signal, "bayes_softmax", offset="learned", label_noise=0.3)
    state = ho.OrderParameters([[1, 0.2], [0.1, 0.8]], 0.2 * np.eye(2), offset=[0.3, -0.2])
    noises = []
    for shift in (0.0, 2.5):
        moved = state.replace(offset=state.offset + shift)
        noises.append(Factorized(model, noise=True, tolerance=1e-9)(moved).N)
    np.testing.assert_allclose(noises[0], noises[1], atol=1e-9)
    assert np.linalg.eigvalsh(noises[0])[0] > 0
