"""The right-hand side of the order-parameter ODE (theory: the ODE)."""

from __future__ import annotations

import numpy as np

from headode._checks import Array
from headode.dynamics.packing import Packing
from headode.errors import NumericalFailure
from headode.expectation.select import Expectation
from headode.expectation.terms import ExpectedUpdate
from headode.order_parameters import OrderParameters
from headode.training import Training

# Beyond this the overlaps have diverged, and squares of them soon overflow.
LARGEST_OVERLAP = 1e8
DIVERGED = "the order parameters diverged (try a smaller learning rate)"


class RightHandSide:
    """Time derivatives of the packed order parameters.

        dM/dt = −η (G + C M) − ηλ M
        dR/dt = −η (C R + R C) − 2ηλ R + (η²/B) N
        dm_v/dt = η_v (E A_ε − m_v E ΣA²)
        dr_v/dt = −2η_v E ΣA² r_v + (η_v²/B) E[2ℓ ΣA²]        (q_v = m_v² + r_v)
        db_h/dt = −η_b E[∂ℓ/∂b_h]

    In gradient flow η = 1 in units of time ηt, η_v and η_b are ratios to η, and the terms of
    second order in the learning rates are absent.

    Attributes:
        evaluations: number of calls so far.
        last: terms of the latest call.
    """

    def __init__(self, expectation: Expectation, packing: Packing, training: Training) -> None:
        self._expectation = expectation
        self._packing = packing
        self._training = training
        self.evaluations = 0
        self.last: ExpectedUpdate | None = None

    def __call__(self, _time: float, vector: Array) -> Array:
        """The derivative of the packed vector; the equations do not depend on time."""
        # Told here and not only after a step: far out, a single evaluation may take seconds.
        if not np.abs(vector).max() < LARGEST_OVERLAP:
            raise NumericalFailure(DIVERGED)
        state = self._packing.unpack(vector)
        terms = self._expectation(state)
        self.evaluations += 1
        self.last = terms
        rates = self.derivative(state, terms)
        # Solvers go on for ever with rates that are no numbers.
        if not np.isfinite(rates).all():
            raise NumericalFailure(DIVERGED)
        return rates

    def derivative(self, state: OrderParameters, terms: ExpectedUpdate) -> Array:
        """The packed time derivative at a state, from its expected updates."""
        training = self._training
        rate = 1.0 if training.learning_rate is None else training.learning_rate
        decay = training.weight_decay
        dM = -rate * (terms.G + terms.C @ state.M + decay * state.M)
        CR = terms.C @ state.R
        dR = -rate * (CR + CR.T + 2 * decay * state.R)
        value_rate, squared = training.value_learning_rate, terms.squared_attention
        dm_v = value_rate * (terms.marked_attention - state.m_v * squared)
        dr_v = -2 * value_rate * squared * (state.q_v - state.m_v**2)
        if not training.is_gradient_flow and terms.N is not None:
            dR += rate * rate / training.batch_size * terms.N
        if not training.is_gradient_flow and terms.value_noise is not None:
            dr_v += value_rate * value_rate / training.batch_size * terms.value_noise
        offset = -training.offset_learning_rate * terms.offset_gradient
        return self._packing.pack_rates(dM, dR, (dm_v, dr_v), offset)
