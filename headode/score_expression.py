"""Score functions that users give as SymPy expressions: what they must be, and one form for them.

C is computed from second derivatives of the weights (theory: the ODE), so that a score needs a
continuous first derivative: at a kink w'' has a delta function, which no quadrature sees. Functions
with cases (Max, Min, Abs, sign, Heaviside) are rewritten with Piecewise.
"""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Any

from headode.errors import ArgumentError, SmoothnessWarning

FUNCTIONS = ("exp", "log", "erf", "erfc", "tanh", "sinh", "cosh", "sin", "cos", "atan", "asinh")
CASES = ("Max", "Min", "Abs", "sign", "Heaviside", "Piecewise")
# Where a score is looked at; not too far out, where one that decays may vanish by underflow.
LOOKED_AT = tuple(0.125 * i for i in range(-64, 65))
# Relative differences of the two sides of a case that are roundoff of the user's constants.
CONTINUOUS = 1e-9


def check_score(expression: Any, *, positive: bool) -> Any:
    """Return a score function in the form that is differentiated and printed.

    Args:
        expression: SymPy expression in one real symbol.
        positive: whether it must be positive everywhere, to be normalized.

    Raises:
        ArgumentError: for another number of symbols, a function that cannot be compiled, values
            that are not real and finite (or positive), a jump, or a jump of the first derivative.

    Warns:
        SmoothnessWarning: if a higher derivative jumps.
    """
    import sympy as sp

    if not isinstance(expression, sp.Expr) or len(expression.free_symbols) != 1:
        requirement = "be a built-in score name or a SymPy expression in one symbol"
        raise ArgumentError("score", requirement, expression)
    (symbol,) = expression.free_symbols
    # A symbol that is not known to be real would keep parts like sign(re(x)).
    real = sp.Symbol(symbol.name, real=True)
    folded = _with_cases(expression.subs(symbol, real))
    _check_functions(folded, expression)
    _check_values(folded, real, expression, positive)
    for point in _borders(folded, expression):
        _check_border(folded, real, point, expression)
    return folded


def _with_cases(expression: Any) -> Any:
    """Max, Min, Abs, sign and Heaviside as Piecewise, which then stands outside of all else."""
    import sympy as sp

    def cases_of(*arguments: Any, kind: Any) -> Any:
        return kind(*arguments).rewrite(sp.Piecewise)

    for kind in (sp.Max, sp.Min, sp.Abs, sp.sign, sp.Heaviside):
        expression = expression.replace(kind, partial(cases_of, kind=kind))
    return sp.piecewise_fold(expression) if expression.has(sp.Piecewise) else expression


def _check_functions(expression: Any, given: Any) -> None:
    import sympy as sp

    unknown = {
        type(each).__name__
        for each in expression.atoms(sp.Function)
        if type(each).__name__ not in (*FUNCTIONS, "Piecewise")
    }
    if unknown:
        requirement = (
            f"be made of {', '.join((*FUNCTIONS, *CASES))} and powers (it has "
            f"{', '.join(sorted(unknown))})"
        )
        raise ArgumentError("score", requirement, given)


def _value(expression: Any, symbol: Any, point: float) -> complex:
    """The value at a point; not a number where there is none."""
    try:
        return complex(expression.subs(symbol, point).evalf())
    except (TypeError, ValueError, OverflowError):
        return complex(math.nan)


def _check_values(expression: Any, symbol: Any, given: Any, positive: bool) -> None:
    import sympy as sp

    function = sp.lambdify(symbol, expression, modules=["mpmath"])
    for point in LOOKED_AT:
        try:
            value = complex(function(point))
        except (ZeroDivisionError, ValueError, TypeError, OverflowError):
            value = complex(math.nan)
        if value.imag != 0 or not math.isfinite(value.real):
            requirement = f"be real and finite everywhere (it is not at {point:g})"
            raise ArgumentError("score", requirement, given)
        if positive and not value.real > 0:
            requirement = f"be positive everywhere (it is {value.real:g} at {point:g})"
            raise ArgumentError("score", requirement, given)


def _borders(expression: Any, given: Any) -> list[float]:
    """Where one case of a function ends and another one begins."""
    import sympy as sp
    from sympy.core.relational import Relational

    points: set[float] = set()
    for cases in expression.atoms(sp.Piecewise):
        for _, where in cases.args:
            for relation in where.atoms(Relational):
                try:
                    points |= {float(each) for each in relation.as_set().boundary}
                except (NotImplementedError, TypeError, ValueError):
                    requirement = f"have cases that begin at known points (not {relation})"
                    raise ArgumentError("score", requirement, given) from None
    return sorted(point for point in points if math.isfinite(point))


def _check_border(expression: Any, symbol: Any, point: float, given: Any) -> None:
    """Continuity of the function and of its first derivatives at a border between cases."""
    import sympy as sp

    step = 1e-6 * max(1.0, abs(point))
    sides = [_case_at(expression, symbol, point + sign * step) for sign in (-1, 1)]
    for order in range(4):
        left, right = (_value(sp.diff(side, symbol, order), symbol, point) for side in sides)
        size = max(abs(left), abs(right), 1.0)
        if abs(left - right) <= CONTINUOUS * size:
            continue
        if order == 0:
            raise ArgumentError("score", f"be continuous (it jumps at {point:g})", given)
        if order == 1:
            requirement = f"have a continuous first derivative (it jumps at {point:g})"
            raise ArgumentError("score", requirement, given)
        warnings.warn(
            f"The score {given} is not smooth: derivative {order} jumps at {point:g}. "
            "Expectations converge slowly, and take longer.",
            SmoothnessWarning,
            stacklevel=5,
        )
        return


def _case_at(expression: Any, symbol: Any, point: float) -> Any:
    """The formula that holds at a point."""
    import sympy as sp

    if not isinstance(expression, sp.Piecewise):
        return expression
    for formula, where in expression.args:
        if where == True or bool(where.subs(symbol, point)):  # noqa: E712
            return formula
    raise ArgumentError("score", f"be defined everywhere (not so at {point:g})", expression)
