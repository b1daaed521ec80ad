"""Hand-written attention weights and their vector-Jacobian product."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sgd_numpy import STEP, attention

from headode.activation import BUILTIN, Activation
from headode.errors import SmoothnessWarning
from headode.simulation.attention import attend, attention_rule, pull_back

PREFACTOR = 0.4


def weights_and_pull(activation, chi, offset, z):
    """A (L,) and Σ_j z_j ∂A_j/∂χ_lh (L, H)."""
    rule = attention_rule(activation, chi.shape[1], PREFACTOR)
    share, slope, pulled = (np.empty_like(chi) for _ in range(3))
    weights = np.empty(len(chi))
    attend(rule, chi, offset, share, slope, weights)
    pull_back(rule, share, slope, z, pulled)
    return weights, pulled


def weights_of(name, chi, offset=None):
    activation = BUILTIN[name] if isinstance(name, str) else name
    offset = np.zeros(chi.shape[1]) if offset is None else offset
    return weights_and_pull(activation, chi, offset, np.ones(len(chi)))[0]


shapes = st.tuples(st.integers(1, 5), st.integers(1, 4))
names = st.sampled_from(sorted(BUILTIN))


@st.composite
def problems(draw, largest=8.0):
    shape = draw(shapes)
    numbers = st.floats(-largest, largest)
    return (
        draw(hnp.arrays(float, shape, elements=numbers)),
        draw(hnp.arrays(float, shape[1], elements=st.floats(-2, 2))),
        draw(hnp.arrays(float, shape[0], elements=st.floats(-3, 3))),
    )


@settings(deadline=None)
@given(name=names, problem=problems())
def test_weights_are_those_of_the_table(name, problem):
    chi, offset, z = problem
    weights, _ = weights_and_pull(BUILTIN[name], chi, offset, z)
    # The twin's log(1 + e^x) loses digits of weights near e^-10, hence an absolute tolerance.
    np.testing.assert_allclose(
        weights, attention(name, chi, offset, PREFACTOR), rtol=1e-11, atol=1e-11
    )


@settings(deadline=None)
@given(name=names, problem=problems())
def test_pull_back_is_the_derivative_of_the_weights(name, problem):
    chi, offset, z = problem
    _, pulled = weights_and_pull(BUILTIN[name], chi, offset, z)
    expected = np.empty_like(chi)
    for index in np.ndindex(chi.shape):
        moved = chi.astype(complex)
        moved[index] += 1j * STEP
        expected[index] = (attention(name, moved, offset, PREFACTOR) @ z).imag / STEP
    # The twin's log(1 + e^x) is rounded at 1e-16, relative to scores of order e^-10.
    np.testing.assert_allclose(pulled, expected, rtol=1e-9, atol=1e-9)


@settings(deadline=None)
@given(name=names, problem=problems(largest=800.0))
def test_scores_of_several_hundred_stay_finite(name, problem):
    chi, offset, z = problem
    weights, pulled = weights_and_pull(BUILTIN[name], chi, offset, z)
    assert np.isfinite(weights).all()
    assert np.isfinite(pulled).all()
    if name in ("softmax", "bayes_softmax", "softplus"):
        np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-12)


@given(problem=problems(largest=5.0))
@settings(deadline=None)
def test_softplus_of_very_negative_scores_is_the_exponential(problem):
    chi, _, z = problem
    zero = np.zeros(chi.shape[1])
    for shift in (-60.0, -400.0, -800.0):
        plus = weights_and_pull(BUILTIN["softplus"], chi + shift, zero, z)
        soft = weights_and_pull(BUILTIN["softmax"], chi, zero, z)
        for a, b in zip(plus, soft, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)  # roundoff of χ − 800


@pytest.mark.parametrize("shift", [-700.0, 700.0])
def test_softmax1_far_from_its_null_token(shift):
    chi = np.array([[0.3, 1.0], [-0.5, 0.2]])
    weights = weights_of("softmax1", chi + shift)
    np.testing.assert_allclose(
        weights, 0.0 if shift < 0 else 2 * weights_of("softmax", chi), rtol=1e-12, atol=1e-12
    )


x = sympy.Symbol("x", real=True)


@pytest.mark.parametrize(
    ("registered", "builtin"),
    [
        (Activation("my_exp", sympy.exp(x), "per_head", average=True), "softmax"),
        (Activation("my_exp1", sympy.exp(x), "per_head", null=1.0), "softmax1"),
        (Activation("my_pooled", sympy.exp(x), "pooled"), "bayes_softmax"),
        (Activation("my_plus", sympy.log(1 + sympy.exp(x)), "per_head", average=True), "softplus"),
        (Activation("my_line", 1 + x, "none"), "linear"),
        (Activation("my_erf", 1 + sympy.erf(x), "none"), "erf"),
    ],
)
def test_a_sympy_score_gives_the_builtin_activation(registered, builtin):
    rng = np.random.default_rng(0)
    chi, offset, z = rng.standard_normal((4, 3)), rng.standard_normal(3), rng.standard_normal(4)
    ours = weights_and_pull(registered, chi, offset, z)
    theirs = weights_and_pull(BUILTIN[builtin], chi, offset, z)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_a_pooled_score_with_a_null_token():
    activation = Activation("pooled1", "exp", "pooled", null=2.5)
    chi = np.random.default_rng(1).standard_normal((3, 2))
    w = np.exp(chi)
    np.testing.assert_allclose(weights_of(activation, chi), w.sum(axis=1) / (2.5 + w.sum()))


def test_a_score_with_cases():
    with pytest.warns(SmoothnessWarning):
        activation = Activation("half_cubic", sympy.Max(x, 0) ** 3 + 0.1, "pooled")
    chi = np.array([[-1.0, 0.5], [0.0, 2.0]])
    w = np.maximum(chi, 0.0) ** 3 + 0.1
    np.testing.assert_allclose(weights_of(activation, chi), w.sum(axis=1) / w.sum())
