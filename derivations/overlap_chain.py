"""At finite d the overlaps of SGD are a Markov chain by themselves, and what one step of it draws.

Setting. The learned vectors w_a, a = 1..n (the heads, and the value if it is learned) step by
w_a ← c_a w_a − ρ_a Σ_i g_ia x_i/√d, where i runs over all tokens of the batch, g_ia is the
derivative of the summed losses with respect to the field x_i·w_a/√d, ρ_a = η/B or η_v/B, and c_a is
a number close to 1 (weight decay, nishimori offset). The F + 1 teachers k*_f, v* are orthogonal, of
norm √d. Fields of token i: χ_ia = x_i·w_a/√d, χ*_it = x_i·(teacher t)/√d.

Step of all the overlaps. Without any limit, and for every pair of vectors,

    (w_a·w*_t)'/d = c_a w_a·w*_t/d − (ρ_a/d) Σ_i g_ia χ*_it
    (w_a·w_b)'/d  = c_a c_b w_a·w_b/d − (1/d) Σ_i (c_a ρ_b χ_ia g_ib + c_b ρ_a χ_ib g_ia)
                    + (ρ_a ρ_b/d²) Σ_ij g_ia g_jb x_i·x_j .

Coordinates. Take an orthonormal frame of the teachers and of n directions that contain what the w_a
have beside them, w_a/√d = Σ_t T_at u_t + Σ_j S_aj e_j and x_i = Σ_t ξ_it u_t + Σ_j ζ_ij e_j + x⊥_i.
Then χ*_it = ξ_it, χ_ia = T_a·ξ_i + S_a·ζ_i, and the step is

    T_a' = c_a T_a − (ρ_a/d) Σ_i g_ia ξ_i      S_a' = c_a S_a − (ρ_a/d) Σ_i g_ia ζ_i
    overlaps: T'T'ᵀ + S'S'ᵀ + (ρ_a ρ_b/d²) (P Pᵀ)_ab ,   P_a = Σ_i g_ia x⊥_i .

Law. Noise tokens are isotropic and the spike lies along the teachers: ξ, ζ and the coordinates of
x⊥, ν = d − F − 1 − n of them for each token, are independent standard normals (ξ of the marked one
plus θ). The coefficients g and c_a depend on ξ, ζ, θ and the label noise alone. Hence, given these,
P is Gaussian with covariance Γ ⊗ I_ν, Γ = gᵀg, whatever the number of tokens, and P Pᵀ is Wishart:

    E (PPᵀ)_ab = ν Γ_ab      Cov[(PPᵀ)_ab, (PPᵀ)_cd] = ν (Γ_ac Γ_bd + Γ_ad Γ_bc) .

With any root Γ = C Cᵀ it is C A Aᵀ Cᵀ with Bartlett's factor A: lower triangular, A_ij ~ N(0, 1)
for j < i, A_ii² ~ χ² with ν − i + 1 degrees of freedom (i = 1..n), and no columns beyond ν. Γ and S
may be singular: where the vectors span less than n directions, any others complete the frame.

So (T, S), up to a rotation of the columns of S, determines the law of the next step. [S' | P] has
2n columns; a rotation of them makes it lower triangular with n columns, which are the next S.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import isserlis
from _vectors import inner
from scipy.stats import ks_2samp

N, TOKENS, TEACHERS = 2, 2, 2
d, nu = sp.symbols("d nu", positive=True)
c, rho = sp.symbols(f"c1:{N + 1}"), sp.symbols(f"rho1:{N + 1}")
g = sp.Matrix(TOKENS, N, lambda i, a: sp.Symbol(f"g_{i}{a}"))


def check() -> Iterator[str]:
    """Symbolic for two vectors, tokens and teachers; moments; explicit vectors in R^d."""
    _check_step_of_overlaps()
    yield "the step of every overlap, from the Gram matrix"
    _check_coordinates()
    yield "the same in coordinates: unseen parts enter through P Pᵀ only"
    _check_moments_of_products()
    yield "P has covariance Γ ⊗ I, and P Pᵀ the moments of Wishart's law (Isserlis)"
    _check_bartlett_moments()
    yield "Bartlett's factor has the same moments, for any ν (n = 3)"
    yield f"Bartlett's factor against explicit normals, ν = 1, 2, 3, 5: p ≥ {_bartlett_law():.2f}"
    for rank in (0, 1, 3):
        error = _follow_full_vectors(rank)
        yield f"40 steps in R^12 from residuals of rank {rank}: overlaps equal to {error:.0e}"


def _check_step_of_overlaps() -> None:
    w, star, x = sp.symbols(f"w1:{N + 1}"), sp.symbols("s1:3"), sp.symbols(f"x1:{TOKENS + 1}")
    vectors = [*w, *star, *x]
    pairs = itertools.combinations_with_replacement(vectors, 2)
    gram = {frozenset([a, b]): sp.Symbol(f"{a}.{b}") for a, b in pairs}
    gram |= {frozenset([s]): d for s in star} | {frozenset(star): sp.Integer(0)}

    def product(a: sp.Symbol, b: sp.Symbol) -> sp.Expr:
        return gram[frozenset([a, b])]

    stepped = [
        c[a] * w[a] - rho[a] * sum(g[i, a] * x[i] for i in range(TOKENS)) / sp.sqrt(d)
        for a in range(N)
    ]
    chi = sp.Matrix(TOKENS, N, lambda i, a: product(x[i], w[a]) / sp.sqrt(d))
    for a, t in itertools.product(range(N), range(2)):
        drift = sum(g[i, a] * product(x[i], star[t]) / sp.sqrt(d) for i in range(TOKENS))
        expected = c[a] * product(w[a], star[t]) / d - rho[a] * drift / d
        assert sp.expand(inner(stepped[a], star[t], gram) / d - expected) == 0
    for a, b in itertools.product(range(N), repeat=2):
        cross = sum(
            c[a] * rho[b] * chi[i, a] * g[i, b] + c[b] * rho[a] * chi[i, b] * g[i, a]
            for i in range(TOKENS)
        )
        noise = sum(
            g[i, a] * g[j, b] * product(x[i], x[j])
            for i, j in itertools.product(range(TOKENS), repeat=2)
        )
        expected = c[a] * c[b] * product(w[a], w[b]) / d - cross / d
        expected += rho[a] * rho[b] * noise / d**2
        assert sp.expand(inner(stepped[a], stepped[b], gram) / d - expected) == 0


def _check_coordinates() -> None:
    frame = sp.symbols(f"u1:{TEACHERS + 1} e1:{N + 1}")
    unseen = sp.symbols(f"y1:{TOKENS + 1}")
    pairs = itertools.product([*frame, *unseen], repeat=2)
    gram = {frozenset(pair): sp.Integer(0) for pair in pairs}
    gram |= {frozenset([vector]): sp.Integer(1) for vector in frame}
    W = sp.Matrix(TOKENS, TOKENS, lambda i, j: sp.Symbol(f"W{min(i, j)}{max(i, j)}"))
    for i, j in itertools.product(range(TOKENS), repeat=2):
        gram[frozenset([unseen[i], unseen[j]])] = W[i, j]
    size = TEACHERS + N
    TS = sp.Matrix(N, size, lambda a, j: sp.Symbol(f"TS_{a}{j}"))
    xi = sp.Matrix(TOKENS, size, lambda i, j: sp.Symbol(f"xi_{i}{j}"))
    vectors = [sp.sqrt(d) * sum(TS[a, j] * frame[j] for j in range(size)) for a in range(N)]
    tokens = [sum(xi[i, j] * frame[j] for j in range(size)) + unseen[i] for i in range(TOKENS)]
    stepped = [
        c[a] * vectors[a] - rho[a] * sum(g[i, a] * tokens[i] for i in range(TOKENS)) / sp.sqrt(d)
        for a in range(N)
    ]
    after = sp.Matrix(N, size, lambda a, j: c[a] * TS[a, j] - rho[a] / d * (g.T * xi)[a, j])
    PP = g.T * W * g
    for a, b in itertools.product(range(N), repeat=2):
        expected = (after * after.T)[a, b] + rho[a] * rho[b] / d**2 * PP[a, b]
        assert sp.expand(inner(stepped[a], stepped[b], gram) / d - expected) == 0
        field = inner(tokens[a], vectors[b], gram) / sp.sqrt(d)
        assert sp.expand(field - (xi * TS.T)[a, b]) == 0


def _wishart_second_moment(gamma: sp.Matrix, degrees: sp.Expr, index: tuple[int, ...]) -> sp.Expr:
    """E[(PPᵀ)_ab (PPᵀ)_cd]."""
    a, b, e, f = index
    covariance = gamma[a, e] * gamma[b, f] + gamma[a, f] * gamma[b, e]
    return degrees**2 * gamma[a, b] * gamma[e, f] + degrees * covariance


def _check_moments_of_products() -> None:
    """With two unseen dimensions and two tokens, all entries of x⊥ by Isserlis' theorem."""
    degrees = 2
    X = sp.Matrix(TOKENS, degrees, lambda i, k: sp.Symbol(f"X_{i}{k}"))
    P, gamma = g.T * X, g.T * g
    normals, identity = list(X), sp.eye(TOKENS * degrees)
    for (a, b), (k, m) in itertools.product(itertools.product(range(N), repeat=2), repeat=2):
        covariance = isserlis(P[a, k] * P[b, m], normals, identity)
        assert sp.expand(covariance - gamma[a, b] * (1 if k == m else 0)) == 0
    PP = P * P.T
    for index in itertools.product(range(N), repeat=4):
        moment = isserlis(PP[index[0], index[1]] * PP[index[2], index[3]], normals, identity)
        assert sp.expand(moment - _wishart_second_moment(gamma, sp.Integer(degrees), index)) == 0


