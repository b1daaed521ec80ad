"""When heads split, on trajectories whose splits are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_trajectories import cut_short, growth, staged

from headode.specialization.splits import find_splits, last_crossing
from headode.trajectory import output_times


def grid_spacing(dataset, date):
    """Width of the interval of recorded times around a date."""
    time = dataset["time"].values
    after = int(np.searchsorted(time, date))
    return time[after] - time[after - 1]


@given(
    first=st.floats(5.0, 60.0),
    ratio=st.floats(1.5, 5.0),
    heads=st.sampled_from([4, 5, 8]),
    runs=st.sampled_from([0, 3]),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_splits_are_dated_within_the_grid_spacing(first, ratio, heads, runs, seed):
    dates = {3: first, 2: first * ratio}
    # At five times the later date the spread has 1 − 3e-14 of its final value. The grid's spacing
    # is h = 0.047 dates; around the crossing the spread grows with x''/x' = 1/date, so that linear
    # interpolation errs by h²/8 = 3e-4 dates, and differences of 1e-4 between heads by less: both
    # are far below a tenth of h.
    dataset = staged(heads, splits=dates, time=5 * first * ratio, noise=1e-4, runs=runs, seed=seed)
    found = find_splits(dataset)
    assert [split.feature for split in found] == [3, 2]
    for split in found:
        exact = dates[split.feature]
        assert abs(split.time - exact) <= 0.1 * grid_spacing(dataset, exact)


@given(order=st.permutations(range(4)))
@settings(max_examples=10, deadline=None)
def test_order_of_heads_does_not_matter(order):
    dataset = staged()
    permuted = dataset.assign(M=dataset["M"].isel(head=list(order)).assign_coords(head=range(1, 5)))
    assert [split.feature for split in find_splits(permuted)] == [2, 3]
    dates = [[split.time for split in find_splits(each)] for each in (permuted, dataset)]
    np.testing.assert_allclose(*dates, rtol=1e-12)


def test_runs_that_choose_other_sides_split_at_the_same_time():
    simulation = staged(runs=4, noise=1e-3)
    flipped = simulation.copy(deep=True)
    flipped["M"].values[::2] *= [1.0, -1.0, -1.0]
    # The mean over these runs never splits, the median spread does.
    assert np.abs(flipped["M"].mean("run").values[-1, :, 1]).max() < 0.01
    dates = [[split.time for split in find_splits(each)] for each in (simulation, flipped)]
    np.testing.assert_allclose(*dates, rtol=1e-12)


@pytest.mark.parametrize("dataset", [staged(splits={}), staged(1, 3), staged(1, 1), staged(3, 1)])
def test_nothing_splits(dataset):
    assert find_splits(dataset) == ()


@pytest.mark.parametrize("index", [0, 1, 2])
def test_hardly_anything_computed_does_not_split(index):
    assert find_splits(cut_short(staged(), index)) == ()


def test_excursion_and_return_is_not_the_split():
    dataset = staged(2, 2, splits={2: 100.0}, time=1000.0, noise=0.0)
    bump = 1.5 * np.exp(-(((dataset["time"].values - 10) / 3) ** 2))
    dataset["M"].values[:, 0, 1] += bump
    dataset["M"].values[:, 1, 1] -= bump
    (split,) = find_splits(dataset)
    assert abs(split.time - 100.0) <= grid_spacing(dataset, 100.0)


def crossing_errors(count, samples=400, seed=0):
    """True and estimated relative errors of dates read from records of ``count`` times."""
    rng = np.random.default_rng(seed)
    found = []
    for date in rng.uniform(3.0, 300.0, samples):
        # From four times the date on, the final value is exact to 1e-10.
        time = output_times(date * rng.uniform(4.0, 15.0), count)
        values = growth(time, date, 4 / date)
        dated, error = last_crossing(time, values, 0.5 * values[-1])
        found.append((abs(dated - date) / date, error / date))
    return np.array(found).T


def test_error_of_a_date_falls_with_the_square_of_the_spacing():
    # Linear interpolation has an error of second order; so have the differences that estimate it.
    counts = np.array([50, 100, 200, 400])
    squares = [(crossing_errors(count) ** 2).mean(axis=1) for count in counts]
    for slope in np.polyfit(np.log(counts - 1), 0.5 * np.log(squares), 1)[0]:
        # The root mean square over 400 dates scatters by some 3 %, which is ±0.03 in the slope over
        # a factor of 8; the next order is a tenth of this one at the coarsest spacing.
        assert slope == pytest.approx(-2.0, abs=0.1)


@pytest.mark.parametrize("count", [20, 40, 80, 200])
def test_error_of_a_date_is_rarely_underestimated(count):
    true, estimated = crossing_errors(count)
    assert np.quantile(true / estimated, 0.95) < 1.5
    # Nor is it an empty warning.
    assert np.median(estimated / true) < 5


def test_error_of_a_date_with_too_few_times_is_the_distance_of_the_times():
    time, values = np.array([0.0, 1.0, 9.0]), np.array([0.0, 0.0, 1.0])
    assert last_crossing(time, values, 0.5) == (5.0, 4.0)
    assert last_crossing(time[1:], values[1:], 0.25) == (3.0, 6.0)
    # Above from the start: at some time before the first record.
    assert last_crossing(time[2:], values[2:], 0.5) == (9.0, 9.0)
