"""States that permutations of the heads do not change, by a few numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.stability.coordinates import Coordinates
from headode.stability.flow import Flow


@dataclass(frozen=True, eq=False)
class IdenticalHeads:
    """The states that permutations of heads do not change, by a few numbers y.

    Attributes:
        directions: (n, k) what each number changes in the packed state.
        one_sided: which of them must not become negative.
        origin: (n,) packed state at y = 0.
    """

    directions: Array
    one_sided: tuple[bool, ...]
    origin: Array

    @classmethod
    def of(cls, flow: Flow, *, apart: bool) -> IdenticalHeads:
        """Of a model: overlaps with features of an asymmetric law; with noise the common residual
        and, if residuals are ``apart``, that of differences; the value and the offset where they
        are learned."""
        coordinates = Coordinates.of(flow.model)
        absent = set(flow.model.signal.flip_symmetric_features())
        columns: dict[tuple[str, int | None], Array] = {}
        for place, (kind, heads, feature) in enumerate(coordinates.entries):
            names: list[tuple[str, int | None]] = [(kind, feature)]
            if kind == "R":
                names = [("R", number) for number in range(1 + apart)]
            if (kind in ("R", "r_v") and not flow.has_noise) or feature in absent:
                continue
            for name in names:
                column = columns.setdefault(name, np.zeros(coordinates.size))
                column[place] = (
                    _projector(name[1], heads, coordinates.heads) if kind == "R" else 1.0
                )
        origin = np.array([float(kind == "m_v") for kind, _, _ in coordinates.entries])
        ordered = np.array(list(columns.values())).reshape(-1, coordinates.size).T
        sided = tuple(kind in ("R", "r_v") for kind, _ in columns)
        return cls(ordered, sided, origin)

    def vector(self, y: Array) -> Array:
        """The packed state."""
        result: Array = self.origin + self.directions @ y
        return result

    def read(self, vector: Array) -> Array:
        """The numbers of the nearest state."""
        return self.read_rate(vector - self.origin)

    def read_rate(self, change: Array) -> Array:
        """The rates of change of the numbers."""
        if not self.directions.shape[1]:
            return np.zeros(0)
        return np.asarray(np.linalg.lstsq(self.directions, change, rcond=None)[0])


def _projector(number: int | None, heads: tuple[int, ...], count: int) -> float:
    """An entry of the projector on the heads' mean, 1 1ᵀ/H, or of that on their differences."""
    mean = 1.0 / count
    return mean if number == 0 else float(heads[0] == heads[1]) - mean
