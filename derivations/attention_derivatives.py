"""Derivatives of the attention weights, for any score function and each normalization.

Setting. Positive (for ``none``: any) scores w_lh = w(χ_lh), with relative derivatives ρ = w'/w and
τ = w''/w. A null token may add a constant weight to each denominator.

    per_head   A_j = a Σ_h p_jh,  p_jh = w_jh / (null + Σ_i w_ih)
    pooled     A_j = Σ_h p_jh,    p_jh = w_jh / (null + Σ_ih' w_ih')
    none       A_j = a Σ_h w_jh

Result. A score of token l moves all weights of its normalization through the denominator alone:

    per_head   ∂A_j/∂χ_lh        = a ρ_lh p_lh (δ_jl − p_jh)
               ∂²A_j/∂χ_lh²      = a p_lh (τ_lh − 2 ρ_lh² p_lh) (δ_jl − p_jh)
               ∂²A_j/∂χ_lh∂χ_lk  = 0                                                    (h ≠ k)
    pooled     ∂A_j/∂χ_lh        = ρ_lh p_lh (δ_jl − A_j)
               ∂²A_j/∂χ_lh²      = p_lh (τ_lh − 2 ρ_lh² p_lh) (δ_jl − A_j)
               ∂²A_j/∂χ_lh∂χ_lk  = −2 ρ_lh ρ_lk p_lh p_lk (δ_jl − A_j)                  (h ≠ k)
    none       ∂A_j/∂χ_lh        = a w'_lh δ_jl,   ∂²A_j/∂χ_lh² = a w''_lh δ_jl .

For any g_j (here g_j = ∂ℓ/∂A_j) the sums over tokens therefore close on d_h = Σ_j g_j p_jh,
P_hk = Σ_j p_jh p_jk (per head), or d = Σ_j g_j A_j, S2 = Σ_j A_j² (pooled). Per head:

    Σ_j g_j ∂A_j/∂χ_lh                = a ρ_lh p_lh (g_l − d_h)
    Σ_j ∂A_j/∂χ_lh ∂A_j/∂χ_lk         = a² ρ_lh ρ_lk p_lh p_lk (1_l − p_lh − p_lk + P_hk) ,

1_l = 1, and pooled with A_l, d, S2 in the place of p_lh, d_h, P_hk. These are what the kernels
compute for each token and pair of heads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import sympy as sp

from headode.symbolic import integrands

TOKENS, HEADS = 3, 3
null, scale = sp.symbols("null a", positive=True)
chi = [[sp.Symbol(f"chi{l}{h}", real=True) for h in range(HEADS)] for l in range(TOKENS)]
g = sp.symbols(f"g0:{TOKENS}", real=True)
w = sp.Function("w", positive=True)
# The symbols that stand for w(χ), w'(χ)/w(χ) and w''(χ)/w(χ) in explicit expressions.
W, RHO, TAU = (
    [[sp.Symbol(f"{name}{l}{h}", positive=True) for h in range(HEADS)] for l in range(TOKENS)]
    for name in ("w", "rho", "tau")
)


def share(normalization: str, l: int, h: int) -> sp.Expr:
    """p_lh (``none``: w_lh), straight from its definition."""
    scores = [[w(x) for x in row] for row in chi]
    if normalization == "none":
        return scores[l][h]
    if normalization == "per_head":
        return scores[l][h] / (null + sum(row[h] for row in scores))
    return scores[l][h] / (null + sum(sum(row) for row in scores))


def attention(normalization: str, l: int) -> sp.Expr:
    """A_l."""
    total = sum(share(normalization, l, h) for h in range(HEADS))
    return total if normalization == "pooled" else scale * total


def in_symbols(expression: sp.Expr) -> sp.Expr:
    """A rational function of w, ρ, τ at each token and head."""
    for l in range(TOKENS):
        for h in range(HEADS):
            x, symbol = chi[l][h], W[l][h]
            expression = (
                expression.subs(sp.diff(w(x), x, 2), TAU[l][h] * symbol)
                .subs(sp.diff(w(x), x), RHO[l][h] * symbol)
                .subs(w(x), symbol)
            )
    return expression


def first_derivative(normalization: str, j: int, l: int, h: int) -> sp.Expr:
    """∂A_j/∂χ_lh as stated above."""
    same, p, rho = int(j == l), share(normalization, l, h), RHO[l][h]
    if normalization == "none":
        return scale * rho * p * same
    if normalization == "per_head":
        return scale * rho * p * (same - share(normalization, j, h))
    return rho * p * (same - attention(normalization, j))


def second_derivative(normalization: str, j: int, l: int, h: int, k: int) -> sp.Expr:
    """∂²A_j/∂χ_lh∂χ_lk as stated above."""
    same, p, rho = int(j == l), share(normalization, l, h), RHO[l][h]
    if normalization == "none":
        return scale * TAU[l][h] * p * same if h == k else sp.Integer(0)
    if normalization == "per_head":
        relative = p * (TAU[l][h] - 2 * rho**2 * p) if h == k else sp.Integer(0)
        return scale * relative * (same - share(normalization, j, h))
    other = share(normalization, l, k)
    relative = p * (TAU[l][h] - 2 * rho**2 * p) if h == k else -2 * rho * RHO[l][k] * p * other
    return relative * (same - attention(normalization, j))


@dataclass(frozen=True)
class Contractions:
    """The explicit sums over tokens that the package's leaves claim to be."""

    first: sp.Expr
    gram: sp.Expr
    curvature: sp.Expr
    curvature_same: sp.Expr


