"""Models, signals and states: what they compute, and what they refuse."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import headode as ho
from headode.activation import BUILTIN

SIGNALS = {
    "sign_flips": ho.Signal.sign_flips([2, 0, 0], [0, 1.8, 1.2]),
    "one_hot": ho.Signal.one_hot([1, 2], [0.3, 0.7]),
    "flipped_one_hot": ho.Signal.flipped_one_hot([1, 2]),
    "gaussian": ho.Signal.gaussian([1, 0], [[1, 0.5], [0.5, 2]]),
    "discrete": ho.Signal.discrete([[1, 0], [0, 1], [1, 1]], [0.2, 0.3, 0.5]),
    "mixture": ho.Signal.mixture([[1, 0], [0, 1]], [0.5, [1, 2]], [0.4, 0.6]),
}


def test_every_signal_kind_is_tested():
    from headode.signal import SIGNAL_KINDS

    assert set(SIGNALS) == set(SIGNAL_KINDS)


@pytest.mark.parametrize("kind", SIGNALS)
def test_moments_equal_those_of_samples(kind):
    signal = SIGNALS[kind]
    count = 200_000
    theta = signal.sample(np.random.default_rng(0), count)
    spread = np.sqrt(np.diag(signal.covariance) / count)
    assert np.all(np.abs(theta.mean(axis=0) - signal.mean) < 5 * spread + 1e-12)
    # Fourth moments of these laws are below 20: five standard errors of a second moment.
    assert np.abs(np.cov(theta.T, ddof=0) - signal.covariance).max() < 5 * np.sqrt(20 / count)


@pytest.mark.parametrize("kind", SIGNALS)
def test_signal_survives_its_description(kind):
    signal = SIGNALS[kind]
    again = ho.Signal.from_dict(signal.to_dict())
    assert again.kind == kind
    for name in ("probabilities", "means", "covariances"):
        assert np.array_equal(getattr(again, name), getattr(signal, name))
    assert pickle.loads(pickle.dumps(signal)).to_dict() == signal.to_dict()


def test_equal_components_are_merged_and_empty_ones_dropped():
    signal = ho.Signal.discrete([[1.0], [2.0], [1.0], [3.0]], [0.2, 0.5, 0.3, 0.0])
    assert signal.means.tolist() == [[1.0], [2.0]]
    assert signal.probabilities.tolist() == [0.5, 0.5]
    assert ho.Signal.flipped_one_hot([1.0, 0.0]).components == 3


def test_support_of_the_named_signals():
    flips = SIGNALS["sign_flips"]
    assert sorted(map(tuple, flips.means)) == sorted(
        (2.0, s * 1.8, t * 1.2) for s in (1, -1) for t in (1, -1)
    )
    assert np.allclose(np.diag(flips.covariance), [0, 3.24, 1.44])
    assert SIGNALS["one_hot"].means.tolist() == [[1, 0], [0, 2]]
    assert SIGNALS["gaussian"].is_discrete is False


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("sign_flips", (1, 2)), ("one_hot", ()), ("flipped_one_hot", (0, 1)), ("gaussian", ())],
)
def test_flip_symmetric_features(kind, expected):
    assert SIGNALS[kind].flip_symmetric_features() == expected
    diagonal = ho.Signal.gaussian([1, 0], [1, 2])
    assert diagonal.flip_symmetric_features() == (1,)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ho.Signal.sign_flips([1, 0], [1]), "amplitude.*2 entries"),
        (lambda: ho.Signal.sign_flips([0] * 17, [1] * 17), "at most 16"),
        (lambda: ho.Signal.one_hot([1, 2], [0.5, 0.6]), "probabilities.*sum to 1"),
        (lambda: ho.Signal.one_hot([1, np.nan]), "amplitude.*finite"),
        (lambda: ho.Signal.gaussian([0, 0], [[1, 2], [2, 1]]), "covariance.*semidefinite"),
        (lambda: ho.Signal.gaussian([0, 0], [[1, 2], [0, 1]]), "covariance.*symmetric"),
        (lambda: ho.Signal.mixture([[0], [1]], [1, 1, 1]), "covariances.*2 covariances"),
        (lambda: ho.Signal.from_dict({"kind": "one_hott"}), "did you mean one_hot"),
        (lambda: ho.Model(0, 1, SIGNALS["one_hot"]), "tokens.*integer ≥ 1"),
        (lambda: ho.Model(2, True, SIGNALS["one_hot"]), "heads.*integer"),
        (lambda: ho.Model(2, 1, SIGNALS["one_hot"], "sofmax"), "did you mean softmax"),
        (lambda: ho.Model(2, 1, SIGNALS["one_hot"], offset="nishimory"), "nishimori"),
        (lambda: ho.Model(2, 1, SIGNALS["one_hot"], offset=[1, 2]), r"offset.*\(1\)"),
        (lambda: ho.Model(2, 1, SIGNALS["one_hot"], offset=[[1, 2], [3]]), "offset"),
        (lambda: ho.Model(2, 1, SIGNALS["one_hot"], value="unknown"), "value.*known"),
        (lambda: ho.Model(2, 1, SIGNALS["one_hot"], label_noise=-1), "label_noise.*≥ 0"),
        (lambda: ho.Model(2, 1, SIGNALS["one_hot"], prefactor=2), "prefactor.*bayes_softmax"),
        (lambda: ho.Model(2, 1, SIGNALS["one_hot"], "erf", prefactor=0), "prefactor.*> 0"),
        (lambda: ho.Model(2, 1, "one_hot"), "signal.*be a Signal"),
        (lambda: ho.OrderParameters([[1.0]], [[-1.0]]), "R.*semidefinite"),
        (lambda: ho.OrderParameters([[1.0]], np.eye(2)), r"R.*shape \(1, 1\)"),
        (lambda: ho.OrderParameters([[1.0]], [[1]], m_v=1, q_v=0.5), "q_v.*at least"),
        (lambda: ho.OrderParameters([[1.0]], [[1]], offset=[1, 2]), "offset"),
        (lambda: ho.Activation("Bad Name", "exp", "pooled"), "name"),
        (lambda: ho.Activation("a", "exp", "global"), "normalization.*pooled"),
        (lambda: ho.Activation("a", "relu", "none"), "score.*softplus"),
        (lambda: ho.Activation("a", "exp", "none", null=1.0), "null"),
        (lambda: ho.Activation("a", "exp", "pooled", average=True), "average"),
        (lambda: ho.register_activation(ho.Activation("softmax", "exp", "pooled")), "another"),
    ],
)
def test_bad_values_are_refused_with_the_argument_named(build, message):
    with pytest.raises(ho.ArgumentError, match=message):
        build()


def test_defaults():
    signal = SIGNALS["one_hot"]
    assert ho.Model(3, 2, signal).is_nishimori
    for name in BUILTIN:
        model = ho.Model(3, 2, signal, name)
        assert model.offset == ("nishimori" if name == "bayes_softmax" else "zero")
        assert model.prefactor == (1 / 6 if name in ("linear", "erf") else 1.0)


def test_offsets():
    signal = SIGNALS["one_hot"]
    state = ho.OrderParameters([[1, 0], [0, 2]], np.diag([0.5, 0]), offset=[0.1, 0.2])
    plain = state.replace(offset=None)
    assert ho.Model(3, 2, signal, "softmax").offsets(plain).tolist() == [0, 0]
    assert ho.Model(3, 2, signal, offset=0.3).offsets(plain).tolist() == [0.3, 0.3]
    assert ho.Model(3, 2, signal).offsets(plain).tolist() == [0.75, 2.0]
    learned = ho.Model(3, 2, signal, offset="learned")
    assert learned.offsets(plain).tolist() == [0, 0]
    assert learned.offsets(state).tolist() == [0.1, 0.2]


def test_order_parameters_are_immutable():
    state = ho.OrderParameters([[1.0]], [[0.5]])
    with pytest.raises(AttributeError, match="replace"):
        state.m_v = 2.0
    with pytest.raises(ValueError, match="read-only"):
        state.M[0, 0] = 2.0
    assert state.replace(R=[[0.7]]).R[0, 0] == 0.7
    assert state.Q[0, 0] == 1.5
    assert pickle.loads(pickle.dumps(state)).to_dict() == state.to_dict()


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 1000))
def test_random_start_does_not_depend_on_whether_the_value_is_learned(heads, features, seed):
    known = ho.OrderParameters.random(heads, features, scale=0.1, seed=seed)
    learned = ho.OrderParameters.random(heads, features, scale=0.1, seed=seed, learned_value=True)
    assert np.array_equal(known.M, learned.M)
    assert np.array_equal(known.R, 0.1**2 * np.eye(heads))
    assert learned.q_v == pytest.approx(learned.m_v**2 + 0.01)


def test_permuted():
    state = ho.OrderParameters([[1.0], [2.0]], [[1, 0.1], [0.1, 2]], offset=[3, 4])
    swapped = state.permuted([1, 0])
    assert swapped.M.tolist() == [[2.0], [1.0]]
    assert swapped.R.tolist() == [[2, 0.1], [0.1, 1]]
    assert swapped.offset.tolist() == [4, 3]


def test_errors_survive_pickling():
    """They cross process borders in parallel sweeps."""
    for error in (ho.ArgumentError("x", "be y", 3), ho.ConfigError(["one", "two"])):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
