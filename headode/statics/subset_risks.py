"""The risk of a student that has lost some of its heads."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.expectation.select import expected_update
from headode.expectation.symmetry import Symmetry
from headode.expectation.terms import ExpectedUpdate
from headode.model import Model
from headode.order_parameters import OrderParameters


@dataclass(frozen=True)
class Attention:
    """What the risk needs of attention weights: ½(1 + Δ² − 2 m_v E A_ε + q_v E ΣA²).

    Attributes:
        marked: E A_ε.
        squared: E Σ_l A_l².
        error: estimated absolute error of both.
    """

    marked: float
    squared: float
    error: float

    def scaled(self, factor: float) -> Attention:
        """With all weights multiplied by a number."""
        return Attention(
            factor * self.marked,
            factor**2 * self.squared,
            max(abs(factor), factor**2) * self.error,
        )


class SubsetAttention:
    """Attention of the heads that are kept, for any subset of them.

    Where heads add, ``A = Σ_h A^h``, the two expectations are a sum over the kept heads and one
    over pairs of them. They are collected once from students of one and of two heads; a subset then
    costs nothing. Pooled heads compete: each subset is a student of its own, and evaluated as such.
    Subsets that differ by exchangeable heads are evaluated once.

    Args:
        model: of all heads.
        state: of all heads.
        method: of expectation.
        tolerance: target absolute error of each evaluation.

    Attributes:
        evaluations: number of expected updates so far.
        missed: how many of them did not reach the tolerance.
    """

    def __init__(
        self, model: Model, state: OrderParameters, *, method: str, tolerance: float
    ) -> None:
        self._model, self._state = model, state
        self._method, self._tolerance = method, tolerance
        self._offsets = model.offsets(state)
        self._class_of = np.arange(model.heads)
        for group in Symmetry.of(model, state).classes:
            self._class_of[list(group)] = group[0]
        self._known: dict[tuple[int, ...], Attention] = {}
        self.evaluations, self.missed = 0, 0
        self._sums: tuple[Array, Array, Array] | None = None

    def of(self, heads: Sequence[int]) -> Attention:
        """The attention of these heads (numbered from 0), as a student without the others has it.

        Where heads are averaged, the average is over these.
        """
        if self._model.activation.normalization == "pooled":
            return self._evaluated(heads)
        if self._sums is None:
            self._sums = self._collected()
        marked, overlaps, errors = self._sums
        index = np.array(heads)
        scale = 1.0 / len(heads) if self._model.activation.average else 1.0
        return Attention(
            scale * float(marked[index].sum()),
            scale**2 * float(overlaps[np.ix_(index, index)].sum()),
            max(scale, scale**2) * float(errors[np.ix_(index, index)].sum()),
        )

    def _collected(self) -> tuple[Array, Array, Array]:
        """E A^h_ε (H,), E A^h·A^k (H, H) and the errors (H, H), each head with the weight 1."""
        H = self._model.heads
        marked, overlaps, errors = np.zeros(H), np.zeros((H, H)), np.zeros((H, H))
        for h in range(H):
            one = self._evaluated([h])
            marked[h], overlaps[h, h], errors[h, h] = one.marked, one.squared, one.error
        scale = 0.5 if self._model.activation.average else 1.0
        for h, k in itertools.combinations(range(H), 2):
            two = self._evaluated([h, k])
            cross = 0.5 * (two.squared / scale**2 - overlaps[h, h] - overlaps[k, k])
            overlaps[h, k] = overlaps[k, h] = cross
            error = 0.5 * (two.error / scale**2 + errors[h, h] + errors[k, k])
            errors[h, k] = errors[k, h] = error
        return marked, overlaps, errors

    def _evaluated(self, heads: Sequence[int]) -> Attention:
        key = tuple(sorted(int(head) for head in self._class_of[list(heads)]))
        if key not in self._known:
            terms = self._terms(list(heads))
            self.evaluations += 1
            self.missed += terms.error > self._tolerance
            self._known[key] = Attention(
                terms.marked_attention, terms.squared_attention, terms.error
            )
        return self._known[key]

    def _terms(self, heads: list[int]) -> ExpectedUpdate:
        model, state = self._model, self._state
        kept = Model(
            model.tokens,
            len(heads),
            model.signal,
            model.activation,
            offset=self._offsets[heads],
            prefactor=model.prefactor if model.activation.takes_prefactor else None,
        )
        rows = OrderParameters(state.M[heads], state.R[np.ix_(heads, heads)])
        return expected_update(kept, rows, method=self._method, tolerance=self._tolerance)
