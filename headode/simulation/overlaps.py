"""SGD as a Markov chain of its overlaps: exact in law, at a cost that does not depend on d.

Theory: finite dimension. A token meets the weights only through its coordinates along the teachers
and along the student's vectors, which are standard normal. What is left of the tokens enters a step
only through the combinations Σ_l g_la x_l of the vectors a; given the coefficients g these are
Gaussian with covariance gᵀg, in the d − F − 1 − n dimensions beside all of those directions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.simulation._compile import compiled
from headode.simulation.chain import Chain, initial_chain, measure_chain
from headode.simulation.factors import draw_gaussian_factor, make_lower_triangular
from headode.simulation.step import (
    Fields,
    Rates,
    Setting,
    Source,
    differentiate,
    draw_signal,
    kept_fraction,
    new_fields,
    setting_of,
)
from headode.simulation.vectors import Overlaps, check_dimension
from headode.training import Training


class Workspace(NamedTuple):
    """Arrays of one step, kept from step to step.

    Attributes:
        theta: (F,), the signal.
        tokens: (L, F + 1 + n), coordinates of the tokens along the teachers and beside them.
        fields: what the attention makes of them.
        gradient: (n, F + 1 + n), the batch's Σ g x in these coordinates.
        coefficients: (n, n + L), a triangular root of the batch's Σ g gᵀ, then this sequence's g.
        offset: (H,), b_h in use.
        offset_gradient: (H,).
        factor: (n, n), triangular factor of the tokens' unseen parts.
        moved: (n, 2 n), the residuals after a step, before their frame is renewed.
    """

    theta: Array
    tokens: Array
    fields: Fields
    gradient: Array
    coefficients: Array
    offset: Array
    offset_gradient: Array
    factor: Array
    moved: Array


class OverlapsRun:
    """One run of SGD in R^d, known through its overlaps.

    Args:
        model: the task and the architecture.
        state: initial overlaps, met exactly.
        training: learning rates; ``learning_rate`` is a number.
        dimension: d ≥ F + H + 2.
        seed: the run's own stream.

    Raises:
        ArgumentError: if d < F + H + 2.
    """

    def __init__(
        self,
        model: Model,
        state: OrderParameters,
        training: Training,
        dimension: int,
        seed: np.random.SeedSequence,
    ) -> None:
        check_dimension(dimension, model.heads, model.features)
        self._dimension = dimension
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._setting = setting_of(model, training)
        self._chain = initial_chain(state, np.array(model.offsets(state)), model.learns_value)
        # What a token has beside the F + 1 teachers and the n directions of the student.
        self._unseen = dimension - self._chain.teacher.shape[1] - len(self._chain.residual)

    def advance(self, steps: int) -> None:
        """Take SGD steps; releases the GIL meanwhile."""
        _advance(steps, self._rng, self._setting, self._chain, self._dimension, self._unseen)

    def overlaps(self) -> Overlaps:
        """The overlaps now, with the offsets in use."""
        return measure_chain(self._chain, self._setting.rates.nishimori)


@compiled
def _new_workspace(tokens: int, chain: Chain) -> Workspace:
    heads, size = chain.offset.size, chain.residual.shape[0]
    teachers = chain.teacher.shape[1]
    return Workspace(
        np.empty(teachers - 1),
        np.empty((tokens, teachers + size)),
        new_fields(tokens, heads),
        np.empty((size, teachers + size)),
        np.empty((size, size + tokens)),
        np.empty(heads),
        np.empty(heads),
        np.empty((size, size)),
        np.empty((size, 2 * size)),
    )


@compiled
def _draw_sequence(
    rng: np.random.Generator, source: Source, chain: Chain, work: Workspace
) -> float:
    """Fill the tokens' coordinates and the fields χ, z, and return the label.

    Order of the draws: signal, coordinates token by token, label noise.
    """
    marked = draw_signal(rng, source, work.theta)
    heads, features = chain.offset.size, work.theta.size
    teachers, size = features + 1, chain.residual.shape[0]
    for l in range(source.tokens):
        for i in range(teachers + size):
            work.tokens[l, i] = rng.standard_normal()
        if l == marked:
            for f in range(features):
                work.tokens[l, f] += work.theta[f]
        for a in range(heads + 1):
            field = 0.0
            for i in range(teachers):
                field += chain.teacher[a, i] * work.tokens[l, i]
            if a < size:
                for j in range(a + 1):
                    field += chain.residual[a, j] * work.tokens[l, teachers + j]
            if a < heads:
                work.fields.chi[l, a] = field
            else:
                work.fields.z[l] = field
    label: float = work.tokens[marked, features]
    return label + source.label_noise * rng.standard_normal()


@compiled
def _add_gradient(error: float, work: Workspace) -> None:
    """Add one sequence: to Σ g x in coordinates, to the root of Σ g gᵀ, to the offsets' part."""
    length, width = work.tokens.shape
    heads, size = work.offset.size, work.gradient.shape[0]
    for a in range(size):
        for l in range(length):
            if a < heads:
                g = error * work.fields.pulled[l, a]
                work.offset_gradient[a] -= g
            else:
                g = error * work.fields.weights[l]
            work.coefficients[a, size + l] = g
            for i in range(width):
                work.gradient[a, i] += g * work.tokens[l, i]
    make_lower_triangular(work.coefficients)


@compiled
def _move(chain: Chain, rates: Rates, dimension: int, work: Workspace) -> None:
    """Take the step: ``k_h`` along the frame, then into the space beside it; renew the frame."""
    heads, teachers = chain.offset.size, chain.teacher.shape[1]
    size = chain.residual.shape[0]
    for a in range(size):
        keep, rate = 1.0, rates.value
        if a < heads:
            keep, rate = kept_fraction(rates, work.offset_gradient[a], dimension), rates.head
            chain.offset[a] -= rates.offset / rates.batch * work.offset_gradient[a] / dimension
        rate /= rates.batch * dimension
        for i in range(teachers):
            chain.teacher[a, i] = keep * chain.teacher[a, i] - rate * work.gradient[a, i]
        for j in range(size):
            along = rate * work.gradient[a, teachers + j]
            work.moved[a, j] = keep * chain.residual[a, j] - along
            beside = 0.0
            for k in range(j, a + 1):
                beside += work.coefficients[a, k] * work.factor[k, j]
            work.moved[a, size + j] = rate * beside
    make_lower_triangular(work.moved)
    chain.residual[:] = work.moved[:, :size]


@compiled
def _advance(
    steps: int,
    rng: np.random.Generator,
    setting: Setting,
    chain: Chain,
    dimension: int,
    unseen: int,
) -> None:
    """SGD steps, in place; the same as those of the full vectors, in law."""
    source, rule, rates = setting
    heads, teachers = chain.offset.size, chain.teacher.shape[1]
    work = _new_workspace(source.tokens, chain)
    for _ in range(steps):
        for h in range(heads):
            work.offset[h] = chain.offset[h]
            if rates.nishimori:
                norm = 0.0
                for i in range(teachers):
                    norm += chain.teacher[h, i] ** 2
                for j in range(h + 1):
                    norm += chain.residual[h, j] ** 2
                work.offset[h] = 0.5 * norm
        work.gradient[:] = 0.0
        work.coefficients[:] = 0.0
        work.offset_gradient[:] = 0.0
        for _ in range(rates.batch):
            label = _draw_sequence(rng, source, chain, work)
            error = differentiate(rule, work.offset, work.fields, label)
            _add_gradient(error, work)
        draw_gaussian_factor(rng, unseen, work.factor)
        _move(chain, rates, dimension, work)
