"""The order-parameter ODE as a vector field whose derivatives can be taken accurately."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from headode._checks import Array
from headode.dynamics.packing import Packing
from headode.dynamics.right_hand_side import RightHandSide
from headode.expectation.quasi_monte_carlo import QuasiMonteCarlo
from headode.expectation.select import Expectation, choose_method, expectation, gives_noise
from headode.expectation.symmetry import Symmetry
from headode.expectation.terms import ExpectedUpdate
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.training import Training

# Of the expectations relative to the asked tolerance: what is differenced must be smooth far below
# it. Factorized terms reach this at little cost.
SHARPER = 1e-4
# Sampled terms are smooth functions of the state on one node set, so that their differences need no
# such margin; more accuracy than this would take the largest number of nodes.
SAMPLED = 1e-4
NO_SYMMETRY = Symmetry((), ())


class Flow:
    """Rates of change of packed order parameters, no symmetry imposed.

    Args:
        model: task and student.
        training: hyperparameters of SGD.
        tolerance: of what is computed from the rates; expectations are sharper where they can be.
        method: of the expectations; see :func:`headode.expected_update`.
        seed: of quasi-Monte-Carlo nodes.

    Attributes:
        packing: between states and vectors.
        has_noise: whether the learning rate is finite, so that R has a source.
    """

    def __init__(
        self,
        model: Model,
        training: Training,
        *,
        tolerance: float = 1e-6,
        method: str = "auto",
        seed: int = 0,
    ) -> None:
        self.model, self.training = model, training
        self.packing = Packing(model, NO_SYMMETRY)
        self.has_noise = not training.is_gradient_flow
        self._evaluate = self._expectation(tolerance, method, seed)
        self._rhs = RightHandSide(self._evaluate, self.packing, training)

    def _expectation(self, tolerance: float, method: str, seed: int) -> Expectation:
        """Expected updates, as accurate as their method makes cheap."""
        model, noise = self.model, self.has_noise
        chosen = choose_method(model, method)
        self._sampled = chosen == "quasi_monte_carlo"
        reached = max(tolerance, SAMPLED) if self._sampled else SHARPER * tolerance
        # Not this error is judged, but those of the rates that are made of it.
        evaluate = partial(
            expectation, model, method=method, tolerance=reached, seed=seed, warn_above=math.inf
        )
        if gives_noise(model, chosen) or not noise:
            return evaluate(noise=noise)
        nodes = QuasiMonteCarlo(
            model, noise=True, tolerance=max(tolerance, SAMPLED), seed=seed, only_noise=True
        )
        return _WithNoise(evaluate(), nodes)

    def roundoff(self, terms: ExpectedUpdate) -> float:
        """Error of the terms that is not a smooth function of the state."""
        return 0.0 if self._sampled else terms.error

    def sampling(self, terms: ExpectedUpdate) -> float:
        """Error of the rates that is a smooth function of the state, from sampled nodes."""
        if self._sampled:
            return terms.error
        if not isinstance(self._evaluate, _WithNoise):
            return 0.0
        rate = self.training.learning_rate or 0.0
        return rate**2 / self.training.batch_size * self._evaluate.error

    def terms(self, vector: Array) -> ExpectedUpdate:
        """The expected updates at a packed state."""
        return self._evaluate(self.packing.unpack(vector))

    def rate(self, vector: Array, terms: ExpectedUpdate | None = None) -> Array:
        """The packed time derivative; given ``terms`` are used whatever state they are of.

        It is affine in the state at given terms, and in the terms at a given state.
        """
        state = self.packing.unpack(vector)
        return self._rhs.derivative(state, self._evaluate(state) if terms is None else terms)

    def imposing(self, symmetry: Symmetry) -> RightHandSide:
        """The same rates with a symmetry imposed on every state, for integration."""
        packing = Packing(self.model, symmetry)
        return RightHandSide(self._evaluate, packing, self.training)

    def pack(self, state: OrderParameters) -> Array:
        """The vector of a state."""
        return self.packing.pack(state)

    def state(self, vector: Array) -> OrderParameters:
        """The checked state of a vector; R made positive semidefinite where roundoff is not."""
        found = self.packing.physical(vector)
        learned: dict[str, object] = {}
        if self.model.learns_value:
            learned |= {"m_v": found.m_v, "q_v": found.q_v}
        if self.model.learns_offset:
            learned["offset"] = found.offset
        return OrderParameters(found.M, found.R, **learned)  # type: ignore[arg-type]


class _WithNoise:
    """Sharp terms, with the learning-rate noise that they lack from one set of nodes."""

    def __init__(self, exact: Expectation, nodes: QuasiMonteCarlo) -> None:
        self._exact, self._nodes = exact, nodes
        self.error = 0.0

    def __call__(self, state: OrderParameters) -> ExpectedUpdate:
        terms = self._exact(state)
        noisy = self._nodes(state)
        self.error = noisy.error
        return replace(terms, N=noisy.N, value_noise=noisy.value_noise)
