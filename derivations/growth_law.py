"""Specialization: the growth rate of head differences, λ_f = κ Var θ_f + λ_0.

Setting. All heads are alike, M_h = m, R = 0 (or R ∝ 1 1ᵀ), with a known value, in gradient flow.
Let feature f have m_f = 0 and a signal θ_f of mean 0, independent of the others as in sign_flips,
and let the heads differ by δk_h = δm_h k*_f with Σ_h δm_h = 0. Their scores are χ_l + ψ_lh, where
the common χ_l and ψ_lh are independent given θ,

    ψ_lh = δm_h (ω_lf + δ_lε θ_f) ,   E ψ_lh ψ_jh = δ_lj δm_h² (1 + δ_lε Var θ_f) .

p = softmax(χ) are the weights that all heads share, a = e_ε − p, and ∂_l = ∂/∂χ_l.

Second order. Σ_h ψ_lh = 0 cancels the first order, so that δℓ = −a·δA with

    softmax:        δA = (1/2H) Σ_h Σ_lj ψ_lh ψ_jh ∂_l ∂_j p
    bayes_softmax:  δA = (1/2H) Σ_h Σ_l ψ_lh² ∂_l p     (offsets that are equal cancel)

and the average over ψ is, with s_l = ∂_l² p or ∂_l p,

    δE = −(1/2H) Σ_h δm_h² { E[Σ_l a·s_l] + Var θ_f E[a·s_ε] } .

Growth. In gradient flow dM/dt = −∂E/∂M along such differences, so that they grow at the rate

    λ_f = κ Var θ_f + λ_0 ,   κ = (1/H) E[a·s_ε] ,   λ_0 = (1/H) E[Σ_l a·s_l] ,

    softmax:        κ = (1/H) E[p_ε (1 − 2 p_ε) |a|²] ,   λ_0 = (2/H) E[Σ_j a_j p_j (|p|² − p_j)]
    bayes_softmax:  κ = (1/H) E[p_ε |a|²] ,               λ_0 = 0 .

λ_0 is the rate of differences along directions without a signal; residuals of differences, of
second order in δk, grow at 2 λ_0. For bayes_softmax λ_f = κ Var θ_f holds for all heads alike
whatever m, since a shift of all scores changes nothing, Σ_l ∂_l p = 0. For softmax it holds at a
Nishimori point (R = 0, m = E θ, where p is the posterior of ε): E[a | χ] = 0 makes λ_0 = 0.
Elsewhere λ_0 is the correction. With two tokens softmax has κ = 0 at a Nishimori point.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from _gaussian import isserlis

TOKENS = 3
chi = sp.symbols("chi1:4", real=True)


def softmax(scores: list[sp.Expr]) -> list[sp.Expr]:
    """The weights of one head."""
    total = sum(sp.exp(score) for score in scores)
    return [sp.exp(score) / total for score in scores]


def check() -> Iterator[str]:
    """Expansions and identities by SymPy; both growth rates from the risk by quadrature."""
    _check_second_order()
    yield "second order of softmax and bayes_softmax in the differences of 3 heads (L = 3)"
    _check_average()
    yield "average over ψ: v_h for every token, Var θ_f δm_h² for the marked one"
    _check_expectations()
    yield "a·s_ε and Σ_l a·s_l for both activations (L = 3)"
    _check_nishimori()
    yield "Nishimori: the correction of softmax averages to 0, and at L = 2 so does κ"
    for label, error in _rate_errors():
        yield f"λ_f from second differences of the risk, {label}: equal to {error:.0e}"


def _check_second_order() -> None:
    """δℓ for ψ of three heads that sum to zero; ℓ = |A − e_1|²/2."""
    s = sp.Symbol("s", real=True)
    psi = [sp.symbols(f"psi{l}_1:3", real=True) for l in range(TOKENS)]
    heads = [[row[0] for row in psi], [row[1] for row in psi], [-row[0] - row[1] for row in psi]]
    p = softmax(list(chi))
    marked = [1, 0, 0]
    a = [e - weight for e, weight in zip(marked, p, strict=True)]
    moved = [[x + s * d for x, d in zip(chi, head, strict=True)] for head in heads]
    per_head = [softmax(scores) for scores in moved]
    scores = [sum(sp.exp(row[l]) for row in moved) for l in range(TOKENS)]
    pooled = [score / sum(scores) for score in scores]
    mean = [sum(head[l] for head in per_head) / 3 for l in range(TOKENS)]
    # At random rational scores and differences: exact, and as good as for all of them.
    rng = np.random.default_rng(1)
    symbols = [*chi, *(each for row in psi for each in row)]
    point = {each: sp.Rational(int(rng.integers(-9, 10)), 7) for each in symbols}
    for weights, order in ((mean, 2), (pooled, 1)):
        second = 0
        for head in heads:
            for l in range(TOKENS):
                for j in range(TOKENS):
                    if order == 1 and l != j:
                        continue
                    slope = [
                        sp.diff(w, chi[l], chi[j]) if order == 2 else sp.diff(w, chi[l]) for w in p
                    ]
                    along = sum(x * y for x, y in zip(a, slope, strict=True))
                    second -= head[l] * head[j] * along / 3
        loss = sum((w - e) ** 2 for w, e in zip(weights, marked, strict=True)) / 2
        assert abs(sp.N(sp.diff(loss, s).subs(s, 0).subs(point), 30)) < 1e-25
        difference = sp.diff(loss, s, 2).subs(s, 0) - second
        assert abs(sp.N(difference.subs(point), 30)) < 1e-25


def _check_average() -> None:
    omega, theta = sp.symbols("w1:4", real=True), sp.Symbol("theta", real=True)
    size, variance = sp.symbols("dm V", real=True)
    psi = [size * (omega[l] + (theta if l == 0 else 0)) for l in range(TOKENS)]
    covariance = sp.diag(1, 1, 1, variance)
    for l in range(TOKENS):
        for j in range(TOKENS):
            # Second moments: any law of θ_f with this variance gives them.
            found = isserlis(psi[l] * psi[j], (*omega, theta), covariance)
            expected = int(l == j) * size**2 * (1 + (variance if l == 0 else 0))
            assert sp.expand(found - expected) == 0


def _check_expectations() -> None:
    # Free symbols in the place of e^χ, in which weights are rational.
    y = sp.symbols("y1:4", positive=True)
    rational = {sp.exp(x): each for x, each in zip(chi, y, strict=True)}
    p = softmax(list(chi))
    a = [(1 if l == 0 else 0) - p[l] for l in range(TOKENS)]
    norm, square = sum(x**2 for x in a), sum(w**2 for w in p)

    def along(order: int, l: int) -> sp.Expr:
        return sum(x * sp.diff(w, chi[l], order) for x, w in zip(a, p, strict=True))

    correction = 2 * sum(a[j] * p[j] * (square - p[j]) for j in range(TOKENS))
    for found, expected in (
        (along(2, 0), p[0] * (1 - 2 * p[0]) * norm),
        (along(1, 0), p[0] * norm),
        (sum(along(2, l) for l in range(TOKENS)), correction),
        (sum(along(1, l) for l in range(TOKENS)), sp.Integer(0)),
    ):
        assert sp.simplify((found - expected).subs(rational)) == 0


def _check_nishimori() -> None:
    """Average over ε with the posterior p itself."""
    for count in (2, 3, 4):
        y = sp.symbols(f"y1:{count + 1}", positive=True)
        p = [each / sum(y) for each in y]
        square = sum(w**2 for w in p)
        correction, growth = sp.Integer(0), sp.Integer(0)
        for marked in range(count):
            a = [(1 if l == marked else 0) - p[l] for l in range(count)]
            inner = sum(a[j] * p[j] * (square - p[j]) for j in range(count))
            correction += p[marked] * inner
            growth += p[marked] ** 2 * (1 - 2 * p[marked]) * sum(x**2 for x in a)
        assert sp.simplify(correction) == 0
        assert (sp.simplify(growth) == 0) == (count == 2)


def _rate_errors() -> Iterator[tuple[str, float]]:
    """Two heads, mean 2 along feature 1, ± amplitude along feature 2."""
    for pooled, name in ((False, "softmax"), (True, "bayes_softmax")):
        for overlap, where in ((2.0, "at m = E θ"), (1.2, "at m = 0.6 E θ")):
            errors = []
            for amplitude in (0.6, 1.8):
                kappa, rest = _constants(overlap, pooled)
                direct = _rate_from_risk(overlap, amplitude, pooled)
                errors.append(abs(direct - kappa * amplitude**2 - rest))
                # The correction is there, or not, as stated.
                assert (abs(rest) < 1e-5) == (pooled or overlap == 2.0)
            assert max(errors) < 2e-7
            yield f"{name} {where}", max(errors)


def _nodes(overlap: float, order: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, 3) of identical heads with M = overlap and R = 0 under θ_1 = 2; weights (n,)."""
    x, w = np.polynomial.hermite_e.hermegauss(order)
    fields = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1).reshape(-1, 3)
    weights = np.einsum("i,j,k->ijk", w, w, w).ravel() / w.sum() ** 3
    return overlap * (fields + np.array([2.0, 0.0, 0.0])), weights


