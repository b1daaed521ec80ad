"""Nodes of a token's fields, with the motion common to all heads taken out.

Exponential scores turn a number added to all the fields into a shift of the log-rate. If
u = α ζ 1 + u', with ζ a standard normal independent of u', the average over ζ is therefore a
smoothing of the clock's functions, known once and for all, and only u' needs nodes: one direction
fewer, and often the strongest. Any c = Q^{1/2} w with |w| = 1 splits u = c ζ + u', where u' has the
covariance Q − c cᵀ. Where the fields do not span 1 = (1, …, 1), the best c is α 1 + e with a small
rest e, and the dependence on e ζ, a weak one, is interpolated between a few values of ζ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from headode._checks import Array
from headode.expectation.gaussian_rule import GaussianRule, hermite_nodes, line_size, tensor_rule
from headode.kernels.lattice import LANES

MOST_CHANNELS = 12
# Orders of interpolation errors that are looked at, and log m!.
ORDERS = np.arange(1.0, 2.0 * MOST_CHANNELS)
LOG_FACTORIALS = np.cumsum(np.log(ORDERS))


@dataclass(frozen=True)
class TokenRule:
    """Nodes of u' together with what the average over ζ is made of.

    Attributes:
        deviation: α; 0 if nothing is taken out.
        rest: (H,) e.
        zeta: (n,) values of ζ between which the dependence on e ζ is interpolated.
        fields: the rule of u'.
    """

    deviation: float
    rest: Array
    zeta: Array
    fields: GaussianRule

    @classmethod
    def plain(cls, fields: GaussianRule) -> TokenRule:
        """Nothing taken out."""
        return cls(0.0, np.zeros(len(fields.nodes)), np.zeros(1), fields.padded(LANES))

    @cached_property
    def nodes(self) -> list[Array]:
        """For each value of ζ (H, N) deviations of the fields, the common motion left out."""
        return [self.fields.nodes + self.rest[:, None] * zeta for zeta in self.zeta]


def token_rule(
    covariance: Array, tolerance: float, limit: int, *, shifts: bool, tokens: int = 1
) -> TokenRule:
    """The cheapest rule among the ways to take out a common mode, or not to.

    Args:
        covariance: (H, H) of the fields.
        tolerance: target absolute error of expectations of a clock's functions.
        limit: largest number of nodes.
        shifts: whether scores are exponential, so that common motion is a shift.
        tokens: L; so many of them reach further out.

    Raises:
        TooManyNodes: if every rule takes more than ``limit`` nodes.
    """
    splits = [_Split(0.0, np.zeros(len(covariance)), 1, covariance)]
    if shifts:
        splits += _splits(covariance, tolerance)
    values, vectors = np.linalg.eigh(np.array([split.remaining for split in splits]))
    deviations = np.sqrt(np.maximum(values, 0.0))
    reaches = deviations * np.abs(vectors).max(axis=1)
    sizes = [
        split.channels * math.prod(line_size(reach, tolerance, tokens=tokens) for reach in row)
        for split, row in zip(splits, reaches.tolist(), strict=True)
    ]
    best = sizes.index(min(sizes))
    chosen = splits[best]
    along = deviations[best], vectors[best].T, reaches[best]
    fields = tensor_rule(*along, tolerance, limit // chosen.channels, tokens=tokens)
    zeta = hermite_nodes(chosen.channels)[0]
    kept = fields.pruned(tolerance, tokens).padded(LANES)
    return TokenRule(chosen.deviation, chosen.rest, zeta, kept)


@dataclass(frozen=True)
class _Split:
    """α, e, the number of values of ζ, and the covariance of u'."""

    deviation: float
    rest: Array
    channels: int
    remaining: Array


def _splits(covariance: Array, tolerance: float) -> list[_Split]:
    """Those for w in the span of the r strongest directions of the fields, r = 1, 2, …"""
    values, vectors = np.linalg.eigh(covariance)
    rank = int((values > len(values) * np.finfo(float).eps * values[-1]).sum())
    values, vectors = values[::-1][:rank], vectors[:, ::-1][:, :rank]
    ones = vectors.sum(axis=0)
    precision = np.cumsum(ones**2 / values)
    nearest = np.cumsum(vectors * ones, axis=1).T
    seen = precision > 0.0
    deviations, nearest = 1.0 / np.sqrt(precision[seen]), nearest[seen]
    rests = deviations[:, None] * (nearest - 1.0)
    furthest = np.abs(rests).max(axis=1)
    nothing = furthest < np.finfo(float).eps * len(covariance) * deviations
    rests[nothing], furthest[nothing] = 0.0, 0.0
    splits = []
    for r, channels in enumerate(_channels(deviations, furthest, tolerance)):
        if channels <= MOST_CHANNELS:
            deviation = float(deviations[r])
            common = deviation * nearest[r]
            splits.append(
                _Split(deviation, rests[r], channels, covariance - np.outer(common, common))
            )
    return splits


def _channels(deviations: Array, rests: Array, tolerance: float) -> list[int]:
    """How many values of ζ the dependence on e ζ takes, for each α and largest entry of e.

    Of e^{i k e ζ}, interpolated at the zeros of He_n, the terms (i k e)^m/m! He_m(ζ) with m ≥ n are
    missing, about; their averages with e^{i k α ζ} are (k e)^m (k α)^m e^{−k²α²/2}/m!. A clock's
    functions have frequencies k of weight |Γ(2 + ik)|, and Laplace's method does the integral over
    k. Without those weights the terms go as (2e/α)^m: from α/2 on no number of values suffices.
    """
    variances, products = deviations[:, None] ** 2, (deviations * rests)[:, None]
    m = ORDERS
    k = 4 * m / (math.pi / 2 + np.sqrt(math.pi**2 / 4 + 8 * m * variances))
    with np.errstate(divide="ignore"):
        terms = m * np.log(k**2 * products) - LOG_FACTORIALS
    terms -= 0.5 * k**2 * variances + 0.5 * math.pi * k
    weights = 2 * np.sqrt(k * (1 + k**2) / (2 * m / k**2 + variances))
    errors = np.cumsum((weights * np.exp(terms))[:, ::-1], axis=1)[:, ::-1]
    enough = errors[:, :MOST_CHANNELS] < tolerance
    counts = np.where(enough.any(axis=1), 1 + enough.argmax(axis=1), MOST_CHANNELS + 1)
    counts[rests >= 0.5 * deviations] = MOST_CHANNELS + 1
    counts[rests == 0.0] = 1
    return [int(count) for count in counts]
