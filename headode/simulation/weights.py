"""SGD on full weight vectors: one fused loop that follows the definition of the model.

Theory: model and order parameters. Nothing is averaged or assumed about the overlaps here; every
step draws fresh sequences of d-dimensional tokens and descends the gradient of ``½ (y − f)²``.
"""

from __future__ import annotations

import math

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.simulation._compile import compiled, compiled_vector
from headode.simulation.step import (
    Fields,
    Setting,
    Source,
    differentiate,
    draw_signal,
    kept_fraction,
    new_fields,
    setting_of,
)
from headode.simulation.vectors import (
    Overlaps,
    Student,
    Teacher,
    initial_vectors,
    measure_overlaps,
)
from headode.training import Training

# Coordinates handled at a time, so that what was just drawn is still in the fastest cache (8 kB)
# when its products with the weights are taken.
BLOCK = 1024


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
        self._rng = np.random.Generator(np.random.PCG64(seed))
        offset = np.array(model.offsets(state))
        self._teacher, self._student = initial_vectors(state, offset, dimension, self._rng)
        self._setting = setting_of(model, training)

    def advance(self, steps: int) -> None:
        """Take SGD steps; releases the GIL meanwhile."""
        _advance(steps, self._rng, self._setting, self._teacher, self._student)

    def overlaps(self) -> Overlaps:
        """The overlaps now, with the offsets in use."""
        measured = measure_overlaps(self._teacher, self._student)
        if self._setting.rates.nishimori:
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
    rng: np.random.Generator,
    source: Source,
    teacher: Teacher,
    student: Student,
    theta: Array,
    tokens: Array,
    fields: Fields,
) -> float:
    """Fill the tokens x (L, d) and their fields χ, z, and return the label.

    Order of the draws: signal, then the tokens, then the label noise.
    """
    heads, dimension = student.heads.shape
    root = math.sqrt(dimension)
    marked = draw_signal(rng, source, theta)
    fields.chi[:] = 0.0
    fields.z[:] = 0.0
    label = 0.0
    for l in range(source.tokens):
        for start in range(0, dimension, BLOCK):
            part = slice(start, min(start + BLOCK, dimension))
            x = tokens[l, part]
            for i in range(x.size):
                x[i] = rng.standard_normal()
            if l == marked:
                for f in range(theta.size):
                    _combine(x, 1.0, theta[f] / root, teacher.features[f, part])
                label += _dot(x, teacher.value[part]) / root
            fields.z[l] += _dot(x, student.value[part]) / root
            for h in range(heads):
                fields.chi[l, h] += _dot(x, student.heads[h, part]) / root
    return label + source.label_noise * rng.standard_normal()


@compiled
def _add_gradient(
    error: float, tokens: Array, fields: Fields, gradient: Student, learns_value: bool
) -> None:
    """Add the gradient of ``½ (y − f)²`` at one sequence, with error f − y.

    With respect to k_h through the scores χ_lh = x_l·k_h/√d alone, to v, and to b_h.
    """
    length, dimension = tokens.shape
    scale = error / math.sqrt(dimension)
    for start in range(0, dimension, BLOCK):
        part = slice(start, min(start + BLOCK, dimension))
        for l in range(length):
            for h in range(gradient.offset.size):
                _combine(gradient.heads[h, part], 1.0, scale * fields.pulled[l, h], tokens[l, part])
            if learns_value:
                _combine(gradient.value[part], 1.0, scale * fields.weights[l], tokens[l, part])
    for h in range(gradient.offset.size):
        for l in range(length):
            gradient.offset[h] -= error * fields.pulled[l, h]


@compiled
def _advance(
    steps: int,
    rng: np.random.Generator,
    setting: Setting,
    teacher: Teacher,
    student: Student,
) -> None:
    """SGD steps, in place.

    ``k_h ← k_h − η (∇_{k_h} + λ k_h/d)``, ``v ← v − η_v ∇_v``, ``b_h ← b_h − (η_b/d) ∂/∂b_h``.
    """
    source, rule, rates = setting
    heads, dimension = student.heads.shape
    tokens, fields = np.empty((source.tokens, dimension)), new_fields(source.tokens, heads)
    theta = np.empty(len(teacher.features))
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
            label = _draw_sequence(rng, source, teacher, student, theta, tokens, fields)
            error = differentiate(rule, offset, fields, label)
            _add_gradient(error, tokens, fields, gradient, rates.learns_value)
        for h in range(heads):
            keep = kept_fraction(rates, gradient.offset[h], dimension)
            _combine(student.heads[h], keep, -rates.head / rates.batch, gradient.heads[h])
            student.offset[h] -= rates.offset / rates.batch * gradient.offset[h] / dimension
        if rates.learns_value:
            _combine(student.value, 1.0, -rates.value / rates.batch, gradient.value)
