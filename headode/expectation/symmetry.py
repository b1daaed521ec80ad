"""Exact symmetries of a state, which its expected updates share (theory: traps).

Node sets are not invariant under permutations of the heads, so that quadrature errors, and even
roundoff, would let exactly identical heads drift apart, exponentially fast where the exact flow is
unstable. The expectation of a symmetric state is symmetric: projecting onto that symmetry removes
the error's unphysical part at no cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.order_parameters import OrderParameters


@dataclass(frozen=True)
class Symmetry:
    """Symmetries of a state.

    Attributes:
        classes: groups of two or more heads that can be permuted among themselves without
            changing the state.
        absent: features f with a flip-symmetric signal and M_hf = 0 for all heads.
    """

    classes: tuple[tuple[int, ...], ...]
    absent: tuple[int, ...]

    @classmethod
    def of(cls, model: Model, state: OrderParameters) -> Symmetry:
        """Find the symmetries that hold to the last bit."""
        columns = state.M.T.tolist()
        # Heads that can be exchanged agree in this; most states have none, and are done.
        agree = len(set(columns[0])) < model.heads
        classes = _exchangeable_heads(state, model.offsets(state)) if agree else []
        flat = [f for f in model.signal.flip_symmetric_features() if not any(columns[f])]
        return cls(tuple(tuple(group) for group in classes if len(group) > 1), tuple(flat))

    def __bool__(self) -> bool:
        return bool(self.classes or self.absent)

    def project_rows(self, rows: Array, *, features: bool = True) -> Array:
        """Average (..., H, F) over each class, and clear absent features; a copy."""
        result = rows.copy()
        for group in self.classes:
            index = list(group)
            result[..., index, :] = result[..., index, :].mean(axis=-2, keepdims=True)
        if features:
            result[..., list(self.absent)] = 0.0
        return result

    def project_heads(self, values: Array) -> Array:
        """Average (..., H) over each class."""
        return self.project_rows(values[..., None], features=False)[..., 0]

    def project_matrix(self, matrix: Array) -> Array:
        """Average a symmetric (..., H, H) over permutations within each class."""
        result = self.project_rows(matrix, features=False)
        result = self.project_rows(result.swapaxes(-1, -2), features=False).swapaxes(-1, -2)
        # The diagonal of a class's own block is an orbit of its own.
        for group in self.classes:
            index, size = list(group), len(group)
            block = matrix[..., index, :][..., :, index]
            trace = np.trace(block, axis1=-2, axis2=-1)
            between = (block.sum(axis=(-2, -1)) - trace) / (size * (size - 1))
            projected = np.broadcast_to(between[..., None, None], block.shape).copy()
            diagonal = np.arange(size)
            projected[..., diagonal, diagonal] = (trace / size)[..., None]
            result[..., np.array(index)[:, None], np.array(index)] = projected
        return result


def _exchangeable_heads(state: OrderParameters, offsets: Array) -> list[list[int]]:
    """All heads in groups that can be permuted among themselves."""
    classes: list[list[int]] = []
    for head in range(len(offsets)):
        for group in classes:
            if _exchangeable(state, offsets, group[0], head):
                group.append(head)
                break
        else:
            classes.append([head])
    return classes


def _exchangeable(state: OrderParameters, offsets: Array, i: int, j: int) -> bool:
    """Whether swapping heads i and j leaves the state as it is."""
    if offsets[i] != offsets[j] or (state.M[i] != state.M[j]).any():
        return False
    order = np.arange(len(offsets))
    order[[i, j]] = j, i
    return np.array_equal(state.R[np.ix_(order, order)], state.R)
