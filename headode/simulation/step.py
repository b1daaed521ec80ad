"""What a step of SGD is made of, whatever the weights are kept as (theory: model)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.simulation._compile import compiled
from headode.simulation.attention import AttentionRule, attend, attention_rule, pull_back
from headode.simulation.vectors import square_root
from headode.training import Training


class Source(NamedTuple):
    """The law of a sequence: tokens L, and the signal's mixture (S components on R^F).

    Attributes:
        tokens: L.
        label_noise: Δ.
        cumulative: (S,) cumulative probabilities.
        means: (S, F).
        roots: (S, F, F) roots of the covariances.
        discrete: whether all the covariances vanish.
    """

    tokens: int
    label_noise: float
    cumulative: Array
    means: Array
    roots: Array
    discrete: bool


class Rates(NamedTuple):
    """What one step does: η, η_v, η_b (0 unless learned), λ, B."""

    head: float
    value: float
    offset: float
    decay: float
    batch: int
    nishimori: bool
    learns_value: bool


class Setting(NamedTuple):
    """What does not change from step to step."""

    source: Source
    rule: AttentionRule
    rates: Rates


def setting_of(model: Model, training: Training) -> Setting:
    """A model and its training, as the compiled loops take them."""
    return Setting(source_of(model), rule_of(model), rates_of(model, training))


def rule_of(model: Model) -> AttentionRule:
    """The attention of a model."""
    return attention_rule(model.activation, model.heads, model.prefactor)


def source_of(model: Model) -> Source:
    """The sequences of a model's task, as the compiled loops take them."""
    signal = model.signal
    return Source(
        model.tokens,
        model.label_noise,
        np.cumsum(signal.probabilities),
        np.ascontiguousarray(signal.means),
        square_root(signal.covariances),
        signal.is_discrete,
    )


def rates_of(model: Model, training: Training) -> Rates:
    """The constants of a step; the learning rate is a number."""
    assert training.learning_rate is not None
    return Rates(
        training.learning_rate,
        training.value_learning_rate if model.learns_value else 0.0,
        training.offset_learning_rate if model.learns_offset else 0.0,
        training.weight_decay,
        training.batch_size,
        model.is_nishimori,
        model.learns_value,
    )


@compiled
def draw_signal(rng: np.random.Generator, source: Source, theta: Array) -> int:
    """Fill ``theta`` (F,) with a signal θ and return the marked position.

    Order of the draws: component of the mixture, marked token, Gaussian part of the signal.
    """
    features = theta.size
    # The last cumulative probability may be a roundoff below 1, so it is not looked at.
    component = np.searchsorted(source.cumulative[:-1], rng.random(), side="right")
    marked = int(source.tokens * rng.random())
    theta[:] = source.means[component]
    if not source.discrete:
        for g in range(features):
            noise = rng.standard_normal()
            for f in range(features):
                theta[f] += source.roots[component, f, g] * noise
    return marked


@compiled
def kept_fraction(rates: Rates, offset_gradient: float, dimension: int) -> float:
    """What a step leaves of k_h but for the scores' gradient.

    Weight decay, and the gradient through a Nishimori offset: ∂b_h/∂k_h = k_h/d.
    ``offset_gradient``: of the loss with respect to b_h, summed over the batch.
    """
    through_offset = offset_gradient / rates.batch if rates.nishimori else 0.0
    return 1.0 - rates.head * (through_offset + rates.decay) / dimension


class Fields(NamedTuple):
    """The local fields of one sequence, and what the attention makes of them.

    Attributes:
        chi: (L, H), scores.
        z: (L,), values.
        share: (L, H), each head's part of the weights.
        slope: (L, H), see :func:`headode.simulation.attention.attend`.
        weights: (L,), A.
        pulled: (L, H), Σ_j z_j ∂A_j/∂χ_lh.
    """

    chi: Array
    z: Array
    share: Array
    slope: Array
    weights: Array
    pulled: Array


@compiled
def new_fields(tokens: int, heads: int) -> Fields:
    """Arrays to be filled."""
    shape = (tokens, heads)
    return Fields(
        np.empty(shape),
        np.empty(tokens),
        np.empty(shape),
        np.empty(shape),
        np.empty(tokens),
        np.empty(shape),
    )


@compiled
def differentiate(rule: AttentionRule, offset: Array, fields: Fields, label: float) -> float:
    """Fill what follows from χ and z, and return the error f − y.

    The loss ``½ (y − f)²`` has the derivative error · pulled_lh with respect to χ_lh, and
    error · A_l with respect to z_l.
    """
    attend(rule, fields.chi, offset, fields.share, fields.slope, fields.weights)
    pull_back(rule, fields.share, fields.slope, fields.z, fields.pulled)
    prediction = 0.0
    for l in range(fields.z.size):
        prediction += fields.weights[l] * fields.z[l]
    return prediction - label
