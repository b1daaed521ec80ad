"""Two clocks for each token: the overlap of two heads' softmaxes (theory: tokens).

With a clock for each of the heads h and k,

    E p_h·p_k = ∫∫dx dy Z(x) Z(y) [ρ_ε n^{L−1} + (L−1) ρ n_ε n^{L−2}],

n = E g_h g_k, ρ = E[(a g)_h (a g)_k], a = e^x w(u), g = e^{−a}, Z the null token's survival. The
derivatives follow from the first variation, as for one clock. Averages over the two fields are
nested: over head h's on M outer nodes and, given it, over head k's on J inner ones, so that n and ρ
on the grid of times are products of (points × M) and (M × points) matrices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.expectation.clock import Grid, LogRates, survivors
from headode.expectation.gaussian_rule import NODES, TooManyNodes, line_rule
from headode.kernels.generated.clock import average_tables
from headode.kernels.load import Kernel

# Multiplications in one of the about ten matrix products and tables: some seconds in all.
LARGEST_WORK = 1 << 31


@dataclass(frozen=True)
class PairGradients:
    """Overlap of two heads' weights and its expected derivatives.

    Attributes:
        overlap: E p_h·p_k.
        first: (laws, 2) with respect to the two fields; law 0 summed over the unmarked tokens.
        second: (laws, 2, 2).
    """

    overlap: float
    first: Array
    second: Array


def pair_gradients(
    law_of: Kernel,
    means: Array,
    covariances: Array,
    probabilities: Array,
    length: int,
    null: float,
    tolerance: float,
) -> PairGradients:
    """Evaluate one pair of heads.

    Args:
        law_of: the activation's ``token_law`` kernel.
        means: (S + 1, 2) of the shifted fields; row 0 of an unmarked token.
        covariances: (S + 1, 2, 2).
        probabilities: (S,) of the components of the signal.
        length: L.
        null: ν.
        tolerance: target absolute error.

    Raises:
        TooManyNodes: for fields whose standard deviation is of the order of a hundred.
    """
    fields = _Fields.of(means, covariances, NODES * tolerance / length)
    grids = [
        Grid.covering(
            _marginals(law_of, means[:, i], covariances[:, i, i], tolerance), length, tolerance
        )
        for i in range(2)
    ]
    work = fields.one.size * grids[0].points * (grids[1].points + fields.inner.shape[1])
    if work > LARGEST_WORK:
        raise TooManyNodes(
            f"scores with a standard deviation of {math.sqrt(covariances.max()):.3g} take too many "
            f"nodes for the factorized method (try method auto or a looser tolerance)"
        )
    one = _tables(law_of, fields.one[..., None], np.ones((len(means), 1)), grids[0])
    two = _tables(law_of, fields.two, fields.inner, grids[1])
    return _vary(one, two, fields.outer, grids, probabilities, length, null)


@dataclass(frozen=True)
class _Fields:
    """Nodes of all laws, padded with nodes of weight zero to common numbers M and J."""

    one: Array  # (laws, M)
    two: Array  # (laws, M, J)
    outer: Array  # (laws, M) weights
    inner: Array  # (laws, J) weights

    @classmethod
    def of(cls, means: Array, covariances: Array, tolerance: float) -> _Fields:
        rows = []
        for mean, covariance in zip(means, covariances, strict=True):
            deviation = math.sqrt(max(float(covariance[0, 0]), 0.0))
            carried = float(covariance[0, 1]) / deviation if deviation > 0 else 0.0
            residual = math.sqrt(max(float(covariance[1, 1]) - carried**2, 0.0))
            z, outer = line_rule(max(deviation, abs(carried)), tolerance)
            r, inner = line_rule(residual, tolerance)
            one = mean[0] + deviation * z
            two = mean[1] + carried * z[:, None] + residual * r
            rows.append((one, two, outer, inner))
        M, J = (max(len(row[side]) for row in rows) for side in (2, 3))
        return cls(
            np.array([_pad(one, M) for one, _, _, _ in rows]),
            np.array([_pad(_pad(two, J, axis=1), M, axis=0) for _, two, _, _ in rows]),
            np.array([_pad(outer, M, zero=True) for _, _, outer, _ in rows]),
            np.array([_pad(inner, J, zero=True) for _, _, _, inner in rows]),
        )


def _pad(array: Array, size: int, *, axis: int = 0, zero: bool = False) -> Array:
    if array.shape[axis] == size:
        return array
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, size - array.shape[axis])
    return np.pad(array, widths) if zero else np.pad(array, widths, mode="edge")


def _score(law_of: Kernel, fields: Array) -> tuple[Array, Array, Array]:
    """log w, its slope and w''/w at the fields, each of their shape."""
    y, derivatives = np.empty(fields.size), np.empty((2, 1, fields.size))
    law_of(fields.reshape(1, -1), np.zeros(1), y, *derivatives)
    slope, bend = derivatives.reshape(2, *fields.shape)
    return y.reshape(fields.shape), slope, bend


def _marginals(law_of: Kernel, means: Array, variances: Array, tolerance: float) -> list[LogRates]:
    """The laws of one head's log-rates, to choose the grid from."""
    laws = []
    for mean, variance in zip(means, variances, strict=True):
        z, weights = line_rule(math.sqrt(max(float(variance), 0.0)), tolerance)
        y, _, _ = _score(law_of, mean + math.sqrt(max(float(variance), 0.0)) * z)
        laws.append(LogRates(y, weights))
    return laws


