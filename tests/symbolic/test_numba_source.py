"""What is emitted: the inlined functions, and the modules as a whole."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy as sp
from numba import vectorize

from headode.activation import BUILTIN, Activation
from headode.errors import ArgumentError
from headode.kernels.generated import softplus
from headode.symbolic.numba_source import kernel_source

exponential = vectorize(["float64(float64)"])(lambda s: softplus._exp(s))
logarithm = vectorize(["float64(float64)"])(lambda s: softplus._log(s))
logarithm_1p = vectorize(["float64(float64)"])(lambda s: softplus._log1p(s))
ULP = np.finfo(float).eps


def test_inlined_exponential_is_accurate_to_an_ulp():
    s = np.concatenate([np.linspace(-708, 709, 200_001), np.linspace(-1, 1, 200_001)])
    assert np.abs(exponential(s) / np.exp(s) - 1).max() <= 2 * ULP


def test_inlined_exponential_is_clamped():
    s = np.array([-np.inf, -1e300, -709.0, 710.0, 1e300])
    assert np.all(exponential(s[:3]) < 1e-307)
    assert np.all(exponential(s[:3]) > 0)
    assert np.all(np.isfinite(exponential(s[3:])))


def test_inlined_logarithms_are_accurate_to_a_few_ulp():
    s = np.exp(np.linspace(-700, 700, 200_001))
    error = np.abs(logarithm(s) - np.log(s))
    assert np.all(error <= 4 * ULP * np.abs(np.log(s)) + 1e-300)
    near_one = 1 + np.linspace(-1e-3, 1e-3, 20_001)
    error = np.abs(logarithm(near_one) - np.log(near_one))
    assert np.all(error <= 4 * ULP * np.abs(np.log(near_one)))
    small = np.exp(np.linspace(-80, 40, 200_001))
    assert np.abs(logarithm_1p(small) / np.log1p(small) - 1).max() <= 4 * ULP


@pytest.mark.parametrize("name", BUILTIN)
def test_source_stands_alone(name):
    """But for the cache of machine code, which is no part of what is computed."""
    source = kernel_source(BUILTIN[name])
    known = ("Generated from headode.symbolic", "from headode._kernel_cache import cached")
    rest = source.replace(known[0], "").replace(known[1], "")
    assert "headode" not in rest
    assert "@" not in rest.replace("@njit", "").replace("@intrinsic", "").replace("@cached", "")
    assert "#if" not in source
    compile(source, name, "exec")


def test_emission_is_deterministic():
    assert kernel_source(BUILTIN["softplus"]) == kernel_source(BUILTIN["softplus"])


def test_scores_of_normalized_activations_must_be_positive():
    with pytest.raises(ArgumentError, match="positive score"):
        kernel_source(Activation("bad", "affine", "per_head"))


def test_different_scores_give_different_sources():
    s = sp.Symbol("s")
    first, second = (kernel_source(Activation("mine", 1 + n * s**2, "pooled")) for n in (1, 2))
    assert first != second


def exact_softplus(x: float) -> tuple[float, float, float]:
    """log w, w'/w and w''/w of w = log(1 + eˣ), in 200 digits."""
    with mpmath.workdps(200):
        e = mpmath.exp(x)
        w, share = mpmath.log1p(e), e / (1 + e)
        return float(mpmath.log(w)), float(share / w), float(share / (1 + e) / w)


def test_softplus_is_accurate_on_both_sides_of_its_branches():
    fields = np.array([-690, -300, -18.1, -18, -17.9, -3, 0, 2, 35.9, 36, 36.1, 300, 690.0])
    y, shares = np.empty((1, 1, fields.size)), np.empty((1, 1, 2, 1, fields.size))
    zero = np.zeros(1), np.zeros(1), np.zeros((1, 1))
    softplus.token_law(fields[None], *zero, 0, fields.size, y, shares)
    exact = np.array([exact_softplus(x) for x in fields]).T
    np.testing.assert_allclose(y[0, 0], exact[0], rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(shares[0, 0, 0, 0], exact[1], rtol=1e-14)
    np.testing.assert_allclose(shares[0, 0, 1, 0], exact[2], rtol=1e-13, atol=1e-16)


def test_a_library_function_does_not_keep_its_derivatives_in_a_scalar_loop():
    t = sp.Symbol("t")
    with_calls = kernel_source(Activation("mine", 2 + sp.erf(t), "per_head"))
    without = kernel_source(Activation("mine", 2 + t**2, "per_head"))
    assert "In a loop of its own" not in without
    # Of log(2 + erf) every ratio has the library's function in it, of 1 + erf none.
    assert "In a loop of its own" not in with_calls
    assert "In a loop of its own" in kernel_source(BUILTIN["erf"])
