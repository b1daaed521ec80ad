"""What a race is about, in the form that kernels take: plain data with names."""

from __future__ import annotations

from typing import NamedTuple


class Race(NamedTuple):
    """Who takes part.

    Attributes:
        tokens: L.
        null: ν, the rate of the null token's clock; 0 if there is none.
    """

    tokens: int
    null: float


class LossWeights(NamedTuple):
    """Derivatives returned by a race are those of −``marked`` E p_ε + ½ ``squared`` E Σ_l p_l².

    With m_v and q_v this is the population risk up to a constant (theory: the ODE).
    """

    marked: float
    squared: float
