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

import numpy as np

from headode._checks import Array
from headode.expectation.gaussian_rule import GaussianRule, gaussian_rule, hermite_nodes, line_size
from headode.kernels.lattice import LANES

# Frequencies of the log-rate at which the error of interpolating in ζ is looked for.
FREQUENCIES = np.linspace(0.25, 40.0, 160)
MOST_CHANNELS = 12


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

    def nodes(self, channel: int) -> Array:
        """(H, N) deviations of the fields at one of the values of ζ, the common motion left out."""
        if not self.rest.any():
            return self.fields.nodes
        nodes: Array = self.fields.nodes + self.rest[:, None] * self.zeta[channel]
        return nodes


def token_rule(covariance: Array, tolerance: float, limit: int, *, shifts: bool) -> TokenRule:
    """The cheapest rule among the ways to take out a common mode, or not to.

    Args:
        covariance: (H, H) of the fields.
        tolerance: target absolute error of expectations of a clock's functions.
        limit: largest number of nodes.
        shifts: whether scores are exponential, so that common motion is a shift.

    Raises:
        TooManyNodes: if every rule takes more than ``limit`` nodes.
    """
    whole = (0.0, np.zeros(len(covariance)), 1, covariance)
    splits = [whole, *_splits(covariance, tolerance)] if shifts else [whole]
    if len(splits) > 1:
        values, vectors = np.linalg.eigh(np.array([split[3] for split in splits]))
        reaches = np.sqrt(np.maximum(values, 0.0)) * np.abs(vectors).max(axis=1)
        sizes = [
            split[2] * math.prod(line_size(float(reach), tolerance) for reach in row)
            for split, row in zip(splits, reaches, strict=True)
        ]
        splits = [splits[int(np.argmin(sizes))]]
    deviation, rest, channels, remaining = splits[0]
    zeta = hermite_nodes(channels)[0]
    rule = gaussian_rule(remaining, tolerance, limit // channels)
    missing = -len(rule.weights) % LANES  # filled with copies of weight zero
    nodes = np.pad(rule.nodes, ((0, 0), (0, missing)), mode="edge")
    fields = GaussianRule(nodes, np.pad(rule.weights, (0, missing)))
    return TokenRule(deviation, rest, zeta, fields)


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

    Interpolating e^{i k e ζ} at the zeros of He_n leaves (i k e)ⁿ/n! He_n(ζ), whose average with
    e^{i k α ζ} is (k e)ⁿ (k α)ⁿ e^{−k²α²/2}/n!; a clock's functions have frequencies of weight
    e^{−πk/2}.
    """
    if rest == 0.0:
        return 1
    k = FREQUENCIES
    decay = np.exp(-0.5 * (k * deviation) ** 2 - 0.5 * math.pi * k)
    ratio = k**2 * deviation * rest
    error = decay
    for n in range(1, MOST_CHANNELS + 1):
        error = error * ratio / n
        if error.max() < tolerance:
            return n
    return MOST_CHANNELS + 1
