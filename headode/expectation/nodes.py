"""Scrambled Sobol nodes in Gaussian space, in the layout of the kernels."""

from __future__ import annotations

import warnings
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from headode._checks import Array
from headode._forks import in_forked_child

if TYPE_CHECKING:
    from scipy.stats import qmc

# Independent scrambles: enough to estimate an error, few enough to keep the low discrepancy.
REPLICATES = 8
# Nodes of each replicate in the first level; every further level doubles them.
FIRST_LEVEL = 256
LARGEST_NODES = 1 << 20
LARGEST_BYTES = 1 << 30
# Fine enough that the half-cell shift away from 0 and 1 is far below every tolerance.
SOBOL_BITS = 50
# So many coordinates, all alike, leave no low discrepancy to gain: further ones are plain random
# numbers. Scrambling the whole table (21 201 dimensions) would take half a minute.
SOBOL_DIMENSIONS = 2048


class NodeSet:
    """Nodes for L tokens and H heads, made level by level as they are asked for.

    Level 0 has ``FIRST_LEVEL`` nodes in each replicate and level j ≥ 1 as many as all levels
    before it, so that the first j levels together are a scrambled Sobol net of 2^j times the
    first level's size. The marked token takes the first, best equidistributed coordinates.
    """

    def __init__(self, tokens: int, heads: int, seed: int) -> None:
        from scipy.stats import qmc  # a second of imports that nothing else here needs

        self.tokens, self.heads = tokens, heads
        dimensions = tokens * heads
        # Few lanes for long sequences: a block's fields should stay in the cache.
        self.lanes = int(2 ** np.clip(np.floor(np.log2(16384 / dimensions)), 3, 6))
        self._sobol_dimensions = min(dimensions, SOBOL_DIMENSIONS)
        streams = np.random.SeedSequence(seed).spawn(REPLICATES)
        self._random = [np.random.default_rng(stream) for stream in streams]
        self._sobol = [
            qmc.Sobol(self._sobol_dimensions, scramble=True, bits=SOBOL_BITS, rng=rng)
            for rng in self._random
        ]
        self._levels: list[list[Array]] = []
        self._lock = Lock()
        affordable = min(LARGEST_NODES, LARGEST_BYTES // (8 * dimensions))
        ratio = max(affordable // (FIRST_LEVEL * REPLICATES), 1)
        self.last_level = int(np.log2(ratio))

    def level(self, number: int) -> list[Array]:
        """The nodes that this level adds: for each replicate (blocks, L, H, lanes)."""
        with self._lock:
            while len(self._levels) <= number:
                size = FIRST_LEVEL << max(len(self._levels) - 1, 0)
                pairs = zip(self._sobol, self._random, strict=True)
                self._levels.append([self._draw(sobol, rng, size) for sobol, rng in pairs])
        return self._levels[number]

    def total(self, number: int) -> int:
        """Number of nodes in levels 0 to ``number`` of all replicates."""
        return REPLICATES * FIRST_LEVEL << number

    def _draw(self, sobol: qmc.Sobol, rng: np.random.Generator, size: int) -> Array:
        with warnings.catch_warnings():
            # SciPy asks for balanced nets of its own; these levels complete one another.
            warnings.simplefilter("ignore", UserWarning)
            uniform = sobol.random(size) + 2.0 ** -(SOBOL_BITS + 1)
        normal = np.empty((size, self.tokens * self.heads))
        normal[:, : self._sobol_dimensions] = ndtri(uniform)
        normal[:, self._sobol_dimensions :] = rng.standard_normal(
            (size, normal.shape[1] - self._sobol_dimensions)
        )
        blocked = normal.reshape(size // self.lanes, self.lanes, self.tokens, self.heads)
        return np.ascontiguousarray(blocked.transpose(0, 2, 3, 1))


@lru_cache(maxsize=2)
def node_set(tokens: int, heads: int, seed: int) -> NodeSet:
    """The node set of these arguments, kept for repeated calls."""
    return NodeSet(tokens, heads, seed)


# Another thread of the parent may have been drawing a level.
in_forked_child(node_set.cache_clear)
