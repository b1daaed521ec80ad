"""The learning-rate noise of pooled heads by one clock.

For pooled heads A_l = W_l/S, S = ν + Σ_j W_j, W_l = e^{y_l}, and b^{hl}_j = ∂A_j/∂χ_lh:

    b^{hl}_j = s_lh A_l (δ_jl − A_j),     s_lh = ∂y_l/∂χ_lh
    b^{hl}·b^{kl} = s_lh s_lk A_l² (1 − 2A_l + Σ₂),     Σ₂ = Σ_j A_j²
    A·b^{hl} = s_lh A_l (A_l − Σ₂)
    N_hk = E Σ_l s_lh s_lk A_l² B_l
    B_l = q_v 2ℓ (1 − 2A_l + Σ₂) + 2 (m_v (δ_lε − A_ε) − q_v (A_l − Σ₂))²
    2ℓ = 1 + Δ² − 2 m_v A_ε + q_v Σ₂
    1/S^M = ∫_0^∞ ds s^{M−1} e^{−sS}/(M − 1)!

A product of M weights is thus, with s = e^x, a = sW and g = e^{−a}, the integral of a product over
tokens: of Π a, of one factor g for every token, and of exp(−νs). Sums over other tokens enter by

    E[U Π g] = m μ₂ n^{m−1},     E[U² Π g] = m μ₄ n^{m−1} + m(m−1) μ₂² n^{m−2}

for U = Σ a² of m unmarked tokens, with μ_j = E[a^j g].
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import gauss_hermite

import headode as ho
from headode.expectation.factorized import Factorized


def check() -> Iterator[str]:
    """Verify every statement of the docstring."""
    _derivatives()
    yield "b^{hl}, its products and A·b^{hl} (L = 3, two heads)"
    _bracket()
    yield "N_hk as Σ_l s_lh s_lk A_l² B_l from its definition"
    _integral_and_sums()
    yield "1/S^M for M = 1 … 6; E[U Πg] and E[U² Πg] for m = 1 … 4 by expansion"
    two = _error(2, np.array([[0.9, 0.4], [0.1, 0.7]]), "zero")
    yield f"N and E[2ℓ Σ₂] by the race against averages over all scores, to {two:.0e}"
    shifted = _error(2, np.array([[0.8], [-0.5]]), "learned")
    yield f"the same with offsets, to {shifted:.0e}"


def _weights() -> tuple[sp.Matrix, list[sp.Expr]]:
    chi = sp.Matrix(3, 2, lambda l, h: sp.Symbol(f"chi_{l}{h}", real=True))
    rates = [sp.exp(chi[l, 0]) + sp.exp(chi[l, 1]) for l in range(3)]
    nu = sp.Symbol("nu", nonnegative=True)
    return chi, [rate / (nu + sum(rates)) for rate in rates]


def _derivatives() -> None:
    chi, A = _weights()
    squared = sum(a**2 for a in A)
    for l, h, k in ((0, 0, 0), (1, 0, 1)):
        share = [sp.exp(chi[l, i]) / (sp.exp(chi[l, 0]) + sp.exp(chi[l, 1])) for i in (h, k)]
        b = [[sp.diff(A[j], chi[l, i]) for j in range(3)] for i in (h, k)]
        for j in range(3):
            expected = share[0] * A[l] * (int(j == l) - A[j])
            assert sp.simplify(b[0][j] - expected) == 0
        product = sum(first * second for first, second in zip(*b, strict=True))
        expected = share[0] * share[1] * A[l] ** 2 * (1 - 2 * A[l] + squared)
        assert sp.simplify(product - expected) == 0
        along = sum(a * first for a, first in zip(A, b[0], strict=True))
        assert sp.simplify(along - share[0] * A[l] * (A[l] - squared)) == 0


def _bracket() -> None:
    """The definition's terms for one l, with the products above put in."""
    A, s, t, m, q, loss, mine, squared, delta = sp.symbols("A s t m q loss mine S2 delta")
    # b^{hl}_ε = s A_l (δ_lε − A_ε), with A for A_l and mine for A_ε.
    first = m * s * A * (delta - mine) - q * s * A * (A - squared)
    second = m * t * A * (delta - mine) - q * t * A * (A - squared)
    defined = loss * q * s * t * A**2 * (1 - 2 * A + squared) + 2 * first * second
    B = q * loss * (1 - 2 * A + squared) + 2 * (m * (delta - mine) - q * (A - squared)) ** 2
    assert sp.expand(defined - s * t * A**2 * B) == 0


