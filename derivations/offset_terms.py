"""Offsets: learned ones, and the ``nishimori`` offset that SGD differentiates through.

Setting. Scores enter the attention as χ_lh − b_h only. Hence the shift symmetry

    ∂ℓ/∂b_h = −Σ_l ∂ℓ/∂χ_lh ,

with which a learned offset follows db_h/dt = −η_b E[∂ℓ/∂b_h].

Result. For b_h = |k_h|²/2d the gradient has a second part, k_h/d times ∂L/∂b_h:

    ∇_{k_h} L = Σ_l (∂L/∂χ_lh) x_l/√d + (∂L/∂b_h) k_h/d .

With D = diag E[∂ℓ/∂b_h], its overlaps add −η D M to dM/dt and −η (D Q + Q D) to dQ/dt: the
equations stay the same with C + D in the place of C. Its square is O(1/d) smaller than N, and so
is its product with the first part: N is unchanged. C + D is still 2 dE/dQ, now the total
derivative that moves b_h = Q_hh/2 along: the new term is 2 · ½ ∂E/∂b_h on the diagonal.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite
from _vectors import inner, large_dimension

eta, d = sp.symbols("eta d", positive=True)


def check() -> Iterator[str]:
    """The chain rule, the overlaps of the new part, and the total derivative in numbers."""
    _check_shift_symmetry()
    yield "∂ℓ/∂b_h = −Σ_l ∂ℓ/∂χ_lh for a generic function of χ − b"
    _check_chain_rule()
    yield "∇_k b = k/d"
    _check_overlaps()
    yield "the new part adds D M and D Q + Q D, and nothing to the noise as d → ∞"
    yield f"C + D = 2 dE/dQ_hh by differences, pooled softmax: {_total_derivative_error():.0e}"


def _check_shift_symmetry() -> None:
    chi, b = sp.symbols("chi1:4", real=True), sp.Symbol("b", real=True)
    loss = sp.Function("ell")(*(x - b for x in chi))
    total = sp.diff(loss, b) + sum(sp.diff(loss, x) for x in chi)
    assert sp.simplify(total.doit()) == 0


def _check_chain_rule() -> None:
    k = sp.Matrix(sp.symbols("kappa1:4", real=True))
    offset = k.dot(k) / (2 * d)
    assert sp.Matrix([sp.diff(offset, component) for component in k]) == k / d


def _check_overlaps() -> None:
    """Two heads that step along −η (x γ_h/√d + k_h β_h/d), one token, one teacher."""
    heads, teacher, token = sp.symbols("k1 k2"), sp.Symbol("k_star"), sp.Symbol("x")
    M, chi, gamma, beta = (sp.symbols(f"{name}1 {name}2") for name in ("M", "chi", "g", "beta"))
    Q = sp.Matrix([[sp.Symbol("Q11"), sp.Symbol("Q12")], [sp.Symbol("Q12"), sp.Symbol("Q22")]])
    chi_star = sp.Symbol("chi_star")
    gram = {frozenset([teacher]): d, frozenset([token]): d}
    gram[frozenset([teacher, token])] = sp.sqrt(d) * chi_star
    for h in range(2):
        gram[frozenset([heads[h], teacher])] = d * M[h]
        gram[frozenset([heads[h], token])] = sp.sqrt(d) * chi[h]
        for k in range(2):
            gram[frozenset([heads[h], heads[k]])] = d * Q[h, k]

    def after(h: int) -> sp.Expr:
        return heads[h] - eta * (gamma[h] * token / sp.sqrt(d) + beta[h] * heads[h] / d)

    def increment(left: sp.Expr, right: sp.Expr, before: sp.Expr) -> sp.Expr:
        return large_dimension(inner(left, right, gram) - before, d)

    for h in range(2):
        change = increment(after(h), teacher, d * M[h])
        assert sp.expand(change + eta * (gamma[h] * chi_star + beta[h] * M[h])) == 0
        for k in range(2):
            change = increment(after(h), after(k), d * Q[h, k])
            drift = gamma[h] * chi[k] + gamma[k] * chi[h] + (beta[h] + beta[k]) * Q[h, k]
            assert sp.expand(change + eta * drift - eta**2 * gamma[h] * gamma[k]) == 0


def _total_derivative_error() -> float:
    """Two tokens, two heads with scores on one line (R = 0), pooled softmax, θ = 1.3."""

    def risk(Q: np.ndarray, offset: np.ndarray) -> np.ndarray:
        mean = 1.3 * np.array([0.8, 0.5])
        covariance = np.kron(np.eye(2), Q)

        def loss(u: np.ndarray) -> np.ndarray:
            chi = u.reshape(-1, 2, 2) + np.array([1.0, 0.0])[:, None] * mean
            return _pooled(chi - offset)[0]

        return gauss_hermite(loss, covariance, order=22)

    Q = np.array([[0.5, 0.2], [0.2, 0.3]])
    offset = np.diag(Q) / 2
    mean = np.array([1.0, 0.0])[:, None] * 1.3 * np.array([0.8, 0.5])
    D = gauss_hermite(
        lambda u: -_pooled(u.reshape(-1, 2, 2) + mean - offset)[1].sum(axis=1),
        np.kron(np.eye(2), Q),
        order=22,
    )

    def derivative(moving: bool) -> float:
        """2 dE/dQ_11 by central differences, the offset following or not."""
        step = 1e-3
        values = []
        for sign in (1, -1):
            moved = Q + sign * step * np.array([[1.0, 0.0], [0.0, 0.0]])
            values.append(risk(moved, np.diag(moved) / 2 if moving else offset))
        return float((values[0] - values[1]) / step)

    error = abs(derivative(True) - derivative(False) - D[0])
    # Central differences of step 1e-3: truncation of about 1e-6 times a third derivative.
    assert error < 1e-6
    return error


def _pooled(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brier score and its derivative with respect to the scores (n, L, H)."""
    p = np.exp(s) / np.exp(s).sum(axis=(1, 2), keepdims=True)
    residual = p.sum(axis=2) - np.array([1.0, 0.0])
    mean_residual = (residual * p.sum(axis=2)).sum(axis=1)
    slope = p * (residual[:, :, None] - mean_residual[:, None, None])
    return 0.5 * (residual**2).sum(axis=1), slope


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