def _check_bartlett_moments() -> None:
    """A_ii² ~ χ² with m degrees of freedom: E A_ii² = m and E A_ii⁴ = m (m + 2)."""
    size = 3
    below = {(i, j): sp.Symbol(f"a_{i}{j}") for i in range(size) for j in range(i)}
    diagonal = sp.symbols(f"r1:{size + 1}", positive=True)
    A = sp.Matrix(
        size, size, lambda i, j: diagonal[i] if i == j else below.get((i, j), sp.Integer(0))
    )
    normals = list(below.values())

    def mean(expression: sp.Expr) -> sp.Expr:
        averaged = isserlis(expression, normals, sp.eye(len(normals)))
        for i, r in enumerate(diagonal):
            moments = {0: 1, 2: nu - i, 4: (nu - i) * (nu - i + 2)}
            terms = sp.Poly(averaged, r).terms()
            averaged = sum(coefficient * moments[power] for (power,), coefficient in terms)
        return sp.expand(averaged)

    AA = A * A.T
    for index in itertools.product(range(size), repeat=4):
        a, b, e, f = index
        assert mean(AA[a, b]) == (nu if a == b else 0)
        moment = mean(AA[a, b] * AA[e, f])
        assert sp.expand(moment - _wishart_second_moment(sp.eye(size), nu, index)) == 0


