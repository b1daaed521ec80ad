"""The Bayes risk: two methods, known limits, and nothing below it."""

from __future__ import annotations

import numpy as np
import pytest

import headode as ho
from headode.expectation import bayes_risk as module
from headode.expectation.bayes_race import bayes_risk_by_race
from headode.expectation.gaussian_rule import TooManyNodes


def by_sampling(model, samples, rng):
    """Brier score of the Bayes posterior of the location, by plain Monte Carlo."""
    signal, L, F = model.signal, model.tokens, model.features
    fields = rng.standard_normal((samples, L, F))
    fields[:, 0] += signal.sample(rng, samples)
    # Likelihood ratio of N(θ̄, I + Σ) to N(0, I), mixed over the components.
    ratio = np.zeros((samples, L))
    for p, mean, covariance in zip(
        signal.probabilities, signal.means, signal.covariances, strict=True
    ):
        wide = np.eye(F) + covariance
        centered = fields - mean
        quadratic = np.einsum("nlf,fg,nlg->nl", centered, np.linalg.inv(wide), centered)
        density = np.exp(-0.5 * quadratic + 0.5 * (fields**2).sum(axis=2))
        ratio += p * density / np.sqrt(np.linalg.det(wide))
    A = ratio / ratio.sum(axis=1, keepdims=True)
    scores = 0.5 * ((1 - A[:, 0]) ** 2 + (A[:, 1:] ** 2).sum(axis=1))
    noise = 0.5 * model.label_noise**2
    return scores.mean() + noise, scores.std() / np.sqrt(samples)


SIGNALS = {
    "sign_flips": ho.Signal.sign_flips([2, 0, 0], [0, 1.8, 1.2]),
    "unequal": ho.Signal.discrete([[2, 0], [0, 1], [1, 1.5]], [0.1, 0.6, 0.3]),
    "gaussian": ho.Signal.gaussian([1.0, 0.5], [[1.5, 0.4], [0.4, 0.6]]),
    "mixture": ho.Signal.mixture([[2, 0], [0, 1]], [0.5, [[1, 0.3], [0.3, 2]]], [0.3, 0.7]),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_equals_the_score_of_the_sampled_posterior(name):
    model = ho.Model(4, 1, SIGNALS[name], label_noise=0.4)
    risk, error = module.bayes_risk_and_error(model, tolerance=1e-4)
    sampled, spread = by_sampling(model, 100_000, np.random.default_rng(0))
    assert error <= 1e-4
    assert abs(risk - sampled) < 4 * np.hypot(spread, error)


def test_both_methods_agree(monkeypatch):
    model = ho.Model(3, 1, SIGNALS["unequal"])
    exact, small = module.bayes_risk_and_error(model, tolerance=1e-7)

    def refuse(*_arguments, **_options):
        raise TooManyNodes("for this test")

    monkeypatch.setattr(module.Factorized, "__call__", refuse)
    sampled, error = module.bayes_risk_and_error(model, tolerance=3e-5)
    assert small < 1e-6
    assert error > 1e-7
    assert abs(exact - sampled) < 2 * error


def test_limits():
    weak, strong = (ho.Signal.sign_flips([s], [0.0]) for s in (1e-3, 20.0))
    # Without a signal the best forecast is uniform; a strong one gives the location away.
    assert ho.bayes_risk(ho.Model(5, 1, weak)) == pytest.approx(0.5 * (1 - 1 / 5), abs=1e-5)
    assert ho.bayes_risk(ho.Model(5, 1, strong)) == pytest.approx(0.0, abs=1e-5)
    assert ho.bayes_risk(ho.Model(1, 1, weak, label_noise=0.5)) == pytest.approx(0.125, abs=1e-12)


def test_longer_sequences_are_harder():
    risks = [ho.bayes_risk(ho.Model(L, 1, SIGNALS["sign_flips"])) for L in (2, 3, 10, 1000, 10**5)]
    assert risks == sorted(risks)
    assert risks[-1] < 0.5


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("tokens", [2, 5, 300])
def test_race_over_teacher_fields(name, tokens):
    """The race's error is honest, against other methods: another race, or sampling."""
    model = ho.Model(tokens, 1, SIGNALS[name], label_noise=0.4)
    risk, error = bayes_risk_by_race(model, 1e-5)
    tight, small = bayes_risk_by_race(model, 1e-7)
    assert error <= 1e-5
    assert small <= 1e-7
    assert abs(risk - tight) < error + small
    if model.signal.is_discrete:
        other, its_error = module.bayes_risk_and_error(model, tolerance=1e-7)
        assert abs(tight - other) < small + its_error
    else:
        sampled, spread = by_sampling(model, 20_000, np.random.default_rng(tokens))
        assert abs(tight - sampled) < 4 * spread


def test_race_at_the_limits():
    absent, certain = (ho.Signal.gaussian([0.0, 0.0], [s, 0.0]) for s in (0.0, 1e4))
    assert bayes_risk_by_race(ho.Model(4, 1, absent), 1e-7)[0] == pytest.approx(0.375, abs=1e-7)
    assert 0 < bayes_risk_by_race(ho.Model(4, 1, certain), 1e-5)[0] < 0.02
    with pytest.raises(TooManyNodes):
        bayes_risk_by_race(ho.Model(4, 1, ho.Signal.gaussian(np.zeros(9), 4.0)), 1e-6)


def test_unreached_tolerance_is_said(monkeypatch):
    def refuse(*_arguments):
        raise TooManyNodes("for this test")

    monkeypatch.setattr(module, "bayes_risk_by_race", refuse)
    monkeypatch.setattr("headode.expectation.nodes.LARGEST_NODES", 1 << 12)
    with pytest.warns(ho.ToleranceWarning, match="Bayes risk"):
        ho.bayes_risk(ho.Model(3, 1, SIGNALS["gaussian"]), tolerance=1e-9, seed=77)
