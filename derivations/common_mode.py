"""The common mode: with exponential scores one direction of the fields needs no nodes.

    y(u + s 1) = y(u) + s for y = log Σ_h e^{u_h}, and the shares e^{u_h − y} do not change
    u = c ζ + u', c = Q^{1/2} w, |w| = 1:   cov u' = Q − c cᵀ ⪰ 0, ζ and u' independent
    c = α 1 exists in the range of Q^{1/2} if and only if 1 does; then α² = 1/(1ᵀ Q⁻¹ 1)
    E f(x + y(u)) = E f_α(x + y(u')),   f_α(x) = ∫dζ φ(ζ) f(x + α ζ)
    c = α 1 + e:   E f(x + y(u)) ≈ Σ_i E f_i(x + y(u' + e ζ_i)),
                   f_i(x) = ∫dζ φ(ζ) ℓ_i(ζ) f(x + α ζ)

with Lagrange's polynomials ℓ_i of the zeros ζ_i of He_n. For f = e^{ikx} the interpolation's
leading error is E[He_n(ζ) e^{ikαζ}] (ik e)ⁿ/n! = (ikα)ⁿ e^{−k²α²/2} (ik e)ⁿ/n!.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite

from headode.expectation.common_mode import TokenRule
from headode.kernels.token_rule import Precision


def check() -> Iterator[str]:
    """Verify every statement of the docstring."""
    _shift()
    yield "the log-rate moves with the fields' common motion, the shares do not (3 heads)"
    _largest_common_part()
    yield "Q − α² 1 1ᵀ has the null vector Q⁻¹ 1 and determinant 0, for any Q (3 heads)"
    _interpolation_error()
    yield "E[He_n(ζ) e^{ikαζ}] = (ikα)ⁿ e^{−k²α²/2} for n = 0 … 5"
    exact = _average_error(np.array([[2.0, 0.9], [0.9, 1.4]]), channels=1)
    yield f"E exp(−e^{{x + y}}) as an average over all fields, to {exact:.0e}"
    slanted = np.array([1.5, 1.45])
    near = _average_error(np.outer(slanted, slanted), channels=2)
    yield f"the same where the common direction is only nearly spanned, to {near:.0e}"


def _shift() -> None:
    u = sp.symbols("u_1:4", real=True)
    s = sp.Symbol("s", real=True)
    moved = {each: each + s for each in u}
    total = sum(sp.exp(each) for each in u)
    ratio = sp.expand(total.subs(moved, simultaneous=True)) / total
    assert sp.simplify(ratio - sp.exp(s)) == 0  # y = log of it moves by s
    for each in u:
        share = sp.exp(each) / total
        assert sp.simplify(share.subs(moved, simultaneous=True) - share) == 0


def _largest_common_part() -> None:
    Q = sp.Matrix(3, 3, lambda i, j: sp.Symbol(f"q_{min(i, j)}{max(i, j)}", real=True))
    ones = sp.ones(3, 1)
    solved = Q.adjugate() * ones / Q.det()
    squared = 1 / (ones.T * solved)[0]
    rest = Q - squared * ones * ones.T
    assert (rest * solved).applyfunc(sp.simplify) == sp.zeros(3, 1)
    assert sp.simplify(rest.det()) == 0


def _interpolation_error() -> None:
    """By the generating function e^{zt − t²/2} = Σ He_n(z) tⁿ/n!."""
    z, t, m = sp.symbols("z t m", real=True)
    density = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    # With a real m in place of ikα; both sides are entire functions of it.
    for n in range(6):
        hermite = sp.diff(sp.exp(z * t - t**2 / 2), t, n).subs(t, 0)
        average = sp.integrate(sp.expand(hermite) * density * sp.exp(m * z), (z, -sp.oo, sp.oo))
        assert sp.simplify(average - m**n * sp.exp(m**2 / 2)) == 0


def _average_error(covariance: np.ndarray, channels: int) -> float:
    """E exp(−e^{x + y(u)}) by all fields against the docstring's formula, two heads."""
    mean, x = np.array([0.3, -0.5]), -0.4

    def survival(fields: np.ndarray) -> np.ndarray:
        return np.exp(-np.exp(x) * np.exp(fields + mean).sum(axis=1))

    direct = gauss_hermite(survival, covariance, 120)
    rule = TokenRule.cheapest(covariance, Precision(1e-12), 1 << 16, shifts=True)
    assert rule.deviation > 0
    assert rule.zeta.size >= channels
    z, w = np.polynomial.hermite_e.hermegauss(150)
    w = w / w.sum()
    total = 0.0
    for i, node in enumerate(rule.zeta):
        others = np.delete(rule.zeta, i)
        weights = w * np.prod((z[:, None] - others) / (node - others), axis=1)
        shifts = rule.deviation * z[:, None, None]
        fields = rule.fields.nodes + (rule.rest * node + mean)[:, None]
        y = np.log(np.exp(fields).sum(axis=0))
        total += float(weights @ np.exp(-np.exp(x + shifts[:, 0] + y)) @ rule.fields.weights)
    error = abs(total - float(direct))
    assert error < 1e-9
    return error


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
