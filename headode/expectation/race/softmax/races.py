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

from headode.expectation.clock_functions import clock_step
from headode.expectation.field_laws import FieldLaws
from headode.expectation.gaussian_rule import TooManyNodes
from headode.expectation.moments import Moments
from headode.expectation.race.setting import LossWeights, Race
from headode.expectation.race.softmax.head_race import GridAccuracy, add_marginals, race_heads
from headode.expectation.race.softmax.pair_race import PairSums, overlap_pairs
from headode.expectation.race.softmax.ring_times import RingTimes, ring_times
from headode.expectation.race.softmax.waves import PairGrids
from headode.expectation.threads import run_all, single_threaded_blas

# Fractions of the tolerance: of the law, times the number of tokens, that boxes and series leave
# out; of the spectrum that a grid does not see; of the integrals beyond the ends of a grid.
LAW, UNSEEN, TAIL = 0.02, 0.01, 0.01
# Entries of the series of two heads, times the points of the grid, in all pairs: above, a second
# thread pays; and, for a single pair, some seconds. Points of the grid of a pair: half a gigabyte.
PARALLEL_WORK, LARGEST_WORK, LARGEST_GRID = 100_000, 1 << 32, 1 << 23
# Products of matrices of series up to this long are too small for the library to use threads.
SMALL_PRODUCTS = 30


def softmax_races(laws: FieldLaws, race: Race, loss: LossWeights, tolerance: float) -> Moments:
    """The races of all heads, each by itself, and of all pairs of heads.

    Args:
        laws: of a token's fields.
        race: L and ν.
        loss: α₁ and α₂ of −α₁ Σ_h E p_hε + ½ α₂ E Σ_l (Σ_h p_hl)², whose derivatives are returned.
        tolerance: target absolute error.

    Raises:
        TooManyNodes: for scores whose standard deviation is in the thousands.
    """
    times = ring_times(laws, race, LAW * tolerance)
    size = times.moduli.shape[1] - 1  # the largest number of frequencies
    # Setting the limit costs as much as all other Python here, so large products only are worth it.
    with single_threaded_blas() if size > SMALL_PRODUCTS else nullcontext():
        accuracy = GridAccuracy(clock_step(tolerance), UNSEEN * tolerance, TAIL * tolerance)
        heads = race_heads(times, laws, race, loss, accuracy)
        points = heads.grids.growth.shape[1]
        work = size**2 * (points // 2)
        if work == 0 or work > LARGEST_WORK or points**2 > LARGEST_GRID:
            raise TooManyNodes(
                f"scores with a standard deviation of {math.sqrt(laws.covariances.max()):.3g} take "
                "too long by the factorized method (try method auto or a looser tolerance)"
            )
        total = Moments(heads.marked, heads.squared, heads.first, heads.second, heads.points)
        if laws.means.shape[1] > 1:
            _add_pairs(total, times, laws, race.tokens, heads.grids, loss.squared, work)
    return total


def _add_pairs(
    total: Moments,
    times: RingTimes,
    laws: FieldLaws,
    tokens: int,
    grids: PairGrids,
    scale: float,
    work: int,
) -> None:
    """Add the overlaps of all pairs of heads, and their derivatives."""
    pairs = _pairs(laws.means.shape[1])
    overlaps, marginals = np.empty(len(pairs)), np.zeros(grids.survival.shape)
    sums = PairSums(overlaps, total.first, total.second, marginals)
    if work * len(pairs) > PARALLEL_WORK and len(pairs) > 1:
        half = len(pairs) // 2
        apart = PairSums(overlaps[half:], *(np.zeros_like(each) for each in sums[1:]))
        ours = sums._replace(overlaps=overlaps[:half])
        shares = ((pairs[:half], ours), (pairs[half:], apart))
        tasks = [(share, times, laws, tokens, grids, scale, into) for share, into in shares]
        run_all(overlap_pairs, tasks, parallel=True)
        for into, part in zip(ours[1:], apart[1:], strict=True):
            into += part
    else:
        overlap_pairs(pairs, times, laws, tokens, grids, scale, sums)
    add_marginals(times, laws, grids, marginals, scale, total.first, total.second)
    total.squared += 2.0 * sum(overlaps.tolist())


@cache
def _pairs(heads: int) -> NDArray[np.int64]:
    """(n, 2) all pairs of heads, each once."""
    pairs = np.stack(np.tril_indices(heads, -1), axis=1)
    pairs.flags.writeable = False
    return pairs
