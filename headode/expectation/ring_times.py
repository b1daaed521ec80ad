"""Per-head softmax by the laws of the logarithmic ring times: no nodes (theory: tokens).

A token with the exponential score u rings at a time e^T with T = log E − u, E a standard
exponential. For Gaussian scores the characteristic function of the T of the heads is known, and
with it all that a race is made of: their density, the probability n that they are later than x, and
derivatives with respect to the means of the scores, which are factors −ik. On boxes that hold
nearly all of the law these are Fourier series, the shorter the larger Q. The laws of the marked
token, one for each component of the signal, are summed before anything is evaluated on the grid of
times, so that many components cost little more than one.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import cache

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.expectation.clock_functions import clock_step
from headode.expectation.gaussian_rule import TooManyNodes
from headode.expectation.gradients import Gradients
from headode.expectation.threads import run_all, single_threaded_blas
from headode.kernels.one_clock import Grids, add_marginals, race_heads
from headode.kernels.ring_laws import RingLaws, ring_laws
from headode.kernels.two_clocks import overlap_pairs

# Fractions of the tolerance: of the law, times the number of tokens, that boxes and series leave
# out; of the spectrum that a grid does not see; of the integrals beyond the ends of a grid.
LAW, UNSEEN, TAIL = 0.02, 0.01, 0.01
# Entries of the series of two heads, times the points of the grid, in all pairs: above, a second
# thread pays; and, for a single pair, some seconds. Points of the grid of a pair: half a gigabyte.
PARALLEL_WORK, LARGEST_WORK, LARGEST_GRID = 100_000, 1 << 32, 1 << 23
# Products of matrices of series up to this long are too small for the library to use threads.
SMALL_PRODUCTS = 30


def race_series(
    means: Array,
    covariances: Array,
    probabilities: Array,
    race: tuple[int, float],
    alpha: tuple[float, float],
    tolerance: float,
) -> Gradients:
    """The races of all heads, each by itself, and of all pairs of heads.

    Args:
        means: (S + 1, H) of the shifted fields; row 0 of an unmarked token.
        covariances: (S + 1, H, H).
        probabilities: (S,) of the components of the signal.
        race: L and ν, the rate of the null token.
        alpha: α₁ and α₂ of −α₁ Σ_h E p_hε + ½ α₂ E Σ_l (Σ_h p_hl)², whose derivatives are returned.
        tolerance: target absolute error.

    Raises:
        TooManyNodes: for scores whose standard deviation is in the thousands.
    """
    laws = means, covariances, probabilities
    ring = ring_laws(means, covariances, *race, LAW * tolerance)
    size = ring[5].shape[1] - 1  # the largest number of frequencies
    # A limit takes as long as everything else that is not compiled.
    with single_threaded_blas() if size > SMALL_PRODUCTS else nullcontext():
        steps = clock_step(tolerance), UNSEEN * tolerance, TAIL * tolerance
        sums, first, second, nodes, grids = race_heads(ring, *laws, race, alpha, *steps)
        points = grids[-1].shape[-1]
        work = size**2 * (points // 2)
        if work == 0 or work > LARGEST_WORK or points**2 > LARGEST_GRID:
            raise TooManyNodes(
                f"scores with a standard deviation of {math.sqrt(covariances.max()):.3g} take too "
                "long by the factorized method (try method auto or a looser tolerance)"
            )
        marked, squared = sums.tolist()
        total = Gradients(marked, squared, first, second, nodes)
        if means.shape[1] > 1:
            _add_pairs(total, ring, laws, race[0], grids, alpha[1], work)
    return total


def _add_pairs(
    total: Gradients,
    ring: RingLaws,
    laws: tuple[Array, Array, Array],
    tokens: int,
    grids: Grids,
    alpha: float,
    work: int,
) -> None:
    """Add the overlaps of all pairs of heads, and their derivatives."""
    later = grids[-1]
    pairs, marginals = _pairs(len(later)), np.zeros(later.shape)
    overlaps = np.empty(len(pairs))
    given = ring, *laws, tokens, grids, alpha
    if work * len(pairs) > PARALLEL_WORK and len(pairs) > 1:
        half = len(pairs) // 2
        apart = tuple(np.zeros_like(each) for each in (total.first, total.second, marginals))
        ours = pairs[:half], *given, overlaps[:half], total.first, total.second, marginals
        run_all(overlap_pairs, [ours, (pairs[half:], *given, overlaps[half:], *apart)], True)
        total.first += apart[0]
        total.second += apart[1]
        marginals += apart[2]
    else:
        overlap_pairs(pairs, *given, overlaps, total.first, total.second, marginals)
    add_marginals(ring, *laws, grids, marginals, alpha, total.first, total.second)
    total.squared += 2.0 * sum(overlaps.tolist())


@cache
def _pairs(heads: int) -> NDArray[np.int64]:
    """(n, 2) all pairs of heads, each once."""
    pairs = np.stack(np.tril_indices(heads, -1), axis=1)
    pairs.flags.writeable = False
    return pairs
