"""Token factorization: a race of exponential clocks makes the tokens independent.

Setting. Normalized weights p_l = W_l/(ν + Σ_j W_j) couple all tokens through their denominator S.

Result. 1/S = ∫ e^{−sS} ds is the same as Gumbel-max: token l wins a race of exponential clocks with
rates W_l with probability p_l, and given the winning time s the tokens are independent. With
x = log s, a = e^x W, g = e^{−a}, Z = exp(−ν e^x) and averages over one token's fields

    n = E g ,  r = E[a g] = −∂_x n ,  q = E[a² g] ,

    E p_ε    = ∫dx Z r_ε n^{L−1} ,
    E Σ p_l² = ∫dx Z [q_ε n^{L−1} + (L−1) q n_ε n^{L−2}] ,
    E p_h·p_k = ∫∫dx dy Z(x) Z(y) [ρ_ε n^{L−1} + (L−1) ρ n_ε n^{L−2}] ,

index ε for the marked token; in the last line, with a clock for each head, n = E g_h g_k and
ρ = E a_h a_k g_h g_k. E = −α₁ E p_ε + ½ α₂ E Σ p² changes with the law of a token by the
average of Ψ(y) = ∫dx [c₀ g + c₁ a g + c₂ a² g], y the token's log-rate, where

    marked:     c₀ = (L−1) ½α₂ Z q n^{L−2} ,  c₁ = −α₁ Z n^{L−1} ,  c₂ = ½α₂ Z n^{L−1} ,
    unmarked:   c₀ = (L−1) Z n^{L−2} (−α₁ r_ε + ½α₂ q_ε) + (L−1)(L−2) ½α₂ Z q n_ε n^{L−3} ,
                c₁ = 0 ,  c₂ = (L−1) ½α₂ Z n_ε n^{L−2} .

By the heat equation, ∂E/∂μ = E Ψ'(y) ∂y and 2 ∂E/∂Q = E ∂²Ψ, so G and C need Ψ' and Ψ'' only:
Ψ' = ∫dx [e₁ a + e₂ a² + e₃ a³] g with e₁ = c₁ − c₀, e₂ = 2c₂ − c₁, e₃ = −c₂.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite
from numpy.typing import NDArray

from headode.activation import BUILTIN
from headode.expectation.clock_pairs import pair_gradients
from headode.kernels.load import load_token_law
from headode.kernels.token_rule import Precision

Array = NDArray[np.float64]

s, S, nu = sp.symbols("s S nu", positive=True)
x, y = sp.symbols("x y", real=True)
alpha_1, alpha_2, L = sp.symbols("alpha_1 alpha_2 L", positive=True)


def check() -> Iterator[str]:
    """The race, the integrals, their first variation, and numbers by another route."""
    _check_race()
    yield "1/S, 1/S² as integrals over the time, and the probability to ring first"
    _check_survival_derivative()
    yield "r = −∂_x n, and Ψ' and Ψ'' from ∂_y a = a"
    _check_first_variation()
    yield "c₀, c₁, c₂ of the marked token and of the others, for generic L"
    yield f"one clock against quadrature over all scores (L = 2): {_one_clock_error():.0e}"
    yield f"two clocks against quadrature over all scores (L = 2): {_two_clock_error():.0e}"


def _check_race() -> None:
    assert sp.integrate(sp.exp(-s * S), (s, 0, sp.oo)) == 1 / S
    assert sp.integrate(s * sp.exp(-s * S), (s, 0, sp.oo)) == 1 / S**2
    W = sp.symbols("W1:4", positive=True)
    # Token 1 rings at time s, no other token and no null token has rung before.
    survival = sp.exp(-s * nu) * sp.prod([sp.exp(-s * rate) for rate in W])
    first = sp.integrate(sp.expand(W[0] * survival).simplify(), (s, 0, sp.oo))
    assert sp.simplify(first - W[0] / (nu + sum(W))) == 0
    # ds/s = dx turns W e^{−sW} ds into a g dx, and s W² e^{−sW} ds into a² g dx.
    assert sp.simplify(sp.exp(x).diff(x) / sp.exp(x)) == 1


def _check_survival_derivative() -> None:
    a = sp.exp(x + y)
    g = sp.exp(-a)
    assert sp.simplify(g.diff(x) + a * g) == 0
    c0, c1, c2 = sp.symbols("c0 c1 c2")
    slope = (c0 * g + c1 * a * g + c2 * a**2 * g).diff(y)
    e1, e2, e3 = c1 - c0, 2 * c2 - c1, -c2
    assert sp.simplify(slope - (e1 * a + e2 * a**2 + e3 * a**3) * g) == 0
    bend = e1 * a + (2 * e2 - e1) * a**2 + (3 * e3 - e2) * a**3 - e3 * a**4
    assert sp.simplify(slope.diff(y) - bend * g) == 0


def _check_first_variation() -> None:
    """Mix a token's law with a point mass: (1 − t) law + t δ; the t-derivative at 0."""
    n, n_e, r_e, q_e, q, Z, t, a, g = sp.symbols("n n_e r_e q_e q Z t a g", positive=True)

    def energy(n: sp.Expr, q: sp.Expr, n_e: sp.Expr, r_e: sp.Expr, q_e: sp.Expr) -> sp.Expr:
        squares = q_e * n ** (L - 1) + (L - 1) * q * n_e * n ** (L - 2)
        return Z * (-alpha_1 * r_e * n ** (L - 1) + alpha_2 / 2 * squares)

    def along(c0: sp.Expr, c1: sp.Expr, c2: sp.Expr) -> sp.Expr:
        return c0 * g + c1 * a * g + c2 * a**2 * g

    half = alpha_2 / 2
    # Only what is added counts: the part −t·law is the same for every point and drops out of Ψ'.
    marked = energy(n, q, n_e + t * g, r_e + t * a * g, q_e + t * a**2 * g).diff(t).subs(t, 0)
    expected = along(
        (L - 1) * half * Z * q * n ** (L - 2), -alpha_1 * Z * n ** (L - 1), half * Z * n ** (L - 1)
    )
    assert sp.simplify(marked - expected) == 0
    others = energy(n + t * g, q + t * a**2 * g, n_e, r_e, q_e).diff(t).subs(t, 0)
    c0 = (L - 1) * Z * n ** (L - 2) * (-alpha_1 * r_e + half * q_e)
    c0 += (L - 1) * (L - 2) * half * Z * q * n_e * n ** (L - 3)
    expected = along(c0, sp.Integer(0), (L - 1) * half * Z * n_e * n ** (L - 2))
    assert sp.simplify(others - expected) == 0


