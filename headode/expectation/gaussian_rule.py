"""Tensor-product quadrature for a Gaussian vector, with few nodes along weak directions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from headode._checks import Array
from headode.errors import NumericalFailure

T = TypeVar("T")

# A race's survival probability, as a function of a log-rate, is analytic and bounded in the strip
# |Im| < π/2; Gauss-Hermite rules see half a unit less.
STRIP = math.pi / 2
HERMITE_RADIUS = 1.5
# Tolerance of a rule for a token's law as a fraction of that of the result. n^{L−1} turns an error
# of 1 − n into L times as much, but where it matters 1 − n is small, and so is the error of a step.
# What L tokens reach is further out, though: tails may weigh √L times less. What √L leaves is seen
# by the error estimate, which tightens the tolerance where needed.
LAW = 0.1
# Fraction of the tolerance that dropped nodes may weigh together.
DROPPED = 0.1
# Reaches up to which a few Gauss-Hermite nodes beat the trapezoidal rule.
WEAK = 0.25


class TooManyNodes(NumericalFailure):
    """A tensor rule would take more nodes than allowed."""


def once_each(covariances: Iterable[Array], make: Callable[[Array], T]) -> list[T]:
    """``make(covariance)`` for each; equal ones, those of all points of a signal, share it."""
    made: dict[bytes, T] = {}
    result = []
    for covariance in covariances:
        key = covariance.tobytes()
        if key not in made:
            made[key] = make(covariance)
        result.append(made[key])
    return result


@dataclass(frozen=True)
class GaussianRule:
    """Nodes (H, N) and weights (N,) of a Gaussian vector with mean zero."""

    nodes: Array
    weights: Array

    def padded(self, lanes: int) -> GaussianRule:
        """Filled with copies of weight zero to a multiple of ``lanes`` nodes."""
        missing = -self.weights.size % lanes
        copies = np.repeat(self.nodes[:, -1:], missing, axis=1)
        nodes = np.concatenate([self.nodes, copies], axis=1)
        return GaussianRule(nodes, np.concatenate([self.weights, np.zeros(missing)]))

    def pruned(self, tolerance: float, tokens: int) -> GaussianRule:
        """Without the nodes whose weights together are negligible at a tolerance, √tokens times."""
        order = np.argsort(self.weights)
        negligible = DROPPED * tolerance / math.sqrt(tokens)
        first = int(np.searchsorted(np.cumsum(self.weights[order]), negligible))
        kept = np.sort(order[first:])
        return GaussianRule(np.ascontiguousarray(self.nodes[:, kept]), self.weights[kept])


def tensor_rule(
    deviations: Array,
    directions: Array,
    reaches: Array,
    tolerance: float,
    limit: int,
    *,
    tokens: int = 1,
) -> GaussianRule:
    """A tensor-product rule for a Gaussian vector with independent components.

    The rule along a component is Gauss-Hermite for a small reach and trapezoidal, which converges
    geometrically, else. Any basis gives the same expectation up to the tolerance, so that the
    eigenvectors of a covariance may turn.

    Args:
        deviations: (n,) standard deviations of the components.
        directions: (n, H) of the components.
        reaches: (n,) standard deviations of what an integrand sees of them; they set the steps.
        tolerance: target absolute error.
        limit: largest number of nodes.
        tokens: L; so many of them reach further out.

    Raises:
        TooManyNodes: if the rule takes more than ``limit`` nodes.
    """
    nodes: Array = np.zeros((1, directions.shape[1]))
    weights: Array = np.ones(1)
    for deviation, direction, reach in zip(deviations, directions, reaches, strict=True):
        line, line_weights = line_rule(float(reach), tolerance, tokens=tokens)
        if len(line) * len(weights) > limit:
            raise TooManyNodes(
                f"the fields vary in too many directions for the factorized method, which would "
                f"take more than {limit} nodes (try method auto or a looser tolerance)"
            )
        steps = deviation * line[:, None] * direction
        nodes = (nodes[:, None, :] + steps).reshape(-1, directions.shape[1])
        weights = (weights[:, None] * line_weights).ravel()
    return GaussianRule(np.ascontiguousarray(nodes.T), weights)


@lru_cache(maxsize=64)
def hermite_nodes(count: int) -> tuple[Array, Array]:
    """Gauss-Hermite nodes and weights for a standard normal."""
    z, w = np.polynomial.hermite_e.hermegauss(count)
    return np.asarray(z, dtype=float), np.asarray(w) / float(w.sum())


def line_rule(reach: float, tolerance: float, *, tokens: int = 1) -> tuple[Array, Array]:
    """Nodes and weights for a standard normal z, to integrate functions of ``reach · z``.

    They go so far out that √tokens times what is beyond is negligible.
    """
    count = _hermite_count(reach, tolerance)
    if count:
        return hermite_nodes(count)
    step, half = _trapezoid(reach, tolerance, tokens)
    line = np.linspace(-half * step, half * step, 2 * half + 1)
    mass = np.exp(-0.5 * line**2)
    return line, mass / float(mass.sum())


def line_size(reach: float, tolerance: float, *, tokens: int = 1) -> int:
    """The number of nodes of :func:`line_rule`."""
    return _hermite_count(reach, tolerance) or 2 * _trapezoid(reach, tolerance, tokens)[1] + 1


def _hermite_count(reach: float, tolerance: float) -> int:
    """Number of Gauss-Hermite nodes for a small reach, 0 for a larger one."""
    if reach < WEAK:
        ratio = (reach / HERMITE_RADIUS) ** 2
        for count in range(1, 12):
            if math.factorial(count) * ratio**count < tolerance:
                return count
    return 0


def _trapezoid(reach: float, tolerance: float, tokens: int) -> tuple[float, int]:
    """Step of the trapezoidal rule, and the number of steps on each side."""
    digits = math.log(1.0 / tolerance)
    # The error e^{−2πs/h} of the strip s = STRIP/reach, and e^{−2π²/h²} of the Gaussian itself.
    step = min(2 * math.pi * STRIP / (reach * digits), math.pi * math.sqrt(2 / digits))
    return step, math.ceil(math.sqrt(2 * digits + math.log(tokens)) / step)
