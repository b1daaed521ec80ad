"""How the JAX program's error falls with the number of its nodes, over independent scrambles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jax_program import NodeStream, Problem, expected_update
from numpy.typing import NDArray

import headode as ho

SCRAMBLES = 8
# The smallest power of two that is looked at, and the last points that a power law is fitted to.
FIRST, FITTED = 8, 6


@dataclass(frozen=True)
class NodeErrors:
    """Errors against an exact value, for powers of two of nodes.

    Attributes:
        counts: (P,) numbers of nodes.
        rms: (P,) root mean square over scrambles of the largest error of an entry of G and C.
        deviation: largest difference of the mean over all scrambles at the largest number of nodes
            from the exact value, for any entry of G and C.
        standard_error: of that mean, for the same entry.
    """

    counts: NDArray[np.float64]
    rms: NDArray[np.float64]
    deviation: float
    standard_error: float

    @property
    def slope(self) -> float:
        """Exponent of the fitted power law."""
        return float(self._fit()[0])

    def count_for(self, target: float) -> tuple[int, bool]:
        """The power of two from which on the error is below, and whether it is extrapolated."""
        missed = np.flatnonzero(self.rms > target)
        first = int(missed[-1]) + 1 if missed.size else 0
        if first < len(self.counts):
            return int(self.counts[first]), False
        slope, level = self._fit()
        exponent = np.ceil((np.log2(target) - level) / slope - 1e-9)
        return 1 << max(int(exponent), int(np.log2(self.counts[-1])) + 1), True

    def _fit(self) -> NDArray[np.float64]:
        last = slice(-FITTED, None)
        return np.polyfit(np.log2(self.counts[last]), np.log2(self.rms[last]), 1)


def node_errors(
    problem: Problem,
    state: ho.OrderParameters,
    exact: ho.ExpectedUpdate,
    largest: int,
    *,
    kind: str = "sobol",
    root: str = "ordered",
) -> NodeErrors:
    """Run all scrambles up to ``2**largest`` nodes, in blocks, and look at every power of two."""
    counts = 2 ** np.arange(FIRST, largest + 1)
    expected = np.concatenate([exact.G.ravel(), exact.C.ravel()])
    deviations = np.empty((SCRAMBLES, len(counts), expected.size))
    for seed in range(SCRAMBLES):
        stream = NodeStream(problem, seed, kind=kind, root=root)
        total, done = np.zeros(expected.size), 0
        for index, count in enumerate(counts):
            # Blocks of a few sizes only, because every size is compiled.
            block = min(int(count) - done, 1 << max(FIRST, largest - 4))
            while done < count:
                update = expected_update(problem, state.M, state.R, stream.take(block), root=root)
                total += block * np.concatenate([np.ravel(update.G), np.ravel(update.C)])
                done += block
            deviations[seed, index] = total / count - expected
    rms = np.sqrt(np.mean(np.abs(deviations).max(axis=2) ** 2, axis=0))
    last = deviations[:, -1]
    mean, errors = last.mean(axis=0), last.std(axis=0, ddof=1) / np.sqrt(SCRAMBLES)
    worst = int(np.abs(mean).argmax())
    return NodeErrors(counts, rms, float(abs(mean[worst])), float(errors[worst]))
