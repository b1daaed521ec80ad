"""Two clocks for each token: the overlap of two heads' softmaxes, E p_h·p_k (theory: tokens).

With T_h and T_k the logarithmic ring times, ρ their joint density, n = P(T_h > x, T_k > y), those
of the marked token, and Z the null token's survival,

    E p_h·p_k = ∫∫ dx dy Z(x) Z(y) [ρ_ε n^{L−1} + (L−1) ρ n_ε n^{L−2}]
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.expectation.field_laws import FieldLaws
from headode.expectation.race.softmax.pair_series import (
    PairLaws,
    PairSide,
    Run,
    fill_law_derivatives,
    fill_series,
    fill_spectra,
    fill_transposed_series,
    inverse_slopes,
    pair_laws,
    pair_side,
    phases_of,
    runs_of,
)
from headode.expectation.race.softmax.ring_times import RingTimes
from headode.expectation.race.softmax.symmetric_grid import series_from_grid, series_on_grid
from headode.expectation.race.softmax.waves import PairGrids
from headode.kernels._compile import compiled

# Rows of functions of two ring times, of an unmarked token and then of the marked one. The series
# of the second one of each is that of P(T_h < x, T_k < y); on a grid it becomes n.
DENSITY, SURVIVAL = 0, 1
OF_MARKED, ROWS = 2, 4


class PairSums(NamedTuple):
    """What the pairs of heads add up to.

    Attributes:
        overlaps: (pairs,) E p_h·p_k.
        first: (S + 1, H) Σ of the derivatives with respect to the means, times a scale; the
            unmarked law's summed over L − 1 tokens; but for those by way of single heads' n.
        second: (S + 1, H, H) likewise the second derivatives.
        marginals: (H, 2, points) what multiplies each head's P(T > x), without the scale.
    """

    overlaps: Array
    first: Array
    second: Array
    marginals: Array


@compiled
def _fill_powers(n: Array, weight: Array, tokens: int, powers: Array) -> None:
    """w n^{L−1}, w n^{L−2} and w n^{L−3} in the rows of ``powers``.

    w in place of a negative power, which is never used.
    """
    base, square = np.empty(n.size), np.empty(n.size)
    for i in range(n.size):
        base[i] = max(n[i], 0.0)
        square[i] = base[i]
        powers[2, i] = weight[i]
    exponent = tokens - 3
    while exponent > 0:
        odd = exponent & 1
        for i in range(n.size):
            if odd:
                powers[2, i] *= square[i]
            square[i] *= square[i]
        exponent >>= 1
    for i in range(n.size):
        powers[1, i] = powers[2, i] * base[i] if tokens > 2 else weight[i]
        powers[0, i] = powers[1, i] * base[i] if tokens > 1 else weight[i]


@compiled
def _survival_from_distribution(values: Array, one: PairSide, two: PairSide) -> None:
    """Make n of P(T_h < x, T_k < y) and its repetitions: 1 − P(T_h < x) − P(T_k < y) + it.

    values: (points of y, 4, points of x).
    """
    whole_one, whole_two = 1.0 + one.repeat, 1.0 + two.repeat
    for token in range(2):
        at = OF_MARKED * token + SURVIVAL
        for i in range(values.shape[0]):
            shift = whole_one * (two.survival[token, i] - whole_two)
            for j in range(values.shape[2]):
                values[i, at, j] += shift + whole_two * one.survival[token, j]


@compiled
def _add_marginals(
    factors: Array, one: PairSide, two: PairSide, at_one: Array, at_two: Array
) -> None:
    """Add, to what multiplies P(T_h > x) and P(T_k > y), what n has of them; (2, points) each."""
    for token in range(2):
        for i in range(factors.shape[0]):
            total = 0.0
            for j in range(factors.shape[2]):
                factor = factors[i, OF_MARKED * token + SURVIVAL, j]
                total += factor
                at_one[token, j] += (1.0 + two.repeat) * factor
            at_two[token, i] += (1.0 + one.repeat) * total


@compiled
def _overlap(values: Array, one: PairSide, two: PairSide, tokens: int, factors: Array) -> float:
    """E p_h·p_k, and what multiplies ρ and n of an unmarked and of the marked token in it.

    values, factors: (points of y, 4, points of x).
    """
    rows, columns = values.shape[0], values.shape[2]
    weight, n = np.empty(rows * columns), np.empty(rows * columns)
    for i in range(rows):
        for j in range(columns):
            weight[i * columns + j] = two.weight[i] * one.weight[j]
            n[i * columns + j] = values[i, SURVIVAL, j]
    powers = np.empty((3, rows * columns))
    _fill_powers(n, weight, tokens, powers)
    others = tokens - 1.0
    overlap = 0.0
    for i in range(rows):
        for j in range(columns):
            at = i * columns + j
            density = values[i, DENSITY, j]
            density_marked = values[i, OF_MARKED + DENSITY, j]
            n_marked = values[i, OF_MARKED + SURVIVAL, j]
            unmarked = others * density * powers[1, at]
            factors[i, OF_MARKED + DENSITY, j] = powers[0, at]
            factors[i, OF_MARKED + SURVIVAL, j] = unmarked
            factors[i, DENSITY, j] = others * n_marked * powers[1, at]
            factors[i, SURVIVAL, j] = others * (
                density_marked * powers[1, at] + (others - 1.0) * density * n_marked * powers[2, at]
            )
            overlap += density_marked * powers[0, at] + n_marked * unmarked
    return overlap


@compiled
def _tilt_all(values: Array, one: PairSide, two: PairSide) -> None:
    """Multiply by e^{αx + α'y}."""
    for i in range(values.shape[0]):
        for f in range(values.shape[1]):
            for j in range(values.shape[2]):
                values[i, f, j] *= two.growth[i] * one.growth[j]


@compiled
def _race_two(
    sides: tuple[PairSide, PairSide],
    laws: PairLaws,
    runs: NDArray[np.int64],
    tokens: int,
    marginals: tuple[Array, Array],
    first: Array,
    second: Array,
) -> float:
    """E p_h·p_k, and its derivatives with respect to the means of every law.

    Args:
        sides: h and k.
        laws: of their scores.
        runs: see :func:`~.pair_series.runs_of`.
        tokens: L.
        marginals: (2, points) of h and of k, what multiplies P(T > x) is added.
        first: (S + 1, 2) receives the derivatives but for those by way of the marginals, over the
            laws' probabilities; the unmarked law's are summed over L − 1 tokens.
        second: (S + 1, 2, 2) receives the second ones.
    """
    one, two = sides
    rows, columns = one.waves.cosines.shape[0], two.waves.cosines.shape[0]
    phases = phases_of(one, two, laws)
    spectra = np.zeros((2, 4, rows, columns))
    moduli = fill_spectra(one, two, laws, phases, runs, spectra)
    inverses = inverse_slopes(one, two)
    series = np.empty((2, rows, 2, ROWS, columns))
    for token in range(2):
        fill_series(spectra[token], inverses, OF_MARKED * token, series)
    values = series_on_grid(series, one.waves, two.waves)
    _tilt_all(values, one, two)
    _survival_from_distribution(values, one, two)
    factors = np.empty(values.shape)
    overlap = _overlap(values, one, two, tokens, factors)
    _add_marginals(factors, one, two, marginals[0], marginals[1])
    _tilt_all(factors, one, two)
    response = series_from_grid(factors, one.waves, two.waves)
    for token in range(2):
        fill_transposed_series(response, inverses, OF_MARKED * token, spectra[token])
    frames, by_spectra = (one.frame, two.frame), spectra.reshape((2, 4, rows * columns))
    for i in range(runs.shape[0]):
        run = Run(runs[i, 0], runs[i, 1], runs[i, 2])
        fill_law_derivatives(
            frames, phases, run, moduli[run.kind], by_spectra[min(i, 1)], first, second
        )
    return overlap


@compiled
def overlap_pairs(
    pairs: NDArray[np.int64],
    times: RingTimes,
    laws: FieldLaws,
    tokens: int,
    grids: PairGrids,
    scale: float,
    sums: PairSums,
) -> None:
    """The overlaps of pairs of heads.

    Args:
        pairs: (n, 2) heads.
        times: the series of the ring times.
        laws: of the fields.
        tokens: L.
        grids: of pairs, from :func:`~.head_race.race_heads`.
        scale: of the derivatives.
        sums: receives the n overlaps; everything else is added.
    """
    count = laws.means.shape[0]
    gradient, curvature = np.empty((count, 2)), np.empty((count, 2, 2))
    runs = runs_of(laws.covariances)
    first, second = sums.first, sums.second
    for i in range(pairs.shape[0]):
        h, k = pairs[i]
        sums.overlaps[i] = _race_two(
            (pair_side(times, grids, h, k), pair_side(times, grids, k, h)),
            pair_laws(laws, h, k, times.boxes.bases),
            runs,
            tokens,
            (
                sums.marginals[h, :, : 2 * grids.halves[h]],
                sums.marginals[k, :, : 2 * grids.halves[k]],
            ),
            gradient,
            curvature,
        )
        for s in range(count):
            first[s, h] += scale * gradient[s, 0]
            first[s, k] += scale * gradient[s, 1]
            second[s, h, h] += scale * curvature[s, 0, 0]
            second[s, k, k] += scale * curvature[s, 1, 1]
            second[s, h, k] += scale * curvature[s, 0, 1]
            second[s, k, h] += scale * curvature[s, 1, 0]
