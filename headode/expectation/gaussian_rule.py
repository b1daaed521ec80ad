"""Tensor-product quadrature for a Gaussian vector, with few nodes along weak directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.errors import NumericalFailure
from headode.kernels.lattice import LANES
from headode.kernels.token_rule import Precision, tensor_rule

T = TypeVar("T")

# Tolerance of a rule for a token's law as a fraction of that of the result. n^{L−1} turns an error
# of 1 − n into L times as much, but where it matters 1 − n is small, and so is the error of a step.
# What L tokens reach is further out, though: tails may weigh √L times less. What √L leaves is seen
# by the error estimate, which tightens the tolerance where needed.
LAW = 0.1


class TooManyNodes(NumericalFailure):
    """A tensor rule would take more nodes than allowed."""


def grouped(covariances: Array, make: Callable[[Array], T]) -> list[tuple[T, NDArray[np.int64]]]:
    """``make(covariance)`` for each different one, with the indices of those that are equal to it.

    The first one has index 0; often all points of a signal share it.
    """
    equal: dict[bytes, list[int]] = {}
    for index, covariance in enumerate(covariances):
        equal.setdefault(covariance.tobytes(), []).append(index)
    return [(make(covariances[indices[0]]), np.array(indices)) for indices in equal.values()]


@dataclass(frozen=True)
class GaussianRule:
    """Nodes (H, N) and weights (N,) of a Gaussian vector with mean zero.

    The number of nodes is a multiple of LANES: the last ones may have weight zero.
    """

    nodes: Array
    weights: Array

    @classmethod
    def within(cls, nodes: Array, weights: Array, limit: int) -> GaussianRule:
        """What a kernel made: nothing, if there are too many nodes.

        Raises:
            TooManyNodes: if so.
        """
        if not weights.size:
            raise TooManyNodes(
                f"the fields vary in too many directions for the factorized method, which would "
                f"take more than {limit} nodes (try method auto or a looser tolerance)"
            )
        return cls(nodes, weights)

    @classmethod
    def tensor(
        cls,
        deviations: Array,
        directions: Array,
        reaches: Array,
        tolerance: float,
        limit: int,
    ) -> GaussianRule:
        """A tensor-product rule for a Gaussian vector with independent components.

        Any basis gives the same expectation up to the tolerance, so that the eigenvectors of a
        covariance may turn.

        Args:
            deviations: (n,) standard deviations of the components.
            directions: (H, n) of the components.
            reaches: (n,) standard deviations of what an integrand sees of them; they set the steps.
            tolerance: target absolute error.
            limit: largest number of nodes.

        Raises:
            TooManyNodes: if the rule takes more than ``limit`` nodes.
        """
        directions = np.ascontiguousarray(directions)
        nodes, weights = tensor_rule(
            deviations, directions, reaches, Precision(tolerance), limit, 0.0, LANES
        )
        return cls.within(nodes, weights, limit)
