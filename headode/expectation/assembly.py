"""Risk, G, C and N from the moments that a method computes: the one place that assembles them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode.expectation.field_laws import overlap_gradients
from headode.expectation.moments import Moments
from headode.expectation.symmetry import Symmetry
from headode.expectation.terms import ExpectedUpdate
from headode.model import Model
from headode.order_parameters import OrderParameters


def population_risk(model: Model, m_v: float, q_v: float, marked: float, squared: float) -> float:
    """E ℓ = ½ (1 + Δ² − 2 m_v E A_ε + q_v E Σ A²) (theory: the ODE)."""
    return 0.5 * (model.label_variance - 2 * m_v * marked + q_v * squared)


@dataclass(frozen=True)
class Assembly:
    """Puts the moments of one state together, all terms with the symmetries of the state."""

    model: Model
    state: OrderParameters
    symmetry: Symmetry

    @classmethod
    def of(cls, model: Model, state: OrderParameters) -> Assembly:
        """Of any method's moments at this state."""
        return cls(model, state, Symmetry.of(model, state))

    def terms(self, moments: Moments, *, method: str, error: float = 0.0) -> ExpectedUpdate:
        """The expected updates, which are linear in the moments.

        Args:
            moments: of the attention.
            method: as in :class:`ExpectedUpdate`.
            error: estimate of the largest error of any entry.
        """
        model, signal, state = self.model, self.model.signal, self.state
        G, C, offset_gradient = overlap_gradients(
            moments.first,
            moments.second,
            state.M.copy(),
            signal.probabilities,
            signal.means,
            signal.covariances,
        )
        if model.is_nishimori:
            C += np.diag(offset_gradient)
        N, symmetry = moments.noise, self.symmetry
        if symmetry:
            G, C = symmetry.project_rows(G), symmetry.project_matrix(C)
            N = None if N is None else symmetry.project_matrix(N)
            offset_gradient = symmetry.project_heads(offset_gradient)
        return ExpectedUpdate(
            risk=population_risk(model, state.m_v, state.q_v, moments.marked, moments.squared),
            G=G,
            C=C,
            N=N,
            marked_attention=moments.marked,
            squared_attention=moments.squared,
            value_noise=moments.value_noise,
            offset_gradient=offset_gradient,
            error=error,
            method=method,
            nodes=moments.nodes,
        )
