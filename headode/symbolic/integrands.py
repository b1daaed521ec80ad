"""The leaves of the integrands: what a token's score does to the loss, for each normalization.

Write g_j = ∂ℓ/∂A_j and b^{hl}_j = ∂A_j/∂χ_lh. The expected updates need, for each token l,

- ``first``: Σ_j g_j b^{hl}_j = ∂ℓ/∂χ_lh
- ``gram``: Σ_j b^{hl}_j b^{kl}_j
- ``curvature``: Σ_j g_j ∂²A_j/∂χ_lh∂χ_lk (``curvature_same`` for h = k)

since ∂²ℓ/∂χ_lh∂χ_lk = q_v gram + curvature and
N_hk = E Σ_l [2ℓ q_v gram + 2 ∂ℓ/∂χ_lh ∂ℓ/∂χ_lk] (theory: the ODE).

They are derived here by differentiating the weights with respect to one token's scores. All other
tokens j ≠ l enter a derivative only through a factor common to them all times their own weight, so
sums over j close on a few contractions (for any L) that the kernel forms once per node.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from headode.activation import Normalization

# Of token l: relative weights of heads h, k, and the relative derivatives of their scores,
# ρ = w'/w and τ = w''/w. Pooled: p is the share of the pooled sum. None: p, ρp, τp read w, w', w''.
p_h, p_k, rho_h, rho_k, tau_h = sp.symbols("p_h p_k rho_h rho_k tau_h", real=True)
# Scale of the heads' sum: A_l = a Σ_h p_lh, with a = 1/H, 1 or the prefactor c.
a = sp.Symbol("a", positive=True)
# Of token l: attention A_l and g_l = q_v A_l − m_v δ_lε.
A_l, g_l = sp.symbols("A_l g_l", real=True)
# Contractions over all tokens: d_h = Σ_j g_j p_jh, P_hk = Σ_j p_jh p_jk;
# pooled: d = Σ_j g_j A_j, S2 = Σ_j A_j².
d_h, d_k, P_hk, d, S2 = sp.symbols("d_h d_k P_hk d S2", real=True)


@dataclass(frozen=True)
class Leaves:
    """The scalar expressions a kernel evaluates for each node, token and pair of heads."""

    first: sp.Expr
    gram: sp.Expr
    curvature: sp.Expr
    curvature_same: sp.Expr


def leaves_of(normalization: Normalization) -> Leaves:
    """Derive the leaves of one normalization."""
    return {"per_head": _per_head, "pooled": _pooled, "none": _elementwise}[normalization]()


def _per_head() -> Leaves:
    """``A_j = a Σ_h p_jh``, ``p_jh = w(χ_jh) / (rest + w(χ_lh))``."""
    chi, rest, other = sp.symbols("chi rest w_other", positive=True)
    w = sp.Function("w", positive=True)(chi)
    own_weight, other_weight = w / (rest + w), other / (rest + w)
    norm = sp.Symbol("norm", positive=True)

    def in_weights(expression: sp.Expr) -> sp.Expr:
        """Replace w, w', w'' and the normalizer by p, ρ, τ; ``other`` by its weight."""
        replaced = (
            expression.subs(sp.diff(w, chi, 2), tau_h * w)
            .subs(sp.diff(w, chi), rho_h * w)
            .subs(rest, norm - w)
            .subs(w, p_h * norm)
            .subs(other, sp.Symbol("p_other") * norm)
        )
        return sp.factor(sp.cancel(replaced))

    p_other = sp.Symbol("p_other")
    own, across = (in_weights(sp.diff(weight, chi)) for weight in (own_weight, other_weight))
    own2, across2 = (in_weights(sp.diff(weight, chi, 2)) for weight in (own_weight, other_weight))
    # ∂p_j for j ≠ l is (coefficient)·p_j: the sum over j ≠ l of g_j p_j is d_h − g_l p_h.
    coefficient, coefficient2 = (sp.cancel(e / p_other) for e in (across, across2))
    first = own * g_l + coefficient * (d_h - g_l * p_h)
    curvature_same = own2 * g_l + coefficient2 * (d_h - g_l * p_h)
    to_k = {p_h: p_k, rho_h: rho_k}
    own_k, coefficient_k = own.subs(to_k), coefficient.subs(to_k)
    gram = own * own_k + coefficient * coefficient_k * (P_hk - p_h * p_k)
    return Leaves(
        first=sp.factor(a * first),
        gram=sp.factor(a**2 * gram),
        curvature=sp.Integer(0),  # p_jh depends on no other head's scores
        curvature_same=sp.factor(a * curvature_same),
    )


def _pooled() -> Leaves:
    """``A_j = Σ_h p_jh``, ``p_jh = w(χ_jh) / (rest + Σ_h' w(χ_lh'))``."""
    chi_h, chi_k = sp.symbols("chi_h chi_k", real=True)
    rest, heads, other, norm = sp.symbols("rest heads w_other norm", positive=True)
    w = sp.Function("w", positive=True)
    w_h, w_k = w(chi_h), w(chi_k)
    total = rest + heads + w_h + w_k  # heads: the token's remaining heads
    own_weight, other_weight = (heads + w_h + w_k) / total, other / total
    A_other = sp.Symbol("A_other")

    def in_weights(expression: sp.Expr) -> sp.Expr:
        replaced = (
            expression.subs(sp.diff(w_h, chi_h, 2), tau_h * w_h)
            .subs(sp.diff(w_h, chi_h), rho_h * w_h)
            .subs(sp.diff(w_k, chi_k), rho_k * w_k)
            .subs(rest, norm - heads - w_h - w_k)
            .subs({w_h: p_h * norm, w_k: p_k * norm, other: A_other * norm})
            .subs(heads, (A_l - p_h - p_k) * norm)
        )
        return sp.factor(sp.cancel(replaced))

    def sum_over_tokens(*wrt: sp.Symbol) -> sp.Expr:
        """Σ_j g_j ∂A_j: the token itself, and the others' common coefficient."""
        own, across = (in_weights(sp.diff(weight, *wrt)) for weight in (own_weight, other_weight))
        return sp.factor(own * g_l + sp.cancel(across / A_other) * (d - g_l * A_l))

    own = in_weights(sp.diff(own_weight, chi_h))
    coefficient = sp.cancel(in_weights(sp.diff(other_weight, chi_h)) / A_other)
    to_k = {p_h: p_k, rho_h: rho_k}
    gram = own * own.subs(to_k) + coefficient * coefficient.subs(to_k) * (S2 - A_l**2)
    return Leaves(
        first=sum_over_tokens(chi_h),
        gram=sp.factor(gram),
        curvature=sum_over_tokens(chi_h, chi_k),
        curvature_same=sum_over_tokens(chi_h, chi_h),
    )


def _elementwise() -> Leaves:
    """``A_j = a Σ_h w(χ_jh)``: a score moves its own token's weight only."""
    return Leaves(
        first=a * rho_h * g_l,
        gram=a**2 * rho_h * rho_k,
        curvature=sp.Integer(0),
        curvature_same=a * tau_h * g_l,
    )
