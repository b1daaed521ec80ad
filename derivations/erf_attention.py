"""erf attention A_l = c Σ_h (1 + erf φ_lh), φ = χ − b: what is in closed form, and what is not.

Setting. φ ~ N(μ, V) on one token; tokens are independent given a component of the signal.

Result. With a standard normal n independent of φ, erf φ = E sign(φ + n/√2). Therefore

    E erf φ_h           = erf(μ_h / √(1 + 2V_hh))
    E erf φ_h erf φ_k   = E sign X sign Y,  (X, Y) ~ N((μ_h, μ_k), V + ½ I), also for h = k
                        = sign(x y) − 4 T(x, (y − r x)/(x s)) − 4 T(y, (x − r y)/(y s)) ,

T being Owen's function, x, y the means in units of the standard deviations, r the correlation
and s = √(1 − r²). For zero means it is (2/π) asin r, r = V_hk/√((½ + V_hh)(½ + V_kk)).

The derivatives tilt the Gaussian. For columns U of the identity matrix (one for each factor
erf'(φ_h) = (2/√π) exp(−φ_h²)), D = ½ I + Uᵀ V U,

    E[Π erf'(φ_h) F(φ)] = E[Π erf'(φ_h)] E'[F(φ)]
    E[Π erf'(φ_h)]      = (4/π)^{m/2} det(2D)^{-1/2} exp(−½ μᵀ U D⁻¹ Uᵀ μ)   for m factors

with φ ~ N(μ − V U D⁻¹ Uᵀ μ, V − V U D⁻¹ Uᵀ V) under E',
and erf'' = −2φ erf' is the tilted mean of φ. One tilt gives G and C from E' erf, two give N from
E' erf and E' erf erf. Left out is E[2ℓ ΣA²], which contains E A⁴: orthants in four dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite
from scipy.special import erf, owens_t
from scipy.stats import multivariate_normal


def check() -> Iterator[str]:
    """The sign representation, the arcsine by its own differential equation, orthants, the tilt."""
    _check_sign_representation()
    yield "erf φ = E sign(φ + n/√2), and E erf φ by one more Gaussian"
    _check_arcsine()
    yield "zero means: ∂/∂V_hk of (2/π) asin r is E erf' erf', and both vanish at V_hk = 0"
    yield f"Owen's function against bivariate normal probabilities: equal to {_owen_error():.0e}"
    _check_tilt()
    yield "the tilt by one and by two factors: exponents and determinants"
    yield f"E erf'_1 erf'_2 erf_3 by quadrature: equal to {_tilted_mean_error():.0e}"


def mean_of_signs(x: float, y: float, r: float) -> float:
    """E sign X sign Y for means x, y ≠ 0 in units of the standard deviations, |r| < 1."""
    s = np.sqrt(1 - r * r)
    owen = owens_t(x, (y - r * x) / (x * s)) + owens_t(y, (x - r * y) / (y * s))
    return float(np.sign(x * y) - 4 * owen)


def _check_sign_representation() -> None:
    phi, n = sp.symbols("phi n", real=True)
    density = sp.exp(-(n**2) / 2) / sp.sqrt(2 * sp.pi)
    # sign(φ + n/√2) is +1 for n > −√2 φ, with probability P: E sign = 2P − 1.
    probability = sp.integrate(density, (n, -sp.sqrt(2) * phi, sp.oo))
    assert sp.simplify((2 * probability - 1 - sp.erf(phi)).rewrite(sp.erf)) == 0
    # φ + n/√2 ~ N(μ, V + ½) is positive with probability ½ (1 + erf(μ/√(2V + 1))).
    mean, variance = sp.symbols("mu V", positive=True)
    gaussian = sp.exp(-((phi - mean) ** 2) / (2 * variance + 1)) / sp.sqrt(
        sp.pi * (2 * variance + 1)
    )
    positive = sp.integrate(gaussian, (phi, 0, sp.oo))
    stated = sp.erf(mean / sp.sqrt(1 + 2 * variance))
    assert sp.simplify(2 * positive.rewrite(sp.erf) - 1 - stated) == 0


def _check_arcsine() -> None:
    """Heat equation in V_hk: d/dV_hk E[erf φ_h erf φ_k] = E[erf'(φ_h) erf'(φ_k)]."""
    p, q, r = sp.symbols("p q r", positive=True)  # V_hh, V_kk, V_hk
    half = sp.Rational(1, 2)
    arcsine = 2 / sp.pi * sp.asin(r / sp.sqrt((half + p) * (half + q)))
    # ∫ (4/π) exp(−φᵀφ) ρ_V dφ = (4/π) det(I + 2V)^{-1/2}.
    tilt = 4 / sp.pi / sp.sqrt((1 + 2 * p) * (1 + 2 * q) - 4 * r**2)
    assert sp.simplify(sp.diff(arcsine, r) ** 2 - tilt**2) == 0
    assert arcsine.subs(r, 0) == 0  # independent fields with zero mean: the product of two zeros
    numbers = {p: 1, q: 2, r: half}
    assert sp.diff(arcsine, r).subs(numbers) > 0
    assert tilt.subs(numbers) > 0


def _owen_error() -> float:
    """Four orthants of (X, Y) by scipy's bivariate normal distribution function."""
    rng, error = np.random.default_rng(0), 0.0
    for _ in range(20):
        x, y = rng.standard_normal(2)
        r = rng.uniform(-0.95, 0.95)
        both = [
            multivariate_normal(mean, [[1, correlation], [correlation, 1]]).cdf([0.0, 0.0])
            for mean, correlation in (([x, y], r), ([-x, -y], r), ([x, -y], -r), ([-x, y], -r))
        ]
        expected = both[0] + both[1] - both[2] - both[3]
        error = max(error, abs(mean_of_signs(x, y, r) - expected))
    # In two dimensions scipy's distribution function is good to about 1e-9 or better.
    assert error < 1e-8
    return error


