"""Inner products of symbolic vectors, known only through their Gram matrix."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

# The product a·b at the key {a, b}, the square |a|² at the key {a}.
Gram = Mapping[frozenset[sp.Symbol], sp.Expr]


def inner(left: sp.Expr, right: sp.Expr, gram: Gram) -> sp.Expr:
    """``left · right`` of two linear combinations of the vectors in ``gram``."""
    vectors = frozenset().union(*gram)
    one, other = (
        {v: expression.coeff(v) for v in vectors & expression.free_symbols}
        for expression in (sp.expand(left), sp.expand(right))
    )
    return sp.expand(sum(one[a] * other[b] * gram[frozenset([a, b])] for a in one for b in other))


def large_dimension(expression: sp.Expr, d: sp.Symbol) -> sp.Expr:
    """The limit d → ∞ of a polynomial in d^{-1/2}."""
    s = sp.Symbol("s", positive=True)
    return sp.expand(expression.subs(d, 1 / s**2)).subs(s, 0)
