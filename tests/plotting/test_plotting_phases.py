"""Phases and moments of pictures, on trajectories whose splits are known."""

from __future__ import annotations

import itertools

import pytest
from staged_trajectories import cut_short, staged

from headode.plotting.heat_maps import MOST_MAPS, choose_moments
from headode.plotting.phases import ONSET, find_phases


@pytest.mark.parametrize("dataset", [staged(splits={}), staged(1, 3), staged(1, 1), staged(3, 1)])
def test_without_splits_there_is_one_phase_or_for_a_single_head_none(dataset):
    names = [phase.name for phase in find_phases(dataset)]
    assert names == ([] if dataset.sizes["head"] == 1 else ["unspecialized"])


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
