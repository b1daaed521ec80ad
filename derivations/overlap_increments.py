"""One step of SGD at finite d, written as a step of the overlaps.

Setting. Batch of B sequences μ with tokens x^μ_l, fields χ^μ_lh = x^μ_l·k_h/√d and
χ*^μ_lf = x^μ_l·k*_f/√d. With g^μ_lh = ∂L^μ/∂χ_lh the chain rule gives ∇_{k_h} L = Σ_l g_lh x_l/√d,
so that a step with weight decay λ is

    k_h ← (1 − ηλ/d) k_h − (η/B) Σ_μ Σ_l g^μ_lh x^μ_l/√d .

Result. The overlaps M_hf = k_h·k*_f/d and Q_hk = k_h·k_k/d move by 1/d per step,

    d ΔM_hf = −(η/B) Σ_μl g_lh χ*_lf − ηλ M_hf
    d ΔQ_hk = −(η/B) Σ_μl (g_lh χ_lk + g_lk χ_lh) − 2ηλ Q_hk
              + (η²/B²) Σ_μν Σ_ll' g^μ_lh g^ν_l'k (x^μ_l·x^ν_l')/d  + O(1/d) .

As x^μ_l·x^ν_l'/d = δ_μν δ_ll' + O(d^{-1/2}), only equal tokens of equal sequences survive as d → ∞.
Time is t = steps/d. An average over the batch leaves the drift alone (B equal terms over B), and
divides the noise by B (B equal terms over B²):

    dM/dt = −η E[Σ_l g_lh χ*_lf] − ηλ M
    dQ/dt = −η E[Σ_l (g_lh χ_lk + g_lk χ_lh)] − 2ηλ Q + (η²/B) E[Σ_l g_lh g_lk] .

The value v ← v + (η_v/B) Σ_μ e^μ Σ_l A_l x_l/√d, with the error e = y − f, does the same with the
gradient −e A_l in the place of g_lh:

    d Δm_v = (η_v/B) Σ_μ e Σ_l A_l z*_l
    d Δq_v = (2η_v/B) Σ_μ e f + (η_v²/B²) Σ_μ e² Σ_l A_l² + O(d^{-1/2}) ,

and offsets step by −(η_b/(B d)) Σ_μ ∂L/∂b_h, so that db_h/dt = −η_b E[∂L/∂b_h].

Fluctuations. In a time of order one there are d steps, each with a random part of order 1/d: their
sum is of order d^{-1/2}. The overlaps follow the averaged equations as d → ∞.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import sympy as sp
from _vectors import inner, large_dimension

TOKENS, HEADS, BATCH = 2, 2, 2
eta, eta_v, decay, d = sp.symbols("eta eta_v lambda d", positive=True)

k = sp.symbols(f"k1:{HEADS + 1}")
k_star, v, v_star = sp.symbols("k_star v v_star")
x = {(m, l): sp.Symbol(f"x_{m}{l}") for m in range(BATCH) for l in range(TOKENS)}

M = sp.symbols(f"M1:{HEADS + 1}")
Q = sp.Matrix(HEADS, HEADS, lambda h, k: sp.Symbol(f"Q{min(h, k)}{max(h, k)}"))
m_v, q_v = sp.symbols("m_v q_v")
g = {(m, l, h): sp.Symbol(f"g_{m}{l}{h}") for m, l in x for h in range(HEADS)}
chi = {(m, l, h): sp.Symbol(f"chi_{m}{l}{h}") for m, l in x for h in range(HEADS)}
chi_star, z, z_star, A = (
    {key: sp.Symbol(f"{name}_{key[0]}{key[1]}") for key in x}
    for name in ("chistar", "z", "zstar", "A")
)
e = sp.symbols(f"e0:{BATCH}")


def gram_matrix() -> dict[frozenset[sp.Symbol], sp.Expr]:
    """All inner products: overlaps are of order d, fields of order √d."""
    gram = {frozenset([k_star]): d, frozenset([v]): d * q_v, frozenset([v, v_star]): d * m_v}
    for h in range(HEADS):
        gram[frozenset([k[h], k_star])] = d * M[h]
        for other in range(HEADS):
            gram[frozenset([k[h], k[other]])] = d * Q[h, other]
    for key, token in x.items():
        fields = {k_star: chi_star[key], v: z[key], v_star: z_star[key]}
        fields |= {k[h]: chi[(*key, h)] for h in range(HEADS)}
        gram |= {frozenset([token, vector]): sp.sqrt(d) * y for vector, y in fields.items()}
        for other in x.values():
            # |x|² = d + O(√d), and the product of different tokens is O(√d).
            fluctuation = sp.Symbol("zeta_" + "".join(sorted((token.name, other.name))))
            square = d if token == other else 0
            gram[frozenset([token, other])] = square + sp.sqrt(d) * fluctuation
    return gram


GRAM = gram_matrix()


def stepped_head(h: int) -> sp.Expr:
    """k_h after one step of SGD."""
    gradient = sum(g[m, l, h] * x[m, l] for m, l in x) / (BATCH * sp.sqrt(d))
    return (1 - eta * decay / d) * k[h] - eta * gradient


def stepped_value() -> sp.Expr:
    """v after one step of SGD."""
    return v + eta_v * sum(e[m] * A[m, l] * x[m, l] for m, l in x) / (BATCH * sp.sqrt(d))


def check() -> Iterator[str]:
    """Symbolic for two heads, two tokens and a batch of two; then full vectors."""
    for h in range(HEADS):
        change = inner(stepped_head(h), k_star, GRAM) - d * M[h]
        drift = sum(g[m, l, h] * chi_star[m, l] for m, l in x) / BATCH
        assert sp.expand(change + eta * drift + eta * decay * M[h]) == 0
    yield "d ΔM has no correction at finite d"
    noise = {}
    for h, j in itertools.product(range(HEADS), repeat=2):
        change = inner(stepped_head(h), stepped_head(j), GRAM) - d * Q[h, j]
        drift = sum(g[m, l, h] * chi[m, l, j] + g[m, l, j] * chi[m, l, h] for m, l in x) / BATCH
        noise[h, j] = sum(g[m, l, h] * g[m, l, j] for m, l in x) / BATCH**2
        expected = -eta * drift - 2 * eta * decay * Q[h, j] + eta**2 * noise[h, j]
        assert sp.expand(large_dimension(change, d) - expected) == 0
    yield "in d ΔQ only products of a token with itself survive d → ∞"
    change = inner(stepped_value(), v_star, GRAM) - d * m_v
    drift = sum(e[m] * A[m, l] * z_star[m, l] for m, l in x) / BATCH
    assert sp.expand(change - eta_v * drift) == 0
    change = inner(stepped_value(), stepped_value(), GRAM) - d * q_v
    drift = 2 * sum(e[m] * A[m, l] * z[m, l] for m, l in x) / BATCH
    of_value = sum(e[m] ** 2 * A[m, l] ** 2 for m, l in x) / BATCH**2
    assert sp.expand(large_dimension(change, d) - eta_v * drift - eta_v**2 * of_value) == 0
    yield "d Δm_v and d Δq_v likewise, with −e A_l in the place of g_lh"
    for (h, j), of_batch in noise.items():
        # The mean over sequences of one law: the index of the sequence may be dropped.
        mean = of_batch.subs({symbol: sp.Symbol(f"g{l}{i}") for (_, l, i), symbol in g.items()})
        of_sequence = sum(sp.Symbol(f"g{l}{h}") * sp.Symbol(f"g{l}{j}") for l in range(TOKENS))
        assert sp.expand(mean - of_sequence / BATCH) == 0
    yield "sequences of the same law: the noise, and not the drift, carries 1/B"
    yield f"full vectors, d = 30: the steps agree to {_exact_step_error():.0e}"
    slope = _discarded_terms_slope()
    assert abs(slope + 0.5) < 0.1
    yield f"full vectors: the discarded terms fall as d^({slope:.2f}), expected d^(-1/2)"


def _loss(chi: np.ndarray, values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """½(y − f)² per sequence for softmax attention; analytic, so that complex steps work."""
    weights = np.exp(chi)
    attention = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=2)
    return 0.5 * (label - (attention * values).sum(axis=1)) ** 2


def _draw(rng: np.random.Generator, dimension: int, batch: int) -> tuple[np.ndarray, ...]:
    """Heads, teacher k*, v*, and a batch of three tokens with a spike in the first."""
    directions = np.linalg.qr(rng.standard_normal((dimension, 4)))[0] * np.sqrt(dimension)
    star, value, *residual = directions.T
    k = np.array([0.4 * star + residual[0], 0.8 * star - 0.5 * residual[0] + 0.6 * residual[1]])
    x = rng.standard_normal((batch, 3, dimension))
    x[:, 0] += 1.5 * star / np.sqrt(dimension)
    return k, star, value, x


def _exact_step_error() -> float:
    """A step taken in R^d, with ∇_k by complex differentiation, against the formulas above."""
    rng, dimension, batch, rate, shrink = np.random.default_rng(0), 30, 4, 0.8, 0.3
    k, star, value, x = _draw(rng, dimension, batch)
    z = x @ value / np.sqrt(dimension)
    label = z[:, 0] + 0.3 * rng.standard_normal(batch)

    gradient = np.empty_like(k)
    for index in np.ndindex(*k.shape):
        moved = k.astype(complex)
        moved[index] += 1e-30j
        fields = x @ moved.T / np.sqrt(dimension)
        gradient[index] = _loss(fields, z, label).mean().imag / 1e-30
    after = (1 - rate * shrink / dimension) * k - rate * gradient
    change_M = (after - k) @ star
    change_Q = after @ after.T - k @ k.T

    fields, star_fields = x @ k.T / np.sqrt(dimension), x @ star / np.sqrt(dimension)
    slope = _slopes(fields, z, label)
    overlap_M, overlap_Q = k @ star / dimension, k @ k.T / dimension
    drift = np.einsum("nlh,nlk->hk", slope, fields) / batch
    tokens_flat, slope_flat = x.reshape(-1, dimension), slope.reshape(-1, 2)
    noise = slope_flat.T @ (tokens_flat @ tokens_flat.T / dimension) @ slope_flat / batch**2
    predicted_M = -rate * np.einsum("nlh,nl->h", slope, star_fields) / batch
    predicted_M -= rate * shrink * overlap_M
    # What a finite d keeps besides: (1 − ηλ/d) on the drift, and the square of the decay.
    keep = 1 - rate * shrink / dimension
    predicted_Q = dimension * (keep**2 - 1) * overlap_Q - rate * keep * (drift + drift.T)
    predicted_Q += rate**2 * noise
    error = max(np.abs(change_M - predicted_M).max(), np.abs(change_Q - predicted_Q).max())
    assert error < 1e-12 * dimension
    return float(error)


def _slopes(chi: np.ndarray, values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """∂L/∂χ_lh (n, L, H) by complex differentiation of the loss as a function of the fields."""
    slope = np.empty_like(chi)
    for l in range(chi.shape[1]):
        for h in range(chi.shape[2]):
            moved = chi.astype(complex)
            moved[:, l, h] += 1e-30j
            slope[:, l, h] = _loss(moved, values, label).imag / 1e-30
    return slope


def _discarded_terms_slope() -> float:
    """Fitted exponent of the typical size of Σ_μν,ll' g g' (x·x'/d − δδ)/B² against d.

    The median, because products of four values have long tails.
    """
    rng = np.random.default_rng(1)
    dimensions, sizes = (20, 100, 500), []
    for dimension in dimensions:
        k, _, value, x = _draw(rng, dimension, 6000)
        z = x @ value / np.sqrt(dimension)
        slope = _slopes(x @ k.T / np.sqrt(dimension), z, z[:, 0])
        # Batches of two: pairs of sequences become sequences of six tokens.
        x, slope = x.reshape(3000, 6, dimension), slope.reshape(3000, 6, 2)
        discarded = np.einsum("nid,njd->nij", x, x) / dimension - np.eye(6)
        terms = np.einsum("nih,nij,njk->nhk", slope, discarded, slope) / 4
        sizes.append(np.median(np.abs(terms)))
    return float(np.polyfit(np.log(dimensions), np.log(sizes), 1)[0])


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