def _weights_of(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _constants(overlap: float, pooled: bool, heads: int = 2) -> tuple[float, float]:
    """κ and λ_0 by their formulas."""
    scores, weights = _nodes(overlap)
    p = _weights_of(scores)
    a = np.array([1.0, 0.0, 0.0]) - p
    norm = (a**2).sum(axis=1)
    if pooled:
        return float(weights @ (p[:, 0] * norm)) / heads, 0.0
    square = (p**2).sum(axis=1, keepdims=True)
    rest = 2 * (a * p * (square - p)).sum(axis=1)
    growth = p[:, 0] * (1 - 2 * p[:, 0]) * norm
    return float(weights @ growth) / heads, float(weights @ rest) / heads


def _rate_from_risk(overlap: float, amplitude: float, pooled: bool) -> float:
    """−E''/2 along M_12 = −M_22, from the Brier score of the weights of two heads."""
    scores, weights = _nodes(overlap)
    # To fourth order in the step the risk is of degree 4 in the fields along feature 2.
    x, w = np.polynomial.hermite_e.hermegauss(3)
    w = w / w.sum()

    def risk(step: float) -> float:
        total = 0.0
        for index in np.ndindex(3, 3, 3):
            # The other sign of θ_2 is the same with the heads exchanged and the noise reflected.
            field = x[list(index)] + np.array([amplitude, 0.0, 0.0])
            one, two = scores + step * field, scores - step * field
            if pooled:
                top = np.maximum(one, two).max(axis=1, keepdims=True)
                rates = np.exp(one - top) + np.exp(two - top)
                attention = rates / rates.sum(axis=1, keepdims=True)
            else:
                attention = 0.5 * (_weights_of(one) + _weights_of(two))
            brier = 0.5 * ((attention - np.array([1.0, 0.0, 0.0])) ** 2).sum(axis=1)
            total += float(w[list(index)].prod()) * float(weights @ brier)
        return total

    def second(step: float) -> float:
        return 2 * (risk(step) - risk(0.0)) / step**2

    # Richardson: the risk is even in the step.
    step = 0.02
    return -0.5 * (4 * second(step / 2) - second(step)) / 3


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
