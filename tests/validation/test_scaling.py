"""Until when fluctuations are small, from the variances of the ensembles alone."""

import numpy as np

from headode.validation.extrapolation import Sample
from headode.validation.scaling import reach

TIMES = 20
NOTHING = np.array(0.0)


def group(rng, deviation, runs=8, entries=3):
    """Samples at d = 1600, 400 and 100; ``deviation(d, t)`` is the standard deviation of a run."""
    times = np.arange(TIMES)[:, None]
    return [
        Sample(
            deviation(d, times) * rng.standard_normal((1600 // d * runs, TIMES, entries)),
            d,
            NOTHING,
        )
        for d in (1600, 400, 100)
    ]


def small(d, t):
    return np.full(t.shape, d**-0.5)


def saturating(d, t):
    """Grows from d^(-1/2) until it is 1, whatever the dimension: at t = 10 for d = 1600."""
    return np.minimum(d**-0.5 * np.exp(t * np.log(40) / 10), 1.0)


def test_small_fluctuations_reach_to_the_end_as_often_as_the_level_says():
    rng = np.random.default_rng(0)
    level, repetitions = 0.05, 400
    found = [
        reach({"M": group(rng, small), "R": group(rng, small)}, level) for _ in range(repetitions)
    ]
    limited = sum(limits.horizon < TIMES or limits.third < TIMES for limits in found)
    # Expected at most 5 % of 400 = 20 ± 4.4; averages over entries make it fewer.
    assert limited <= 20 + 4 * 4.4


def test_fluctuations_that_saturate_end_the_reach():
    limits = reach({"M": group(np.random.default_rng(1), saturating)}, 0.01)
    # The one at d = 100 saturates at t = 6.2, which shows against larger ones from t = 8.
    assert 6 <= limits.horizon <= 12
    assert limits.departure.what == "M"
    assert limits.departure.ratio > 2


def test_too_large_fluctuations_at_the_smallest_dimension_only_leave_it_unused():
    def deviation(d, t):
        return d**-0.5 * np.where((t >= 5) & (d == 100), 3.0, 1.0)

    limits = reach({"M": group(np.random.default_rng(2), deviation, runs=16)}, 0.01)
    assert limits.horizon == TIMES
    assert limits.third == 5
    assert limits.third_departure.smaller == 100
    assert limits.third_departure.ratio < 0.5


def test_corrections_of_the_variance_below_a_factor_of_two_do_not_matter():
    def deviation(d, t):
        return d**-0.5 * np.sqrt(1 + 60 / d) * np.ones(t.shape)

    # The variance at d = 100 is 1.6 times what it should be: significant with so many runs.
    limits = reach({"M": group(np.random.default_rng(3), deviation, runs=200)}, 0.01)
    assert limits.horizon == limits.third == TIMES


def test_a_broken_symmetry_shows_with_two_ensembles_of_few_runs():
    rng, runs = np.random.default_rng(4), 8
    signs = [rng.choice([-1.0, 1.0], (n, 1, 2)) for n in (runs, 4 * runs)]
    times = np.arange(TIMES)[:, None]
    odd = [
        Sample(sign * saturating(d, times), d, NOTHING)
        for sign, d in zip(signs, (1600, 400), strict=True)
    ]
    still = group(rng, small)[:2]
    limits = reach({"M": still}, 0.01, odd)
    assert limits.departure.what == "what breaks the symmetry of the start"
    # Saturated at d = 1600 from t = 10 on; a quarter as large at t = 6.2.
    assert limits.horizon == 7
    assert reach({"M": still}, 0.01).horizon == TIMES


def test_quantities_that_do_not_vary_have_no_scaling():
    flat = [Sample(np.zeros((n, TIMES, 2)), d, NOTHING) for n, d in ((4, 400), (16, 100))]
    limits = reach({"M": flat}, 0.01, flat)
    assert limits.horizon == TIMES
    assert limits.departure is None
