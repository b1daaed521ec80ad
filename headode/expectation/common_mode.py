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
from headode.expectation.gaussian_rule import GaussianRule, gaussian_rule, hermite_nodes, line_size
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
    whole = (0.0, np.zeros(len(covariance)), 1, covariance)
    splits = [whole, *_splits(covariance, tolerance)] if shifts else [whole]
    if len(splits) > 1:
        values, vectors = np.linalg.eigh(np.array([split[3] for split in splits]))
        reaches = np.sqrt(np.maximum(values, 0.0)) * np.abs(vectors).max(axis=1)
        sizes = [
            split[2] * math.prod(line_size(float(reach), tolerance, tokens=tokens) for reach in row)
            for split, row in zip(splits, reaches, strict=True)
        ]
        splits = [splits[int(np.argmin(sizes))]]
    deviation, rest, channels, remaining = splits[0]
    zeta = hermite_nodes(channels)[0]
    fields = gaussian_rule(remaining, tolerance, limit // channels, tokens=tokens)
    return TokenRule(deviation, rest, zeta, fields.padded(LANES))


def _splits(covariance: Array, tolerance: float) -> list[tuple[float, Array, int, Array]]:
    """α, e, number of values of ζ and covariance of u', for w in the span of the r strongest
    directions of the fields, r = 1, 2, …"""
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    ones = vectors.sum(axis=0)
    splits = []
    precision = 0.0
    nearest = np.zeros(len(values))
    for r, value in enumerate(values):
        if value <= len(values) * np.finfo(float).eps * values[0]:
            break
        precision += ones[r] ** 2 / value
        nearest = nearest + ones[r] * vectors[:, r]
        if precision == 0.0:
            continue
        deviation = 1.0 / math.sqrt(precision)
        rest = deviation * (nearest - 1.0)
        if np.abs(rest).max() < np.finfo(float).eps * len(values) * deviation:
            rest = np.zeros_like(rest)
        channels = _channels(deviation, float(np.abs(rest).max()), tolerance)
        if channels <= MOST_CHANNELS:
            common = deviation * nearest
            splits.append((deviation, rest, channels, covariance - np.outer(common, common)))
    return splits


def _channels(deviation: float, rest: float, tolerance: float) -> int:
    """How many values of ζ the dependence on e ζ takes.

    Of e^{i k e ζ}, interpolated at the zeros of He_n, the terms (i k e)^m/m! He_m(ζ) with m ≥ n are
    missing, about; their averages with e^{i k α ζ} are (k e)^m (k α)^m e^{−k²α²/2}/m!. A clock's
    functions have frequencies k of weight |Γ(2 + ik)|, and Laplace's method does the integral over
    k. Without those weights the terms go as (2e/α)^m: from α/2 on no number of values suffices.
    """
    if rest == 0.0:
        return 1
    if rest >= 0.5 * deviation:
        return MOST_CHANNELS + 1
    m, variance = ORDERS, deviation**2
    k = 4 * m / (math.pi / 2 + np.sqrt(math.pi**2 / 4 + 8 * m * variance))
    terms = m * np.log(k**2 * deviation * rest) - LOG_FACTORIALS
    terms -= 0.5 * k**2 * variance + 0.5 * math.pi * k
    weights = 2 * np.sqrt(k * (1 + k**2) / (2 * m / k**2 + variance))
    errors = np.cumsum((weights * np.exp(terms))[::-1])[::-1]
    enough = np.flatnonzero(errors[:MOST_CHANNELS] < tolerance)
    return int(m[enough[0]]) if enough.size else MOST_CHANNELS + 1
