"""Nodes of a token's fields, with the motion common to all heads taken out.

Exponential scores turn a number added to all the fields into a shift of the log-rate. If
u = α ζ 1 + u', with ζ a standard normal independent of u', the average over ζ is therefore a
smoothing of the clock's functions, known once and for all, and only u' needs nodes: one direction
fewer, and often the strongest. Any c = Q^{1/2} w with |w| = 1 splits u = c ζ + u', where u' has the
covariance Q − c cᵀ. Where the fields do not span 1 = (1, …, 1), the best c is α 1 + e with a small
rest e, and the dependence on e ζ, a weak one, is interpolated between a few values of ζ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.expectation.gaussian_rule import GaussianRule
from headode.kernels.lattice import LANES
from headode.kernels.token_rule import Precision, hermite_nodes, token_rule


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
        return cls(0.0, np.zeros(len(fields.nodes)), np.zeros(1), fields)

    @classmethod
    def cheapest(
        cls, covariance: Array, precision: Precision, limit: int, *, shifts: bool
    ) -> TokenRule:
        """The cheapest rule among the ways to take out a common mode, or not to.

        Args:
            covariance: (H, H) of the fields.
            precision: of expectations of a clock's functions.
            limit: largest number of nodes.
            shifts: whether scores are exponential, so that common motion is a shift.

        Raises:
            TooManyNodes: if every rule takes more than ``limit`` nodes.
        """
        deviation, rest, channels, nodes, weights = token_rule(
            covariance, precision, limit, shifts, LANES
        )
        fields = GaussianRule.within(nodes, weights, limit)
        return cls(deviation, rest, hermite_nodes(channels)[0], fields)
