"""Which expressions can be scores: refused where they cannot be computed with, never later."""

from __future__ import annotations

import warnings

import pytest
import sympy as sp

import headode as ho
from headode.errors import ArgumentError, SmoothnessWarning

x = sp.Symbol("x")


def score(expression, normalization="pooled"):
    return ho.Activation("tried", expression, normalization).score


@pytest.mark.parametrize(
    ("expression", "normalization", "message"),
    [
        (sp.Max(x, 0) + 1, "pooled", "continuous first derivative (it jumps at 0)"),
        (sp.Abs(x - 2) + 1, "per_head", "continuous first derivative (it jumps at 2)"),
        (sp.Min(x, 1), "none", "continuous first derivative (it jumps at 1)"),
        (sp.sign(x) + 3, "pooled", "be continuous (it jumps at 0)"),
        (sp.Heaviside(x) + 3, "none", "be continuous (it jumps at 0)"),
        (sp.Piecewise((1, x < 3), (2, True)), "pooled", "be continuous (it jumps at 3)"),
        (x, "pooled", "be positive everywhere"),
        (sp.sin(x) + 1 / sp.Integer(2), "per_head", "be positive everywhere"),
        (1 / x**2, "pooled", "be real and finite everywhere (it is not at 0)"),
        (sp.sqrt(x) + 1, "none", "be real and finite everywhere"),
        (sp.exp(x) + sp.I, "none", "be real and finite everywhere"),
        (sp.gamma(x) + 1, "none", "it has gamma"),
        (sp.floor(x), "none", "it has floor"),
        (sp.Function("mine")(x), "none", "it has mine"),
        (sp.Max(-1, x, sp.sin(x)), "none", "cases that begin at known points"),
        (x * sp.Symbol("y"), "none", "in one symbol"),
        (sp.Integer(3), "none", "in one symbol"),
        ("softmax", "none", "be one of exp"),
        (3.0, "none", "in one symbol"),
    ],
    ids=str,
)
def test_refused_with_the_reason(expression, normalization, message):
    with pytest.raises(ArgumentError) as caught:
        score(expression, normalization)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "derivative"),
    [
        (sp.Max(x, 0) ** 2 + 1, 2),
        (sp.Abs(x) ** 3 + 1, 3),
        (sp.Piecewise((x + 1, x > 0), (sp.exp(x), True)), 2),
        (x**3 * sp.Heaviside(x) + 1, 3),
    ],
    ids=str,
)
def test_cases_are_rewritten_and_kinks_are_said(expression, derivative):
    with pytest.warns(SmoothnessWarning, match=f"derivative {derivative} jumps at 0"):
        rewritten = score(expression)
    assert isinstance(rewritten, sp.Piecewise)
    (symbol,) = rewritten.free_symbols
    for point in (-1.5, 0.7):
        value = expression.subs(x, point).evalf()
        assert float(rewritten.subs(symbol, point)) == pytest.approx(float(value))


@pytest.mark.parametrize(
    "expression", [sp.exp(x / 2), sp.cosh(x), x**2 + 1, sp.sqrt(x**2 + 1), sp.tanh(x) + 2], ids=str
)
def test_smooth_scores_are_taken_as_they_are(expression):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score(expression) == expression.subs(x, sp.Symbol("x", real=True))