def _check_tilt() -> None:
    """exp(−Σ φ_h²) ρ_V(φ − μ) is a Gaussian with the stated mean, covariance and mass."""
    V = sp.Matrix([[1, sp.Rational(1, 3), 0], [sp.Rational(1, 3), 2, 1], [0, 1, 2]])
    mu, phi = sp.Matrix(sp.symbols("mu1:4")), sp.Matrix(sp.symbols("phi1:4"))
    for columns in ([0], [0, 1], [2, 2]):
        U = sp.Matrix.hstack(*[sp.eye(3)[:, i] for i in columns])
        D = sp.eye(len(columns)) / 2 + U.T * V * U
        mean = mu - V * U * D.inv() * U.T * mu
        covariance = V - V * U * D.inv() * U.T * V
        before = -((phi - mu).T * V.inv() * (phi - mu))[0] / 2 - (U.T * phi).dot(U.T * phi)
        after = -((phi - mean).T * covariance.inv() * (phi - mean))[0] / 2
        after -= (mu.T * U * D.inv() * U.T * mu)[0] / 2
        assert sp.expand(before - after) == 0
        assert covariance.det() * (2 * D).det() == V.det()


def _tilted_mean_error() -> float:
    """E[erf'(φ_1) erf'(φ_2) erf(φ_3)] directly, and by the tilt."""
    V = np.array([[0.4, 0.1, -0.1], [0.1, 0.3, 0.15], [-0.1, 0.15, 0.5]])
    mu = np.array([0.3, -0.2, 0.5])

    def integrand(nodes: np.ndarray) -> np.ndarray:
        phi = mu + nodes
        return 4 / np.pi * np.exp(-(phi[:, :2] ** 2).sum(axis=1)) * erf(phi[:, 2])

    direct = float(gauss_hermite(integrand, V, order=50))
    U = np.eye(3)[:, :2]
    D = np.eye(2) / 2 + U.T @ V @ U
    to_mean = V @ U @ np.linalg.inv(D)
    mean, covariance = mu - to_mean @ U.T @ mu, V - to_mean @ U.T @ V
    mass = 4 / np.pi * np.exp(-mu[:2] @ np.linalg.solve(D, mu[:2]) / 2)
    mass /= np.sqrt(np.linalg.det(2 * D))
    error = abs(direct - mass * erf(mean[2] / np.sqrt(1 + 2 * covariance[2, 2])))
    assert error < 1e-12
    return float(error)


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