def _softmax(scores: Array) -> Array:
    """Softmax over the tokens (axis 1) of each head."""
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def _one_clock_error() -> float:
    """E p_ε and E Σ p² of one softmax head on two tokens, marked mean 1.2, Q = 0.8."""
    mean, variance = 1.2, 0.8

    def moments(scores: Array) -> Array:
        p = _softmax(scores[:, :, None] + np.array([[mean], [0.0]]))[:, :, 0]
        return np.stack([p[:, 0], (p**2).sum(axis=1)], axis=1)

    direct = gauss_hermite(moments, variance * np.eye(2), 80)
    grid = np.arange(-60.0, 12.0, 0.1)
    z, w = np.polynomial.hermite_e.hermegauss(120)
    w = w / w.sum()
    a, a_e = (np.exp(grid[:, None] + m + np.sqrt(variance) * z) for m in (0.0, mean))
    n, q = np.exp(-a) @ w, (a**2 * np.exp(-a)) @ w
    n_e, r_e, q_e = (a_e**k * np.exp(-a_e) @ w for k in range(3))
    race = 0.1 * np.array([(r_e * n).sum(), (q_e * n + q * n_e).sum()])
    error = float(np.abs(race - direct).max())
    assert error < 1e-9
    return error


def _two_clock_error() -> float:
    """E p_h·p_k of two correlated softmax heads on two tokens, by the package's two clocks."""
    means = np.array([[0.0, 0.0], [0.9, -0.4]])
    Q = np.array([[0.8, 0.3], [0.3, 0.6]])

    def overlap(scores: Array) -> Array:
        fields = scores.reshape(-1, 2, 2) + means[::-1]  # the marked token first
        p = _softmax(fields)
        return (p[:, :, 0] * p[:, :, 1]).sum(axis=1)

    direct = float(gauss_hermite(overlap, np.kron(np.eye(2), Q), 36))
    law = load_token_law(BUILTIN["softmax"])
    windows = [(-28.0, 8.0)] * 2
    covariances = np.stack([Q, Q])
    arguments = law, means, covariances, windows, np.ones(1), (2, 0.0), 1e-10
    clocks = pair_gradients(*arguments, Precision(1e-11, tokens=2))
    error = abs(clocks.overlap - direct)
    assert error < 1e-8
    return error


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
