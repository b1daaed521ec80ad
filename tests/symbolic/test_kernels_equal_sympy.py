"""The emitted kernels against SymPy's own derivatives of the loss."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from explicit_integrands import ExplicitIntegrands

from headode.activation import BUILTIN, Activation
from headode.kernels.load import load_kernel

t = sp.Symbol("t")
REGISTERED = {
    activation.name: activation
    for activation in (
        Activation("sigmoid_null", 1 / (1 + sp.exp(-t)), "per_head", null=0.5),
        Activation("pooled_quadratic", 1 + t**2, "pooled", null=2.0),
        Activation("pooled_softplus", "softplus", "pooled"),
        Activation("gated", sp.tanh(t) + t**3 / 3, "none"),
    )
}
ALL = BUILTIN | REGISTERED
LANES = 8


def kernel_sums(activation, scores, marked, m_v, q_v, unit, prefactor):
    """Kernel sums for given unmarked scores (n, L−1, H) and marked scores (n, H)."""
    count, others, heads = scores.shape
    nodes = np.zeros((count // LANES, others + 1, heads, LANES))
    nodes[:, 0] = marked.reshape(-1, LANES, heads).transpose(0, 2, 1)
    nodes[:, 1:] = scores.reshape(len(nodes), LANES, others, heads).transpose(0, 2, 3, 1)
    sums = np.zeros(3 + heads + heads**2 + heads**2 + heads + heads**2)
    identity = np.eye(heads)
    load_kernel(activation)(
        nodes,
        identity,
        np.zeros(heads),
        identity[None],
        np.zeros((1, heads)),
        np.ones(1),
        m_v,
        q_v,
        unit,
        prefactor,
        True,
        sums,
    )
    return symmetrized(sums, heads)


def symmetrized(sums, heads):
    """Fill in the upper triangles, which the kernels leave out."""
    sums = sums.copy()
    for start in (3 + heads, 3 + heads + heads**2, 3 + 2 * heads + 2 * heads**2):
        block = sums[start : start + heads**2].reshape(heads, heads)
        block += np.tril(block, -1).T
    return sums


@pytest.mark.parametrize(("tokens", "heads"), [(3, 2), (2, 3), (1, 2)])
@pytest.mark.parametrize("name", ALL)
def test_kernel_equals_sympy(name, tokens, heads):
    rng = np.random.default_rng([tokens, heads])
    activation = ALL[name]
    scores = 1.5 * rng.standard_normal((LANES, tokens - 1, heads))
    marked = 1.5 * rng.standard_normal((LANES, heads))
    numbers = (0.7, 0.9, 1.3, 0.8 if activation.takes_prefactor else 1.0)
    explicit = ExplicitIntegrands(activation, tokens, heads)
    rows = [
        explicit(np.vstack([own[None], others]), *numbers)
        for own, others in zip(marked, scores, strict=True)
    ]
    expected = np.sum(rows, axis=0)
    result = kernel_sums(activation, scores, marked, *numbers)
    # Sums of eight integrands: 1e-12 relative to the sum of their sizes.
    assert np.all(np.abs(result - expected) <= 1e-12 * (1 + np.sum(np.abs(rows), axis=0)))


@pytest.mark.parametrize("name", [n for n in ALL if ALL[n].normalization != "none"])
def test_kernel_is_stable_for_scores_of_several_hundred(name):
    rng = np.random.default_rng(5)
    activation = ALL[name]
    tokens, heads = 3, 2
    scores = 300.0 * rng.standard_normal((LANES, tokens - 1, heads))
    marked = 300.0 * rng.standard_normal((LANES, heads))
    scores[0] = -700.0  # nothing but the null token keeps any weight
    marked[0] = -690.0
    scores[1] = marked[1] = 650.0
    explicit = ExplicitIntegrands(activation, tokens, heads)
    rows = [
        explicit(np.vstack([own[None], others]), 0.7, 0.9, 1.3, 1.0)
        for own, others in zip(marked, scores, strict=True)
    ]
    result = kernel_sums(activation, scores, marked, 0.7, 0.9, 1.3, 1.0)
    # exp(χ) inherits χ's own roundoff, 300·2⁻⁵³ ≈ 3e-14, times a few.
    assert np.all(np.abs(result - np.sum(rows, axis=0)) <= 1e-11 * (1 + np.abs(rows).sum(axis=0)))


def test_components_and_roots_enter_the_fields():
    """The fields are root·z − b and, for the marked token, root_s·z + mean_s, weighted by p_s."""
    rng = np.random.default_rng(0)
    heads, tokens, components = 2, 3, 3
    nodes = rng.standard_normal((2, tokens, heads, LANES))
    root, roots = rng.standard_normal((heads, heads)), rng.standard_normal((components, 2, 2))
    shift, means = rng.standard_normal(heads), rng.standard_normal((components, heads))
    probabilities = np.array([0.2, 0.3, 0.5])
    activation = BUILTIN["softmax"]
    size = 3 + components * (heads + heads**2) + 2 * heads**2 + heads
    sums = np.zeros(size)
    load_kernel(activation)(
        nodes, root, shift, roots, means, probabilities, 1.0, 1.0, 1.0, 1.0, True, sums
    )
    flat = nodes.transpose(0, 3, 1, 2).reshape(-1, tokens, heads)
    others = flat[:, 1:] @ root.T + shift
    averaged = np.zeros(3 + 2 * heads + 3 * heads**2)
    conditional = []
    for p, own_root, mean in zip(probabilities, roots, means, strict=True):
        one = kernel_sums(activation, others, flat[:, 0] @ own_root.T + mean, 1.0, 1.0, 1.0, 1.0)
        averaged += p * one
        conditional.append(one)
    marked = np.array([one[3 : 3 + heads] for one in conditional])
    at = 3 + components * heads
    curved = np.array([one[3 + heads : 3 + heads + heads**2] for one in conditional])
    np.testing.assert_allclose(sums[3:at].reshape(components, heads), marked, rtol=1e-12)
    lower = np.tril(np.ones((heads, heads))).ravel() > 0
    block = sums[at : at + components * heads**2].reshape(components, -1)
    np.testing.assert_allclose(block[:, lower], curved[:, lower], rtol=1e-12)
    np.testing.assert_allclose(sums[:3], averaged[:3], rtol=1e-12)
    tail = at + components * heads**2
    rest = symmetrized(np.concatenate([np.zeros(3 + heads + heads**2), sums[tail:]]), heads)
    np.testing.assert_allclose(
        rest[3 + heads + heads**2 :], averaged[3 + heads + heads**2 :], rtol=1e-12, atol=1e-14
    )
