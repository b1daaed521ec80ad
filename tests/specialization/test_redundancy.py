"""Heads that are alike, silent or without weight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headode.model import Model
from headode.signal import Signal
from headode.specialization.redundancy import (
    NEGLIGIBLE,
    _largest_share,
    alike_heads,
    negligible_heads,
    silent_heads,
)

SIGNAL = Signal.sign_flips(mean=[2.0, 0.0], amplitude=[0.0, 1.5])
POINTS = np.array([[2.0, 1.5], [2.0, -1.5]])


def test_strength_of_a_signal_is_the_root_mean_square_of_theta():
    assert SIGNAL.strength == pytest.approx(2.5)
    samples = Signal.gaussian([1.0, 0.0], [0.5, 2.0]).sample(np.random.default_rng(0), 100_000)
    # Relative standard error of a mean square of some 100 000 samples: 0.5 %, of its root half.
    expected = Signal.gaussian([1.0, 0.0], [0.5, 2.0]).strength
    assert np.sqrt((samples**2).sum(axis=1).mean()) == pytest.approx(expected, rel=0.01)


def test_alike_heads_are_grouped_by_the_first():
    M = POINTS[[0, 1, 0, 1, 0]] + 0.1 * np.eye(5, 2)
    np.testing.assert_array_equal(alike_heads(M, None, 2.5), [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(alike_heads(M, None, 0.5), [0, 1, 2, 3, 2])


def test_chains_of_alike_heads_are_one_group():
    M = np.array([[0.6], [0.0], [0.4], [0.2], [2.0]])
    np.testing.assert_array_equal(alike_heads(M, None, 2.5), [0, 0, 0, 0, 4])


def test_heads_at_different_points_are_not_alike():
    M = np.array([[0.1], [-0.1]])
    np.testing.assert_array_equal(alike_heads(M, np.eye(2, dtype=bool), 2.5), [0, 1])
    np.testing.assert_array_equal(alike_heads(M, np.ones((2, 2), dtype=bool), 2.5), [0, 0])


def test_silent_heads_have_no_norm():
    np.testing.assert_array_equal(silent_heads(np.diag([6.0, 0.05, 0.0]), 2.5), [False, True, True])


def sampled_shares(model, M, Q, offsets, samples=20_000):
    """Mean share of each head in the weight of marked and of unmarked tokens, by sampling."""
    rng = np.random.default_rng(0)
    u = rng.multivariate_normal(np.zeros(len(M)), Q, samples, method="eigh")
    theta = model.signal.sample(rng, samples)
    largest = np.zeros(len(M))
    for fields in (u, u + theta @ M.T):
        w = np.exp(fields - offsets)
        shares = w / (w.sum(axis=1, keepdims=True) + model.activation.null)
        largest = np.maximum(largest, shares.mean(axis=0))
    return largest


@given(
    offsets=st.lists(st.floats(-2.0, 14.0), min_size=4, max_size=4),
    seed=st.integers(0, 99),
)
def test_a_head_that_is_called_negligible_is(offsets, seed):
    rng = np.random.default_rng(seed)
    M = POINTS[rng.integers(0, 2, 4)] + 0.3 * rng.standard_normal((4, 2))
    Q = M @ M.T + 0.1 * np.eye(4)
    model = Model(3, 4, SIGNAL, "bayes_softmax", offset=offsets)
    called = negligible_heads(model, M, Q, np.array(offsets))
    # The bound holds for every head; means of 20 000 shares in [0, 1] that are below 1e-3 have
    # a standard error below (1e-3/20 000)^(1/2) = 2e-4.
    assert (sampled_shares(model, M, Q, np.array(offsets))[called] < NEGLIGIBLE + 1e-3).all()


def test_a_head_pushed_away_by_its_offset_has_no_weight():
    M = POINTS[[0, 1, 1]]
    Q = M @ M.T
    offsets = np.array([3.125, 3.125, 30.0])
    for activation, expected in (
        ("bayes_softmax", [False, False, True]),
        ("softmax1", [False, False, True]),  # its null token wins
        ("softmax", [False, False, False]),  # an offset cancels within a head
        ("erf", [False, False, False]),
    ):
        model = Model(3, 3, SIGNAL, activation, offset=offsets)
        np.testing.assert_array_equal(negligible_heads(model, M, Q, offsets), expected)


def test_bayes_optimal_heads_all_have_weight():
    model = Model(3, 2, SIGNAL, "bayes_softmax")
    assert not negligible_heads(model, POINTS, POINTS @ POINTS.T, np.full(2, 3.125)).any()


@pytest.mark.parametrize("variance", [0.0, 1e-3, 0.5, 4.0, 30.0])
@pytest.mark.parametrize("lead", [-20.0, -2.0, 0.0, 3.0])
def test_largest_share_is_the_expectation(lead, variance):
    x = np.linspace(-12, 12, 20_001)
    density = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    values = np.minimum(1.0, np.exp(lead + np.sqrt(variance) * x))
    exact = np.trapezoid(density * values, x)
    # The trapezoidal rule errs at the kink by h² = 1.4e-6, relative to the slope there.
    assert float(_largest_share(np.array(lead), np.array(variance))) == pytest.approx(
        exact, rel=1e-5
    )
