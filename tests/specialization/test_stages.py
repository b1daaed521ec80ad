"""Drops and plateaus of curves whose stages are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from staged_trajectories import cut_short, staged

from headode.specialization.stages import FLAT, RESOLUTION, find_stages, risk_stages
from headode.trajectory import output_times

TIME = output_times(1e4, 400)


def logistic_steps(time, dates, sizes, sharpness):
    """Sum of logistic steps in log t: each falls by ``size`` around its date."""
    return sum(
        size / (1.0 + (time / date) ** sharpness) for date, size in zip(dates, sizes, strict=True)
    )


@given(
    first=st.floats(10.0, 30.0),
    ratios=st.lists(st.floats(10.0, 15.0), min_size=1, max_size=2),
    sizes=st.lists(st.floats(0.15, 1.0), min_size=3, max_size=3),
    sharpness=st.floats(5.0, 8.0),
)
def test_logistic_steps_are_found_where_they_are(first, ratios, sizes, sharpness):
    # Half-way between two steps (in log t) the rate of descent is at most
    # 2 · sharpness · 10^(−5/2) = 0.0063 sharpness, and a quarter of the smallest step's maximum is
    # at least 0.15 · sharpness/16 = 0.0094 sharpness: all steps are apart, with plateaus between.
    dates = first * np.cumprod([1.0, *ratios])
    sizes = sizes[: len(dates)]
    time = np.geomspace(0.1, 1e5, 600)
    drops, plateaus = find_stages(time, logistic_steps(time, dates, sizes, sharpness))
    assert len(drops) == len(dates)
    for drop, date, size in zip(drops, dates, sizes, strict=True):
        # A logistic step in log t is steepest at its date.
        assert drop.time == pytest.approx(date, rel=RESOLUTION - 1)
        # Half-way a step has 10^(−5/2) = 0.3 % left; the flattest point is nearer to the smaller
        # of two steps, by log(1/0.15)/10 at most, where the larger one has less than that left.
        assert drop.size == pytest.approx(size, abs=0.01 * max(sizes))
    between = [plateau for plateau in plateaus if plateau.start > 0.1]
    assert len(between) == len(dates) - 1
    for plateau, before, after in zip(between, drops, drops[1:], strict=False):
        assert before.time < plateau.start < plateau.stop < after.time
        assert plateau.risk == before.after == after.before


def test_ends_of_a_plateau_are_where_the_rate_is_a_quarter():
    sharpness = 4.0
    drops, (start, between) = find_stages(TIME, logistic_steps(TIME, [20, 500], [0.2, 0.1], 4.0))
    # The rate of a step is size · sharpness · u (1 − u), u its part that is left: it is a quarter
    # of the largest where u (1 − u) = 1/16, a factor of (1/u − 1)^(1/sharpness) from its date.
    u = 0.5 * (1 - np.sqrt(1 - FLAT))
    factor = (1 / u - 1) ** (1 / sharpness)
    assert between.start == pytest.approx(20 * factor, rel=0.02)
    assert between.stop == pytest.approx(500 / factor, rel=0.02)
    assert (start.start, start.risk) == (0.0, pytest.approx(0.3))
    assert start.stop == pytest.approx(20 / factor, rel=0.02)
    assert [drop.time for drop in drops] == [
        pytest.approx(20, rel=0.02),
        pytest.approx(500, rel=0.02),
    ]


@pytest.mark.parametrize(
    "curve",
    [
        lambda t: 1.0 - 0.1 * np.log(t + 1e-3),
        lambda t: (t + 1.0) ** -0.3,
        lambda t: 1.0 / (1.0 + t),  # flat at first in log t, but fastest at first in t
        lambda t: np.exp(-t / 10),
        lambda t: np.exp(-((t / 10) ** 0.4)),
        lambda t: 1.0 - t / 1e4,
    ],
    ids=["logarithm", "power", "hyperbola", "exponential", "stretched", "line"],
)
@pytest.mark.parametrize("spacing", ["log", "linear"])
def test_monotone_curves_without_plateau_have_none(curve, spacing):
    time = output_times(1e4, 300, spacing)
    drops, plateaus = find_stages(time, curve(time))
    assert plateaus == ()
    assert len(drops) == 1


def test_an_escape_that_accelerates_begins_with_a_plateau():
    # x' = x (1 − x) from 1e-4: the risk 1 − x leaves its plateau at t ≈ log(1e4).
    risk = 1 - 1 / (1 + 1e4 * np.exp(-TIME))
    (drop,), (plateau,) = find_stages(TIME, risk)
    assert plateau.start == 0.0
    assert plateau.risk == risk[0]
    assert 0.5 * np.log(1e4) < plateau.stop < drop.time == pytest.approx(np.log(1e4), rel=0.05)


def test_a_constant_has_no_stages():
    assert find_stages(TIME, np.full(TIME.size, 0.3)) == ((), ())


@pytest.mark.parametrize("time", [[], [0.0], [1.0], [0.0, 1.0], [1.0, 1.001]])
def test_too_few_times_have_no_stages(time):
    grid = np.array(time)
    assert find_stages(grid, 1.0 - grid) == ((), ())


def test_two_times_are_one_drop():
    (drop,), plateaus = find_stages(np.array([1.0, 10.0]), np.array([0.5, 0.2]))
    assert (drop.before, drop.after, plateaus) == (0.5, 0.2, ())


def test_a_shoulder_separates_drops_and_is_no_plateau():
    # Two equal steps at a distance of e: the rate between them falls to two thirds.
    risk = logistic_steps(TIME, [30.0, 30.0 * np.e**2.2], [0.2, 0.2], 1.9)
    drops, plateaus = find_stages(TIME, risk)
    assert len(drops) == 2
    assert plateaus == ()


def test_a_risk_that_rises_in_between_is_no_drop():
    risk = logistic_steps(TIME, [20, 2000], [0.3, 0.1], 4.0) + 0.02 / (
        1 + (200 / TIME.clip(1)) ** 4
    )
    drops, plateaus = find_stages(TIME, risk)
    assert len(drops) == 2
    assert plateaus[-1].start > drops[0].time


def test_noise_makes_no_stages():
    rng = np.random.default_rng(0)
    clean = logistic_steps(TIME, [20, 1000], [0.2, 0.05], 4.0)
    exact = find_stages(TIME, clean)
    for _ in range(20):
        noisy = clean + 1e-3 * rng.standard_normal(TIME.size)
        drops, plateaus = find_stages(TIME, noisy, noise=1e-3)
        assert [len(drops), len(plateaus)] == [len(each) for each in exact]
        for found, drop in zip(drops, exact[0], strict=True):
            # A rate over a bin of two records is known to 1e-3/0.1 = 0.01, and the largest are 0.2
            # and 0.05: the second maximum is found to within some bins of a factor of 1.1.
            assert found.time == pytest.approx(drop.time, rel=0.5)
            assert found.size == pytest.approx(drop.size, abs=4e-3)


def test_pure_noise_has_no_stages():
    rng = np.random.default_rng(1)
    for _ in range(20):
        risk = 0.3 + 1e-3 * rng.standard_normal(TIME.size)
        drops, plateaus = find_stages(TIME, risk, noise=1e-3)
        assert len(drops) <= 1
        assert plateaus == ()


@pytest.mark.parametrize("runs", [0, 4])
def test_stages_of_a_trajectory_and_of_its_beginning(runs):
    dataset = staged(splits={2: 50.0, 3: 2000.0}, time=2e4, runs=runs, noise=1e-4)
    drops, plateaus = risk_stages(dataset)
    assert len(drops) >= 2
    early, _ = risk_stages(cut_short(dataset, 150))
    assert [drop.time for drop in early[:-1]] == [drop.time for drop in drops[: len(early) - 1]]
    assert risk_stages(cut_short(dataset, 0)) == ((), ())
    for before, after in itertools.pairwise(drops):
        assert before.after == after.before
    assert all(plateau.start < plateau.stop for plateau in plateaus)
