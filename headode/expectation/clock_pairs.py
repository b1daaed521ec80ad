"""Two clocks for each token: the overlap of two heads, for any score function (theory: tokens).

With a clock for each of the heads h and k,

    E p_h·p_k = ∫∫dx dy Z(x) Z(y) [ρ_ε n^{L−1} + (L−1) ρ n_ε n^{L−2}],

n = E g_h g_k, ρ = E[(a g)_h (a g)_k], a = e^x w(u), g = e^{−a}, Z the null token's survival. The
derivatives follow from the first variation, as for one clock. Given M nodes of what the two fields
share, the clocks are independent, so that n and ρ on the grid of times are products of (points × M)
and (M × points) matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.expectation.clock import survivors
from headode.expectation.pair_tables import PairTables, pair_tables
from headode.kernels.load import Kernel
from headode.kernels.token_rule import Precision


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
    windows: list[tuple[float, float]],
    probabilities: Array,
    race: tuple[int, float],
    tolerance: float,
    precision: Precision,
) -> PairGradients:
    """Evaluate one pair of heads.

    Args:
        law_of: the activation's ``token_law`` kernel.
        means: (S + 1, 2) of the shifted fields; row 0 of an unmarked token.
        covariances: (S + 1, 2, 2).
        windows: logarithmic times between which each head's own race takes place.
        probabilities: (S,) of the components of the signal.
        race: L and ν.
        tolerance: target absolute error.
        precision: of the rules for the fields.

    Raises:
        TooManyNodes: for fields whose standard deviation is of the order of a hundred.
    """
    length, null = race
    tables = pair_tables(law_of, means, covariances, windows, tolerance, precision)
    survival = np.multiply.outer(*(step * np.exp(-null * t) for step, t in tables.clocks))
    return _vary(tables, survival, probabilities, length)


def _vary(
    tables: PairTables,
    survival: Array,
    probabilities: Array,
    length: int,
) -> PairGradients:
    """The overlap and its first variation, contracted with the derivatives of every law.

    Works law by law: arrays that fit into the cache are also spared the system's page faults.
    """
    one, two, outer = tables.one, tables.two, tables.outer
    one *= outer[:, None, :, None]
    missed, rho = _joint(one[0], two[0], outer[0])
    n_marked, rho_marked = np.ones_like(missed), np.zeros_like(rho)
    for p, *law in zip(probabilities, one[1:], two[1:], outer[1:], strict=True):
        missed_marked, rung_marked = _joint(*law)
        n_marked -= p * missed_marked
        rho_marked += p * rung_marked
    L = length
    whole, less_one, less_two = survivors(missed, L, survival)
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
        one[s, 0] = outer[s][:, None] - one[s, 0]  # from 1 − g to g
        two[s, 0] = 1.0 - two[s, 0]
        rung, none = marked if s else others
        pairing = _pairing(one[s, :3], none, two[s, :3])
        pairing += _pairing(one[s, 3:], rung, two[s, 3:])
        first[s] = pairing[1, 0], pairing[0, 1]
        second[s] = [[pairing[2, 0], pairing[1, 1]], [pairing[1, 1], pairing[0, 2]]]
    return PairGradients(overlap, first, second)


def _joint(weighted: Array, two: Array, outer: Array) -> tuple[Array, Array]:
    """1 − n, without cancellation, and ρ, from the tables of one law."""
    missed = weighted[0].sum(axis=0)[:, None] + outer @ two[0]
    missed -= weighted[0].T @ two[0]  # P(h has rung) + P(k has rung) − P(both have)
    return missed, weighted[3].T @ two[3]


def _pairing(one: Array, weight: Array, two: Array) -> Array:
    """Σ_xym weight(x, y) one_i(m, x) two_j(m, y) for i, j = 0, 1, 2."""
    against = two @ weight.T
    result: Array = one.reshape(3, -1) @ against.reshape(3, -1).T
    return result
