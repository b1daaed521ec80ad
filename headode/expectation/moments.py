"""What a method of expectation computes, before it is put together as expected updates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode._checks import Array


@dataclass
class Moments:
    """Moments of the attention, and derivatives of the loss −m_v A_ε + ½ q_v Σ A² by the fields.

    Derivatives are expectations under the laws of :class:`~.race.setting.FieldLaws`: row 0 is
    summed over the unmarked tokens, row s + 1 is the marked token's given component s.

    Attributes:
        marked: E A_ε.
        squared: E Σ_l A_l².
        first: (S + 1, H).
        second: (S + 1, H, H).
        nodes: number of quadrature nodes used.
        noise: (H, H) learning-rate noise N, if it is computed.
        value_noise: E[2ℓ Σ_l A_l²], if it is computed.
    """

    marked: float
    squared: float
    first: Array
    second: Array
    nodes: int = 0
    noise: Array | None = None
    value_noise: float | None = None

    @classmethod
    def zero(cls, laws: int, heads: int) -> Moments:
        """To be added to."""
        return cls(0.0, 0.0, np.zeros((laws, heads)), np.zeros((laws, heads, heads)))
