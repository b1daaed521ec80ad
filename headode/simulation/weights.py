"""SGD on full weight vectors: one fused loop that follows the definition of the model.

Theory: model and order parameters. Nothing is averaged or assumed about the overlaps here; every
step draws fresh sequences of d-dimensional tokens and descends the gradient of ``½ (y − f)²``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.simulation._compile import compiled, compiled_vector
from headode.simulation.attention import AttentionRule, attend, attention_rule, pull_back
from headode.simulation.vectors import (
    Overlaps,
    Student,
    Teacher,
    initial_vectors,
    measure_overlaps,
    square_root,
)
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
    """What one step does: η, η_v (0 for a known value), η_b (0 unless learned), λ, B."""

    head: float
    value: float
    offset: float
    decay: float
    batch: int
    nishimori: bool


class WeightsRun:
    """One run of SGD on weight vectors in R^d.

    Args:
        model: the task and the architecture.
        state: initial overlaps, met exactly.
        training: learning rates; ``learning_rate`` is a number.
        dimension: d ≥ F + H + 2.
        seed: the run's own stream: first the frame of the vectors, then the sequences.
    """

    def __init__(
        self,
        model: Model,
        state: OrderParameters,
        training: Training,
        dimension: int,
        seed: np.random.SeedSequence,
    ) -> None:
        assert training.learning_rate is not None
        self._rng = np.random.Generator(np.random.PCG64(seed))
        offset = np.array(model.offsets(state))
        self._teacher, self._student = initial_vectors(state, offset, dimension, self._rng)
        self._nishimori = model.is_nishimori
        self._rule = attention_rule(model.activation, model.heads, model.prefactor)
        signal = model.signal
        self._source = Source(
            model.tokens,
            model.label_noise,
            np.cumsum(signal.probabilities),
            np.ascontiguousarray(signal.means),
            square_root(signal.covariances),
            signal.is_discrete,
        )
        self._rates = Rates(
            training.learning_rate,
            training.value_learning_rate if model.learns_value else 0.0,
            training.offset_learning_rate if model.learns_offset else 0.0,
            training.weight_decay,
            training.batch_size,
            model.is_nishimori,
        )

    def advance(self, steps: int) -> None:
        """Take SGD steps; releases the GIL meanwhile."""
        _advance(
            steps, self._rng, self._source, self._rule, self._teacher, self._student, self._rates
        )

    def overlaps(self) -> Overlaps:
        """The overlaps now, with the offsets in use."""
        measured = measure_overlaps(self._teacher, self._student)
        if self._nishimori:
            with np.errstate(all="ignore"):  # a diverged run is reported by whoever asked for it
                norms = np.sum(measured.M**2, axis=1) + np.diag(measured.R)
            return measured._replace(offset=0.5 * norms)
        return measured


@compiled_vector
def _dot(a: Array, b: Array) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@compiled_vector
def _combine(target: Array, keep: float, factor: float, vector: Array) -> None:
    for i in range(target.size):
        target[i] = keep * target[i] + factor * vector[i]


@compiled
def _draw_sequence(
    rng: np.random.Generator, source: Source, teacher: Teacher, tokens: Array
) -> int:
    """Fill ``tokens`` x (L, d) and return the marked position.

    Order of the draws: component of the signal, marked token, signal noise, then the tokens.
    """
    length, dimension = tokens.shape
    features = source.means.shape[1]
    # The last cumulative probability may be a roundoff below 1, so it is not looked at.
    component = np.searchsorted(source.cumulative[:-1], rng.random(), side="right")
    marked = int(length * rng.random())
    theta = source.means[component].copy()
    if not source.discrete:
        for g in range(features):
            noise = rng.standard_normal()
            for f in range(features):
                theta[f] += source.roots[component, f, g] * noise
    for l in range(length):
        for i in range(dimension):
            tokens[l, i] = rng.standard_normal()
    for f in range(features):
        _combine(tokens[marked], 1.0, theta[f] / math.sqrt(dimension), teacher.features[f])
    return marked


@compiled
def _add_gradient(
    sample: tuple[Array, int, float],
    rule: AttentionRule,
    teacher: Teacher,
    student: Student,
    offset: Array,
    gradient: Student,
    learns_value: bool,
) -> None:
    """Add the gradient of ``½ (y − f)²`` at one sequence (tokens, marked position, label noise).

    With respect to k_h through the scores χ_lh = x_l·k_h/√d alone, to v, and to b_h.
    """
    tokens, marked, noise = sample
    length, dimension = tokens.shape
    heads = student.heads.shape[0]
    root = math.sqrt(dimension)
    chi, z = np.empty((length, heads)), np.empty(length)
    for l in range(length):
        z[l] = _dot(tokens[l], student.value) / root
        for h in range(heads):
            chi[l, h] = _dot(tokens[l], student.heads[h]) / root
    share, slope, pulled = np.empty_like(chi), np.empty_like(chi), np.empty_like(chi)
    weights = np.empty(length)
    attend(rule, chi, offset, share, slope, weights)
    pull_back(rule, share, slope, z, pulled)
    label = _dot(tokens[marked], teacher.value) / root + noise
    # The derivative of the loss with respect to the prediction f.
    error = _dot(weights, z) - label
    for h in range(heads):
        for l in range(length):
            _combine(gradient.heads[h], 1.0, error * pulled[l, h] / root, tokens[l])
            gradient.offset[h] -= error * pulled[l, h]
    if learns_value:
        for l in range(length):
            _combine(gradient.value, 1.0, error * weights[l] / root, tokens[l])


@compiled
def _advance(
    steps: int,
    rng: np.random.Generator,
    source: Source,
    rule: AttentionRule,
    teacher: Teacher,
    student: Student,
    rates: Rates,
) -> None:
    """SGD steps, in place.

    ``k_h ← k_h − η (∇_{k_h} + λ k_h/d)``, ``v ← v − η_v ∇_v``, ``b_h ← b_h − (η_b/d) ∂/∂b_h``.
    """
    heads, dimension = student.heads.shape
    tokens = np.empty((source.tokens, dimension))
    gradient = Student(np.empty((heads, dimension)), np.empty(dimension), np.empty(heads))
    offset = student.offset.copy()
    for _ in range(steps):
        if rates.nishimori:
            for h in range(heads):
                offset[h] = _dot(student.heads[h], student.heads[h]) / (2.0 * dimension)
        else:
            offset[:] = student.offset
        gradient.heads[:] = 0.0
        gradient.value[:] = 0.0
        gradient.offset[:] = 0.0
        for _ in range(rates.batch):
            marked = _draw_sequence(rng, source, teacher, tokens)
            noise = source.label_noise * rng.standard_normal()
            sample = (tokens, marked, noise)
            _add_gradient(sample, rule, teacher, student, offset, gradient, rates.value != 0.0)
        for h in range(heads):
            # ∂b_h/∂k_h = k_h/d
            through_offset = gradient.offset[h] / rates.batch if rates.nishimori else 0.0
            keep = 1.0 - rates.head * (through_offset + rates.decay) / dimension
            _combine(student.heads[h], keep, -rates.head / rates.batch, gradient.heads[h])
            student.offset[h] -= rates.offset / rates.batch * gradient.offset[h] / dimension
        if rates.value != 0.0:
            _combine(student.value, 1.0, -rates.value / rates.batch, gradient.value)
