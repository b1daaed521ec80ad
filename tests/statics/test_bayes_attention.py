"""The Bayes-optimal attention: a posterior, calibrated, and the same as its student."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import headode as ho

SIGNALS = {
    "sign_flips": ho.Signal.sign_flips([2, 0, 0], [0, 1.8, 1.2]),
    "unequal": ho.Signal.discrete([[2, 0], [0, 1], [1, 1.5]], [0.1, 0.6, 0.3]),
    "gaussian": ho.Signal.gaussian([1.0, 0.5], [[1.5, 0.4], [0.4, 0.6]]),
    "mixture": ho.Signal.mixture([[2, 0], [0, 1]], [0.5, [[1, 0.3], [0.3, 2]]], [0.3, 0.7]),
}


def sampled_fields(signal, count, tokens, rng):
    """Teacher fields (count, tokens, F); token 0 is marked."""
    fields = rng.standard_normal((count, tokens, signal.features))
    fields[:, 0] += signal.sample(rng, count)
    return fields


@pytest.mark.parametrize("name", SIGNALS)
def test_is_the_posterior_of_the_marked_token(name):
    """By Bayes' rule from the densities of all tokens, once for each token that may be marked."""
    signal, tokens = SIGNALS[name], 4
    fields = sampled_fields(signal, 50, tokens, np.random.default_rng(0))
    noise = multivariate_normal(np.zeros(signal.features), np.eye(signal.features)).pdf(fields)
    marked = sum(
        p * multivariate_normal(mean, np.eye(signal.features) + covariance).pdf(fields)
        for p, mean, covariance in zip(
            signal.probabilities, signal.means, signal.covariances, strict=True
        )
    )
    joint = np.array(
        [marked[:, l] * np.delete(noise, l, axis=1).prod(axis=1) for l in range(tokens)]
    ).T
    posterior = joint / joint.sum(axis=1, keepdims=True)
    attention = ho.BayesAttention(signal)
    np.testing.assert_allclose(attention.weights(fields), posterior, rtol=1e-10)
    np.testing.assert_allclose(
        attention.log_weights(fields), np.log(marked) - np.log(noise), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("name", SIGNALS)
def test_its_score_is_the_bayes_risk(name):
    model = ho.Model(5, 1, SIGNALS[name], label_noise=0.4)
    fields = sampled_fields(model.signal, 60_000, model.tokens, np.random.default_rng(1))
    A = ho.BayesAttention(model.signal).weights(fields)
    scores = 0.5 * ((A - np.eye(model.tokens)[0]) ** 2).sum(axis=1) + 0.5 * 0.4**2
    error = scores.std() / np.sqrt(len(scores))
    assert abs(scores.mean() - ho.bayes_risk(model)) < 4 * error + 1e-5
    # Calibration: the weight of the marked token is on average that of the forecast itself.
    difference = A[:, 0] - (A**2).sum(axis=1)
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(scores))


@pytest.mark.parametrize("name", ["sign_flips", "unequal"])
def test_student_has_the_bayes_risk(name):
    model, state = ho.BayesAttention(SIGNALS[name]).student(6, label_noise=0.3)
    terms = ho.expected_update(model, state, tolerance=1e-8)
    assert terms.risk == pytest.approx(ho.bayes_risk(model, tolerance=1e-8), abs=2e-8)
    # Nothing lowers it further: neither other overlaps, nor other offsets, nor a residual.
    assert np.abs(terms.G + terms.C @ state.M).max() < 1e-7
    assert np.abs(terms.offset_gradient).max() < 1e-7
    assert np.linalg.eigvalsh(terms.C)[0] > 0
    # And it gives the same weights to the same sequences.
    fields = sampled_fields(model.signal, 10, 6, np.random.default_rng(2))
    scores = np.exp(fields @ state.M.T - model.offset)
    pooled = scores.sum(axis=2) / scores.sum(axis=(1, 2))[:, None]
    attention = ho.BayesAttention(model.signal).weights(fields)
    np.testing.assert_allclose(attention, pooled, rtol=1e-12)


def test_any_leading_dimensions_and_extreme_fields():
    attention = ho.BayesAttention(SIGNALS["mixture"])
    fields = np.random.default_rng(3).standard_normal((2, 3, 4, 2))
    assert attention.weights(fields).shape == (2, 3, 4)
    one = attention.weights(fields[1, 2])
    np.testing.assert_allclose(attention.weights(fields)[1, 2], one, rtol=1e-14)
    far = attention.weights(1e4 * fields)
    assert np.isfinite(far).all()
    np.testing.assert_allclose(far.sum(axis=-1), 1.0)


def test_refusals():
    with pytest.raises(ho.ArgumentError, match="be a Signal"):
        ho.BayesAttention([1.0, 2.0])
    attention = ho.BayesAttention(SIGNALS["gaussian"])
    with pytest.raises(ho.ArgumentError, match="F = 2"):
        attention.weights(np.zeros((3, 4)))
    with pytest.raises(ho.ArgumentError, match=r"\(\.\.\., L, F\)"):
        attention.weights(np.zeros(2))
    with pytest.raises(ho.ArgumentError, match="infinitely many heads"):
        attention.student(3)
