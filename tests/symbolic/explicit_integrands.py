"""The integrands written out with SymPy for explicit L and H, and differentiated literally.

Shares nothing with the leaves of ``headode.symbolic.integrands``: the loss is a function of all
L·H scores, and every derivative is taken with ``sympy.diff``.
"""

from __future__ import annotations

import mpmath
import numpy as np
import sympy as sp

SCORES = {
    "exp": sp.exp,
    "softplus": lambda s: sp.log(1 + sp.exp(s)),
    "affine": lambda s: 1 + s,
    "erf": lambda s: 1 + sp.erf(s),
}


def attention(activation, chi, prefactor):
    """A_l for an L × H matrix of symbols, from the definition of the activation."""
    tokens, heads = chi.shape
    if isinstance(activation.score, str):
        score = SCORES[activation.score]
    else:
        (symbol,) = activation.score.free_symbols
        score = lambda s: activation.score.subs(symbol, s)  # noqa: E731
    w = chi.applyfunc(score)
    if activation.normalization == "none":
        return [prefactor * sum(w[l, :]) for l in range(tokens)]
    if activation.normalization == "pooled":
        return [sum(w[l, :]) / (sp.nsimplify(activation.null) + sum(w)) for l in range(tokens)]
    scale = sp.Rational(1, heads) if activation.average else 1
    null = sp.nsimplify(activation.null)
    return [
        scale * sum(w[l, h] / (null + sum(w[:, h])) for h in range(heads)) for l in range(tokens)
    ]


class ExplicitIntegrands:
    """Evaluates every integrand of the kernels at given scores, in multiple precision."""

    def __init__(self, activation, tokens, heads):
        self.shape = (tokens, heads)
        chi = sp.Matrix(tokens, heads, lambda l, h: sp.Symbol(f"chi_{l}_{h}", real=True))
        m_v, q_v, unit, prefactor = sp.symbols("m_v q_v unit prefactor", real=True)
        A = attention(activation, chi, prefactor)
        squared = sum(weight**2 for weight in A)
        loss = (unit - 2 * m_v * A[0] + q_v * squared) / 2
        rows = range(tokens)
        first = sp.Matrix(tokens, heads, lambda l, h: sp.diff(loss, chi[l, h]))
        slopes = [[[sp.diff(A[j], chi[l, h]) for j in rows] for h in range(heads)] for l in rows]

        def second(l, h, k):
            return sp.diff(loss, chi[l, h], chi[l, k])

        def noise(l, h, k):
            gram = sum(a * b for a, b in zip(slopes[l][h], slopes[l][k], strict=True))
            return 2 * loss * q_v * gram + 2 * first[l, h] * first[l, k]

        pairs = [(h, k) for h in range(heads) for k in range(heads)]
        expressions = [
            A[0],
            squared,
            2 * loss * squared,
            *first[0, :],
            *[second(0, h, k) for h, k in pairs],
            *[sum(second(l, h, k) for l in range(1, tokens)) for h, k in pairs],
            *[sum(first[:, h]) for h in range(heads)],
            *[sum(noise(l, h, k) for l in rows) for h, k in pairs],
        ]
        symbols = [*chi, m_v, q_v, unit, prefactor]
        self._evaluate = sp.lambdify(symbols, expressions, modules="mpmath", cse=True)

    def __call__(self, chi, m_v, q_v, unit, prefactor):
        """All integrands at one (L, H) array of scores, in the order of the kernels' sums."""
        # log(1 + eˢ) at s = −S has its first digit S/ln 10 places after the point.
        digits = 40 + int(np.abs(chi).max(initial=0.0))
        with mpmath.workdps(digits):
            numbers = [mpmath.mpf(float(v)) for v in (*np.ravel(chi), m_v, q_v, unit, prefactor)]
            return np.array([float(value) for value in self._evaluate(*numbers)])
