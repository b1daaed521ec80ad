"""Linear attention A_l = c Σ_h (1 + χ_lh − b_h): every term in closed form.

Setting. Given a component (θ̄, Σ) of the signal, all A_l are independent Gaussian numbers. With 1
the vector of H ones, on a token that is not marked and on the marked one

    A_0 ~ N(μ_0, τ_0²)   μ_0 = c (H − Σ_h b_h)         τ_0² = c² 1ᵀQ1
    A_ε ~ N(μ, τ²)       μ   = μ_0 + c 1ᵀMθ̄            τ²   = τ_0² + c² 1ᵀMΣMᵀ1

and Cov(θ, A_ε) = c Σ Mᵀ1. Write s = μ² + τ² and s_0 = μ_0² + τ_0² for the second moments.

Result, for one component (a mixture's terms are the p_s-weighted sums of these):

    E A_ε             = μ
    E ΣA²             = s + (L−1) s_0
    E                 = ½ (1 + Δ² − 2 m_v E A_ε + q_v E ΣA²)
    G_hf              = c [ (q_v μ − m_v) θ̄_f + q_v c (1ᵀMΣ)_f ]
    C_hk              = c² q_v L                       (the same for all h, k)
    E ∂ℓ/∂b_h         = c [ m_v − q_v (μ + (L−1) μ_0) ]
    N_hk              = 2c² [ q_v L E + m_v² − 2 m_v q_v E A_ε + q_v² E ΣA² ]
    E[2ℓ ΣA²]         = (1 + Δ²) E ΣA² − 2 m_v T + q_v U
      T = E[A_ε ΣA²]  = μ³ + 3μτ² + (L−1) s_0 μ
      U = E (ΣA²)²    = μ⁴ + 6μ²τ² + 3τ⁴ + 2 (L−1) s_0 s
                        + (L−1) (μ_0⁴ + 6μ_0²τ_0² + 3τ_0⁴) + (L−1)(L−2) s_0² .
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import isserlis

from headode.expectation import closed_form_linear
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal

c, m_v, q_v, noise = sp.symbols("c m_v q_v Delta", real=True)
mu, mu_0, var, var_0 = sp.symbols("mu mu_0 v v_0", real=True)  # v = τ²
theta, covariance = sp.symbols("theta_bar kappa", real=True)  # κ = Cov(θ_f, A_ε)
L = sp.Symbol("L", integer=True, positive=True)


def closed_forms() -> dict[str, sp.Expr]:
    """The results, for one component and one feature."""
    second, second_0 = mu**2 + var, mu_0**2 + var_0
    others = L - 1
    squared = second + others * second_0
    risk = (1 + noise**2 - 2 * m_v * mu + q_v * squared) / 2
    fourth, fourth_0 = (x**4 + 6 * x**2 * v + 3 * v**2 for x, v in ((mu, var), (mu_0, var_0)))
    T = mu**3 + 3 * mu * var + others * second_0 * mu
    U = fourth + 2 * others * second_0 * second
    U += others * fourth_0 + others * (others - 1) * second_0**2
    return {
        "marked_attention": mu,
        "squared_attention": squared,
        "risk": risk,
        "G": c * ((q_v * mu - m_v) * theta + q_v * covariance),
        "C": c**2 * q_v * L,
        "offset_gradient": c * (m_v - q_v * (mu + others * mu_0)),
        "N": 2 * c**2 * (q_v * L * risk + m_v**2 - 2 * m_v * q_v * mu + q_v**2 * squared),
        "value_noise": (1 + noise**2) * squared - 2 * m_v * T + q_v * U,
    }


def by_wick(tokens: int) -> dict[str, sp.Expr]:
    """The same from the definitions: polynomials in the weights, averaged by Isserlis."""
    n = sp.symbols(f"n0:{tokens}", real=True)  # centered weights; token 0 is marked
    tau = sp.Symbol("tau", real=True)  # θ_f − θ̄_f
    A = sp.symbols(f"A0:{tokens}", real=True)
    weight = {A[l]: (mu if l == 0 else mu_0) + n[l] for l in range(tokens)}
    gram = sp.diag(var, *[var_0] * (tokens - 1), sp.Symbol("variance_of_theta"))
    gram[0, tokens] = gram[tokens, 0] = covariance

    def mean(expression: sp.Expr) -> sp.Expr:
        return isserlis(expression.subs(weight), (*n, tau), gram)

    squared = sum(a**2 for a in A)
    loss = (1 + noise**2 - 2 * m_v * A[0] + q_v * squared) / 2
    # A score moves its own weight, by c: ∂/∂χ_lh = c ∂/∂A_l, the same for every head.
    gradient = [c * sp.diff(loss, a) for a in A]
    slope_products = tokens * c**2  # Σ_l b^{hl}·b^{kl}
    return {
        "marked_attention": mean(A[0]),
        "squared_attention": mean(squared),
        "risk": mean(loss),
        "G": mean((theta + tau) * gradient[0]),
        "C": mean(sum(c**2 * sp.diff(loss, a, 2) for a in A)),
        "offset_gradient": -mean(sum(gradient)),
        "N": mean(2 * loss * q_v * slope_products + 2 * sum(x**2 for x in gradient)),
        "value_noise": mean(2 * loss * squared),
    }


def check() -> Iterator[str]:
    """Isserlis at L = 1, 2, 3, 4, the law of the weights, and the package's closed form."""
    closed = closed_forms()
    for tokens in (1, 2, 3, 4):
        for name, expression in by_wick(tokens).items():
            # All terms are polynomials of degree ≤ 2 in L: four values of L fix them.
            assert sp.expand(closed[name].subs(L, tokens) - expression) == 0, name
    yield "all terms, by Isserlis from their definitions (four values of L determine them)"
    _check_law_of_weights()
    yield "mean and variance of A_ε, Cov(θ, A_ε), two heads and two features"
    yield f"headode.expectation.closed_form_linear: equal to {_package_error():.0e}"


