"""Exponents against d are recovered within their errors, and the errors are of the right size."""

import numpy as np
import pytest

from headode.validation.exponents import bias_exponent, fluctuation_exponent
from headode.validation.extrapolation import Sample

NOTHING = np.array(0.0)
ENTRIES = 30
THEORY, EXACT = np.zeros(ENTRIES), np.zeros(ENTRIES)


def ensembles(rng, *, fluctuation=-0.5, bias=-1.0, size=0.0, runs=8, base=6400, factors=3):
    """At d = base, base/4, base/16: entries correlated through a few factors, as heads are."""
    loading = rng.standard_normal((factors, ENTRIES))
    direction = rng.standard_normal(ENTRIES)
    samples = []
    for ratio in (1, 4, 16):
        d = base / ratio
        noise = rng.standard_normal((ratio * runs, factors)) @ loading
        values = noise * d**fluctuation + size * direction * d**bias
        samples.append(Sample(values, int(d), NOTHING))
    return samples


@pytest.mark.parametrize("exponent", [-0.5, -0.3])
def test_exponent_of_fluctuations_and_its_error(exponent):
    rng = np.random.default_rng(0)
    fits = [fluctuation_exponent(ensembles(rng, fluctuation=exponent)) for _ in range(200)]
    pulls = [(fit.value - exponent) / fit.error for fit in fits]
    # The error is a little too large, by what corrections of relative order 1/d may do.
    assert abs(np.mean(pulls)) < 4 / np.sqrt(200)
    assert 0.6 < np.std(pulls) < 1.15
    assert np.median([fit.error for fit in fits]) < 0.12


@pytest.mark.parametrize("exponent", [-1.0, 0.0])
def test_exponent_of_the_bias_and_its_error(exponent):
    rng = np.random.default_rng(1)
    size = 4.0 * 400**-0.5 / 400**exponent  # four times the scatter of a run at d = 400
    pulls, errors = [], []
    for _ in range(100):
        samples = ensembles(rng, bias=exponent, size=size / np.sqrt(8))
        fit = bias_exponent(samples, THEORY, EXACT, 0.01)
        pulls.append((fit.value - exponent) / fit.error)
        errors.append(fit.error)
    # Errors include what corrections of relative order 1/d may do, of which there are none here.
    assert abs(np.mean(pulls)) < 0.5
    assert 0.3 < np.std(pulls) < 1.3
    assert np.median(errors) < 0.2


def test_no_bias_is_not_resolved():
    rng = np.random.default_rng(2)
    found = [bias_exponent(ensembles(rng), THEORY, EXACT, 0.01) for _ in range(100)]
    assert sum(fit is not None for fit in found) <= 4  # at a level of 1 %: 1 ± 1


def test_a_bias_below_the_numerical_error_of_the_theory_is_not_looked_at():
    samples = ensembles(np.random.default_rng(3), size=1e3)
    assert bias_exponent(samples, THEORY, EXACT, 0.01) is not None
    assert bias_exponent(samples, THEORY, EXACT + 1.0, 0.01) is None


def test_fits_are_impossible_with_few_runs_or_without_scatter():
    rng = np.random.default_rng(4)
    samples = ensembles(rng, runs=1)
    assert fluctuation_exponent(samples[1:]) is not None  # 4 and 16 runs
    assert fluctuation_exponent(samples[:2]) is None  # 1 run says nothing
    flat = [each._replace(values=0 * each.values) for each in samples[1:]]
    assert fluctuation_exponent(flat) is None
    assert bias_exponent(flat, THEORY, EXACT, 0.01) is None
