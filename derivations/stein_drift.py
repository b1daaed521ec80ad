"""The drift by Stein's lemma: dM/dt = −η (G + C M), dQ/dt = −η (G Mᵀ + C Q + transpose).

Setting. Given the marked token ε and the signal θ, the fields of a token are jointly Gaussian:
χ*_lf = ω_lf + δ_lε θ_f and χ_lh = u_lh + δ_lε (Mθ)_h, with ω ~ N(0, I), u ~ N(0, Q) and
E[u_h ω_f] = M_hf. The drifts that follow from one step of SGD, after the average over the values,
are E[Σ_l ∂ℓ/∂χ_lh χ*_lf] and E[Σ_l ∂ℓ/∂χ_lh χ_lk].

Stein's lemma. For x ~ N(0, S), E[x_i F(x)] = Σ_j S_ij E[∂_j F(x)]. Proof: the density ρ obeys
S ∇ρ = −x ρ, so that x_i ρ F − ρ Σ_j S_ij ∂_j F = −Σ_j S_ij ∂_j (ρ F) is a total derivative.

Result. With F = ∂ℓ/∂χ_lh, ω_lf correlated with u_lk through M_kf, and the signal's part kept,

    G_hf = E[θ_f ∂ℓ/∂χ_εh] ,   C_hk = E[Σ_l ∂²ℓ/∂χ_lh∂χ_lk] ,
    E[Σ_l ∂ℓ/∂χ_lh χ*_lf] = G_hf + Σ_k C_hk M_kf
    E[Σ_l ∂ℓ/∂χ_lh χ_lk]  = Σ_f G_hf M_kf + Σ_j C_hj Q_jk .

No inverse of Q appears: the formulas hold for coinciding heads.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite, isserlis


def check() -> Iterator[str]:
    """The lemma for a generic function, the drifts for a generic polynomial and for softmax."""
    _check_lemma()
    yield "Stein's lemma: the difference of its two sides is a total derivative"
    _check_polynomial_loss()
    yield "both drifts for a generic polynomial loss of two tokens and two heads"
    first, second = _softmax_drift_errors()
    yield f"softmax, singular Q, by quadrature over all fields: {first:.0e} and {second:.0e}"


def _check_lemma() -> None:
    x, y = sp.symbols("x y", real=True)
    a, b, c = sp.symbols("a b c", positive=True)
    covariance = sp.Matrix([[a, b], [b, c]])
    point = sp.Matrix([x, y])
    density = sp.exp(-(point.T * covariance.inv() * point)[0] / 2)
    function = sp.Function("F")(x, y)
    for i in range(2):
        by_parts = sum(covariance[i, j] * sp.diff(function, point[j]) for j in range(2))
        boundary = sum(covariance[i, j] * sp.diff(density * function, point[j]) for j in range(2))
        assert sp.simplify((point[i] * function - by_parts) * density + boundary) == 0


def _check_polynomial_loss() -> None:
    """A loss with all monomials up to degree 3 of four fields, exactly by Isserlis.

    Smooth losses are limits of polynomials, so this is as general as the lemma.
    """
    tokens, heads = 2, 2
    M, theta = sp.symbols("M1 M2", real=True), sp.Symbol("theta", real=True)
    R11, R12, R22 = sp.symbols("R11 R12 R22", real=True)
    Q = sp.Matrix([[M[0] ** 2 + R11, M[0] * M[1] + R12], [M[0] * M[1] + R12, M[1] ** 2 + R22]])
    chi = {(l, h): sp.Symbol(f"chi{l}{h}") for l in range(tokens) for h in range(heads)}
    monomials = sorted(sp.itermonomials(list(chi.values()), 3), key=str)
    loss = sum(sp.Symbol(f"a{i}") * monomial for i, monomial in enumerate(monomials))

    u = {key: sp.Symbol(f"u{key[0]}{key[1]}") for key in chi}
    omega = sp.symbols("omega0 omega1")
    shift = {chi[l, h]: u[l, h] + (M[h] * theta if l == 0 else 0) for l, h in chi}
    column = sp.Matrix(M)
    of_one_token = sp.Matrix(sp.BlockMatrix([[Q, column], [column.T, sp.eye(1)]]))
    covariance = sp.diag(of_one_token, of_one_token)
    variables = (u[0, 0], u[0, 1], omega[0], u[1, 0], u[1, 1], omega[1])

    def mean(expression: sp.Expr) -> sp.Expr:
        return isserlis(expression.subs(shift, simultaneous=True), variables, covariance)

    G = [mean(theta * sp.diff(loss, chi[0, h])) for h in range(heads)]
    C = {
        (h, k): mean(sum(sp.diff(loss, chi[l, h], chi[l, k]) for l in range(tokens)))
        for h in range(heads)
        for k in range(heads)
    }
    star = [omega[0] + theta, omega[1]]
    h = 0
    drift_M = mean(sum(sp.diff(loss, chi[l, h]) * star[l] for l in range(tokens)))
    assert sp.expand(drift_M - G[h] - sum(C[h, k] * M[k] for k in range(heads))) == 0
    for k in range(heads):
        drift_Q = mean(sum(sp.diff(loss, chi[l, h]) * chi[l, k] for l in range(tokens)))
        expected = G[h] * M[k] + sum(C[h, j] * Q[j, k] for j in range(heads))
        assert sp.expand(drift_Q - expected) == 0


def _softmax_drift_errors() -> tuple[float, float]:
    """Two heads on one line (R = 0, F = 1), two tokens: fields χ_l = M χ*_l, two dimensions."""
    M, theta = np.array([0.7, -0.4]), 1.2

    def terms(omega: np.ndarray) -> np.ndarray:
        star = omega + theta * np.array([1.0, 0.0])
        gradient, curvature = _softmax_derivatives(star[:, :, None] * M)
        drift_M = np.einsum("nlh,nl->nh", gradient, star)
        drift_Q = np.einsum("nlh,nl,k->nhk", gradient, star, M)
        G = theta * gradient[:, 0]
        parts = (drift_M, G, drift_Q, curvature)
        return np.concatenate([part.reshape(len(omega), -1) for part in parts], axis=1)

    means = gauss_hermite(terms, np.eye(2), order=60)
    drift_M, G = means[:2], means[2:4]
    drift_Q, C = means[4:8].reshape(2, 2), means[8:].reshape(2, 2)
    first = np.abs(drift_M - G - C @ M).max()
    second = np.abs(drift_Q - np.outer(G, M) - C @ np.outer(M, M)).max()
    assert max(first, second) < 1e-12
    return float(first), float(second)


def _softmax_derivatives(chi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """∂ℓ/∂χ_lh (n, L, H) and Σ_l ∂²ℓ/∂χ_lh∂χ_lk (n, H, H), differentiated by SymPy."""
    symbols = sp.symbols("c0:4")
    weights = [[sp.exp(symbols[2 * l + h]) for h in range(2)] for l in range(2)]
    totals = [weights[0][h] + weights[1][h] for h in range(2)]
    attention = [sum(weights[l][h] / totals[h] for h in range(2)) / 2 for l in range(2)]
    loss = ((attention[0] - 1) ** 2 + attention[1] ** 2) / 2
    first = [sp.diff(loss, symbol) for symbol in symbols]
    second = [
        sum(sp.diff(loss, symbols[2 * l + h], symbols[2 * l + k]) for l in range(2))
        for h in range(2)
        for k in range(2)
    ]
    flat = chi.reshape(len(chi), 4).T
    evaluated = sp.lambdify(symbols, first + second, cse=True)(*flat)
    rows = np.array(evaluated).T
    return rows[:, :4].reshape(-1, 2, 2), rows[:, 4:].reshape(-1, 2, 2)


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