def _check_law_of_weights() -> None:
    M = sp.Matrix(2, 2, sp.symbols("M11 M12 M21 M22", real=True))
    Sigma, Q = (
        sp.Matrix(2, 2, lambda i, j, name=name: sp.Symbol(f"{name}{min(i, j)}{max(i, j)}"))
        for name in ("S", "Q")
    )
    center, b = sp.Matrix(sp.symbols("t1 t2")), sp.Matrix(sp.symbols("b1 b2"))
    tau, u = sp.symbols("tau1 tau2"), sp.symbols("u1 u2")
    chi = M * (center + sp.Matrix(tau)) + sp.Matrix(u)
    weight = c * sum(1 + chi[h] - b[h] for h in range(2))
    ones = sp.ones(2, 1)
    mean_0 = c * (2 - b[0] - b[1])

    def mean(expression: sp.Expr) -> sp.Expr:
        return isserlis(expression, (*tau, *u), sp.diag(Sigma, Q))

    first = mean(weight)
    assert sp.expand(first - mean_0 - c * (ones.T * M * center)[0]) == 0
    spread = (ones.T * (Q + M * Sigma * M.T) * ones)[0]
    assert sp.expand(mean(weight**2) - first**2 - c**2 * spread) == 0
    for f in range(2):
        joint = mean(weight * tau[f])
        assert sp.expand(joint - c * (ones.T * M * Sigma)[f]) == 0


def _package_error() -> float:
    """The formulas above, in numbers, averaged over a mixture, against the package."""
    rng = np.random.default_rng(0)
    tokens, heads, features = 5, 3, 2
    roots = rng.standard_normal((2, features, features))
    covariances = roots @ roots.transpose(0, 2, 1)
    weights, centers = [0.3, 0.7], rng.standard_normal((2, features))
    model = Model(
        tokens,
        heads,
        Signal.mixture(centers, covariances, weights),
        "linear",
        offset=rng.standard_normal(heads),
        value="learned",
        label_noise=0.4,
    )
    root = rng.standard_normal((heads, heads))
    state = OrderParameters(rng.standard_normal((heads, features)), root @ root.T, m_v=0.6, q_v=0.9)
    computed = closed_form_linear.expected_update(model, state, noise=True)

    names = list(closed_forms())
    symbols = (c, m_v, q_v, noise, L, mu, var, mu_0, var_0, theta, covariance)
    evaluate = sp.lambdify(symbols, [closed_forms()[name] for name in names])
    scale, sums = 1 / (tokens * heads), state.M.sum(axis=0)
    mean_0 = scale * (heads - model.offsets(state).sum())
    variance_0 = scale**2 * state.Q.sum()
    error = 0.0
    for f in range(features):
        expected = np.zeros(len(names))
        for p, center, spread in zip(weights, centers, covariances, strict=True):
            variance = variance_0 + scale**2 * sums @ spread @ sums
            numbers = (scale, 0.6, 0.9, 0.4, tokens, mean_0 + scale * sums @ center, variance)
            numbers += (mean_0, variance_0, center[f], scale * (sums @ spread)[f])
            expected += p * np.array(evaluate(*numbers))
        for name, value in zip(names, expected, strict=True):
            entry = getattr(computed, name)
            entry = entry[:, f] if name == "G" else entry
            error = max(error, float(np.abs(entry - value).max()))
    assert error < 1e-13
    return error


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
