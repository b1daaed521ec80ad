"""The parts into which permutations of exchangeable heads divide the perturbations of a state.

A Jacobian that commutes with the permutations of a class of n heads has eigenvectors that transform
like the heads' sum (once), like their differences (n − 1 times), or, for residuals of pairs, like
differences of differences (n (n − 3)/2 times). One vector of each kind is enough: all others are
permutations of it, with the same eigenvalue.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from headode._checks import Array
from headode.stability.coordinates import Classes, Coordinates

# Of orthonormal vectors' components, below which nothing is left of them.
NOTHING = 1e-8


@dataclass(frozen=True, eq=False)
class Sector:
    """Perturbations that permutations of heads do not mix with others.

    Attributes:
        basis: (n, k) orthonormal; one representative of each set of permuted perturbations.
        multiplicity: number of independent perturbations that each one stands for.
        apart: the heads that differ; empty if heads of a class stay alike.
    """

    basis: Array
    multiplicity: int
    apart: tuple[int, ...]


def exchangeable_heads(coordinates: Coordinates, vector: Array, tolerance: float) -> Classes:
    """Classes of heads, singletons included, whose permutations leave a state as it is."""
    classes: list[list[int]] = []
    for head in range(coordinates.heads):
        for group in classes:
            order = np.arange(coordinates.heads, dtype=np.intp)
            order[[group[0], head]] = head, group[0]
            moved = vector[coordinates.permutation(order)]
            if np.abs(moved - vector).max() <= tolerance:
                group.append(head)
                break
        else:
            classes.append([head])
    return tuple(tuple(group) for group in classes)


def sectors_of(coordinates: Coordinates, classes: Classes) -> list[Sector]:
    """All sectors; multiplicities times dimensions add up to the number of order parameters."""
    several = [group for group in classes if len(group) > 1]
    # (groups of heads that stay alike, multiplicity, heads that differ)
    wanted: list[tuple[Classes, int, tuple[int, ...]]] = [(classes, 1, ())]
    wanted += [(_cut(classes, {group: 1}), len(group) - 1, group) for group in several]
    for group in several:
        n = len(group)
        if n > 3:
            wanted.append((_cut(classes, {group: 2}), n * (n - 3) // 2, group))
    for i, one in enumerate(several):
        for two in several[:i]:
            number = (len(one) - 1) * (len(two) - 1)
            wanted.append((_cut(classes, {one: 1, two: 1}), number, tuple(sorted(one + two))))
    sectors = []
    spanned = np.zeros((coordinates.size, 0))
    for groups, multiplicity, apart in wanted:
        basis = _beside(coordinates.invariant(groups), spanned)
        if basis.shape[1]:
            sectors.append(Sector(basis, multiplicity, apart))
            spanned = np.hstack([spanned, _all_permuted(coordinates, basis, several)])
    return sectors


def _cut(classes: Classes, first: dict[tuple[int, ...], int]) -> Classes:
    """The classes with the first few heads of some split off."""
    cut: list[tuple[int, ...]] = []
    for group in classes:
        at = first.get(group, 0)
        cut += [part for part in (group[:at], group[at:]) if part]
    return tuple(cut)


def _beside(basis: Array, spanned: Array) -> Array:
    """Orthonormal basis of what of a space is orthogonal to another one."""
    overlap = spanned.T @ basis
    # Directions in the basis without overlap: the null space of the overlap.
    _, sizes, directions = np.linalg.svd(overlap, full_matrices=True)
    rank = int((sizes > NOTHING).sum())
    result: Array = basis @ directions[rank:].T
    return result


def _all_permuted(coordinates: Coordinates, basis: Array, several: list[tuple[int, ...]]) -> Array:
    """Orthonormal basis of the span of all permutations of some perturbations."""
    swaps = []
    for group in several:
        for one, two in pairwise(group):
            order = np.arange(coordinates.heads, dtype=np.intp)
            order[[one, two]] = two, one
            swaps.append(coordinates.permutation(order))
    spanned, fresh = basis, basis
    while fresh.shape[1]:
        images = np.hstack([fresh[swap] for swap in swaps]) if swaps else fresh[:, :0]
        rest = images - spanned @ (spanned.T @ images)
        vectors, sizes, _ = np.linalg.svd(rest, full_matrices=False)
        fresh = vectors[:, sizes > NOTHING]
        spanned = np.hstack([spanned, fresh])
    return spanned
