"""Which head serves which point, on heads that are put there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headode.signal import Signal
from headode.specialization.assignment import (
    coordinates,
    directions_of_heads,
    has_points,
    heads_of_points,
    points_of,
    principal_directions,
    served_points,
    squared_distances,
)

FOUR = Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, 1.8, 1.2])


def assigned(M, signal=FOUR, R=None):
    """Which points heads serve, and the head that each point has to itself."""
    M = np.asarray(M, dtype=float)
    points, _ = points_of(signal)
    squares = squared_distances(M, np.zeros((len(M), len(M))) if R is None else R, points)
    serves = served_points(squares, points)
    return serves, heads_of_points(serves, squares)


@given(
    order=st.permutations(range(4)),
    noise=st.floats(0.0, 0.4),
    seed=st.integers(0, 999),
)
def test_heads_at_the_points_serve_these(order, noise, seed):
    direction = np.random.default_rng(seed).standard_normal((4, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    # The nearest two points are 2.4 apart. A head has decided for one of them unless it has gone
    # 7/8 of half of that, 1.05, towards the other one.
    points, odds = points_of(FOUR)
    serves, head = assigned(points[list(order)] + noise * direction)
    np.testing.assert_array_equal(serves, np.eye(4, dtype=bool)[list(order)])
    np.testing.assert_array_equal(head, np.argsort(order))
    np.testing.assert_array_equal(odds, 0.25)


def test_heads_that_have_not_split_serve_what_they_have_not_decided_against():
    # One at the mean; one that has split along feature 2 only; one along neither yet.
    serves, head = assigned([[2.0, 0.0, 0.0], [2.0, 1.8, 0.0], [2.0, 0.2, -0.14]])
    np.testing.assert_array_equal(serves.sum(axis=1), [4, 2, 4])
    assert set(np.flatnonzero(serves[1])) == {0, 1}  # those with +1.8
    # Three heads can have one point each to themselves.
    assert sorted(head[head >= 0]) == [0, 1, 2]


def test_a_head_decides_at_an_eighth_of_the_way():
    for sign in (1.0, -1.0):
        for part, count in ((0.12, 4), (0.13, 2)):
            serves, _ = assigned([[2.0, sign * part * 1.8, 0.0]])
            assert serves.sum() == count


def test_more_heads_than_points_and_points_without_a_head():
    points, _ = points_of(FOUR)
    serves, head = assigned(points[[0, 0, 2]] + [[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(serves.sum(axis=0), [2, 0, 1, 0])
    np.testing.assert_array_equal(head, [0, -1, 2, -1])


def test_the_nearer_of_two_heads_has_the_point_and_residuals_count_as_distance():
    points, _ = points_of(FOUR)
    _, head = assigned(points[[1, 1]], R=np.diag([0.3, 0.1]))
    assert head[1] == 1


def test_means_of_mixtures_are_points_and_equal_ones_are_one():
    signal = Signal.mixture([[0, 2], [0, -2], [0, 2]], [1.0, 1.0, 2.0], [0.2, 0.5, 0.3])
    points, odds = points_of(signal)
    np.testing.assert_array_equal(points, [[0, 2], [0, -2]])
    np.testing.assert_allclose(odds, [0.5, 0.5])
    assert has_points(signal)
    # Both components are centered: no points, but directions.
    assert not has_points(Signal.mixture([[0, 0], [0, 0]], [1.0, 2.0]))


def test_a_single_point_is_served_by_all():
    serves, head = assigned([[0.1], [1.9]], Signal.discrete([[2.0]]))
    assert serves.all()
    np.testing.assert_array_equal(head, [1])


def test_directions_of_a_gaussian():
    rotation = np.array([[0.6, -0.8], [0.8, 0.6]])
    signal = Signal.gaussian([1.0, 0.0], rotation @ np.diag([0.5, 3.0]) @ rotation.T)
    variances, directions = principal_directions(signal)
    np.testing.assert_allclose(variances, [3.0, 0.5])
    np.testing.assert_allclose(directions, [[0.8, -0.6], [0.6, 0.8]])
    beyond = np.array([[0.0, 0.0], [2.0, 0.0], [-2.0, 0.0], [0.0, 0.5]]) @ directions
    M = signal.mean + beyond
    along = coordinates(M, signal, variances, directions)
    np.testing.assert_array_equal(directions_of_heads(along), [0, 1, -1, 2])
    np.testing.assert_allclose(along[1], [2 / np.sqrt(3), 0], atol=1e-12)


def test_directions_without_variance_are_left_out():
    variances, directions = principal_directions(Signal.gaussian([2.0, 0.0], [0.0, 1.0]))
    np.testing.assert_array_equal(variances, [1.0])
    np.testing.assert_array_equal(directions, [[0.0, 1.0]])


@pytest.mark.parametrize("heads", [1, 3, 9])
def test_any_number_of_heads(heads):
    M = np.random.default_rng(heads).standard_normal((heads, 3))
    serves, head = assigned(M)
    assert serves.any(axis=1).all()
    kept = head[head >= 0]
    assert len(set(kept)) == len(kept) <= heads
    assert all(serves[h, s] for s, h in enumerate(head) if h >= 0)
