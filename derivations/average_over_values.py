"""Average over the values first: the loss and the noise as functions of the scores alone.

Setting. Given the scores χ, the values z*_l = x_l·v*/√d (teacher) and z_l = x_l·v/√d (student) are
independent of them and across tokens, Gaussian with E z*² = 1, E z* z = m_v, E z² = q_v. The error
is e = y − f = z*_ε + Δ ξ − Σ_l A_l z_l. All averages below are over (z*, z, ξ) at fixed χ, by
Wick's theorem, with b^{hl}_j = ∂A_j/∂χ_lh.

Result.

    ℓ(χ) = E ½e² = ½ (1 + Δ² − 2 m_v A_ε + q_v Σ_l A_l²)
    E ∂L/∂χ_lh = −E[e z·b^{hl}] = −m_v b^{hl}_ε + q_v A·b^{hl} = ∂ℓ/∂χ_lh
    E[∂L/∂χ_lh ∂L/∂χ_lk] = 2ℓ q_v b^{hl}·b^{kl} + 2 ∂ℓ/∂χ_lh ∂ℓ/∂χ_lk

    E[e Σ_l A_l z*_l]   = A_ε − m_v Σ_l A_l²               (drift of m_v)
    E[e Σ_l A_l z_l]    = m_v A_ε − q_v Σ_l A_l²           (half the drift of q_v)
    E[e² Σ_l A_l²]      = 2ℓ Σ_l A_l²                      (learning-rate noise of q_v)

The sum over l of the third line, averaged over χ, is N. With a known value (m_v = q_v = 1)

    ℓ = ½ |A − e_ε|² + Δ²/2 ,

the Brier score of the attention weights as a forecast of the marked token, plus label noise.

The update of k_h along the value directions, E[∂L/∂χ_lh z*_l'] and E[∂L/∂χ_lh z_l'], is an odd
moment of the values: k_h·v*, k_h·v stay 0 if they start at 0 (and so does v·k*_f, whose update
E[e A_l χ*_lf] is odd as well).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite, isserlis

TOKENS = 3
m_v, q_v, noise = sp.symbols("m_v q_v Delta", real=True)
A = sp.symbols(f"A1:{TOKENS + 1}", real=True)
b = sp.symbols(f"b1:{TOKENS + 1}", real=True)  # b^{hl}_j for one pair (h, l)
c = sp.symbols(f"c1:{TOKENS + 1}", real=True)  # b^{kl}_j for another head, same l
z_star = sp.symbols(f"zstar1:{TOKENS + 1}", real=True)
z = sp.symbols(f"z1:{TOKENS + 1}", real=True)
xi = sp.Symbol("xi", real=True)
MARKED = 0

values = (*z_star, *z, xi)
# z*_l and z_l of the same token are correlated, nothing else.
one_token = sp.Matrix([[1, m_v], [m_v, q_v]])
covariance = sp.diag(sp.kronecker_product(one_token, sp.eye(TOKENS)), 1)
average = partial(isserlis, variables=values, covariance=covariance)

error = (
    z_star[MARKED] + noise * xi - sum(weight * value for weight, value in zip(A, z, strict=True))
)
squared_attention = sum(weight**2 for weight in A)
loss = (1 + noise**2 - 2 * m_v * A[MARKED] + q_v * squared_attention) / 2


def dot(left: tuple[sp.Symbol, ...], right: tuple[sp.Symbol, ...]) -> sp.Expr:
    """Contraction over tokens."""
    return sum(x * y for x, y in zip(left, right, strict=True))


def gradient(slope: tuple[sp.Symbol, ...]) -> sp.Expr:
    """∂L/∂χ_lh at given values: −e Σ_j z_j b_j."""
    return -error * dot(slope, z)


def mean_gradient(slope: tuple[sp.Symbol, ...]) -> sp.Expr:
    """∂ℓ/∂χ_lh, by differentiating ℓ through the weights."""
    return sum(sp.diff(loss, weight) * part for weight, part in zip(A, slope, strict=True))


def check() -> Iterator[str]:
    """Three tokens, all weights and slopes free symbols."""
    assert sp.expand(average(error**2 / 2) - loss) == 0
    yield "E ½e² = ℓ(χ)"
    brier = sum((weight - int(l == MARKED)) ** 2 for l, weight in enumerate(A)) / 2
    assert sp.expand(loss.subs({m_v: 1, q_v: 1}) - brier - noise**2 / 2) == 0
    yield "ℓ is the Brier score for a known value"
    assert sp.expand(average(gradient(b)) - mean_gradient(b)) == 0
    assert sp.expand(mean_gradient(b) + m_v * b[MARKED] - q_v * dot(A, b)) == 0
    yield "E ∂L/∂χ = ∂ℓ/∂χ"
    second_moment = average(gradient(b) * gradient(c))
    assert sp.expand(second_moment - noise_integrand()) == 0
    yield "E[∂L/∂χ_lh ∂L/∂χ_lk] = 2ℓ q_v b·b + 2 ∂ℓ ∂ℓ"
    drift = A[MARKED] - m_v * squared_attention
    assert sp.expand(average(error * dot(A, z_star)) - drift) == 0
    drift = m_v * A[MARKED] - q_v * squared_attention
    assert sp.expand(average(error * dot(A, z)) - drift) == 0
    noise_of_value = average(error**2) * squared_attention
    assert sp.expand(noise_of_value - 2 * loss * squared_attention) == 0
    yield "drifts and noise of m_v and q_v"
    assert average(gradient(b) * z_star[1]) == average(gradient(b) * z[0]) == average(error) == 0
    yield "overlaps between values and heads or features have odd drifts: they stay 0"
    yield f"quadrature over the values, random weights: equal to {_quadrature_error():.0e}"


def noise_integrand() -> sp.Expr:
    """One token's part of N_hk, before the average over χ."""
    return 2 * loss * q_v * dot(b, c) + 2 * mean_gradient(b) * mean_gradient(c)


def _quadrature_error() -> float:
    """The four-point moment again, by Gauss–Hermite in numbers (exact for polynomials)."""
    rng = np.random.default_rng(0)
    numbers = dict(zip((*A, *b, *c), rng.standard_normal(3 * TOKENS), strict=True))
    numbers |= {m_v: 0.4, q_v: 0.7, noise: 0.3}
    product = sp.lambdify(values, (gradient(b) * gradient(c)).subs(numbers))
    matrix = np.array(covariance.subs(numbers), dtype=float)
    computed = gauss_hermite(lambda nodes: product(*nodes.T), matrix, order=3)
    difference = abs(float(computed) - float(noise_integrand().subs(numbers)))
    assert difference < 1e-12
    return difference


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
