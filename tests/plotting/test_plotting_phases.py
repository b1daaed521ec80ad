"""When heads split, on trajectories whose splits are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_trajectories import cut_short, staged

from headode.plotting.heat_maps import MOST_MAPS, choose_moments
from headode.plotting.phases import ONSET, find_phases, find_splits


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
    names = [phase.name for phase in find_phases(dataset)]
    assert names == ([] if dataset.sizes["head"] == 1 else ["unspecialized"])


def test_excursion_and_return_is_not_the_split():
    dataset = staged(2, 2, splits={2: 100.0}, time=1000.0, noise=0.0)
    bump = 1.5 * np.exp(-(((dataset["time"].values - 10) / 3) ** 2))
    dataset["M"].values[:, 0, 1] += bump
    dataset["M"].values[:, 1, 1] -= bump
    (split,) = find_splits(dataset)
    assert abs(split.time - 100.0) <= grid_spacing(dataset, 100.0)


def test_heads_that_differ_from_the_start_have_split_at_the_start():
    dataset = staged(splits={2: 20.0, 3: 300.0}).sel(time=slice(100.0, None))
    start = float(dataset["time"][0])
    early, late = find_phases(dataset)
    assert (early.start, early.name, early.features) == (start, "feature 2 split", (2,))
    assert late.features == (3,)


@pytest.mark.parametrize(
    ("splits", "names"),
    [
        ({2: 50.0, 3: 300.0}, ["unspecialized", "feature 2 split", "feature 3 split"]),
        ({2: 50.0, 4: 52.0}, ["unspecialized", "features 2, 4 split"]),
        ({2: 50.0, 3: 52.0, 4: 54.0}, ["unspecialized", "features 2–4 split"]),
    ],
)
def test_phases_cover_the_trajectory(splits, names):
    dataset = staged(8, 4, splits=splits, time=2000.0)
    phases = find_phases(dataset)
    assert [phase.name for phase in phases] == names
    assert phases[0].start == 0.0
    assert phases[-1].stop == 2000.0
    for before, after in itertools.pairwise(phases):
        assert before.stop == after.start


def test_a_trajectory_that_stopped_early_says_so():
    dataset = cut_short(staged(), 170)
    *_, last, missing = find_phases(dataset)
    assert last.name == "feature 2 split"
    assert (missing.name, missing.shown) == ("stopped", None)
    assert missing.start == dataset["time"].values[169]
    assert missing.stop == dataset["time"].values[-1]


def test_nothing_computed_has_no_phases():
    dataset = cut_short(staged(), 0)
    assert find_phases(dataset) == ()
    assert choose_moments(dataset, ()) == ()


def test_moments_are_in_their_phases_before_the_next_split_sets_in():
    dataset = staged(noise=0.0)
    phases = find_phases(dataset)
    moments = choose_moments(dataset, phases)
    names = ["start", "unspecialized", "feature 2 split", "feature 3 split"]
    assert [moment.name for moment in moments] == names
    assert moments[0].index == 0
    assert moments[-1].index == dataset.sizes["time"] - 1
    spread = dataset["M"].values.std(axis=1)
    time = dataset["time"].values
    for moment, phase in zip(moments[1:], phases, strict=True):
        assert phase.start <= time[moment.index] <= phase.stop
    for moment, feature in ((moments[1], 2), (moments[2], 3)):
        column = spread[:, feature - 1]
        assert column[moment.index] < ONSET * column[-1] <= column[moment.index + 1]


def test_without_a_split_the_middle_moment_is_half_way():
    dataset = staged(splits={}, noise=0.0)
    start, middle, end = choose_moments(dataset, find_phases(dataset))
    gone = dataset["M"].values.mean(axis=1)[:, 0]
    half = 0.5 * (gone[0] + gone[-1])
    assert (start.name, middle.name, end.name) == ("start", "half-way", "end")
    assert gone[middle.index - 1] < half <= gone[middle.index]


def test_moments_are_no_more_than_fit():
    dates = {f: 5.0 * 3.0 ** (f - 2) for f in range(2, 8)}
    dataset = staged(8, 7, splits=dates, time=1e5)
    assert len(find_phases(dataset)) == 7
    moments = choose_moments(dataset, find_phases(dataset))
    assert len(moments) == MOST_MAPS
    assert moments[0].name == "start"
    assert moments[-1].name == "feature 7 split"