def contractions(normalization: str, l: int, h: int, k: int) -> Contractions:
    """Brute force: differentiate every weight, then sum over all tokens."""
    weights = [attention(normalization, j) for j in range(TOKENS)]
    by_h = [sp.diff(weight, chi[l][h]) for weight in weights]
    by_k = [sp.diff(weight, chi[l][k]) for weight in weights]
    return Contractions(
        first=sum(x * y for x, y in zip(g, by_h, strict=True)),
        gram=sum(x * y for x, y in zip(by_h, by_k, strict=True)),
        curvature=sum(x * sp.diff(y, chi[l][k]) for x, y in zip(g, by_h, strict=True)),
        curvature_same=sum(x * sp.diff(y, chi[l][h]) for x, y in zip(g, by_h, strict=True)),
    )


def values_of_leaf_symbols(normalization: str, l: int, h: int, k: int) -> dict[sp.Symbol, sp.Expr]:
    """What the kernel's per-node quantities are in explicit terms."""
    shares = [[share(normalization, j, i) for i in range(HEADS)] for j in range(TOKENS)]
    weights = [attention(normalization, j) for j in range(TOKENS)]
    plain = normalization == "none"
    return {
        integrands.a: scale,
        integrands.p_h: shares[l][h],
        integrands.p_k: shares[l][k],
        # Without normalization the kernel keeps w' and w'' themselves.
        integrands.rho_h: RHO[l][h] * (W[l][h] if plain else 1),
        integrands.rho_k: RHO[l][k] * (W[l][k] if plain else 1),
        integrands.tau_h: TAU[l][h] * (W[l][h] if plain else 1),
        integrands.A_l: weights[l],
        integrands.g_l: g[l],
        integrands.d_h: sum(g[j] * shares[j][h] for j in range(TOKENS)),
        integrands.d_k: sum(g[j] * shares[j][k] for j in range(TOKENS)),
        integrands.P_hk: sum(shares[j][h] * shares[j][k] for j in range(TOKENS)),
        integrands.d: sum(g[j] * weights[j] for j in range(TOKENS)),
        integrands.S2: sum(weight**2 for weight in weights),
    }


def vanishes(expression: sp.Expr) -> bool:
    """Whether a rational function is identically zero."""
    return sp.cancel(sp.together(in_symbols(expression))) == 0


def check() -> Iterator[str]:
    """Three tokens and three heads, a generic score function, a null token."""
    for normalization in ("per_head", "pooled", "none"):
        _check_formulas(normalization)
        yield f"{normalization}: first and second derivatives of the weights"
        _check_leaves(normalization)
        yield f"{normalization}: the package's leaves are the sums over all tokens"


def _check_formulas(normalization: str) -> None:
    l, h = 0, 0
    for j in (0, 1):
        weight = attention(normalization, j)
        slope = sp.diff(weight, chi[l][h])
        assert vanishes(slope - first_derivative(normalization, j, l, h))
        for k in (0, 1):
            curvature = sp.diff(slope, chi[l][k])
            assert vanishes(curvature - second_derivative(normalization, j, l, h, k))


def _check_leaves(normalization: str) -> None:
    l, h, k = 1, 0, 2
    explicit = contractions(normalization, l, h, k)
    values = values_of_leaf_symbols(normalization, l, h, k)
    leaves = integrands.leaves_of(normalization)
    for field in fields(Contractions):
        leaf = getattr(leaves, field.name).subs(values)
        assert vanishes(leaf - getattr(explicit, field.name)), field.name
    # For the same head twice the kernel uses the same gram leaf with k = h.
    gram = leaves.gram.subs({integrands.p_k: integrands.p_h, integrands.rho_k: integrands.rho_h})
    gram = gram.subs(values_of_leaf_symbols(normalization, l, h, h))
    assert vanishes(gram - contractions(normalization, l, h, h).gram)


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
