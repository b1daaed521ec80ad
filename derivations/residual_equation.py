"""The residual overlap R = Q − M Mᵀ obeys a linear equation of its own and stays PSD.

Result. From dM/dt = −η (G + C M) and dQ/dt = −η (G Mᵀ + C Q + transpose) + (η²/B) N,

    dR/dt = −η (C R + R C) + (η²/B) N ,

G has dropped out. Its solution is R(t) = U R(0) Uᵀ + (η²/B) ∫ U(t,s) N(s) U(t,s)ᵀ ds with
dU/dt = −η C U: congruences of R(0) and N. N is a second moment of gradients, hence positive
semidefinite, and so is R for ever. In gradient flow (no N) even the rank of R is conserved.
With weight decay λ both sides of Q = M Mᵀ + R shrink: dM −= ηλM dt, dR −= 2ηλR dt.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

eta, batch, decay = sp.symbols("eta B lambda", positive=True)


def check() -> Iterator[str]:
    """Abstract matrices, then explicit ones, then a numerical integration both ways."""
    _check_elimination_of_G()
    yield "dR/dt from dM/dt and dQ/dt, with matrices of any size"
    _check_congruence()
    yield "R = U S Uᵀ with dU/dt = −ηCU leaves dS/dt = (η²/B) U⁻¹ N U⁻ᵀ ⪰ 0"
    error, smallest = _integrate_both_ways()
    yield f"(M, R) and (M, Q) integrated, random C(t), G(t), N(t): equal to {error:.0e}"
    yield f"smallest eigenvalue of R from a singular start: {smallest:.0e}"


def _check_elimination_of_G() -> None:
    H, F = sp.symbols("H F", positive=True, integer=True)
    M, G = sp.MatrixSymbol("M", H, F), sp.MatrixSymbol("G", H, F)
    C, Q, N = (sp.MatrixSymbol(name, H, H) for name in "CQN")
    dM = -eta * (G + C * M) - eta * decay * M
    one_side = G * M.T + C * Q
    dQ = -eta * (one_side + one_side.T) - 2 * eta * decay * Q + eta**2 / batch * N
    dR = dQ - dM * M.T - M * dM.T
    R = Q - M * M.T
    expected = -eta * (C * R + R * C) - 2 * eta * decay * R + eta**2 / batch * N
    # Q and C are symmetric.
    difference = (dR - expected).doit().subs({Q.T: Q, C.T: C}).expand().doit()
    assert difference == sp.ZeroMatrix(H, H)


def _check_congruence() -> None:
    t = sp.Symbol("t", real=True)
    U = sp.Matrix(2, 2, lambda i, j: sp.Function(f"U{i}{j}")(t))
    S = sp.Matrix(2, 2, lambda i, j: sp.Function(f"S{min(i, j)}{max(i, j)}")(t))
    C = sp.Matrix(2, 2, lambda i, j: sp.Symbol(f"C{min(i, j)}{max(i, j)}"))
    R = U * S * U.T
    dR = sp.diff(R, t).subs(dict(zip(sp.diff(U, t), -eta * C * U, strict=True)))
    # What is left of dR/dt beside −η(CR + RC) must be the noise: U (dS/dt) Uᵀ = (η²/B) N.
    left = dR + eta * (C * R + R * C) - U * sp.diff(S, t) * U.T
    assert left.expand() == sp.zeros(2)


def _integrate_both_ways() -> tuple[float, float]:
    rng, H, F, rate = np.random.default_rng(0), 3, 2, 0.7
    parts = rng.standard_normal((4, H, H))
    shift = rng.standard_normal((H, F))

    def C(t: float) -> np.ndarray:
        matrix = parts[0] * np.cos(t) + parts[1]
        return matrix + matrix.T

    def N(t: float) -> np.ndarray:
        root = parts[2][:, :1] * np.sin(3 * t)
        return root @ root.T

    def with_R(t: float, y: np.ndarray) -> np.ndarray:
        M, R = y[: H * F].reshape(H, F), y[H * F :].reshape(H, H)
        dM = -rate * (shift * np.sin(t) + C(t) @ M)
        return np.r_[dM.ravel(), (-rate * (C(t) @ R + R @ C(t)) + rate**2 * N(t)).ravel()]

    def with_Q(t: float, y: np.ndarray) -> np.ndarray:
        M, Q = y[: H * F].reshape(H, F), y[H * F :].reshape(H, H)
        G = shift * np.sin(t)
        one_side = G @ M.T + C(t) @ Q
        dQ = -rate * (one_side + one_side.T) + rate**2 * N(t)
        return np.r_[(-rate * (G + C(t) @ M)).ravel(), dQ.ravel()]

    M0, R0 = rng.standard_normal((H, F)), np.diag([0.5, 0.0, 0.0])
    options = {"rtol": 1e-11, "atol": 1e-12, "method": "DOP853"}
    end = 1.5
    ours = solve_ivp(with_R, (0, end), np.r_[M0.ravel(), R0.ravel()], **options).y
    other = solve_ivp(with_Q, (0, end), np.r_[M0.ravel(), (M0 @ M0.T + R0).ravel()], **options)
    M, R = ours[: H * F, -1].reshape(H, F), ours[H * F :, -1].reshape(H, H)
    Q = other.y[H * F :, -1].reshape(H, H)
    scale = np.abs(Q).max()
    error = np.abs(M @ M.T + R - Q).max() / scale
    smallest = min(np.linalg.eigvalsh(r.reshape(H, H))[0] for r in ours[H * F :].T)
    assert error < 1e-8
    assert smallest > -1e-9 * scale
    return float(error), float(smallest)


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
