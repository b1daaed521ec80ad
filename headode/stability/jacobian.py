"""The Jacobian of the order-parameter ODE, by differences of the expected updates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.stability.coordinates import Classes, Coordinates
from headode.stability.differences import Linearization
from headode.stability.flow import Flow


@dataclass(frozen=True, eq=False)
class Jacobian:
    """Derivatives of the rates of the packed order parameters (theory: the ODE).

    Attributes:
        coordinates: which packed entry is which order parameter.
        rate: (n,) rates of change at the state; zero at a fixed point.
        matrix: (n, n), entry ij the derivative of rate i with respect to order parameter j.
        error: (n, n) estimated absolute errors.
    """

    coordinates: Coordinates
    rate: Array
    matrix: Array
    error: Array

    @property
    def residual_decouples(self) -> bool:
        """Whether the rates of residuals depend on residuals alone, exactly."""
        residual = self.coordinates.is_residual
        return not self.matrix[np.ix_(residual, ~residual)].any()


def jacobian(
    flow: Flow,
    vector: Array,
    classes: Classes,
    *,
    tolerance: float = 1e-9,
) -> Jacobian:
    """Differentiate the flow at a state, without imposing any symmetry on the perturbations.

    Directions in R are taken one-sided along e_h e_hᵀ and (e_h + e_k)(e_h + e_k)ᵀ, which keep it
    positive semidefinite. Directions that a permutation of exchangeable heads turns into each
    other are evaluated once.

    Args:
        flow: the vector field.
        vector: packed state.
        classes: groups of exchangeable heads that together are all heads.
        tolerance: target of the absolute error of the entries.
    """
    coordinates = Coordinates.of(flow.model)
    near = Linearization(flow, vector, tolerance=tolerance)
    columns = _Columns(coordinates, near, classes)
    size = coordinates.size
    matrix, error = np.zeros((size, size)), np.zeros((size, size))
    pairs: list[tuple[int, list[int]]] = []
    for j, (kind, heads, _) in enumerate(coordinates.entries):
        changed = [j]
        if kind == "R" and heads[0] != heads[1]:
            own = [coordinates.find("R", (head, head)) for head in heads]
            changed += own
            pairs.append((j, own))
        matrix[:, j], error[:, j] = columns.along(j, changed)
    for j, own in pairs:
        matrix[:, j] -= matrix[:, own].sum(axis=1)
        error[:, j] += error[:, own].sum(axis=1)
    return Jacobian(coordinates, near.rate, matrix, error)


class _Columns:
    """Derivatives along admissible directions; one of each set that permutations relate."""

    def __init__(self, coordinates: Coordinates, near: Linearization, classes: Classes) -> None:
        self._coordinates, self._near, self._classes = coordinates, near, classes
        self._known: dict[tuple[object, ...], tuple[Array, Array]] = {}

    def along(self, j: int, changed: list[int]) -> tuple[Array, Array]:
        """The derivative and its error along the sum of some entries, of which j is the first."""
        kind, heads, feature = self._coordinates.entries[j]
        distinct = tuple(dict.fromkeys(heads))
        order, places = _to_first_members(distinct, self._classes, self._coordinates.heads)
        index = self._coordinates.permutation(order)
        key = (kind, feature, *sorted(places))
        if key not in self._known:
            direction = np.zeros(self._coordinates.size)
            direction[index[changed]] = 1.0
            self._known[key] = self._near.along(direction, one_sided=kind in ("R", "r_v"))
        found, error = self._known[key]
        return found[index], error[index]


def _to_first_members(
    heads: tuple[int, ...], classes: Classes, count: int
) -> tuple[NDArray[np.intp], tuple[int, ...]]:
    """A permutation within classes that brings ``heads`` to the first members of theirs.

    Returns:
        order: head h is at place ``order[h]`` afterwards.
        names: the places of ``heads`` afterwards.
    """
    order = np.arange(count, dtype=np.intp)
    for group in classes:
        chosen = [head for head in heads if head in group]
        others = [head for head in group if head not in chosen]
        order[[*chosen, *others]] = group
    return order, tuple(int(order[head]) for head in heads)
