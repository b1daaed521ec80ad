"""What a race is about, in the form that kernels take: plain data with names."""

from __future__ import annotations

from typing import NamedTuple

from headode._checks import Array

# Laws of an unmarked token stand before those of the marked one, in every array.
UNMARKED, MARKED = 0, 1


class FieldLaws(NamedTuple):
    """Gaussian laws of a token's fields χ − b.

    Law 0 is an unmarked token's; law s + 1 is the marked token's, given component s of the signal.

    Attributes:
        means: (S + 1, H).
        covariances: (S + 1, H, H).
        probabilities: (S,) of the components.
    """

    means: Array
    covariances: Array
    probabilities: Array


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