def _integral_and_sums() -> None:
    s, S = sp.symbols("s S", positive=True)
    for M in range(1, 7):
        value = sp.integrate(s ** (M - 1) * sp.exp(-s * S), (s, 0, sp.oo)) / sp.factorial(M - 1)
        assert sp.simplify(value - S**-M) == 0
    n, second, fourth = sp.symbols("n mu_2 mu_4")
    for m in range(1, 5):
        a = sp.symbols(f"a_1:{m + 1}")
        U = sum(each**2 for each in a)
        moments = {0: n, 2: second, 4: fourth}
        for power, expected in (
            (1, m * second * n ** (m - 1)),
            (2, m * fourth * n ** (m - 1) + m * (m - 1) * second**2 * n ** max(m - 2, 0)),
        ):
            terms = sp.Poly(sp.expand(U**power), *a).terms()
            average = sum(
                coefficient * sp.prod([moments[exponent] for exponent in exponents])
                for exponents, coefficient in terms
            )
            assert sp.expand(average - expected) == 0


def _error(tokens: int, M: np.ndarray, offset: str) -> float:
    """Largest error of the race against Gauss–Hermite over all scores of all tokens."""
    heads, features = M.shape
    points, probabilities = np.array([[1.0] * features, [-0.5] * features]), np.array([0.7, 0.3])
    signal = ho.Signal.discrete(points, probabilities)
    model = ho.Model(
        tokens, heads, signal, "bayes_softmax", offset=offset, value="learned", label_noise=0.4
    )
    b = np.array([0.2, -0.4]) if offset == "learned" else np.zeros(2)
    state = ho.OrderParameters(
        M, 0.1 * np.eye(heads), m_v=0.6, q_v=0.7, offset=b if offset == "learned" else None
    )
    covariance = np.kron(np.eye(tokens), state.Q)
    N, value_noise = np.zeros((heads, heads)), 0.0
    for point, p in zip(points, probabilities, strict=True):
        shift = np.zeros((tokens, heads))
        shift[0] = M @ point

        def terms(u: np.ndarray, shift: np.ndarray = shift) -> np.ndarray:
            return _noise_of_scores(u.reshape(-1, tokens, heads) + shift - b, 0.6, 0.7, 0.4)

        average = gauss_hermite(terms, covariance, 24)
        N += p * average[:-1].reshape(heads, heads)
        value_noise += p * average[-1]
    found = Factorized(model, noise=True, tolerance=1e-10)(state)
    error = max(np.abs(found.N - N).max(), abs(found.value_noise - value_noise))
    assert error < 1e-8  # of 24 nodes in each direction
    return float(error)


def _noise_of_scores(chi: np.ndarray, m_v: float, q_v: float, noise: float) -> np.ndarray:
    """(samples, H² + 1) of N_hk and 2ℓ Σ₂ from the definition, with token 0 marked."""
    rates = np.exp(chi)
    total = rates.sum(axis=(1, 2))
    A = rates.sum(axis=2) / total[:, None]
    squared = (A**2).sum(axis=1)
    loss = 1 + noise**2 - 2 * m_v * A[:, 0] + q_v * squared
    samples, tokens, heads = chi.shape
    N = np.zeros((samples, heads, heads))
    for l in range(tokens):
        p = rates[:, l] / total[:, None]
        b = p[:, :, None] * (np.eye(tokens)[l] - A[:, None, :])  # (samples, H, tokens)
        along = m_v * b[:, :, 0] - q_v * np.einsum("nhj,nj->nh", b, A)
        N += q_v * loss[:, None, None] * np.einsum("nhj,nkj->nhk", b, b)
        N += 2 * along[:, :, None] * along[:, None, :]
    return np.concatenate([N.reshape(samples, -1), (loss * squared)[:, None]], axis=1)


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
