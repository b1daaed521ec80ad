"""The student's vectors in coordinates along the teachers and beside them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from headode._checks import Array
from headode.order_parameters import OrderParameters
from headode.simulation.factors import make_lower_triangular
from headode.simulation.vectors import Overlaps, square_root


class Chain(NamedTuple):
    """The student's vectors in coordinates, divided by √d; changed in place by training.

    Attributes:
        teacher: (H + 1, F + 1), of k_1 … k_H, v along k*_1 … k*_F, v*.
        residual: (n, n), of the n learned vectors along n orthonormal directions beside the
            teachers; lower triangular. n is H, or H + 1 with a learned value. Where the vectors
            span fewer directions, the others are any that complete the frame.
        offset: (H,), b_h; not used when b_h = |k_h|²/2d.
    """

    teacher: Array
    residual: Array
    offset: Array


def initial_chain(state: OrderParameters, offset: Array, learns_value: bool) -> Chain:
    """Coordinates with the overlaps of ``state`` and ``k·v* = k·v = v·k* = 0``."""
    heads, features = state.M.shape
    teacher = np.zeros((heads + 1, features + 1))
    teacher[:heads, :features] = state.M
    teacher[heads, features] = state.m_v
    size = heads + 1 if learns_value else heads
    residual = np.zeros((size, size))
    residual[:heads, :heads] = square_root(state.R)
    if learns_value:
        residual[heads, heads] = np.sqrt(max(state.q_v - state.m_v**2, 0.0))
    make_lower_triangular(residual)
    return Chain(teacher, residual, offset.copy())


def measure_chain(chain: Chain, nishimori: bool) -> Overlaps:
    """The overlaps of vectors given by their coordinates."""
    heads, features = chain.teacher.shape[0] - 1, chain.teacher.shape[1] - 1
    residual = np.zeros((heads + 1, chain.residual.shape[1]))
    residual[: len(chain.residual)] = chain.residual
    with np.errstate(all="ignore"):  # a diverged run is reported by whoever asked for it
        # R has all that the heads have beside k*: their parts along v* belong to it.
        beside = np.column_stack([chain.teacher[:, features], residual])
        gram = np.einsum("ai,bi->ab", beside, beside)
        full = gram + np.einsum("af,bf->ab", *[chain.teacher[:, :features]] * 2)
    return Overlaps(
        M=chain.teacher[:heads, :features].copy(),
        R=gram[:heads, :heads].copy(),
        m_v=float(chain.teacher[heads, features]),
        q_v=float(full[heads, heads]),
        k_v_star=chain.teacher[:heads, features].copy(),
        k_v=full[:heads, heads].copy(),
        v_k_star=chain.teacher[heads, :features].copy(),
        offset=0.5 * np.diag(full)[:heads] if nishimori else chain.offset.copy(),
    )
