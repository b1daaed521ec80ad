"""Bayes-optimal attention and the Bayes risk.

Setting. The teacher vectors k*_f and v* are known, the marked token ε and the signal θ are not. The
sequence's law given ε, θ differs from noise only in the fields χ*_ε ~ N(θ, I), so that the
likelihood of ε relative to pure noise is

    E_θ N(χ*_ε; θ, I) / N(χ*_ε; 0, I) = E_θ exp(θ·χ*_ε − |θ|²/2) .

Result. The posterior of the marked token, and with it the optimal attention, is

    A_l = P(ε = l | X) ∝ E_θ exp(θ·χ*_l − |θ|²/2) .

The best estimate of the label is E[y | X] = Σ_l A_l z*_l, as values are independent of fields.
By Bayes' rule E A_ε = E Σ_l A_l P(ε = l | X) = E Σ_l A_l², so that its risk is

    E_Bayes = ½ (1 + Δ² − E Σ_l A_l²) .

Discrete P_θ = Σ_h p_h δ_{θ^h}: this is ``bayes_softmax`` with one head per support point,

    k_h = Σ_f θ^h_f k*_f ,   b_h = |θ^h|²/2 − log p_h .

A mixture Σ_s p_s N(θ̄_s, Σ_s): integrating θ over each component,

    A_l ∝ Σ_s p_s det(I + Σ)^{-1/2} exp[ θ̄·χ*_l − |θ̄|²/2 + ½ (χ*_l − θ̄)ᵀ Σ (I + Σ)^{-1} (χ*_l − θ̄) ]

with θ̄ = θ̄_s, Σ = Σ_s. The determinant matters as soon as components have different covariances;
for a single one it cancels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from scipy.special import softmax
from scipy.stats import multivariate_normal


def check() -> Iterator[str]:
    """Integrals by SymPy; the posterior and the risk by sampling."""
    _check_likelihood_ratio()
    yield "N(x; θ, I)/N(x; 0, I) = exp(θ·x − |θ|²/2)"
    _check_one_gaussian_feature()
    yield "one Gaussian feature: the integral over θ"
    _check_completed_square()
    yield "two features, any covariance: the completed square and its determinant"
    yield f"mixture weights against the densities N(θ̄_s, I + Σ_s): equal to {_mixture_error():.0e}"
    _check_heads()
    yield "discrete: scores of bayes_softmax with b_h = |θ^h|²/2 − log p_h"
    yield f"calibration, risk: within {_sampling_deviations():.1f} standard errors of identities"


def log_weight(x: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """log E_θ exp(θ·x − |θ|²/2) of one component, x of shape (..., F)."""
    identity = np.eye(len(mean))
    gain = covariance @ np.linalg.inv(identity + covariance)
    centered = x - mean
    quadratic = np.einsum("...f,fg,...g->...", centered, gain, centered)
    determinant = np.linalg.slogdet(identity + covariance)[1]
    return x @ mean - mean @ mean / 2 + quadratic / 2 - determinant / 2


def _check_likelihood_ratio() -> None:
    x, theta = sp.Matrix(sp.symbols("x1 x2")), sp.Matrix(sp.symbols("theta1 theta2"))
    exponent = -(x - theta).dot(x - theta) / 2 + x.dot(x) / 2
    assert sp.expand(exponent - (theta.dot(x) - theta.dot(theta) / 2)) == 0


def _check_one_gaussian_feature() -> None:
    theta, x, mean = sp.symbols("theta x mean", real=True)
    variance = sp.Symbol("s", positive=True)
    density = sp.exp(-((theta - mean) ** 2) / (2 * variance)) / sp.sqrt(2 * sp.pi * variance)
    integral = sp.integrate(
        sp.expand(density * sp.exp(theta * x - theta**2 / 2)), (theta, -sp.oo, sp.oo)
    )
    quadratic = variance / (1 + variance) * (x - mean) ** 2
    stated = sp.exp(mean * x - mean**2 / 2 + quadratic / 2) / sp.sqrt(1 + variance)
    assert sp.simplify(sp.expand_log(sp.log(integral / stated), force=True)) == 0


def _check_completed_square() -> None:
    """exponent(θ) = −½ (θ−c)ᵀ P (θ−c) + K with P = Σ⁻¹ + I: K and det are as stated."""
    a, b, c = sp.symbols("a b c", positive=True)
    Sigma, identity = sp.Matrix([[a, b], [b, c]]), sp.eye(2)
    x, mean, theta = (sp.Matrix(sp.symbols(f"{name}1 {name}2")) for name in ("x", "m", "theta"))
    precision = Sigma.inv() + identity
    center = precision.inv() * (Sigma.inv() * mean + x)
    exponent = -((theta - mean).T * Sigma.inv() * (theta - mean))[0] / 2
    exponent += theta.dot(x) - theta.dot(theta) / 2
    square = -((theta - center).T * precision * (theta - center))[0] / 2
    gain = Sigma * (identity + Sigma).inv()
    constant = mean.dot(x) - mean.dot(mean) / 2 + ((x - mean).T * gain * (x - mean))[0] / 2
    assert sp.simplify(exponent - square - constant) == 0
    # ∫ exp(square) dθ / √(det 2πΣ) = det(Σ P)^{-1/2} = det(I + Σ)^{-1/2}.
    assert sp.simplify((Sigma * precision).det() - (identity + Sigma).det()) == 0


def _mixture_error() -> float:
    """E_θ exp(θ·x − |θ|²/2) is the density of x = θ + noise over that of noise."""
    rng, error = np.random.default_rng(0), 0.0
    x = 2 * rng.standard_normal((50, 3))
    for _ in range(5):
        mean, root = rng.standard_normal(3), rng.standard_normal((3, 2))
        covariance = root @ root.T  # singular: rank 2
        with_signal = multivariate_normal(mean, np.eye(3) + covariance).logpdf(x)
        noise_only = multivariate_normal(np.zeros(3), np.eye(3)).logpdf(x)
        difference = log_weight(x, mean, covariance) - (with_signal - noise_only)
        error = max(error, float(np.abs(difference).max()))
    assert error < 1e-12
    return error


def _check_heads() -> None:
    """χ_lh − b_h = θ^h·χ*_l − |θ^h|²/2 + log p_h, from x_l·k_h/√d with k_h = Σ_f θ^h_f k*_f."""
    star, theta = sp.Matrix(sp.symbols("chi1 chi2")), sp.Matrix(sp.symbols("theta1 theta2"))
    p = sp.Symbol("p", positive=True)
    score = theta.dot(star) - (theta.dot(theta) / 2 - sp.log(p))
    posterior_weight = p * sp.exp(theta.dot(star) - theta.dot(theta) / 2)
    assert sp.simplify(sp.exp(score) - posterior_weight) == 0


def _sampling_deviations() -> float:
    """Sampled sequences: E A_ε = E ΣA², the risk formula, and that other attention does worse."""
    rng, samples, tokens, label_noise = np.random.default_rng(1), 200_000, 4, 0.3
    weights = np.array([0.3, 0.7])
    means = np.array([[2.0, 0.0], [0.0, 1.0]])
    roots = np.array([[[0.4, 0.0], [0.2, 0.3]], [[3.0, 0.0], [0.0, 0.0]]])
    covariances = roots @ roots.transpose(0, 2, 1)
    which = rng.choice(2, size=samples, p=weights)
    theta = means[which] + np.einsum("nfg,ng->nf", roots[which], rng.standard_normal((samples, 2)))
    fields = rng.standard_normal((samples, tokens, 2))
    fields[:, 0] += theta
    values = rng.standard_normal((samples, tokens))
    label = values[:, 0] + label_noise * rng.standard_normal(samples)

    logs = [
        np.log(p) + log_weight(fields, m, s)
        for p, m, s in zip(weights, means, covariances, strict=True)
    ]
    attention = softmax(np.logaddexp(*logs), axis=1)
    squared = (attention**2).sum(axis=1)
    loss = 0.5 * (label - (attention * values).sum(axis=1)) ** 2
    identities = (
        attention[:, 0] - squared,
        loss - 0.5 * (1 + label_noise**2 - squared),
    )
    deviations = [abs(x.mean()) / (x.std() / np.sqrt(samples)) for x in identities]
    assert max(deviations) < 4
    # No other attention has a lower Brier score, such as the one without the determinants.
    for s, covariance in enumerate(covariances):
        logs[s] = logs[s] + np.linalg.slogdet(np.eye(2) + covariance)[1] / 2
    marked = np.eye(tokens)[0]
    without, with_ = (
        ((a - marked) ** 2).sum(axis=1) / 2
        for a in (softmax(np.logaddexp(*logs), axis=1), attention)
    )
    excess = without - with_
    assert excess.mean() / (excess.std() / np.sqrt(samples)) > 5
    return float(max(deviations))


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
