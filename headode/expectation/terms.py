"""What every method of expectation returns: the terms of the order-parameter ODE."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode._checks import Array


@dataclass(frozen=True, eq=False)
class ExpectedUpdate:
    """The population risk and the expected updates at one state (theory: the ODE).

    Attributes:
        risk: ``E ℓ``, label noise included.
        G: (H, F), ``E[θ_f ∂ℓ/∂χ_εh] = ∂E/∂M``.
        C: (H, H), ``2 ∂E/∂Q``; includes the diagonal term of a ``nishimori`` offset.
        N: (H, H) learning-rate noise of R, or None when it was not asked for.
        marked_attention: ``E A_ε``.
        squared_attention: ``E Σ_l A_l²``.
        value_noise: ``E[2ℓ Σ_l A_l²]``, the learning-rate noise of q_v, or None.
        offset_gradient: (H,), ``E[∂ℓ/∂b_h]``.
        error: estimate of the largest absolute error over the entries above; for
            quasi-Monte-Carlo a 95 % confidence half-width from independent scrambles.
        method: ``closed_form``, ``factorized`` or ``quasi_monte_carlo`` (``+``-joined when
            terms come from different ones).
        nodes: number of quadrature nodes, 0 for a closed form.
    """

    risk: float
    G: Array
    C: Array
    N: Array | None
    marked_attention: float
    squared_attention: float
    value_noise: float | None
    offset_gradient: Array
    error: float
    method: str
    nodes: int

    def entries(self) -> Array:
        """All that ``error`` is about, in one vector; the learning-rate noise comes last."""
        scalars = [self.risk, self.marked_attention, self.squared_attention]
        parts = [np.array(scalars), self.offset_gradient, self.G.ravel(), self.C.ravel()]
        if self.N is not None:
            parts.append(self.N.ravel())
        if self.value_noise is not None:
            parts.append(np.array([self.value_noise]))
        return np.concatenate(parts)
