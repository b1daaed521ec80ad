"""Gaussian components of P_θ: the marked token's fields, and G.

Setting. P_θ = Σ_s p_s N(θ̄_s, Σ_s). Within a component θ = θ̄ + τ with τ ~ N(0, Σ), independent of
u ~ N(0, Q).

Result. The marked token's fields χ_ε = Mθ + u are Gaussian themselves,

    χ_ε ~ N(Mθ̄, Q + M Σ Mᵀ) ,

and Stein's lemma over τ (E[τ_f F(Mτ + u)] = Σ_g Σ_fg E[∂F/∂τ_g], ∂χ_εk/∂τ_g = M_kg) gives

    G_hf = E[θ_f ∂ℓ/∂χ_εh] = E[∂ℓ/∂χ_εh] θ̄_f + (E[∂²ℓ/∂χ_ε∂χ_ε] M Σ)_hf .

It is also ∂E/∂M at fixed Q: the first term moves the mean Mθ̄, the second the covariance M Σ Mᵀ (by
the heat equation, ∂E/∂V_hk = ½ E[∂²ℓ/∂χ_h∂χ_k] over all ordered pairs).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite, isserlis

HEADS, FEATURES = 2, 2
M = sp.Matrix(HEADS, FEATURES, lambda h, f: sp.Symbol(f"M{h}{f}", real=True))
mean = sp.Matrix(sp.symbols("mean0 mean1", real=True))
Sigma = sp.Matrix(2, 2, lambda f, g: sp.Symbol(f"S{min(f, g)}{max(f, g)}", real=True))
Q = sp.Matrix(2, 2, lambda h, k: sp.Symbol(f"Q{min(h, k)}{max(h, k)}", real=True))
tau, u = sp.symbols("tau0 tau1", real=True), sp.symbols("u0 u1", real=True)
chi = sp.symbols("chi0 chi1", real=True)


def average(expression: sp.Expr) -> sp.Expr:
    """Over θ = θ̄ + τ and u, of a polynomial in χ_ε and τ."""
    field = M * (mean + sp.Matrix(tau)) + sp.Matrix(u)
    in_parts = expression.subs(dict(zip(chi, field, strict=True)))
    return isserlis(in_parts, (*tau, *u), sp.diag(Sigma, Q))


def check() -> Iterator[str]:
    """Moments and G for polynomials with symbolic covariances; softmax by quadrature."""
    for h in range(HEADS):
        assert sp.expand(average(chi[h]) - (M * mean)[h]) == 0
        for k in range(HEADS):
            second = average(chi[h] * chi[k]) - (M * mean)[h] * (M * mean)[k]
            assert sp.expand(second - (Q + M * Sigma * M.T)[h, k]) == 0
    yield "mean Mθ̄ and covariance Q + MΣMᵀ"

    monomials = sorted(sp.itermonomials(list(chi), 3), key=str)
    loss = sum(sp.Symbol(f"a{i}") * monomial for i, monomial in enumerate(monomials))
    theta = mean + sp.Matrix(tau)
    curvature = sp.hessian(loss, chi).applyfunc(average)
    slope = sp.Matrix([average(sp.diff(loss, x)) for x in chi])
    closed = slope * mean.T + curvature * M * Sigma
    direct = sp.Matrix(HEADS, FEATURES, lambda h, f: average(theta[f] * sp.diff(loss, chi[h])))
    assert (closed - direct).expand() == sp.zeros(HEADS, FEATURES)
    yield "G for a generic cubic loss"
    risk = average(loss)
    gradient = sp.Matrix(HEADS, FEATURES, lambda h, f: sp.diff(risk, M[h, f]))
    assert (gradient - closed).expand() == sp.zeros(HEADS, FEATURES)
    yield "G = ∂E/∂M at fixed Q"
    yield f"softmax of two tokens, by quadrature over θ and u: equal to {_softmax_error():.0e}"


def _softmax_error() -> float:
    """One head, two tokens, one feature: E[θ ∂ℓ/∂χ_ε] against the formula."""
    overlap, residual, center, variance = 0.7, 0.3, 0.8, 0.6
    q = overlap**2 + residual
    x, y = sp.symbols("x y", real=True)
    # p = weight of the marked token; the Brier score is (1 − p)².
    loss = (1 - 1 / (1 + sp.exp(y - x))) ** 2
    first, second = (sp.lambdify((x, y), sp.diff(loss, x, order)) for order in (1, 2))

    def with_signal(nodes: np.ndarray) -> np.ndarray:
        theta = center + nodes[:, 0]
        return theta * first(overlap * theta + nodes[:, 1], nodes[:, 2])

    def of_field(nodes: np.ndarray) -> np.ndarray:
        field = overlap * center + nodes[:, 0]
        return np.stack([first(field, nodes[:, 1]), second(field, nodes[:, 1])], axis=1)

    direct = gauss_hermite(with_signal, np.diag([variance, q, q]), order=40)
    marked = q + overlap**2 * variance
    slope, curvature = gauss_hermite(of_field, np.diag([marked, q]), order=60)
    error = abs(direct - slope * center - curvature * overlap * variance)
    assert error < 1e-10
    return float(error)


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
