"""The one printer: from an activation to the source of a self-contained numba module.

A compiled function is cached on disk only if it stands in a file and calls no function of another
file, so each activation gets a module of its own, with everything in it. The loops come from the
template beside this file; every formula in it is printed here from :mod:`headode.symbolic`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from typing import Any

import sympy as sp
from sympy.codegen.cfunctions import log1p
from sympy.printing.pycode import PythonCodePrinter

from headode.activation import Activation, Normalization
from headode.symbolic import integrands
from headode.symbolic.scores import Score, score_of, x

# Where the kernel keeps each symbol, at token l, heads h and k, lane i.
_PLACES: dict[Normalization, dict[sp.Symbol, str]] = {
    "per_head": {
        integrands.p_h: "p[l, h, i]",
        integrands.p_k: "p[l, k, i]",
        integrands.rho_h: "rho[l, h, i]",
        integrands.rho_k: "rho[l, k, i]",
        integrands.tau_h: "tau[l, h, i]",
        integrands.a: "scale",
        integrands.g_l: "g[l, i]",
        integrands.d_h: "d[h, i]",
        integrands.P_hk: "P[h, k, i]",
    },
    "pooled": {
        integrands.p_h: "p[l, h, i]",
        integrands.p_k: "p[l, k, i]",
        integrands.rho_h: "rho[l, h, i]",
        integrands.rho_k: "rho[l, k, i]",
        integrands.tau_h: "tau[l, h, i]",
        integrands.A_l: "A[l, i]",
        integrands.g_l: "g[l, i]",
        integrands.d: "d[i]",
        integrands.S2: "S2[i]",
    },
    "none": {
        # w' and w'' themselves
        integrands.rho_h: "rho[l, h, i]",
        integrands.rho_k: "rho[l, k, i]",
        integrands.tau_h: "tau[l, h, i]",
        integrands.a: "scale",
        integrands.g_l: "g[l, i]",
    },
}


_Q_V, _GRAM = sp.symbols("q_v gram")
_SAME_HEAD = {integrands.p_k: integrands.p_h, integrands.rho_k: integrands.rho_h}


class _KernelPrinter(PythonCodePrinter):  # type: ignore[misc]
    """Python source that numba compiles well: small powers unrolled, exponentials inlined."""

    def __init__(self, places: Mapping[sp.Symbol, str]) -> None:
        super().__init__({"fully_qualified_modules": False})
        self._places = places

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        return self._places.get(expr, expr.name)

    def _print_Integer(self, expr: sp.Integer) -> str:
        return f"{int(expr)}.0"

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"({int(expr.p)}.0 / {int(expr.q)}.0)"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:  # noqa: ARG002
        base, exponent = self._print(expr.base), expr.exp
        if exponent.is_Integer and 1 < abs(exponent) <= 4:
            product = " * ".join([f"({base})"] * abs(int(exponent)))
            return f"({product})" if exponent > 0 else f"(1.0 / ({product}))"
        if exponent == -1:
            return f"(1.0 / ({base}))"
        if exponent == sp.Rational(1, 2):
            return f"math.sqrt({base})"
        return f"({base}) ** ({self._print(exponent)})"

    def _print_exp(self, expr: sp.exp) -> str:
        return f"_exp({self._print(expr.args[0])})"

    def _print_Pi(self, expr: Any) -> str:  # noqa: ARG002
        return "math.pi"

    def _print_log(self, expr: Any) -> str:
        return f"_log({self._print(expr.args[0])})"

    def _print_log1p(self, expr: Any) -> str:
        return f"_log1p({self._print(expr.args[0])})"

    def _print_Function(self, expr: sp.Function) -> str:
        arguments = ", ".join(self._print(argument) for argument in expr.args)
        return f"math.{type(expr).__name__}({arguments})"

    _print_erf = _print_erfc = _print_tanh = _print_sinh = _print_cosh = _print_Function
    _print_sin = _print_cos = _print_atan = _print_asinh = _print_Function


def kernel_source(activation: Activation) -> str:
    """The source of the quasi-Monte-Carlo kernel module of one activation."""
    normalization = activation.normalization
    score = score_of(activation)
    known = _constant_ratios(score)
    leaves = {
        field.name: getattr(integrands.leaves_of(normalization), field.name).subs(known)
        for field in fields(integrands.Leaves)
    }
    apart = _calls_library(score.value) and not _calls_library(score.first, score.second)
    printer = _KernelPrinter(_PLACES[normalization])
    second = _Q_V * _GRAM + leaves["curvature"]
    words = {
        "@first@": printer.doprint(leaves["first"]),
        "@gram@": printer.doprint(leaves["gram"]),
        "@second@": printer.doprint(second),
        "@extra_same@": printer.doprint(
            sp.factor(leaves["curvature_same"] - leaves["curvature"].subs(_SAME_HEAD))
        ),
        **_score_words(score, apart=apart),
        "@share_first@": _multiple_of_share(score.first),
        "@share_second@": _multiple_of_share(score.second),
        "@share@": "score[l, h, i]" if normalization == "none" else "p[l, h, i]",
        "@scale@": _scale(activation),
        "@null@": repr(float(activation.null)),
        "@log_null@": repr(math.log(activation.null)) if activation.null else "",
        "@name@": activation.name,
    }
    flags = {
        "ratios": not known,
        "apart": apart,
        "null": activation.null > 0,
        "per_head": normalization == "per_head",
        "pooled": normalization == "pooled",
        "none": normalization == "none",
    }
    body = _render(_template("kernel.py.txt"), words, flags)
    flags["logarithms"] = "_log" in body
    runtime = _render(_template("bits.py.txt"), _polynomials(), flags).rstrip("\n")
    body = body.replace("@runtime@", runtime)
    return body if "math." in body else body.replace("import math\n\n", "")


def _score_words(score: Score, *, apart: bool) -> dict[str, str]:
    """The score's formulas at s, and the statements before them for what they share.

    ``apart``: the ratios have statements of their own.
    """
    value = {"@score@": score.value}
    ratios = {"@score_first@": score.first, "@score_second@": score.second}
    if apart:
        return _shared_steps("@score_steps@", value) | _shared_steps("@ratio_steps@", ratios)
    return _shared_steps("@score_steps@", value | ratios)


def _shared_steps(place: str, formulas: Mapping[str, sp.Expr]) -> dict[str, str]:
    """Formulas at s, printed, and at ``place`` statements for what they share.

    All branches of piecewise formulas are evaluated there, and then one is selected: LLVM
    vectorizes loops with selections, and those with long branches it does not.
    """
    branches = dict.fromkeys(
        branch
        for formula in formulas.values()
        if isinstance(formula, sp.Piecewise)
        for branch, _ in formula.args
        if not branch.is_Atom
    )
    names = {branch: sp.Symbol(f"b{i}") for i, branch in enumerate(branches)}
    selected = {
        word: sp.Piecewise(*((names.get(branch, branch), where) for branch, where in formula.args))
        if isinstance(formula, sp.Piecewise)
        else formula
        for word, formula in formulas.items()
    }
    shared, found = sp.cse([*branches, *selected.values()], sp.numbered_symbols("t"))
    printer = _KernelPrinter({x: "s"})
    steps = [*shared, *zip(names.values(), found[: len(branches)], strict=True)]
    words = {place: "\n".join(f"{name} = {printer.doprint(step)}" for name, step in steps)}
    for word, formula in zip(selected, found[len(branches) :], strict=True):
        words[word] = printer.doprint(formula)
    return words


def _calls_library(*formulas: sp.Expr) -> bool:
    """Whether a function is not inlined: not even in vectorized loops."""
    inlined = (sp.exp, sp.log, log1p, sp.Piecewise)
    return any(
        not isinstance(call, inlined) for each in formulas for call in each.atoms(sp.Function)
    )


def clock_source() -> str:
    """The source of the module of one-clock sums, which no activation enters."""
    flags = {"logarithms": False}
    runtime = _render(_template("bits.py.txt"), _polynomials(), flags).rstrip("\n")
    return _render(_template("clock.py.txt"), {"@runtime@": runtime}, flags)


def _constant_ratios(score: Score) -> dict[sp.Symbol, sp.Expr]:
    """For exponential and affine scores ρ and τ are numbers; their arrays then disappear."""
    first, second = score.first, score.second
    if first.free_symbols or second.free_symbols:
        return {}
    return {integrands.rho_h: first, integrands.rho_k: first, integrands.tau_h: second}


def _multiple_of_share(ratio: sp.Expr) -> str:
    """A constant ratio times a head's share of its token's rate."""
    return "share" if ratio == 1 else f"{_KernelPrinter({x: 's'}).doprint(ratio)} * share"


def _scale(activation: Activation) -> str:
    if activation.takes_prefactor:
        return "prefactor"
    return "1.0 / heads" if activation.average else "1.0"


def _render(template: str, words: Mapping[str, str], flags: Mapping[str, bool]) -> str:
    """Fill a template in. Lines between ``#if flag`` and ``#end`` stay only if the flag is set."""
    lines = []
    keep = [True]
    for line in template.splitlines():
        marker = line.strip()
        if marker.startswith("#if "):
            flag = marker.removeprefix("#if ").removeprefix("not ")
            keep.append(flags[flag] != marker.startswith("#if not "))
        elif marker == "#end":
            keep.pop()
        elif all(keep) and marker in words:
            # A word that is all of a line may stand for several, or for none.
            lines += textwrap.indent(words[marker], line.partition("@")[0]).splitlines()
        elif all(keep):
            lines.append(line)
    text = "\n".join(lines) + "\n"
    for word, replacement in words.items():
        text = text.replace(word, replacement)
    return text


@cache
def _template(name: str) -> str:
    return (files("headode.symbolic") / "templates" / name).read_text(encoding="utf-8")


def _polynomials() -> dict[str, str]:
    """Horner steps of the inlined exponential and logarithm, coefficients to the last digit."""
    # Remainders: 0.347¹⁴/14! ≈ 4e-18 and 0.1716²²/23 ≈ 6e-19, below half a unit in the last place.
    taylor = [1 / math.factorial(n) for n in range(14)]
    artanh = [1 / (2 * n + 3) for n in range(10)]
    return {"@exponential@": _horner(taylor), "@logarithm@": _horner(artanh)}


def _horner(coefficients: list[float]) -> str:
    *lower, leading = coefficients
    steps = [f"    y = {leading!r}"]
    steps += [f"    y = y * r + {value!r}" for value in reversed(lower)]
    return "\n".join(steps)
