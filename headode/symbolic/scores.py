"""Score functions as SymPy expressions, in forms that survive scores of several hundred."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy.codegen.cfunctions import log1p

from headode.activation import Activation
from headode.errors import ArgumentError

x = sp.Symbol("x", real=True)

# log softplus(x) = log(log(1 + eˣ)). Below, log(1 + eˣ) = eˣ(1 − eˣ/2 + ...) has lost all digits
# of its logarithm to underflow; above, it equals x to the last bit.
_SOFTPLUS_LOW, _SOFTPLUS_HIGH = -18, 36
_LOG_SOFTPLUS = sp.Piecewise(
    (x - sp.exp(x) / 2, x < _SOFTPLUS_LOW),
    (sp.log(log1p(sp.exp(x))), x < _SOFTPLUS_HIGH),
    (sp.log(x), True),
)

_LOG_SCORES = {"exp": x, "softplus": _LOG_SOFTPLUS}
_PLAIN_SCORES = {"affine": 1 + x, "erf": 1 + sp.erf(x), "exp": sp.exp(x)}


@dataclass(frozen=True)
class Score:
    """What a kernel needs of a score function w(x).

    For normalized activations ``value`` is log w (weights are ratios of w, formed after
    subtracting the largest log w), and the derivatives are relative ones, w'/w and w''/w.
    Without normalization they are w, w' and w''.
    """

    value: sp.Expr
    first: sp.Expr
    second: sp.Expr


def score_of(activation: Activation) -> Score:
    """The score of an activation, differentiated.

    Raises:
        ArgumentError: if a normalized activation uses a built-in score that is not positive.
    """
    if activation.normalization == "none":
        plain = _plain_score(activation)
        return Score(plain, sp.diff(plain, x), sp.diff(plain, x, 2))
    log_score = _log_score(activation)
    if not isinstance(log_score, sp.Piecewise):
        return Score(log_score, *_relative_derivatives(log_score))
    branches = [(_relative_derivatives(branch), where) for branch, where in log_score.args]
    first = sp.Piecewise(*((pair[0], where) for pair, where in branches))
    second = sp.Piecewise(*((pair[1], where) for pair, where in branches))
    return Score(log_score, first, second)


def _relative_derivatives(log_score: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """w'/w and w''/w from log w."""
    first = sp.diff(log_score, x)
    return sp.factor(first), sp.factor(sp.diff(first, x) + first**2)


def _plain_score(activation: Activation) -> sp.Expr:
    if not isinstance(activation.score, str):
        return _in_x(activation.score)
    if activation.score == "softplus":
        return sp.Piecewise((log1p(sp.exp(x)), x < _SOFTPLUS_HIGH), (x, True))
    return _PLAIN_SCORES[activation.score]


def _log_score(activation: Activation) -> sp.Expr:
    if not isinstance(activation.score, str):
        score = _in_x(activation.score)
        if isinstance(score, sp.Piecewise):
            cases = ((sp.expand_log(sp.log(formula)), where) for formula, where in score.args)
            return sp.Piecewise(*cases)
        return sp.expand_log(sp.log(score))
    if activation.score not in _LOG_SCORES:
        options = "be a positive score (" + ", ".join(_LOG_SCORES) + " or an expression)"
        raise ArgumentError("score", options, activation.score)
    return _LOG_SCORES[activation.score]


def _in_x(expression: sp.Expr) -> sp.Expr:
    """The same expression in this module's real symbol."""
    (symbol,) = expression.free_symbols
    return expression.subs(symbol, x)
