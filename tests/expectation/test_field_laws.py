"""Laws of a token's fields, and the way back to G and C, against sums written with indices."""

from __future__ import annotations

import numpy as np
import pytest

from headode.expectation.field_laws import field_laws, overlap_gradients

H, F, S = 4, 3, 5


def problem(*, discrete):
    rng = np.random.default_rng(0)
    spreads = rng.normal(size=(S, F, F))
    covariances = spreads @ spreads.swapaxes(1, 2)
    covariances[:2] = 0.0  # some components of a mixture are points
    if discrete:
        covariances[:] = 0.0
    factor = rng.normal(size=(H, H))
    overlaps = rng.normal(size=(H, F)), factor @ factor.T, rng.normal(size=H)
    return rng, *overlaps, rng.normal(size=(S, F)), covariances


@pytest.mark.parametrize("discrete", [True, False])
def test_field_laws_are_those_of_the_model(discrete):
    _, M, R, offsets, means, covariances = problem(discrete=discrete)
    mean, covariance = field_laws(M, R, offsets, means, covariances)
    np.testing.assert_allclose(mean[0], -offsets, rtol=0, atol=0)
    np.testing.assert_allclose(mean[1:], means @ M.T - offsets, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(covariance[0], M @ M.T + R, rtol=1e-13, atol=1e-14)
    carried = np.einsum("hf,sfg,kg->shk", M, covariances, M)
    np.testing.assert_allclose(covariance[1:], covariance[0] + carried, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("discrete", [True, False])
def test_overlap_gradients_are_the_chain_rule(discrete):
    """dE = Σ first·d(mean) + ½ Σ second·d(covariance), with G = ∂E/∂M and C = 2 ∂E/∂Q."""
    rng, M, R, offsets, means, covariances = problem(discrete=discrete)
    probabilities = rng.dirichlet(np.ones(S))
    first, second = rng.normal(size=(S + 1, H)), rng.normal(size=(S + 1, H, H))
    second += second.swapaxes(1, 2)
    weights = np.append(1.0, probabilities)

    def moved(dM, dQ, db):
        """What a linear function of the laws changes by, Q and M taken as independent."""
        step = 1e-6
        laws = []
        for sign in (1, -1):
            near = M + sign * step * dM
            # R is what makes Q move as asked.
            residual = M @ M.T + R + sign * step * dQ - near @ near.T
            laws.append(field_laws(near, residual, offsets + sign * step * db, means, covariances))
        mean, covariance = ((one - two) / (2 * step) for one, two in zip(*laws, strict=True))
        change = np.einsum("s,sh,sh->", weights, first, mean)
        return change + 0.5 * np.einsum("s,shk,shk->", weights, second, covariance)

    G, C, offset_gradient = overlap_gradients(first, second, M, probabilities, means, covariances)
    for _ in range(5):
        dM, dQ, db = rng.normal(size=(H, F)), rng.normal(size=(H, H)), rng.normal(size=H)
        dQ += dQ.T
        expected = (G * dM).sum() + 0.5 * (C * dQ).sum() + (offset_gradient * db).sum()
        # Central differences of a quadratic are exact but for roundoff, 1e-16 × 100 / 1e-6.
        assert moved(dM, dQ, db) == pytest.approx(expected, abs=1e-7)


def test_heads_that_are_alike_have_equal_bits_in_any_order():
    _, M, R, offsets, means, covariances = problem(discrete=False)
    order = np.array([2, 0, 3, 1])
    mean, covariance = field_laws(M, R, offsets, means, covariances)
    given = M[order].copy(), R[np.ix_(order, order)].copy(), offsets[order].copy()
    other_mean, other_covariance = field_laws(*given, means, covariances)
    assert np.array_equal(other_mean, mean[:, order])
    # factor @ factor.T is symmetric to the last bit, and so is what is made of it.
    assert np.array_equal(other_covariance, covariance[:, order][:, :, order])
