"""Ring times: the law of log E − u is known, and with it every race of exponential scores.

A token with score u rings at rate e^u, at the time e^T with T = log E − u, E standard exponential.

    P(T > x) = E exp(−e^{x + u}) = n(x),     density r = E[a g], a = e^{x + u}, g = e^{−a}
    E[a² g] = r − r',     (∂_x ∂_y n = ρ, the joint density, for two heads)
    E e^{sT} = Γ(1 + s) E e^{−su},     E e^{−su} = e^{−sa + s²Q/2} for u ~ N(a, Q)
    E e^{ikT_h + ilT_k}
        = Γ(1 + ik) Γ(1 + il) exp(−ik a_h − il a_k − (Q_hh k² + 2 Q_hk kl + Q_kk l²)/2)
    ∂/∂a_h multiplies it by −ik:     ∂n/∂Q_hh = ½ ∂²n/∂a_h²,  ∂n/∂Q_hk = ∂²n/∂a_h∂a_k
    P(T < x) ≤ e^{sx} e^{sa + s²Q/2},  0 < s ≤ 1,          for 1 − e^{−y} ≤ y^s
    P(T > x) ≤ (s/e)^s e^{−sx} e^{−sa + s²Q/2},  s > 0,      for e^{−y} ≤ (s/e)^s y^{−s}
    P(T_h < x, T_k < y) ≤ Π of the bounds for x and y with doubled variances, at any correlation

With a tilt 0 < α < 1 and k a multiple of 2π/B, the transform at z = ik − α gives

    (1/B) Σ_k E[e^{(ik − α)T}] e^{−ikx} = Σ_m e^{−α(x + mB)} r(x + mB)
    (1/B) Σ_k E[e^{(ik − α)T}]/(α − ik) e^{−ikx} = Σ_m e^{−α(x + mB)} P(T < x + mB)

and likewise for two heads. On the right m = 0 is wanted. Of the second line the terms with m ≥ 1
are e^{−αx}/(e^{αB} − 1) but for P(T > x + B) e^{−αB}, and those with m ≤ −1 are
P(T < x − B) e^{αB}: both small for a long box. With g = 1/(e^{αB} − 1), F the true P(T < ·) and F₂
that of two heads,

    e^{αx + α'y} Σ_m = F₂ + g' F(x) + g F'(y) + g g'
    n(x, y) = 1 − F − F' + F₂
            = e^{αx + α'y} Σ_m + (1 + g')(1 − F) + (1 + g)(1 − F') − (1 + g)(1 + g')
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite
from scipy.special import gamma


def check() -> Iterator[str]:
    """Verify every statement of the docstring."""
    _survival_and_density()
    yield "n, r and E[a² g] = r − r' from g = exp(−e^{x + u}); ρ = ∂_x ∂_y n for two heads"
    _characteristic_function()
    yield "E e^{sT} by the Gamma integral and a completed square; derivatives; heat equation"
    _bounds()
    yield "bounds from 1 − e^{−y} ≤ y^s and e^{−y} ≤ (s/e)^s y^{−s}, and for two heads"
    _repetitions()
    yield "n(x, y) from the series and the repetitions that are known"
    narrow = _series_error(np.array([[0.6, 0.2], [0.2, 0.3]]), 90)
    yield f"P(T_h > x, T_k > y) by the series and by Gauss–Hermite, to {narrow:.0e}"
    alike = _series_error(np.array([[2.0, 1.99], [1.99, 2.0]]), 120)
    yield f"the same for heads with correlation 0.995, to {alike:.0e}"


def _survival_and_density() -> None:
    x, y, u, v = sp.symbols("x y u v", real=True)
    a, b = sp.exp(x + u), sp.exp(y + v)
    g = sp.exp(-a)
    # The time E e^{−u} is later than e^x if E > e^{x + u}.
    E = sp.Symbol("E", positive=True)
    late = sp.integrate(sp.exp(-E), (E, a, sp.oo))
    assert sp.simplify(late - g) == 0
    rung = -sp.diff(g, x)
    assert sp.simplify(rung - a * g) == 0
    assert sp.simplify(rung - sp.diff(rung, x) - a**2 * g) == 0
    both = sp.exp(-a - b)
    assert sp.simplify(sp.diff(both, x, y) - a * b * both) == 0


def _characteristic_function() -> None:
    s, E = sp.symbols("s E", positive=True)
    assert sp.simplify(sp.integrate(E**s * sp.exp(-E), (E, 0, sp.oo)) - sp.gamma(1 + s)) == 0
    z, a, Q = sp.symbols("z a Q", real=True)
    k, l, b, c, q = sp.symbols("k l b c q", real=True)
    # For any s: the exponent −s(a + √Q z) − z²/2 is a completed square and the docstring's.
    square = -((z + s * sp.sqrt(Q)) ** 2) / 2 - s * a + s**2 * Q / 2
    assert sp.simplify(sp.expand(square - (-s * (a + sp.sqrt(Q) * z) - z**2 / 2))) == 0
    # Two heads: u_h = a + z, u_k = b + w with covariances Q, c, q; the variance of ik z + il w.
    exponent = -sp.I * k * a - sp.I * l * b - (Q * k**2 + 2 * c * k * l + q * l**2) / 2
    transform = sp.exp(exponent)
    assert sp.simplify(sp.diff(transform, a) + sp.I * k * transform) == 0
    assert sp.simplify(sp.diff(transform, Q) - sp.diff(transform, a, 2) / 2) == 0
    assert sp.simplify(sp.diff(transform, c) - sp.diff(transform, a, b)) == 0


def _bounds() -> None:
    """E y^{±s} with y = e^{x + u} is e^{±sx} e^{±sa + s²Q/2}, by the transform of u alone."""
    s, t, y = sp.symbols("s t y", positive=True)
    # y^{−s} e^y is smallest at y = s, where y^s e^{−y} is (s/e)^s.
    slope = sp.diff(y**s * sp.exp(-y), y)
    assert sp.simplify(slope.subs(y, s)) == 0
    assert sp.simplify((y**s * sp.exp(-y)).subs(y, s) - (s / sp.E) ** s) == 0
    # 1 − e^{−y} is at most y and at most 1; one of them is at most y^s for 0 < s ≤ 1.
    assert sp.diff(y - 1 + sp.exp(-y), y).subs(y, 1).is_positive
    grid = np.geomspace(1e-6, 1e3, 400)
    for power in (0.1, 0.5, 1.0):
        assert np.all(-np.expm1(-grid) <= grid**power)
    # The exponent of two heads, (s²Q + 2stc + t²q)/2 at the largest c = √(Qq), against s²Q + t²q.
    Q, q = sp.symbols("Q q", positive=True)
    room = s**2 * Q + t**2 * q - (s**2 * Q + 2 * s * t * sp.sqrt(Q * q) + t**2 * q) / 2
    assert sp.simplify(room - (s * sp.sqrt(Q) - t * sp.sqrt(q)) ** 2 / 2) == 0


def _repetitions() -> None:
    """Σ_{m ≥ 1} e^{−αmB} = g, and n from the sum over m with all later P(T < ·) set to 1."""
    r = sp.Symbol("r", positive=True)  # e^{−αB}
    terms = sp.series(r / (1 - r), r, 0, 5).removeO()
    assert sp.expand(terms - sum(r**m for m in range(1, 5))) == 0
    assert sp.simplify(r / (1 - r) - 1 / (1 / r - 1)) == 0
    F, G, F2, g, h = sp.symbols("F G F2 g h")
    repeated = F2 + h * F + g * G + g * h
    n = repeated + (1 + h) * (1 - F) + (1 + g) * (1 - G) - (1 + g) * (1 + h)
    assert sp.expand(n - (1 - F - G + F2)) == 0


def _series_error(covariance: np.ndarray, frequencies: int) -> float:
    """Largest error of n(x, y) at some times, the series written out from the docstring."""
    mean, tilt, length = np.array([0.4, -0.3]), np.array([0.3, 0.2]), 60.0
    k = 2 * np.pi / length * np.arange(-frequencies, frequencies + 1)
    one, two = (1j * k - alpha for alpha in tilt)
    exponent = (
        -one[:, None] * mean[0] - two[None, :] * mean[1] + covariance[0, 1] * np.outer(one, two)
    )
    exponent = exponent + 0.5 * (covariance[0, 0] * one[:, None] ** 2 + covariance[1, 1] * two**2)
    law = np.outer(gamma(1 + one), gamma(1 + two)) * np.exp(exponent)
    coefficients = law / np.outer(one, two) / length**2
    g = 1 / np.expm1(tilt * length)
    error = 0.0
    for x, y in ((-2.0, -1.0), (0.0, 0.0), (1.5, -3.0), (-6.0, 2.0)):
        series = (np.exp(-one * x) @ coefficients @ np.exp(-two * y)).real

        def late(u: np.ndarray, x: float = x, y: float = y) -> np.ndarray:
            fields = u + mean
            first, second = np.exp(-np.exp(x + fields[:, 0])), np.exp(-np.exp(y + fields[:, 1]))
            return np.stack([first, second, first * second])

        first, second, both = (
            float(gauss_hermite(lambda u, i=i: late(u)[i], covariance, 120)) for i in range(3)
        )
        n = series + (1 + g[1]) * first + (1 + g[0]) * second - (1 + g[0]) * (1 + g[1])
        error = max(error, abs(n - both))
    assert error < 1e-9
    return error


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
