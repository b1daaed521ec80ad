"""Order parameters as one vector, the state of the integrator."""

from __future__ import annotations

import numpy as np

from headode._checks import Array
from headode.expectation.symmetry import Symmetry
from headode.model import Model
from headode.order_parameters import OrderParameters


class Packing:
    """Between order parameters and vectors: M, the lower triangle of R, then (m_v, r_v), then b.

    Packing only one triangle keeps R symmetric. The value is packed as m_v and its residual
    r_v = q_v − m_v², which obeys its own linear equation, as R does. Symmetries of the initial
    state are conserved by the flow and imposed on every state, since roundoff breaks them.
    """

    def __init__(self, model: Model, symmetry: Symmetry) -> None:
        self.heads, self.features = model.heads, model.features
        self.learns_value, self.learns_offset = model.learns_value, model.learns_offset
        self.symmetry = symmetry
        self._lower = np.tril_indices(self.heads)

    def pack(self, state: OrderParameters) -> Array:
        """The vector of a state."""
        parts = [state.M.ravel(), state.R[self._lower]]
        if self.learns_value:
            parts.append(np.array([state.m_v, max(state.q_v - state.m_v**2, 0.0)]))
        if self.learns_offset:
            parts.append(np.zeros(self.heads) if state.offset is None else state.offset)
        return np.concatenate(parts)

    def unpack(self, vector: Array) -> OrderParameters:
        """The state of a vector; R is as the integrator left it."""
        M, R, value, offset = self._split(vector)
        if self.symmetry:
            M, R = self.symmetry.project_rows(M), self.symmetry.project_matrix(R)
            offset = None if offset is None else self.symmetry.project_heads(offset)
        m_v, r_v = (1.0, 0.0) if value is None else (float(value[0]), max(float(value[1]), 0.0))
        return OrderParameters.unchecked(M, R, m_v, m_v**2 + r_v, offset)

    def physical(self, vector: Array) -> OrderParameters:
        """The state of a vector, with R projected onto the positive semidefinite matrices.

        The flow keeps R ⪰ 0 exactly; an integrator only to its tolerance.
        """
        state = self.unpack(vector)
        values, vectors = np.linalg.eigh(state.R)
        if values[0] >= 0:
            return state
        R = (vectors * np.clip(values, 0.0, None)) @ vectors.T
        return OrderParameters.unchecked(
            state.M, 0.5 * (R + R.T), state.m_v, state.q_v, state.offset
        )

    def pack_rates(self, dM: Array, dR: Array, value: tuple[float, float], offset: Array) -> Array:
        """The vector of time derivatives; parts that are not dynamical are dropped."""
        if self.symmetry:
            dM, dR = self.symmetry.project_rows(dM), self.symmetry.project_matrix(dR)
        parts = [dM.ravel(), dR[self._lower]]
        if self.learns_value:
            parts.append(np.array(value))
        if self.learns_offset:
            parts.append(self.symmetry.project_heads(offset) if self.symmetry else offset)
        return np.concatenate(parts)

    def _split(self, vector: Array) -> tuple[Array, Array, Array | None, Array | None]:
        H, F = self.heads, self.features
        at = H * F
        M = vector[:at].reshape(H, F)
        R = np.zeros((H, H))
        R[self._lower] = vector[at : at + H * (H + 1) // 2]
        R.T[self._lower] = R[self._lower]
        at += H * (H + 1) // 2
        value = None
        if self.learns_value:
            value = vector[at : at + 2]
            at += 2
        return M, R, value, vector[at:] if self.learns_offset else None