def _tables(law_of: Kernel, fields: Array, weights: Array, grid: Grid) -> Array:
    """(laws, 6, points, M): averages over the inner nodes; see the kernel."""
    y, slopes, bends = _score(law_of, fields)
    tables = np.empty((len(fields), 6, grid.points, fields.shape[1]))
    for law in range(len(fields)):
        average_tables(
            y[law], slopes[law], bends[law], weights[law],
            grid.start, grid.step, grid.chains, tables[law],
        )  # fmt: skip
    return tables


def _vary(
    one: Array,
    two: Array,
    outer: Array,
    grids: list[Grid],
    probabilities: Array,
    length: int,
    null: float,
) -> PairGradients:
    """The overlap and its first variation, contracted with the derivatives of every law.

    Works law by law: arrays that fit into the cache are also spared the system's page faults.
    """
    one *= outer[:, None, None]
    missed, rho = _joint(one[0], two[0], outer[0])
    n_marked, rho_marked = np.ones_like(missed), np.zeros_like(rho)
    for p, *law in zip(probabilities, one[1:], two[1:], outer[1:], strict=True):
        missed_marked, rung_marked = _joint(*law)
        n_marked -= p * missed_marked
        rho_marked += p * rung_marked
    L = length
    survival = np.multiply.outer(*(np.exp(-null * grid.times) for grid in grids))
    whole, less_one, less_two = survivors(missed, L, survival * grids[0].step * grids[1].step)
    overlap = float(np.vdot(rho_marked, whole))
    overlap += (L - 1) * float(np.vdot(rho * less_one, n_marked))

    # ψ = ∫∫ [rung (ag)_h (ag)_k + none g_h g_k] for the marked token, and for the others together.
    marked = whole, (L - 1) * rho * less_one
    none = rho_marked * less_one
    if L > 2:
        none += (L - 2) * rho * n_marked * less_two
    others = (L - 1) * n_marked * less_one, (L - 1) * none
    first, second = np.empty((len(one), 2)), np.empty((len(one), 2, 2))
    for s in range(len(one)):
        one[s, 0] = outer[s] - one[s, 0]  # from 1 − g to g
        two[s, 0] = 1.0 - two[s, 0]
        rung, none = marked if s else others
        pairing = _pairing(one[s, :3], none, two[s, :3])
        pairing += _pairing(one[s, 3:], rung, two[s, 3:])
        first[s] = pairing[1, 0], pairing[0, 1]
        second[s] = [[pairing[2, 0], pairing[1, 1]], [pairing[1, 1], pairing[0, 2]]]
    return PairGradients(overlap, first, second)


def _joint(weighted: Array, two: Array, outer: Array) -> tuple[Array, Array]:
    """1 − n, without cancellation, and ρ, from the tables of one law."""
    missed = weighted[0].sum(axis=-1)[:, None] + two[0] @ outer
    missed -= weighted[0] @ two[0].T  # P(h has rung) + P(k has rung) − P(both have)
    return missed, weighted[3] @ two[3].T


def _pairing(one: Array, weight: Array, two: Array) -> Array:
    """Σ_xym weight(x, y) one_i(x, m) two_j(y, m) for i, j = 0, 1, 2."""
    against = weight @ two
    result: Array = one.reshape(3, -1) @ against.reshape(3, -1).T
    return result