def _bartlett_law() -> float:
    """Smallest p-value over the entries of A Aᵀ and two of their products, Bonferroni."""
    rng, draws, size = np.random.default_rng(0), 4000, 3
    p_values = []
    for degrees in (1, 2, 3, 5):
        A = np.tril(rng.standard_normal((draws, size, size)), -1)
        for i in range(size):
            A[:, i, i] = np.sqrt(rng.chisquare(degrees - i, draws)) if degrees > i else 0.0
        A[:, :, degrees:] = 0.0
        Z = rng.standard_normal((draws, size, degrees))
        ours, theirs = (np.einsum("nik,njk->nij", x, x).reshape(draws, -1) for x in (A, Z))
        for x, y in itertools.combinations_with_replacement(range(9), 2):
            p_values.append(ks_2samp(ours[:, x] * ours[:, y], theirs[:, x] * theirs[:, y]).pvalue)
    smallest = min(1.0, len(p_values) * min(p_values))
    assert smallest > 1e-3
    return smallest


def _follow_full_vectors(rank: int) -> float:
    """SGD-like steps in R^d, and the same in coordinates with a frame that is renewed each step."""
    rng, dimension, n, teachers, tokens = np.random.default_rng(rank), 12, 3, 2, 4
    frame = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0].T
    u, e = frame[:teachers], frame[teachers : teachers + n]
    T, S = rng.standard_normal((n, teachers)), np.zeros((n, n))
    S[:, :rank] = np.tril(rng.standard_normal((n, n)))[:, :rank]
    w = np.sqrt(dimension) * (T @ u + S @ e)
    worst = 0.0
    for _ in range(40):
        x = rng.standard_normal((tokens, dimension))
        xi, zeta = x @ u.T, x @ e.T
        unseen = x - xi @ u - zeta @ e
        # Any function of the fields will do; rates and decays differ between the vectors.
        slope = np.tanh(xi @ T.T + zeta @ S.T) - 0.3 * np.sin(xi[:, :1])
        assert np.allclose(xi @ T.T + zeta @ S.T, x @ w.T / np.sqrt(dimension), atol=1e-12)
        rate, keep = np.array([[0.7], [0.9], [0.4]]), np.array([[0.98], [1.0], [0.95]])
        w = keep * w - rate * slope.T @ x / np.sqrt(dimension)
        T = keep * T - rate / dimension * slope.T @ xi
        moved = (keep * S - rate / dimension * slope.T @ zeta) @ e
        moved -= rate / dimension * slope.T @ unseen
        e, triangle = (part.T for part in np.linalg.qr(moved.T))
        S = triangle
        worst = max(worst, float(np.abs(T @ T.T + S @ S.T - w @ w.T / dimension).max()))
        worst = max(worst, float(np.abs(T - w @ u.T / np.sqrt(dimension)).max()))
    assert worst < 1e-12
    return worst


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
