"""Score functions that are not like an exponential: right values, honest errors, and warnings."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import sympy as sp
from campaign_bounds import BUILTIN, Rows, activations, judge, random_cases
from score_reference import entries, reference, x

import headode as ho
from headode.errors import SmoothnessWarning
from headode.expectation.sharpness import relative_derivatives
from headode.kernels.load import load_token_law

tenth = sp.Rational(1, 10)


def small_model(score, normalization, **options):
    activation = ho.Activation("tried", score, normalization, **options)
    return ho.Model(2, 1, ho.Signal.sign_flips([1, 0], [0, 0.5]), activation, offset="zero")


def state_of_size(s):
    return ho.OrderParameters(np.array([[0.8 * s, 0.0]]), np.array([[0.36 * s**2]]))


@pytest.mark.parametrize(
    ("size", "expected"), [(0.1, 1.04546), (0.3, 0.92940), (1.0, 0.1371), (3.0, 0.01465)]
)
def test_a_pooled_score_with_a_minimum(size, expected):
    """Values by 2^20 Sobol nodes, to 5e-6 and to the digits given."""
    model = small_model(x**2 + tenth, "pooled")
    terms = ho.expected_update(model, state_of_size(size), tolerance=1e-6)
    assert terms.C[0, 0] == pytest.approx(expected, abs=6e-5)
    assert terms.error <= 1e-6
    exact, _ = reference(model, state_of_size(size))
    assert np.abs(entries(terms) - exact).max() < terms.error + 1e-11


@pytest.mark.parametrize("size", [0.1, 1.0, 3.0])
@pytest.mark.parametrize(
    ("score", "normalization"),
    [
        (x**4 + tenth, "pooled"),
        (x**4 + tenth, "per_head"),
        (4 / (1 + sp.exp(-3 * x)) + tenth, "pooled"),
        (sp.exp(x**2 / 8), "pooled"),
        (2 + sp.cos(3 * x), "per_head"),
        # w'/w and w''/w are constants, and not 1.
        (sp.exp(x / 2), "pooled"),
        (sp.exp(x / 2), "per_head"),
    ],
    ids=str,
)
def test_the_reported_error_is_above_the_true_one(score, normalization, size):
    model = small_model(score, normalization)
    terms = ho.expected_update(model, state_of_size(size), tolerance=1e-6)
    exact, _ = reference(model, state_of_size(size))
    assert np.abs(entries(terms) - exact).max() < terms.error + 1e-11
    assert terms.error <= 1e-6


def test_a_campaign_of_random_cases():
    """The first cases of the campaign, of every kind of score and for all methods.

    Sampled errors are 95 % confidence intervals: 6 violations in 40 cases have p > 0.01.
    """
    known = activations()
    # A kernel takes seconds to compile, so one score of each kind.
    chosen = {name: known[name] for name in known if name in BUILTIN or name.endswith("1_pooled")}
    rows: Rows = {}
    for case in itertools.islice(random_cases(1, chosen), 40):
        exact, error = reference(case.model, case.state, noise=case.noise)
        normalized = case.model.activation.normalization != "none"
        for method in ("auto", "quasi_monte_carlo", *(["factorized"] if normalized else [])):
            judge(rows, case, method, exact, error)
    assert sum(row.cases for (asked, *_), row in rows.items() if asked == "auto") == 40
    assert all(row.silent == 0 for row in rows.values())
    for sampled, allowed in ((False, 0), (True, 6)):
        computed = [row for (_, by, _), row in rows.items() if ("quasi" in by) == sampled]
        assert sum(row.cases for row in computed) > 30
        assert sum(row.violations for row in computed) <= allowed


@pytest.mark.parametrize("method", ["factorized", "quasi_monte_carlo", "auto"])
def test_an_error_above_the_tolerance_is_said(method):
    """Whatever the method: an impossible tolerance, at a state that is not at all easy."""
    model = small_model(x**2 + tenth, "pooled")
    with pytest.warns(ho.ToleranceWarning, match="tolerance is 1.0e-15"):
        terms = ho.expected_update(model, state_of_size(1.0), method=method, tolerance=1e-15)
    assert terms.error > 1e-15


@pytest.mark.parametrize("score", [sp.Max(x, 0) ** 2 + tenth, sp.Abs(x) ** 3 + tenth], ids=str)
def test_scores_that_are_not_smooth(score):
    """Where the second derivative jumps no rule converges fast: that is said, and bounded."""
    with pytest.warns(SmoothnessWarning, match="jumps at 0"):
        activation = ho.Activation("tried", score, "pooled", null=0.5)
    signal = ho.Signal.sign_flips([1, 0], [0, 0.5])
    model = ho.Model(1, 1, signal, activation, offset="zero")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        terms = ho.expected_update(model, state_of_size(1.0), tolerance=1e-5)
    assert (terms.error > 1e-5) == any(each.category is ho.ToleranceWarning for each in said)
    # The grid of the reference is off by its step, 5e-6, times the jump, 20, at most.
    exact, _ = reference(model, state_of_size(1.0), points=4_000_000)
    assert np.abs(entries(terms) - exact).max() < terms.error + 1e-4
    assert terms.error < 1e-3


def test_relative_derivatives_of_a_kernel():
    activation = ho.Activation("tried", sp.cosh(2 * x), "pooled")
    fields = np.linspace(-3, 3, 64)
    value, first, second = relative_derivatives(load_token_law(activation), fields)
    np.testing.assert_allclose(value, np.log(np.cosh(2 * fields)), atol=1e-13)
    np.testing.assert_allclose(first, 2 * np.tanh(2 * fields), atol=1e-13)
    np.testing.assert_allclose(second, 4.0, rtol=1e-13)
