"""The log-rate's law: common mode, lattice and clock functions, each against direct sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headode.activation import get_activation
from headode.expectation.clock_functions import Lattice, averaged_functions, clock_functions
from headode.expectation.common_mode import TokenRule
from headode.expectation.gaussian_rule import GaussianRule
from headode.expectation.log_rates import LogRates
from headode.kernels.load import load_token_law
from headode.kernels.token_rule import Precision, line_size

LIMIT = 1 << 20
BAYES = load_token_law(get_activation("bayes_softmax"))


def direct(function, covariance, mean):
    """E function(log Σ_h e^{u_h + mean_h}) by a tensor rule of all directions, to about 1e-11."""
    values, vectors = np.linalg.eigh(covariance)
    deviations = np.sqrt(np.maximum(values, 0.0))
    rule = GaussianRule.tensor(deviations, vectors, deviations, 1e-11, LIMIT)
    y = np.log(np.exp(rule.nodes + mean[:, None]).sum(axis=0))
    return function(y) @ rule.weights


def by_lattice(covariance, mean, tolerance, x, *, shifts=True):
    """E (1 − g), E a g and E a² g at a logarithmic time x on the lattice, by the common mode."""
    lattice = Lattice.of(tolerance)
    rule = TokenRule.cheapest(covariance, Precision(0.1 * tolerance), LIMIT, shifts=shifts)
    laws = LogRates.of(BAYES, mean[None], [(rule, np.array([0]))], lattice, shifts=True)
    start = round(x / lattice.step)
    functions = averaged_functions(
        lattice, rule.deviation, rule.zeta, tolerance, start + laws.first, laws.size
    )
    return rule, start * lattice.step, np.einsum("ckb,cb->k", functions[:, :3], laws.mass[0][0])


COVARIANCES = {
    "one strong common direction": np.full((3, 3), 4.0) + np.diag([0.5, 0.1, 1.0]),
    "identical heads": np.full((3, 3), 2.0),
    "common direction nearly spanned": np.outer([2.0, 2.05, 1.96], [2.0, 2.05, 1.96])
    + 1e-6 * np.eye(3),
    "heads that avoid the common mode": np.array([[1.0, -1.0, 0], [-1.0, 1.0, 0], [0, 0, 1e-4]]),
    "a silent head": np.diag([3.0, 1.0, 0.0]),
    "nothing": np.zeros((3, 3)),
}


@pytest.mark.parametrize("name", COVARIANCES)
@pytest.mark.parametrize("tolerance", [1e-5, 1e-8])
def test_common_mode_changes_no_expectation(name, tolerance):
    covariance, mean = COVARIANCES[name], np.array([0.3, -1.0, 0.2])
    for x in (-6.0, -1.0, 1.5):
        rule, s, sums = by_lattice(covariance, mean, tolerance, x)
        for k, value in enumerate(sums):
            expected = direct(lambda y, k=k, s=s: _functions(s + y)[k], covariance, mean)
            # An expectation of a clock function is asked for to the tolerance.
            assert abs(value - expected) < tolerance
    if "common" in name and "avoid" not in name:
        assert rule.deviation > 1.0


@settings(deadline=None, max_examples=60)
@given(
    entries=st.lists(st.floats(-1.5, 1.5), min_size=6, max_size=6),
    tolerance=st.sampled_from([1e-3, 1e-5, 1e-7]),
)
# The strongest direction hardly moves the heads together: nothing of it is common.
@example(entries=[0.62, 0.0, -0.6, 0.05, 0.0, 0.0], tolerance=1e-5)
@example(entries=[1.0, 0.3, -1.02, 0.3, 0.01, 0.3], tolerance=1e-3)
def test_common_mode_changes_no_expectation_of_any_fields(entries, tolerance):
    factor = np.array(entries).reshape(3, 2)
    covariance, mean = factor @ factor.T, np.array([0.3, -1.0, 0.2])
    for x in (-3.0, 0.5):
        _, s, sums = by_lattice(covariance, mean, tolerance, x)
        _, _, plain = by_lattice(covariance, mean, tolerance, x, shifts=False)
        for k, value in enumerate(sums):
            expected = direct(lambda y, k=k, s=s: _functions(s + y)[k], covariance, mean)
            # The rules are made for a tenth of the tolerance; their formulas leave out factors of
            # up to fifty (measured in a thousand cases, also without a common mode). A part of the
            # fields that is wrongly taken for common is off by a hundredth or more.
            assert abs(value - expected) < 10 * tolerance + abs(plain[k] - expected)


def test_common_mode_takes_out_a_direction():
    covariance = COVARIANCES["one strong common direction"]
    split = TokenRule.cheapest(covariance, Precision(1e-8), LIMIT, shifts=True)
    whole = TokenRule.cheapest(covariance, Precision(1e-8), LIMIT, shifts=False)
    assert whole.deviation == 0.0
    # The largest possible α² is 1/(1ᵀ Q⁻¹ 1).
    assert split.deviation**2 == pytest.approx(1 / np.linalg.inv(covariance).sum(), rel=1e-12)
    assert split.fields.weights.size < whole.fields.weights.size / 5


def _functions(s):
    a = np.exp(s)
    return np.array([-np.expm1(-a), a * np.exp(-a), a**2 * np.exp(-a)])


@settings(deadline=None, max_examples=30)
@given(
    deviation=st.floats(0.0, 4.0),
    channels=st.integers(1, 5),
    tolerance=st.sampled_from([1e-4, 1e-7, 1e-10]),
)
def test_averaged_functions_are_gaussian_averages(deviation, channels, tolerance):
    """Against Gauss-Legendre on ±9 standard deviations, with Lagrange polynomials by solving."""
    lattice = Lattice.of(tolerance)
    zeta = np.polynomial.hermite_e.hermegauss(channels)[0]
    low, count = round(-12 / lattice.step), 40
    averaged = averaged_functions(lattice, deviation, zeta, tolerance, low, count)
    z, w = np.polynomial.legendre.leggauss(400)
    z, w = 9 * z, 9 * w * np.exp(-0.5 * (9 * z) ** 2) / np.sqrt(2 * np.pi)
    powers = np.vander(zeta, increasing=True)
    polynomials = np.linalg.solve(powers.T, np.vander(z, channels, increasing=True).T)
    s = lattice.step * (low + np.arange(count))
    expected = np.einsum("cz,z,skz->cks", polynomials, w, _five(s[:, None] + deviation * z))
    # The polynomials reach a few units where the functions do not vanish.
    assert np.abs(averaged - expected).max() < 30 * tolerance


def _five(s):
    a = np.exp(np.minimum(s, 6.0))
    g = np.exp(-a)
    return np.moveaxis(np.array([1 - g, a * g, a**2 * g, a**3 * g, a**4 * g]), 0, -2)


@pytest.mark.parametrize("tokens", [1, 100_000])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-5, 1e-8])
@pytest.mark.parametrize("deviation", [0.5, 1.0, 3.0, 6.0])
def test_averaged_functions_keep_the_digits_that_a_sequence_feels(deviation, tolerance, tokens):
    """The error is the tolerance times 1 − n, and what is beyond the reach another one over L."""
    lattice = Lattice.of(tolerance)
    low, count = round(-40 / lattice.step), round(45 / lattice.step)
    averaged = averaged_functions(
        lattice, deviation, np.zeros(1), tolerance, low, count, tokens=tokens
    )
    z, w = np.polynomial.legendre.leggauss(1000)
    z, w = 14 * z, 14 * w * np.exp(-0.5 * (14 * z) ** 2) / np.sqrt(2 * np.pi)
    s = lattice.step * (low + np.arange(count))
    exact = np.einsum("z,zks->ks", w, _five(s + deviation * z[:, None]))
    # The worst case, a small deviation at the loosest tolerance, has 3.05.
    assert (np.abs(averaged[0] - exact) / (exact[0] + 1.0 / tokens)).max() < 5.0 * tolerance


def test_lattice_keeps_the_digits_of_small_probabilities():
    """A sequence of L tokens feels a probability 1/L of having rung: relative errors count."""
    rng = np.random.default_rng(0)
    lattice = Lattice.of(1e-6)
    rule = TokenRule.cheapest(np.eye(2), Precision(1e-7), LIMIT, shifts=False)
    laws = LogRates.of(
        BAYES, rng.normal(size=(1, 2)), [(rule, np.array([0]))], lattice, shifts=False
    )
    low = round(-40 / lattice.step)
    functions = clock_functions(lattice, low + laws.first, laws.size)
    missed = laws.mass[0][0, 0] @ functions[0]
    y = laws.groups[0].y[0, 0]
    exact = -np.expm1(-np.exp(low * lattice.step + y)) @ rule.fields.weights
    assert missed == pytest.approx(exact, rel=1e-12)


def test_gradients_are_sums_over_the_nodes():
    rng = np.random.default_rng(1)
    lattice = Lattice.of(1e-9)
    covariance = np.array([[2.0, 0.7, 0.1], [0.7, 1.0, -0.4], [0.1, -0.4, 0.8]])
    rule = TokenRule.cheapest(covariance, Precision(1e-6), LIMIT, shifts=False)
    laws = LogRates.of(
        BAYES, rng.normal(size=(1, 3)), [(rule, np.array([0]))], lattice, shifts=False
    )
    points = (laws.first + np.arange(laws.size)) * lattice.step
    potential = np.array([[[np.sin(points), np.cos(points)]]])
    first, second = laws.gradients([potential])
    group, weights = laws.groups[0], rule.fields.weights
    y, (share, lowered) = group.y[0, 0], group.shares[0, 0]
    slope, bend = np.sin(y), np.cos(y)
    # Interpolating a sine with 16 points a tenth apart leaves less than roundoff.
    np.testing.assert_allclose(first[0], share @ (weights * slope), rtol=0, atol=1e-13)
    expected = np.einsum("hn,kn,n->hk", share, share, weights * (bend - slope))
    expected += np.diag(lowered @ (weights * slope))
    np.testing.assert_allclose(second[0], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("tokens", [1, 10_000])
def test_dropped_nodes_are_negligible_together_and_their_mirror_images_are_dropped(tokens):
    covariance, tolerance = np.diag([9.0, 4.0, 1.0]), 1e-3
    rule = TokenRule.cheapest(covariance, Precision(tolerance, tokens), LIMIT, shifts=False).fields
    weights = rule.weights[rule.weights > 0]
    whole = math.prod(line_size(reach, Precision(tolerance, tokens)) for reach in (1.0, 2.0, 3.0))
    negligible = 0.1 * tolerance / np.sqrt(tokens)
    assert weights.size < 0.7 * whole
    assert 0.1 * negligible < 1.0 - weights.sum() < negligible
    kept = {tuple(node) for node in rule.nodes[:, : weights.size].T.round(9) + 0.0}
    assert kept == {tuple(-np.array(node) + 0.0) for node in kept}
