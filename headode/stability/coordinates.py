"""What each entry of a packed state is, and what permutations of heads do to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.model import Model

Entry = tuple[str, tuple[int, ...], int | None]
# Groups of heads that together are all heads.
Classes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Coordinates:
    """Names of the entries of a packed state, in the order of :class:`Packing`.

    Attributes:
        heads: H.
        features: F.
        entries: (kind, heads, feature) of each entry: ``("M", (h,), f)``, ``("R", (h, k), None)``
            with k ≤ h, ``("m_v", (), None)``, ``("r_v", (), None)``, ``("offset", (h,), None)``.
    """

    heads: int
    features: int
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, model: Model) -> Coordinates:
        """The coordinates of a model's states."""
        H, F = model.heads, model.features
        entries: list[Entry] = [("M", (h,), f) for h in range(H) for f in range(F)]
        entries += [("R", (h, k), None) for h in range(H) for k in range(h + 1)]
        if model.learns_value:
            entries += [("m_v", (), None), ("r_v", (), None)]
        if model.learns_offset:
            entries += [("offset", (h,), None) for h in range(H)]
        return cls(H, F, tuple(entries))

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.entries)

    @cached_property
    def _places(self) -> dict[Entry, int]:
        return {entry: place for place, entry in enumerate(self.entries)}

    @cached_property
    def is_residual(self) -> NDArray[np.bool_]:
        """(n,) which entries belong to R or to the value's residual r_v."""
        return np.array([kind in ("R", "r_v") for kind, _, _ in self.entries])

    def find(self, kind: str, heads: tuple[int, ...], feature: int | None = None) -> int:
        """The place of an entry; a pair of heads in any order."""
        return self._places[kind, tuple(sorted(heads, reverse=True)), feature]

    def permutation(self, order: NDArray[np.intp]) -> NDArray[np.intp]:
        """(n,) places to which entries go when head h becomes head ``order[h]``."""
        moved = [
            self.find(kind, tuple(int(order[head]) for head in heads), feature)
            for kind, heads, feature in self.entries
        ]
        return np.array(moved, dtype=np.intp)

    def invariant(self, groups: Classes) -> Array:
        """(n, k) orthonormal basis of the states unchanged by permutations within groups.

        Args:
            groups: sets of heads that together are all heads.
        """
        group_of = {head: number for number, group in enumerate(groups) for head in group}
        orbits: dict[tuple[object, ...], list[int]] = {}
        for place, (kind, heads, feature) in enumerate(self.entries):
            diagonal = len(heads) == 2 and heads[0] == heads[1]
            key = (kind, tuple(sorted(group_of[head] for head in heads)), diagonal, feature)
            orbits.setdefault(key, []).append(place)
        basis = np.zeros((self.size, len(orbits)))
        for number, places in enumerate(orbits.values()):
            basis[places, number] = 1.0 / np.sqrt(len(places))
        return basis

    def split(self, vector: Array) -> dict[str, Array]:
        """M (H, F), symmetric R (H, H), and m_v (), r_v (), offset (H,) where there are any."""
        parts: dict[str, Array] = {
            "M": np.zeros((self.heads, self.features)),
            "R": np.zeros((self.heads, self.heads)),
        }
        for value, (kind, heads, feature) in zip(vector, self.entries, strict=True):
            if kind == "M":
                parts["M"][heads[0], feature] = value
            elif kind == "R":
                parts["R"][heads] = parts["R"][heads[::-1]] = value
            elif kind == "offset":
                parts.setdefault("offset", np.zeros(self.heads))[heads[0]] = value
            else:
                parts[kind] = np.array(value)
        return parts
