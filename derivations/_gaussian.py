"""Gaussian averages, twice: symbolically (Isserlis/Wick) and by Gauss–Hermite quadrature."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import sympy as sp
from numpy.typing import NDArray

Array = NDArray[np.float64]


def isserlis(expression: sp.Expr, variables: Sequence[sp.Symbol], covariance: sp.Matrix) -> sp.Expr:
    """``E[expression]``, a polynomial in centered jointly Gaussian ``variables``.

    Isserlis' theorem: the mean of a product is the sum over all pairings of the product of the
    pairs' covariances.
    """
    polynomial = sp.Poly(sp.expand(expression), *variables)
    total = sp.Integer(0)
    for powers, coefficient in polynomial.terms():
        factors = [i for i, power in enumerate(powers) for _ in range(power)]
        total += coefficient * _sum_over_pairings(factors, covariance)
    return sp.expand(total)


def _sum_over_pairings(factors: list[int], covariance: sp.Matrix) -> sp.Expr:
    if not factors:
        return sp.Integer(1)
    first, rest = factors[0], factors[1:]
    return sum(
        (
            covariance[first, partner] * _sum_over_pairings(rest[:i] + rest[i + 1 :], covariance)
            for i, partner in enumerate(rest)
        ),
        sp.Integer(0),
    )


def gauss_hermite(function: Callable[[Array], Array], covariance: Array, order: int) -> Array:
    """``E[function(x)]``, ``x ~ N(0, covariance)``: tensor rule, ``order`` nodes per dimension.

    ``function`` maps nodes (n, dimension) to values (n, ...). Exact for polynomials up to degree
    ``2 order − 1`` in each direction, geometrically convergent for entire functions.
    """
    size = len(covariance)
    x, w = np.polynomial.hermite_e.hermegauss(order)
    nodes = np.stack(np.meshgrid(*[x] * size, indexing="ij"), axis=-1).reshape(-1, size)
    weights = np.ones(1)
    for _ in range(size):
        weights = np.multiply.outer(weights, w / w.sum()).ravel()
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    return np.tensordot(weights, function(nodes @ root.T), 1)
