"""Heads that go to one side and end up on the other."""

from __future__ import annotations

import numpy as np
import pytest
from staged_trajectories import staged

from headode.signal import Signal
from headode.specialization.computed import ComputedRun, computed_runs, signal_of
from headode.specialization.excursions import find_excursions
from headode.trajectory import output_times

SIGNAL = Signal.sign_flips(mean=[2.0, 0.0], amplitude=[0.0, 1.6])
TIME = output_times(1000.0, 400, "linear")
# Beyond this a head is on a side.
EDGE = 1.6 / 8


def run_of(*curves):
    """A run whose heads follow curves along feature 2."""
    M = np.stack([np.stack([np.full(TIME.size, 2.0), curve], axis=-1) for curve in curves], axis=1)
    return ComputedRun(TIME, M, M @ M.swapaxes(-1, -2), None)


def returning(sign=1.0):
    """Up to 0.8 at t = 200, back through 0 at t = 400, to −1.6 at the end."""
    return sign * np.interp(TIME, [0.0, 200.0, 400.0, 800.0, 1000.0], [0.0, 0.8, 0.0, -1.6, -1.6])


def test_the_head_that_comes_back():
    # The other two are even about zero only together with the first: the mean over heads is 0.
    other = 1.6 * np.ones(TIME.size)
    (found,) = find_excursions(
        run_of(returning(), -0.5 * returning() + other, -0.5 * returning() - other), SIGNAL
    )
    assert (found.head, found.feature) == (1, 2)
    # Piecewise linear curves, linearly interpolated: exact but for the corner at t = 200.
    assert found.left == pytest.approx(200 * EDGE / 0.8)
    assert found.back == pytest.approx(400.0)
    assert found.extremum == pytest.approx(0.8, abs=0.01)
    assert found.extremum_time == pytest.approx(200.0, abs=3.0)


def test_heads_that_stay_on_their_side_make_none():
    assert find_excursions(run_of(np.tanh(TIME), -np.tanh(TIME)), SIGNAL) == ()
    assert find_excursions(run_of(np.sin(TIME)), SIGNAL) == ()  # a single head is the mean


def test_a_head_that_never_left_makes_none():
    small = 0.9 * EDGE * np.sin(TIME / 20)
    assert find_excursions(run_of(small, -small), SIGNAL) == ()
    # Up and back to the middle, but not over to the other side.
    bump = np.exp(-(((TIME - 300) / 50) ** 2))
    assert find_excursions(run_of(bump, -bump), SIGNAL) == ()


def test_a_swap_is_two_excursions_and_there_and_back_again_is_two_of_each():
    swap = find_excursions(run_of(returning(), -returning()), SIGNAL)
    assert [each.head for each in swap] == [1, 2]
    assert swap[0].extremum == -swap[1].extremum
    wave = np.sin(2 * np.pi * TIME / 1000 * 1.5)  # +, −, +
    found = find_excursions(run_of(wave, -wave), SIGNAL)
    assert [(each.head, round(each.back)) for each in found] == [
        (1, 333),
        (2, 333),
        (1, 667),
        (2, 667),
    ]
    assert [np.sign(each.extremum) for each in found] == [1, -1, -1, 1]


def test_what_starts_on_a_side_left_at_the_start():
    (first, _) = find_excursions(
        run_of(np.linspace(1, -1, TIME.size), np.linspace(-1, 1, TIME.size)), SIGNAL
    )
    assert (first.left, first.extremum_time) == (0.0, 0.0)
    assert first.back == pytest.approx(500.0)


def test_features_without_signal_and_runs_without_times_make_none():
    silent = Signal.sign_flips(mean=[2.0, 0.0], amplitude=[0.0, 0.0])
    assert find_excursions(run_of(returning(), -returning()), silent) == ()
    empty = ComputedRun(TIME[:0], np.empty((0, 2, 2)), np.empty((0, 2, 2)), None)
    assert find_excursions(empty, SIGNAL) == ()


def test_staged_trajectories_have_none():
    dataset = staged()
    (run,) = computed_runs(dataset)
    assert find_excursions(run, signal_of(dataset)) == ()
