"""G and C are gradients of the risk, and gradient flow never raises it.

Setting. The risk E(M, Q) is an average of ℓ(χ) over χ_l = u_l + δ_lε Mθ, u_l ~ N(0, Q).

Heat equation. The density ρ_Q of N(0, Q) obeys

    ∂ρ/∂Q_hh = ½ ∂²ρ/∂u_h² ,   ∂ρ/∂Q_hk = ∂²ρ/∂u_h∂u_k   (h ≠ k, Q_hk and Q_kh moving together).

Result. Integrating twice by parts, and counting every ordered pair as its own variable,

    C_hk = E[Σ_l ∂²ℓ/∂χ_lh∂χ_lk] = 2 ∂E/∂Q_hk ,   G = ∂E/∂M at fixed Q ,

that is dE = tr(Gᵀ dM) + ½ tr(C dQ). Along dM/dt = −(G + CM), dR/dt = −(CR + RC) (gradient flow),

    dE/dt = −( |G + C M|²_F + tr(C R C) ) ≤ 0 ,

a sum of squares as tr(C R C) = |R^{1/2} C|²_F. The same holds with a ``nishimori`` offset, C being
the total derivative. A learned offset adds −η_b |E ∂ℓ/∂b|², and a learned value
−η_v [(a − m_v S)² + S² r_v] (learned_value.py). Weight decay is not part of the risk and can
raise it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite


def check() -> Iterator[str]:
    """The density, the bookkeeping of the gradient, the dissipation; then softmax in numbers."""
    _check_heat_equation()
    yield "the Gaussian density obeys the heat equation in Q"
    _check_dissipation()
    yield "dE/dt is minus a sum of squares (H = 2, F = 2, all matrices symbolic)"
    for name, error in _softmax_gradient_errors().items():
        yield f"softmax, {name} by differences of a quadrature: equal to {error:.0e}"


def _check_heat_equation() -> None:
    u = sp.symbols("u1 u2", real=True)
    a, b, c = sp.symbols("Q11 Q12 Q22", positive=True)
    Q, point = sp.Matrix([[a, b], [b, c]]), sp.Matrix(u)
    exponent = -(point.T * Q.inv() * point)[0] / 2
    log_density = exponent - sp.log(Q.det()) / 2

    # Divided by ρ: ∂ρ/∂Q = ρ ∂log ρ/∂Q, and ∂_h∂_k ρ = ρ (∂_h∂_k log ρ + ∂_h log ρ ∂_k log ρ).
    def second(h: int, k: int) -> sp.Expr:
        one, other = sp.diff(log_density, u[h]), sp.diff(log_density, u[k])
        return sp.diff(log_density, u[h], u[k]) + one * other

    assert sp.simplify(sp.diff(log_density, a) - second(0, 0) / 2) == 0
    assert sp.simplify(sp.diff(log_density, c) - second(1, 1) / 2) == 0
    assert sp.simplify(sp.diff(log_density, b) - second(0, 1)) == 0


def _check_dissipation() -> None:
    M, G = (sp.Matrix(2, 2, sp.symbols(f"{name}0:4", real=True)) for name in "MG")
    C, R = (
        sp.Matrix(2, 2, lambda h, k, name=name: sp.Symbol(f"{name}{min(h, k)}{max(h, k)}"))
        for name in "CR"
    )
    dM, dR = -(G + C * M), -(C * R + R * C)
    dQ = dM * M.T + M * dM.T + dR
    change = (G.T * dM).trace() + (C * dQ).trace() / 2
    squares = ((G + C * M).T * (G + C * M)).trace() + (C * R * C).trace()
    assert sp.expand(change + squares) == 0
    # tr(C R C) = |R^{1/2} C|²: for R = r rᵀ it is |C r|².
    r = sp.Matrix(sp.symbols("r1 r2", real=True))
    assert sp.expand((C * r * r.T * C).trace() - (C * r).dot(C * r)) == 0


def _softmax_gradient_errors() -> dict[str, float]:
    """Two tokens, two heads, one feature: C and G from derivatives of ℓ, and from E itself."""
    theta, order = 1.1, 22
    symbols = sp.symbols("c0:4", real=True)
    weights = [[sp.exp(symbols[2 * l + h]) for h in range(2)] for l in range(2)]
    attention = sum(weights[0][h] / (weights[0][h] + weights[1][h]) for h in range(2)) / 2
    loss = (1 - attention) ** 2  # two tokens: the Brier score of the marked one, twice one half
    value = sp.lambdify(symbols, loss, cse=True)
    first = sp.lambdify(symbols, [sp.diff(loss, symbols[h]) for h in range(2)], cse=True)
    second = sp.lambdify(
        symbols,
        [
            sum(sp.diff(loss, symbols[2 * l + h], symbols[2 * l + k]) for l in range(2))
            for h, k in ((0, 0), (0, 1), (1, 1))
        ],
        cse=True,
    )

    def mean(function: sp.Expr, M: np.ndarray, Q: np.ndarray) -> np.ndarray:
        shift = np.r_[M * theta, 0.0, 0.0]
        return gauss_hermite(
            lambda u: np.array(function(*(u + shift).T)).T, np.kron(np.eye(2), Q), order
        )

    M, Q, step = np.array([0.7, 0.2]), np.array([[0.6, 0.1], [0.1, 0.3]]), 1e-3
    diagonal, off = np.diag([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]])

    def slope_in_Q(direction: np.ndarray) -> float:
        up, down = (mean(value, M, Q + sign * step * direction) for sign in (1, -1))
        return float((up - down) / (2 * step))

    C = mean(second, M, Q)
    G = theta * mean(first, M, Q)
    unit = np.array([step, 0.0])
    slope_in_M = float((mean(value, M + unit, Q) - mean(value, M - unit, Q)) / (2 * step))
    errors = {
        "C_11 = 2 ∂E/∂Q_11": abs(2 * slope_in_Q(diagonal) - C[0]),
        "C_12 = dE/dQ_12 (both entries moving)": abs(slope_in_Q(off) - C[1]),
        "G = ∂E/∂M": abs(slope_in_M - G[0]),
    }
    # Central differences of step 1e-3: truncation of about 1e-6 times a third derivative.
    assert max(errors.values()) < 1e-6
    return errors


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
