"""The order parameters of the student: overlaps with the teacher and among the heads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from headode._checks import (
    MATRIX_ROUNDOFF,
    Array,
    check_array,
    check_integer,
    check_number,
    check_positive_semidefinite,
    check_seed,
)
from headode._floats import own_errstate
from headode._limits import LARGEST_HEADS
from headode.errors import ArgumentError


class OrderParameters:
    """Overlaps (theory: order parameters). Immutable.

    Args:
        M: (H, F), ``M_hf = k_h·k*_f / d``.
        R: (H, H), ``R = Q − M Mᵀ``, symmetric positive semidefinite; eigenvalues that are negative
            by up to 1e-6 of the largest entry of R or M², as roundoff leaves them, become 0.
        m_v: ``v·v*/d``; 1 for a known value.
        q_v: ``|v|²/d ≥ m_v²``; 1 for a known value.
        offset: (H,) offsets b_h; only for a model that learns them.

    Raises:
        ArgumentError: for shapes that do not fit, R not positive semidefinite, or q_v < m_v².
    """

    __slots__ = ("M", "R", "m_v", "offset", "q_v")

    M: Array
    R: Array
    m_v: float
    q_v: float
    offset: Array | None

    def __init__(
        self,
        M: ArrayLike,
        R: ArrayLike,
        *,
        m_v: float | None = None,
        q_v: float | None = None,
        offset: ArrayLike | None = None,
    ) -> None:
        overlaps = check_array("M", M, (None, None), ("head", "feature"))
        heads = overlaps.shape[0]
        aligned = 1.0 if m_v is None else check_number("m_v", m_v)
        norm = aligned**2 if q_v is None else check_number("q_v", q_v, 0.0)
        if norm < aligned**2 * (1 - MATRIX_ROUNDOFF):
            raise ArgumentError("q_v", f"be at least m_v² = {aligned**2:g}", norm)
        norm = max(norm, aligned**2)
        set_ = object.__setattr__
        set_(self, "M", overlaps)
        # R is measured as Q − M Mᵀ, with the roundoff of these.
        scale = float(np.abs(overlaps).max()) ** 2 if overlaps.size else 0.0
        residual = check_positive_semidefinite("R", R, heads, scale=scale, dims=("head", "head_2"))
        set_(self, "R", residual)
        set_(self, "m_v", aligned)
        set_(self, "q_v", norm)
        set_(self, "offset", None if offset is None else check_array("offset", offset, (heads,)))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"OrderParameters is immutable; use replace({name}=...)")

    def __reduce__(self) -> tuple[Any, ...]:
        return OrderParameters.unchecked, (self.M, self.R, self.m_v, self.q_v, self.offset)

    @classmethod
    @own_errstate
    def random(
        cls,
        heads: int,
        features: int,
        *,
        scale: float = 0.01,
        seed: int = 0,
        learned_value: bool = False,
    ) -> OrderParameters:
        """Small random initial overlaps: ``M_hf ~ N(0, scale²)``, ``R = scale² I``.

        With ``learned_value`` the value starts likewise: ``m_v ~ N(0, scale²)``,
        ``q_v = m_v² + scale²`` (drawn after M, so that M does not depend on it).
        """
        scale = check_number("scale", scale, 0.0)
        heads = check_integer("heads", heads, 1, LARGEST_HEADS)
        rng = np.random.default_rng(check_seed("seed", seed))
        features = check_integer("features", features, 1, LARGEST_HEADS)
        M = scale * rng.standard_normal((heads, features))
        if not learned_value:
            return cls(M, scale**2 * np.eye(heads))
        m_v = scale * float(rng.standard_normal())
        return cls(M, scale**2 * np.eye(heads), m_v=m_v, q_v=m_v**2 + scale**2)

    @classmethod
    def unchecked(
        cls, M: Array, R: Array, m_v: float, q_v: float, offset: Array | None
    ) -> OrderParameters:
        """Wrap arrays as they are, for inner loops: nothing is checked or copied."""
        state = object.__new__(cls)
        parts = {"M": M, "R": R, "m_v": m_v, "q_v": q_v, "offset": offset}
        for name, value in parts.items():
            object.__setattr__(state, name, value)
        return state

    @property
    def heads(self) -> int:
        """H."""
        return int(self.M.shape[0])

    @property
    def features(self) -> int:
        """F."""
        return int(self.M.shape[1])

    @property
    def Q(self) -> Array:
        """(H, H) overlaps of the heads, ``Q = M Mᵀ + R``."""
        result: Array = self.M @ self.M.T + self.R
        return result

    def replace(self, **changes: Any) -> OrderParameters:
        """A copy with some of M, R, m_v, q_v, offset changed."""
        parts = {name: getattr(self, name) for name in self.__slots__} | changes
        return OrderParameters(**parts)

    def permuted(self, order: ArrayLike) -> OrderParameters:
        """The same student with its heads in another order: head i becomes head ``order[i]``."""
        index = np.asarray(order, dtype=np.intp)
        return self.replace(
            M=self.M[index],
            R=self.R[np.ix_(index, index)],
            offset=None if self.offset is None else self.offset[index],
        )

    def to_dict(self) -> dict[str, Any]:
        """The state as plain data, in the layout of a configuration file's ``initial`` section."""
        parts: dict[str, Any] = {"M": self.M.tolist(), "R": self.R.tolist()}
        parts |= {"m_v": self.m_v, "q_v": self.q_v}
        return parts if self.offset is None else parts | {"offset": self.offset.tolist()}

    def __repr__(self) -> str:
        value = "" if self.m_v == self.q_v == 1 else f", m_v={self.m_v:.6g}, q_v={self.q_v:.6g}"
        offset = "" if self.offset is None else f", offset={self.offset.tolist()}"
        return f"OrderParameters(M={self.M.tolist()}, R={self.R.tolist()}{value}{offset})"
