"""The population risk as a function of free coordinates, with its exact gradient.

``R ⪰ 0`` is written as A Aᵀ with A of shape (H, K). By the chain rule, with Q = M Mᵀ + A Aᵀ,

    ∂E/∂M = G + C M ,   ∂E/∂A = C A ,   ∂E/∂b_h = E[∂ℓ/∂b_h] ,   ∂E/∂m_v = m_v E ΣA² − E A_ε ,

where C includes the nishimori term, so that M and A also carry what b_h = Q_hh/2 depends on. A
learned value has q_v = m_v² at any minimum. Its m_v is a coordinate like the others: given the
attention it has a closed form, but C and G are only known at the m_v they were evaluated at.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from headode._checks import Array
from headode.errors import ToleranceWarning
from headode.expectation.select import expectation
from headode.expectation.terms import ExpectedUpdate
from headode.model import Model
from headode.order_parameters import OrderParameters


@dataclass(frozen=True)
class Point:
    """Free coordinates of a state.

    Attributes:
        M: (H, F).
        A: (H, K) with R = A Aᵀ; K = 0 for heads without a residual.
        offset: (H,) where offsets are learned.
        m_v: where the value is learned.
    """

    M: Array
    A: Array
    offset: Array | None = None
    m_v: float | None = None

    @classmethod
    def of(cls, model: Model, state: OrderParameters, floor: float = 0.0) -> Point:
        """Coordinates of a state; eigenvalues of R up to ``floor`` are dropped."""
        values, vectors = np.linalg.eigh(state.R)
        kept = values > floor
        offset = model.offsets(state).copy() if model.learns_offset else None
        m_v = state.m_v if model.learns_value else None
        return cls(state.M.copy(), vectors[:, kept] * np.sqrt(values[kept]), offset, m_v)

    @property
    def state(self) -> OrderParameters:
        """The order parameters."""
        m_v = 1.0 if self.m_v is None else self.m_v
        return OrderParameters.unchecked(self.M, self.A @ self.A.T, m_v, m_v**2, self.offset)

    @property
    def vector(self) -> Array:
        """All coordinates in one row: M, A, offsets, m_v."""
        parts = [self.M.ravel(), self.A.ravel()]
        if self.offset is not None:
            parts.append(self.offset)
        if self.m_v is not None:
            parts.append(np.array([self.m_v]))
        return np.concatenate(parts)

    def at(self, vector: Array) -> Point:
        """The point of the same shape with these coordinates."""
        cuts = np.cumsum([self.M.size, self.A.size, 0 if self.offset is None else self.offset.size])
        M, A, offset, m_v = np.split(vector, cuts)
        return Point(
            M.reshape(self.M.shape),
            A.reshape(self.A.shape),
            None if self.offset is None else offset,
            None if self.m_v is None else float(m_v[0]),
        )

    def with_direction(self, column: Array) -> Point:
        """The point with one more column of A."""
        return replace(self, A=np.column_stack([self.A, column]))


@dataclass(frozen=True)
class Slope:
    """The risk at a point and its derivatives.

    Attributes:
        terms: the expected updates there.
        gradient: in the layout of :attr:`Point.vector`.
        descent: (H,) unit direction in which a new residual lowers the risk most.
        violation: −½ the second derivative along it if that is negative, else 0: how much the
            optimality condition C ⪰ 0 on the null space of R is missed.
    """

    terms: ExpectedUpdate
    gradient: Array
    descent: Array
    violation: float

    @property
    def risk(self) -> float:
        """E."""
        return self.terms.risk


class Landscape:
    """Evaluates risk and gradient of one model at one tolerance, and counts how often.

    Args:
        model: any model.
        method: of expectation.
        tolerance: target absolute error of the expected updates.
    """

    def __init__(self, model: Model, method: str, tolerance: float) -> None:
        self._expectation = expectation(model, method=method, tolerance=tolerance)
        self.evaluations = 0
        self.last_error = tolerance

    def slope(self, point: Point) -> Slope:
        """Risk and gradient at a point."""
        with warnings.catch_warnings():
            # Said once, about the result.
            warnings.simplefilter("ignore", ToleranceWarning)
            terms = self._expectation(point.state)
        self.evaluations += 1
        self.last_error = terms.error
        gradient = Point(
            terms.G + terms.C @ point.M,
            terms.C @ point.A,
            None if point.offset is None else terms.offset_gradient,
            None
            if point.m_v is None
            else point.m_v * terms.squared_attention - terms.marked_attention,
        )
        return Slope(terms, gradient.vector, *_residual_descent(terms.C, point.A))


def _residual_descent(C: Array, A: Array) -> tuple[Array, float]:
    """The steepest descent among residuals that A does not have, and how steep it is."""
    heads, rank = A.shape
    if rank >= heads:
        return np.zeros(heads), 0.0
    basis = np.linalg.qr(A, mode="complete")[0][:, rank:] if rank else np.eye(heads)
    values, vectors = np.linalg.eigh(basis.T @ C @ basis)
    return basis @ vectors[:, 0], max(0.0, -float(values[0]))
