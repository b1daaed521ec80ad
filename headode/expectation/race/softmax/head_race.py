"""Races of one head's clocks: E p_ε and E Σ p² of every head by itself (theory: tokens).

With n, r and q = r − r' of an unmarked token, those of the marked one, and Z the null token's,

    E p_ε = ∫dx Z r_ε n^{L−1}
    E Σ p² = ∫dx Z [q_ε n^{L−1} + (L−1) q n_ε n^{L−2}]
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.expectation.field_laws import FieldLaws
from headode.expectation.race.setting import LossWeights, Race
from headode.expectation.race.softmax.head_series import (
    DENSITY,
    OF_MARKED,
    ROWS,
    SQUARED_RATE,
    SURVIVAL,
    HeadSeries,
    add_law_derivatives,
    coefficients_of,
    from_grid,
    head_series,
    on_grid,
)
from headode.expectation.race.softmax.ring_times import RingTimes
from headode.expectation.race.softmax.waves import (
    HalfWaves,
    PairGrids,
    fill_growth,
    fill_waves,
    fill_weight,
    waves_of,
)
from headode.kernels._compile import compiled

# The step of a grid grows by this factor as long as the integrands' spectra allow it.
_GROWTH = 1.1
# Entries of a table of waves: some seconds.
LARGEST_TABLE = 1 << 26


class GridAccuracy(NamedTuple):
    """How fine and how long a grid of logarithmic times is.

    Attributes:
        step: fine enough for exponential clocks, whatever the scores.
        unseen: what a grid may leave out of the integrands' spectra.
        cut: what may lie beyond its ends.
    """

    step: float
    unseen: float
    cut: float


class Integrands(NamedTuple):
    """Functions of one head's race, each (points,).

    Attributes:
        marked: of E p_ε.
        squared: of E Σ p².
        survival: n of an unmarked token.
        marked_survival: n_ε.
        others: Z n^{L−1}.
    """

    marked: Array
    squared: Array
    survival: Array
    marked_survival: Array
    others: Array


class GridEnds(NamedTuple):
    """The coarsest grid that will do for pairs; its step is 0 if the race takes too long."""

    begin: float
    end: float
    step: float


class OneRace(NamedTuple):
    """E p_ε and E Σ p² of one head, and the grid that its pairs need."""

    marked: float
    squared: float
    ends: GridEnds


class HeadRaces(NamedTuple):
    """What the races of all heads give.

    Attributes:
        marked: Σ_h E p_hε.
        squared: Σ_h E Σ_l p_hl².
        first: (S + 1, H) derivatives of −α₁ E p_ε + ½ α₂ E Σ p² with respect to the means, the
            unmarked law's summed over L − 1 tokens.
        second: (S + 1, H, H) likewise the second ones.
        points: on all grids, of one clock and of two.
        grids: for pairs of heads.
    """

    marked: float
    squared: float
    first: Array
    second: Array
    points: int
    grids: PairGrids


@compiled
def _run(
    values: Array, tokens: int, weight: Array, loss: LossWeights, factors: Array
) -> Integrands:
    """The race of one head's clocks.

    values: (6, points) n, r and q; weight: (points,) the null token's survival times the step.
    ``factors`` (6, points) receives the derivatives of −α₁ E p_ε + ½ α₂ E Σ p² with respect to
    P(T < x), r and q, the unmarked token's summed over L − 1 tokens.
    """
    points = weight.size
    integrands = Integrands(
        np.empty(points), np.empty(points), np.empty(points), np.empty(points), np.empty(points)
    )
    others = tokens - 1.0
    half = 0.5 * loss.squared
    for i in range(points):
        n, q = values[SURVIVAL, i], values[SQUARED_RATE, i]
        n_marked, r_marked = values[OF_MARKED + SURVIVAL, i], values[OF_MARKED + DENSITY, i]
        q_marked = values[OF_MARKED + SQUARED_RATE, i]
        once = max(n, 0.0)
        # Z n^{L−1}, Z n^{L−2}, Z n^{L−3}; one with a negative power is never used.
        power_3 = weight[i] * once ** max(tokens - 3, 0)
        power_2 = power_3 * once if tokens > 2 else weight[i]
        power_1 = power_2 * once if tokens > 1 else weight[i]
        integrands.survival[i], integrands.marked_survival[i] = n, n_marked
        integrands.others[i] = power_1
        integrands.marked[i] = r_marked * power_1
        integrands.squared[i] = q_marked * power_1 + others * q * n_marked * power_2
        factors[SURVIVAL, i] = -others * (
            (half * q_marked - loss.marked * r_marked) * power_2
            + half * (others - 1.0) * q * n_marked * power_3
        )
        factors[DENSITY, i] = 0.0
        factors[SQUARED_RATE, i] = half * others * n_marked * power_2
        factors[OF_MARKED + SURVIVAL, i] = -half * others * q * power_2
        factors[OF_MARKED + DENSITY, i] = -loss.marked * power_1
        factors[OF_MARKED + SQUARED_RATE, i] = half * power_1
    return integrands


@compiled
def _amplitude(integrands: Integrands, turn: float) -> float:
    """The larger |Σ_i f(x_i) e^{i·turn}| of the integrands of E p_ε and E Σ p²."""
    one, two = integrands.marked, integrands.squared
    cos, sin = 1.0, 0.0
    real, imaginary, real_two, imaginary_two = 0.0, 0.0, 0.0, 0.0
    turn_cos, turn_sin = math.cos(turn), math.sin(turn)
    for i in range(one.size):
        real += one[i] * cos
        imaginary += one[i] * sin
        real_two += two[i] * cos
        imaginary_two += two[i] * sin
        cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin
    return math.sqrt(max(real**2 + imaginary**2, real_two**2 + imaginary_two**2))


@compiled
def _coarsest(
    integrands: Integrands, start: float, step: float, tokens: int, wanted: GridAccuracy
) -> GridEnds:
    """The coarsest grid, within the one from ``start`` on with this ``step``, that two clocks need.

    The error of a step h is the integrands' spectrum at 2π/h. We start at a frequency at which it
    is known to be negligible and coarsen up to the step that is ``wanted`` at most.
    """
    survival, marked_survival = integrands.survival, integrands.marked_survival
    points = survival.size
    first = 0
    for i in range(points):
        if (tokens - 1.0) * (1.0 - survival[i]) + 1.0 - marked_survival[i] >= wanted.cut:
            first = max(i - 1, 0)
            break
    last = points - 1
    while last > first and integrands.others[last] * marked_survival[last] < wanted.cut * step:
        last -= 1
    coarse = min(2.0 * step, wanted.step)
    while coarse < wanted.step:
        wider = min(_GROWTH * coarse, wanted.step)
        if _amplitude(integrands, 2.0 * math.pi * step / wider) > wanted.unseen:
            break
        coarse = wider
    return GridEnds(start + first * step, start + last * step, coarse)


@compiled
def _widest_step(times: RingTimes, h: int, tokens: int, step: float) -> float:
    """The largest step that a head's grid may have in a pair.

    Two clocks of strongly correlated scores are sharper along x − y than either race shows: as
    sharp as the law's highest frequency, times √(1 + 2 ln L) for the power of n, or, where that is
    less, as exponential clocks are at any score.
    """
    spread = math.sqrt(1.0 + 2.0 * math.log(tokens))
    highest: float = spread * times.boxes.sizes[h].max() * times.boxes.bases[h]
    return max(2.0 * step, 2.0 * math.pi / highest)


@compiled
def _race(
    head: HeadSeries,
    window: Array,
    race: Race,
    loss: LossWeights,
    accuracy: GridAccuracy,
    widest: float,
    first: Array,
    second: Array,
) -> OneRace:
    """One head's race on a grid from one end of its window to the other.

    ``first`` and ``second`` (S + 1,): the derivatives of −α₁ E p_ε + ½ α₂ E Σ p² with respect to
    the means are added; the unmarked law's are summed over L − 1 tokens.
    """
    size, base = head.moduli.size, head.frame.base
    coefficients = coefficients_of(head)
    step = max(accuracy.step, 0.5 * math.pi / (size * base))
    while True:
        # Points at both ends, and none beyond: there the series are wrong.
        half = math.ceil(0.5 * (window[1] - window[0]) / step + 0.5)
        step = (window[1] - window[0]) / (2 * half - 1)
        if size * half > LARGEST_TABLE:
            return OneRace(0.0, 0.0, GridEnds(0.0, 0.0, 0.0))
        waves = HalfWaves(np.empty((size, half)), np.empty((size, half)))
        fill_waves(step, base, waves)
        growth, weight = np.empty(2 * half), np.empty(2 * half)
        fill_growth(head.frame.tilt, step, growth)
        fill_weight(window[0], step, race.null, weight)
        values = on_grid(head, coefficients, waves, growth)
        factors = np.empty((ROWS, 2 * half))
        integrands = _run(values, race.tokens, weight, loss, factors)
        if _amplitude(integrands, math.pi) < accuracy.unseen or step < 0.5 * accuracy.step:
            break
        step *= 0.5
    add_law_derivatives(head, from_grid(factors, waves, growth), 1.0, first, second)
    wanted = GridAccuracy(widest, accuracy.unseen, accuracy.cut)
    ends = _coarsest(integrands, window[0], step, race.tokens, wanted)
    return OneRace(integrands.marked.sum(), integrands.squared.sum(), ends)


@compiled
def race_heads(
    times: RingTimes, laws: FieldLaws, race: Race, loss: LossWeights, accuracy: GridAccuracy
) -> HeadRaces:
    """The races of all heads, and what pairs of heads need of each.

    Args:
        times: the series of the ring times.
        laws: of the fields.
        race: L and ν.
        loss: α₁ and α₂.
        accuracy: of grids.
    """
    count, heads = laws.means.shape
    first, second = np.zeros((count, heads)), np.zeros((count, heads, heads))
    centers, steps = np.empty(heads), np.empty(heads)
    halves = np.zeros(heads, dtype=np.int64)
    marked, squared = 0.0, 0.0
    for h in range(heads):
        window = times.boxes.windows[h]
        head = head_series(times, laws, h, 0.5 * (window[0] + window[1]))
        widest = _widest_step(times, h, race.tokens, accuracy.step)
        one = _race(head, window, race, loss, accuracy, widest, first[:, h], second[:, h, h])
        marked += one.marked
        squared += one.squared
        begin, end, coarse = one.ends
        if coarse > 0.0:
            halves[h] = math.ceil(0.5 * (end - begin) / coarse + 0.5)
            centers[h], steps[h] = 0.5 * (begin + end), (end - begin) / (2 * halves[h] - 1)
    if halves.min() == 0:
        halves[:] = 0
    # Σ_h 2n_h for single heads and 4 Σ_{h<k} n_h n_k for pairs.
    points = 2 * (halves.sum() + halves.sum() ** 2 - (halves * halves).sum())
    grids = _pair_grids(times, laws, race.null, centers, steps, halves)
    return HeadRaces(marked, squared, first, second, points, grids)


@compiled
def _pair_grids(
    times: RingTimes,
    laws: FieldLaws,
    null: float,
    centers: Array,
    steps: Array,
    halves: NDArray[np.int64],
) -> PairGrids:
    """The functions on the grids of pairs."""
    boxes = times.boxes
    heads, most = halves.size, halves.max()
    rows = boxes.sizes.max() + 1
    grids = PairGrids(
        centers,
        steps,
        halves,
        np.empty((heads, rows * most)),
        np.empty((heads, rows * most)),
        np.empty((heads, 2 * most)),
        np.empty((heads, 2 * most)),
        np.empty((heads, 2, 2 * most)),
    )
    for h in range(heads):
        half, center, step = halves[h], centers[h], steps[h]
        growth = grids.growth[h, : 2 * half]
        fill_waves(step, boxes.bases[h], waves_of(grids, h, boxes.sizes[h].max() + 1))
        fill_growth(boxes.tilts[h], step, growth)
        fill_weight(center - (half - 0.5) * step, step, null, grids.weight[h, : 2 * half])
        head = head_series(times, laws, h, center)
        waves = waves_of(grids, h, boxes.sizes[h, h] + 1)
        values = on_grid(head, coefficients_of(head), waves, growth)
        for token in range(2):
            for i in range(2 * half):
                grids.survival[h, token, i] = values[OF_MARKED * token + SURVIVAL, i]
    return grids


@compiled
def add_marginals(
    times: RingTimes,
    laws: FieldLaws,
    grids: PairGrids,
    marginals: Array,
    scale: float,
    first: Array,
    second: Array,
) -> None:
    """Add the derivatives of Σ marginals · n, for single heads on the grids of their pairs.

    Args:
        times: the series of the ring times.
        laws: of the fields.
        grids: of pairs.
        marginals: (H, 2, points) what multiplies n of an unmarked token and of the marked one.
        scale: of what is added.
        first: (S + 1, H) derivatives with respect to the means are added.
        second: (S + 1, H, H) second derivatives are added on the diagonal.
    """
    for h in range(laws.means.shape[1]):
        half = grids.halves[h]
        # n = 1 − P(T < x)
        factors = np.zeros((ROWS, 2 * half))
        for token in range(2):
            for i in range(2 * half):
                factors[OF_MARKED * token + SURVIVAL, i] = -marginals[h, token, i]
        waves = waves_of(grids, h, times.boxes.sizes[h, h] + 1)
        by_coefficients = from_grid(factors, waves, grids.growth[h, : 2 * half])
        head = head_series(times, laws, h, grids.centers[h])
        add_law_derivatives(head, by_coefficients, scale, first[:, h], second[:, h, h])
