"""Random models and states for the tests of expectations, for every activation."""

from __future__ import annotations

from headode.activation import BUILTIN
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal

ACTIVATIONS = tuple(BUILTIN)


def random_signal(rng, features):
    """One of the kinds of signals, with order-one strength."""
    kind = rng.choice(["sign_flips", "one_hot", "flipped_one_hot", "gaussian", "mixture"])
    strength = 0.5 + rng.random(features)
    if kind == "sign_flips":
        return Signal.sign_flips(rng.standard_normal(features), strength * (rng.random() < 0.8))
    if kind == "one_hot":
        return Signal.one_hot(strength)
    if kind == "flipped_one_hot":
        return Signal.flipped_one_hot(strength)
    roots = 0.6 * rng.standard_normal((2, features, features))
    covariances = list(roots @ roots.transpose(0, 2, 1))
    if kind == "gaussian":
        return Signal.gaussian(rng.standard_normal(features), covariances[0])
    return Signal.mixture(rng.standard_normal((2, features)), covariances, [0.3, 0.7])


def random_model(rng, activation, tokens=None, heads=None):
    """A model with L in 2..7, H in 1..4, F in 1..3 and random offset and value modes."""
    tokens = int(rng.integers(2, 8)) if tokens is None else tokens
    heads = int(rng.integers(1, 5)) if heads is None else heads
    offset = ["zero", "nishimori", "learned", "numbers"][rng.integers(4)]
    return Model(
        tokens,
        heads,
        random_signal(rng, int(rng.integers(1, 4))),
        activation,
        offset=0.5 * rng.standard_normal(heads) if offset == "numbers" else offset,
        value=["known", "learned"][rng.integers(2)],
        label_noise=float(rng.choice([0.0, 0.3])),
    )


def random_state(rng, model, *, rank=None):
    """Order-one overlaps that fit the model; R of the given rank (full by default)."""
    H = model.heads
    root = 0.5 * rng.standard_normal((H, H if rank is None else rank))
    value = {}
    if model.learns_value:
        m_v = float(rng.uniform(0.2, 1.0))
        value = {"m_v": m_v, "q_v": m_v**2 + float(rng.uniform(0, 0.3))}
    if model.learns_offset:
        value["offset"] = 0.5 * rng.standard_normal(H)
    M = rng.standard_normal((H, model.features))
    return OrderParameters(M, root @ root.T, **value)
