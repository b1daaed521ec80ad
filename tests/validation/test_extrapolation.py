"""The statistics of the verdict: extrapolation in 1/d, pooled errors, Student's t."""

import numpy as np
import pytest
from scipy.stats import binom, t

from headode.validation.extrapolation import extrapolate

TIMES, ENTRIES = 10_000, 4


def synthetic(rng, runs=8, scale=1.0, noise=0.0):
    """Quantities with truth 0, bias ∝ 1/d and variance ∝ 1/d, at d = 4 and 1, plus noise."""
    shape = (TIMES, ENTRIES)
    fine = 0.25 + scale * rng.standard_normal((runs, *shape)) / 2
    coarse = 1.0 + rng.standard_normal((4 * runs, *shape))
    fine += noise * rng.standard_normal(fine.shape)
    coarse += noise * rng.standard_normal(coarse.shape)
    return fine, coarse


def rejections(level, estimate):
    critical = t.isf(level / 2, estimate.degrees_of_freedom)
    return int((np.abs(estimate.mean) > critical * estimate.standard_error).sum())


@pytest.mark.parametrize("runs", [2, 8])
@pytest.mark.parametrize("level", [0.2, 0.01, 1e-3])
def test_rejections_of_the_truth_are_as_many_as_the_level_says(level, runs):
    estimate = extrapolate(*synthetic(np.random.default_rng(runs), runs=runs), 4.0, 0.0, 0.0)
    # Exact but for the rare switch to Welch's formula: within 10 % and counting statistics.
    low, high = binom.ppf([1e-5, 1 - 1e-5], TIMES * ENTRIES, [0.9 * level, 1.05 * level])
    assert low <= rejections(level, estimate) <= high


@pytest.mark.parametrize("level", [0.2, 0.01, 1e-3])
@pytest.mark.parametrize(("scale", "noise"), [(1.0, 1.0), (3.0, 0.0), (0.2, 0.0)])
def test_other_laws_of_the_variance_make_no_false_alarms(scale, noise, level):
    """Measurement noise, and fluctuations that do not scale as d^(-1/2)."""
    estimate = extrapolate(
        *synthetic(np.random.default_rng(0), scale=scale, noise=noise), 4.0, noise**2, noise**2
    )
    assert rejections(level, estimate) <= binom.ppf(1 - 1e-5, TIMES * ENTRIES, 1.05 * level)


def test_scaling_compares_the_variances():
    for scale in (0.2, 1.0, 3.0):
        estimate = extrapolate(*synthetic(np.random.default_rng(0), scale=scale), 4.0, 0.0, 0.0)
        # Mean of F with 7 and 31 degrees of freedom is 31/29; its error over 40 000 is 0.4 %.
        assert estimate.scaling.mean() == pytest.approx(scale**2 * 31 / 29, rel=0.02)


def test_pooling_gives_three_runs_the_degrees_of_freedom_of_fifteen():
    estimate = extrapolate(*synthetic(np.random.default_rng(1), runs=3), 4.0, 0.0, 0.0)
    assert np.median(estimate.degrees_of_freedom) == 3 + 12 - 2


def test_quantities_without_scatter_have_no_error():
    fine, coarse = np.full((3, 5), 1.0), np.full((12, 5), 1.0)
    estimate = extrapolate(fine, coarse, 4.0, 0.0, 0.0)
    np.testing.assert_array_equal(estimate.mean, 1.0)
    np.testing.assert_array_equal(estimate.standard_error, 0.0)
    np.testing.assert_array_equal(estimate.scaling, 1.0)
