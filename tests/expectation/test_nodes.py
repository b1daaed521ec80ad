"""Nodes: levels that complete one another, and the root that maps them to fields."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from headode.expectation.nodes import FIRST_LEVEL, REPLICATES, NodeSet
from headode.expectation.root import symmetric_root


def stacked(nodes, level):
    """All nodes of one replicate up to a level, as (nodes, L·H)."""
    parts = [nodes.level(j)[0].transpose(0, 3, 1, 2) for j in range(level + 1)]
    return np.concatenate([part.reshape(-1, nodes.tokens * nodes.heads) for part in parts])


def test_levels_together_are_a_digital_net():
    """Every elementary interval of a coordinate holds exactly one node."""
    nodes = NodeSet(3, 2, seed=0)
    for level in range(3):
        points = ndtr(stacked(nodes, level))
        assert len(points) == FIRST_LEVEL << level
        cells = np.floor(points * len(points)).astype(int)
        for column in cells.T:
            assert np.array_equal(np.sort(column), np.arange(len(points)))


def test_replicates_are_different_and_reproducible():
    first, second, other = NodeSet(2, 2, 5), NodeSet(2, 2, 5), NodeSet(2, 2, 6)
    assert all(np.array_equal(a, b) for a, b in zip(first.level(1), second.level(1), strict=True))
    assert not np.array_equal(first.level(0)[0], other.level(0)[0])
    assert len({level.tobytes() for level in first.level(0)}) == REPLICATES


def test_nodes_are_standard_normal():
    points = np.concatenate([stacked(NodeSet(2, 3, seed), 4) for seed in range(4)])
    # Low discrepancy: far inside the error 1/√n = 8e-3 of random points.
    assert np.abs(points.mean(axis=0)).max() < 1e-3
    assert np.abs(points.T @ points / len(points) - np.eye(6)).max() < 1e-2


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 2**31))
def test_root_squares_to_the_covariance(size, rank, seed):
    factor = np.random.default_rng(seed).standard_normal((size, rank))
    covariance = factor @ factor.T
    root = symmetric_root(covariance)
    assert np.array_equal(root, root.T) or np.abs(root - root.T).max() < 1e-14 * size
    assert np.abs(root @ root - covariance).max() <= 1e-12 * max(1.0, np.abs(covariance).max())


@given(st.integers(0, 2**31), st.floats(1e-8, 1e-3))
def test_root_is_continuous_where_eigenvalues_cross(seed, step):
    """‖√A − √B‖ ≤ ‖A − B‖^½ in operator norm: a rotating eigenvector root would jump by O(1)."""
    rng = np.random.default_rng(seed)
    base = np.eye(4)  # all eigenvalues equal: eigenvectors of its neighbors are arbitrary
    changes = step * rng.standard_normal((2, 4, 4))
    left, right = (base + change @ change.T for change in changes)
    distance = np.linalg.norm(symmetric_root(left) - symmetric_root(right), 2)
    assert distance <= np.sqrt(np.linalg.norm(left - right, 2)) + 1e-12


def test_identical_heads_get_identical_fields():
    root = symmetric_root(np.full((3, 3), 1.7))
    assert np.abs(root - root[0, 0]).max() < 1e-15
