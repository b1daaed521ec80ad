"""Ring times: the law of log E − u is known, and with it every race of exponential scores.

A token with score u rings at rate e^u, at the time e^T with T = log E − u, E standard exponential.

    P(T > x) = E exp(−e^{x + u}) = n(x),     density r = E[a g], a = e^{x + u}, g = e^{−a}
    E[a² g] = r − r',     (∂_x ∂_y n = ρ, the joint density, for two heads)
    E e^{sT} = Γ(1 + s) E e^{−su},     E e^{−su} = e^{−sa + s²Q/2} for u ~ N(a, Q)
    E e^{ikT_h + ilT_k}
        = Γ(1 + ik) Γ(1 + il) exp(−ik a_h − il a_k − (Q_hh k² + 2 Q_hk kl + Q_kk l²)/2)
    ∂/∂a_h multiplies it by −ik:     ∂n/∂Q_hh = ½ ∂²n/∂a_h²,  ∂n/∂Q_hk = ∂²n/∂a_h∂a_k
    P(T < x) ≤ e^{sx} Γ(1 − s) e^{sa + s²Q/2},  0 < s < 1
    P(T > x) ≤ e^{−sx} Γ(1 + s) e^{−sa + s²Q/2},  s > 0

On a box from x₀ of length B the density is, but for what is outside, Σ_k c_k e^{−ik(x − x₀)}/B with
c_k = E e^{ik(T − x₀)} and k a multiple of 2π/B; n is its integral from x to the end of the box.
"""

from __future__ import annotations

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite
from scipy.special import gamma


def check() -> list[str]:
    """Verify every statement of the docstring."""
    _survival_and_density()
    _characteristic_function()
    _chernoff()
    narrow = _series_error(np.array([[0.6, 0.2], [0.2, 0.3]]), 90)
    alike = _series_error(np.array([[2.0, 1.99], [1.99, 2.0]]), 120)
    return [
        "n, r and E[a² g] = r − r' from g = exp(−e^{x + u}); ρ = ∂_x ∂_y n for two heads",
        "E e^{sT} by the Gamma integral and a completed square; derivatives; heat equation",
        "Chernoff's bounds are e^{±sx} times the transform at ∓s",
        f"P(T_h > x, T_k > y) by the series and by Gauss–Hermite, to {narrow:.0e}",
        f"likewise for heads with correlation 0.995, to {alike:.0e}",
    ]


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


def _chernoff() -> None:
    """1{T < x} ≤ e^{s(x − T)} and 1{T > x} ≤ e^{s(T − x)}, averaged."""
    s, x, T = sp.symbols("s x T", positive=True)
    assert sp.exp(s * (x - T)).subs(T, x) == 1
    assert sp.diff(sp.exp(s * (x - T)), T).is_negative
    assert sp.diff(sp.exp(s * (T - x)), T).is_positive


def _series_error(covariance: np.ndarray, frequencies: int) -> float:
    """Largest error of n(x, y) at some times, the series written out from the docstring."""
    mean = np.array([0.4, -0.3])
    start, length = -32.0, 48.0
    k = 2 * np.pi / length * np.arange(-frequencies, frequencies + 1)
    each = gamma(1 + 1j * k)
    one, two = (each * np.exp(-1j * k * (a + start)) for a in mean)
    quadratic = (
        covariance[0, 0] * k[:, None] ** 2
        + 2 * covariance[0, 1] * np.outer(k, k)
        + covariance[1, 1] * k[None, :] ** 2
    )
    coefficients = np.outer(one, two) * np.exp(-0.5 * quadratic) / length**2

    def integrals(x: float) -> np.ndarray:
        safe = np.where(k == 0, 1.0, k)
        late = (np.exp(-1j * k * (x - start)) - 1) / (1j * safe)
        return np.where(k == 0, length - (x - start), late)

    error = 0.0
    for x, y in ((-2.0, -1.0), (0.0, 0.0), (1.5, -3.0), (-6.0, 2.0)):
        series = integrals(x) @ coefficients @ integrals(y)

        def both(u: np.ndarray, x: float = x, y: float = y) -> np.ndarray:
            fields = u + mean
            return np.exp(-np.exp(x + fields[:, 0]) - np.exp(y + fields[:, 1]))

        direct = float(gauss_hermite(both, covariance, 120))
        error = max(error, abs(series.real - direct), abs(series.imag))
    assert error < 1e-9
    return error


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
