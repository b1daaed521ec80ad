"""Attention weights and their vector-Jacobian product, written by hand (theory: model).

A score ``w(x)`` is kept as ``mantissa · e^exponent`` with the same exponent for its derivative, so
that normalized weights neither overflow nor vanish for scores of several hundred. Head h's part of
the weight of token l is ``share_lh``, and ``slope_lh`` is its derivative with respect to
``χ_lh`` at a fixed denominator; ``A_l = Σ_h share_lh``.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

from numba import cfunc

from headode._checks import Array
from headode.activation import BUILTIN_SCORES, NORMALIZATIONS, Activation
from headode.simulation._compile import compiled

EXP, SOFTPLUS, AFFINE, ERF = (BUILTIN_SCORES.index(s) for s in ("exp", "softplus", "affine", "erf"))
USER = len(BUILTIN_SCORES)
PER_HEAD, POOLED, ELEMENTWISE = (NORMALIZATIONS.index(n) for n in ("per_head", "pooled", "none"))


class AttentionRule(NamedTuple):
    """An activation as the compiled loops take it.

    Attributes:
        score: index into ``BUILTIN_SCORES``, or ``USER``.
        normalization: index into ``NORMALIZATIONS``.
        null: weight of the null token.
        factor: what multiplies every weight: 1/H, 1 or the model's prefactor.
        user_score: compiled ``w(x)`` of a registered activation.
        user_slope: compiled ``w'(x)`` of a registered activation.
    """

    score: int
    normalization: int
    null: float
    factor: float
    user_score: Any
    user_slope: Any


def attention_rule(activation: Activation, heads: int, prefactor: float) -> AttentionRule:
    """Translate an activation; a registered SymPy score is compiled here, at its first use."""
    factor = prefactor if activation.takes_prefactor else 1.0
    if activation.average:
        factor = 1.0 / heads
    built_in = isinstance(activation.score, str)
    score = BUILTIN_SCORES.index(activation.score) if built_in else USER
    # Every rule has the same type, so that the loops are compiled once for all activations.
    functions = _unused_score() if built_in else _compile_score(activation.score)
    normalization = NORMALIZATIONS.index(activation.normalization)
    return AttentionRule(score, normalization, float(activation.null), factor, *functions)


@cache
def _unused_score() -> tuple[Any, Any]:
    function = cfunc("float64(float64)")(lambda x: x)
    return function, function


@cache
def _compile_score(score: Any) -> tuple[Any, Any]:
    """Machine code of ``w`` and ``w'`` for a SymPy expression in one symbol."""
    import sympy

    (symbol,) = score.free_symbols
    value, slope = (
        cfunc("float64(float64)")(sympy.lambdify(symbol, part, modules="math"))
        for part in (score, sympy.diff(score, symbol))
    )
    return value, slope


@compiled
def score_parts(rule: AttentionRule, x: float) -> tuple[float, float, float]:
    """``(exponent, mantissa, slope)``: ``w = mantissa e^exponent``, ``w' = slope e^exponent``."""
    if rule.score == EXP:
        return x, 1.0, 1.0
    if rule.score == SOFTPLUS:
        if x > 0.0:
            e = math.exp(-x)
            return 0.0, x + math.log1p(e), 1.0 / (1.0 + e)
        e = math.exp(x)
        # Below the smallest float e is 0, and log(1 + e)/e has reached its limit long before.
        mantissa = math.log1p(e) / e if e > 1e-17 else 1.0
        return x, mantissa, 1.0 / (1.0 + e)
    if rule.score == AFFINE:
        return 0.0, 1.0 + x, 1.0
    if rule.score == ERF:
        return 0.0, math.erfc(-x), 2.0 / math.sqrt(math.pi) * math.exp(-x * x)
    return 0.0, rule.user_score(x), rule.user_slope(x)


@compiled
def attend(
    rule: AttentionRule, chi: Array, offset: Array, share: Array, slope: Array, weights: Array
) -> None:
    """Fill ``share``, ``slope`` (L, H) and ``weights`` A (L,) from the fields χ (L, H)."""
    tokens, heads = chi.shape
    pooled = rule.normalization == POOLED
    weights[:] = 0.0
    for block in range(1 if pooled else heads):
        first, last = (0, heads) if pooled else (block, block + 1)
        shift = 0.0 if rule.null > 0.0 or rule.normalization == ELEMENTWISE else -math.inf
        if rule.normalization != ELEMENTWISE:
            for l in range(tokens):
                for h in range(first, last):
                    shift = max(shift, score_parts(rule, chi[l, h] - offset[h])[0])
        total = rule.null * math.exp(-shift) if rule.null > 0.0 else 0.0
        for l in range(tokens):
            for h in range(first, last):
                exponent, mantissa, derivative = score_parts(rule, chi[l, h] - offset[h])
                scale = math.exp(exponent - shift)
                share[l, h] = mantissa * scale
                slope[l, h] = derivative * scale
                total += share[l, h]
        factor = rule.factor
        if rule.normalization != ELEMENTWISE:
            factor /= total
        for l in range(tokens):
            for h in range(first, last):
                share[l, h] *= factor
                slope[l, h] *= factor
                weights[l] += share[l, h]


@compiled
def pull_back(rule: AttentionRule, share: Array, slope: Array, z: Array, result: Array) -> None:
    """``result_lh = Σ_j z_j ∂A_j/∂χ_lh`` from the outputs of :func:`attend`.

    A denominator D shared by some heads contributes ``−(Σ_j z_j share_j) ∂log D/∂χ_lh``, summed
    over those heads, and ``∂log D/∂χ_lh = slope_lh / factor``.
    """
    tokens, heads = share.shape
    pooled_mean = 0.0
    if rule.normalization == POOLED:
        for l in range(tokens):
            for h in range(heads):
                pooled_mean += z[l] * share[l, h]
    for h in range(heads):
        mean = pooled_mean
        if rule.normalization == PER_HEAD:
            for l in range(tokens):
                mean += z[l] * share[l, h]
        for l in range(tokens):
            result[l, h] = slope[l, h] * (z[l] - mean / rule.factor)
