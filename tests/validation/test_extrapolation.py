"""The statistics of the verdict: extrapolation in 1/d, pooled errors, Student's t."""

import numpy as np
import pytest
from scipy.stats import binom, t

from headode.validation.extrapolation import Sample, extrapolate, richardson_weights

TIMES, ENTRIES = 10_000, 4
NOTHING = np.array(0.0)


def synthetic(rng, runs=8, scale=1.0, noise=0.0, ensembles=2):
    """Quantities with truth 0, bias and variance ∝ 1/d, at d = 16, 4 and 1, plus noise."""
    samples = []
    for ratio in (1, 4, 16)[:ensembles]:
        d = 16 / ratio
        factor = scale if ratio == 1 else 1.0
        shape = (ratio * runs, TIMES, ENTRIES)
        values = 1 / d + factor * rng.standard_normal(shape) / np.sqrt(d)
        if noise:
            values += noise * rng.standard_normal(shape)
        samples.append(Sample(values, int(d), np.array(noise**2)))
    return samples


def rejections(level, estimate):
    critical = t.isf(level / 2, estimate.degrees_of_freedom)
    return int((np.abs(estimate.mean) > critical * estimate.standard_error).sum())


@pytest.mark.parametrize(("runs", "ensembles"), [(2, 2), (8, 2), (2, 3)])
@pytest.mark.parametrize("level", [0.2, 0.01, 1e-3])
def test_rejections_of_the_truth_are_as_many_as_the_level_says(level, runs, ensembles):
    estimate = extrapolate(synthetic(np.random.default_rng(runs), runs, ensembles=ensembles))
    # Exact but for the switch to Welch's formula, which keeps what chance made large from being
    # pooled: it costs up to a fifth of the level.
    low, high = binom.ppf([1e-5, 1 - 1e-5], TIMES * ENTRIES, [0.8 * level, 1.05 * level])
    assert low <= rejections(level, estimate) <= high


@pytest.mark.parametrize("level", [0.2, 0.01, 1e-3])
@pytest.mark.parametrize(("scale", "noise"), [(1.0, 0.5), (3.0, 0.0), (0.2, 0.0)])
def test_other_laws_of_the_variance_make_no_false_alarms(scale, noise, level):
    """Measurement noise, and fluctuations that do not scale as d^(-1/2)."""
    estimate = extrapolate(synthetic(np.random.default_rng(0), scale=scale, noise=noise))
    assert rejections(level, estimate) <= binom.ppf(1 - 1e-5, TIMES * ENTRIES, 1.05 * level)


def test_pooling_gives_three_runs_the_degrees_of_freedom_of_fifteen():
    estimate = extrapolate(synthetic(np.random.default_rng(1), runs=3))
    assert np.median(estimate.degrees_of_freedom) == 3 + 12 - 2


@pytest.mark.parametrize("dimensions", [(400, 100), (1600, 400, 100), (1000, 250, 125)])
def test_as_many_powers_of_the_inverse_dimension_as_ensembles_cancel(dimensions):
    weights = richardson_weights(dimensions)
    inverse = dimensions[0] / np.array(dimensions)
    assert weights.sum() == pytest.approx(1, abs=1e-14)
    for power in range(1, len(dimensions)):
        assert weights @ inverse**power == pytest.approx(0, abs=1e-11)
    assert abs(weights @ inverse ** len(dimensions)) > 1


def test_the_third_ensemble_is_used_only_where_it_is_usable():
    samples = synthetic(np.random.default_rng(2), ensembles=3)
    usable = np.arange(TIMES) < 3
    mixed, two = extrapolate(samples, usable), extrapolate(samples[:2])
    three = extrapolate(samples)
    for parts in zip(mixed, three, two, strict=True):
        np.testing.assert_array_equal(parts[0][:3], parts[1][:3])
        np.testing.assert_array_equal(parts[0][3:], parts[2][3:])


def test_quantities_without_scatter_have_no_error():
    samples = [Sample(np.full((n, 3, 2), 1.0), d, NOTHING) for n, d in ((3, 16), (12, 4), (48, 1))]
    estimate = extrapolate(samples)
    np.testing.assert_allclose(estimate.mean, 1.0, rtol=1e-14)
    np.testing.assert_array_equal(estimate.standard_error, 0.0)
