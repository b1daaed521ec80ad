"""What the races of clocks give, before it is put together as expected updates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode._checks import Array


@dataclass
class Gradients:
    """Expected derivatives of −m_v E A_ε + ½ q_v E Σ A² with respect to the fields.

    Attributes:
        marked: E A_ε.
        squared: E Σ A².
        first: (S + 1, H); row 0 summed over the unmarked tokens, row s + 1 given component s.
        second: (S + 1, H, H).
        nodes: number of quadrature nodes used.
        noise: (H, H) learning-rate noise N, if it was asked for.
        value_noise: E[2ℓ Σ A²], likewise.
    """

    marked: float
    squared: float
    first: Array
    second: Array
    nodes: int
    noise: Array | None = None
    value_noise: float | None = None

    @classmethod
    def zero(cls, laws: int, heads: int) -> Gradients:
        """To be added to."""
        return cls(0.0, 0.0, np.zeros((laws, heads)), np.zeros((laws, heads, heads)), 0)
