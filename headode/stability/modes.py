"""Eigenvectors of a Jacobian, by sectors of the permutation symmetry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from headode._checks import Array
from headode.stability.coordinates import Classes
from headode.stability.jacobian import Jacobian
from headode.stability.names import name_of
from headode.stability.sectors import Sector, sectors_of

# Rates closer than this fraction of the largest one, beside their errors, are one.
SAME = 1e-7


@dataclass(frozen=True, eq=False)
class Mode:
    """A perturbation that grows or decays by itself.

    Attributes:
        rate: its growth rate λ, and angular frequency as the imaginary part.
        error: estimated absolute error of λ.
        multiplicity: number of independent perturbations with this name and rate.
        name: in words.
        vector: (n,) packed, of unit size; one of the permutations of heads.
    """

    rate: complex
    error: float
    multiplicity: int
    name: str
    vector: Array


def modes_of(jacobian: Jacobian, classes: Classes) -> list[Mode]:
    """All modes, the fastest growing one first.

    Args:
        jacobian: at a state.
        classes: groups of exchangeable heads of that state that together are all heads.
    """
    modes: list[Mode] = []
    alike = len(classes) == 1
    for sector in sectors_of(jacobian.coordinates, classes):
        for found in _modes_of_sector(jacobian, sector, alike):
            _add(modes, found)
    return sorted(modes, key=lambda mode: (-round(mode.rate.real, 12), mode.name))


def _add(modes: list[Mode], found: Mode) -> None:
    """Add a mode, or its multiplicity to one of the same name and rate."""
    for place, known in enumerate(modes):
        near = abs(known.rate - found.rate) <= known.error + found.error + SAME * abs(known.rate)
        if known.name == found.name and near:
            total = known.multiplicity + found.multiplicity
            modes[place] = replace(known, multiplicity=total, error=max(known.error, found.error))
            return
    modes.append(found)


def _modes_of_sector(jacobian: Jacobian, sector: Sector, alike: bool) -> Iterator[Mode]:
    basis = sector.basis
    if not jacobian.residual_decouples:
        yield from _diagonalized(jacobian, sector, basis, alike)
        return
    # Block-triangular: residuals drive the rest, not the other way round. Diagonalized by blocks,
    # since a rate that is in both blocks can have no second eigenvector.
    residual = jacobian.coordinates.is_residual
    blocks = []
    for kept in (~residual, residual):
        vectors, sizes, _ = np.linalg.svd(basis * kept[:, None], full_matrices=False)
        blocks.append(vectors[:, sizes > 0.5])
    for block in blocks:
        yield from _diagonalized(jacobian, sector, block, alike)


def _diagonalized(jacobian: Jacobian, sector: Sector, basis: Array, alike: bool) -> Iterator[Mode]:
    """Modes of the Jacobian between the perturbations of a basis."""
    if not basis.shape[1]:
        return
    reduced = basis.T @ jacobian.matrix @ basis
    uncertain = np.abs(basis).T @ jacobian.error @ np.abs(basis)
    rates, right = np.linalg.eig(reduced)
    largest = float(np.abs(np.diagonal(jacobian.matrix)).max())
    errors = _errors(right, uncertain)
    for cluster in _clusters(rates, errors, SAME * largest):
        vectors = basis @ right[:, cluster]
        if len(cluster) > 1 and not np.iscomplex(rates[cluster]).any():
            vectors = _sparse(vectors.real)
        for place, vector in zip(cluster, vectors.T, strict=True):
            if rates[place].imag < 0:
                continue  # the conjugate is counted with its partner
            shown = vector.real / np.linalg.norm(vector.real)
            name = name_of(jacobian.coordinates.split(shown), sector.apart, alike)
            count = sector.multiplicity * (2 if rates[place].imag > 0 else 1)
            yield Mode(complex(rates[place]), float(errors[place]), count, name, shown)


def _errors(right: Array, uncertain: Array) -> Array:
    """First-order bounds |yᴴ| E |x| / |yᴴ x| of the errors of eigenvalues."""
    try:
        left = np.linalg.inv(right)
    except np.linalg.LinAlgError:
        return np.full(len(right), np.inf)
    result: Array = np.einsum("ij,jk,ki->i", np.abs(left), uncertain, np.abs(right))
    return result


def _clusters(rates: Array, errors: Array, roundoff: float) -> list[list[int]]:
    """Places of eigenvalues that are one within their errors."""
    clusters: list[list[int]] = []
    for place in np.argsort(-rates.real, kind="stable"):
        last = clusters[-1][-1] if clusters else None
        if last is not None and abs(rates[last] - rates[place]) <= roundoff + min(
            errors[last] + errors[place], 10 * roundoff
        ):
            clusters[-1].append(int(place))
        else:
            clusters.append([int(place)])
    return clusters


def _sparse(vectors: Array) -> Array:
    """Another basis of the same span, by Gauss–Jordan elimination, so that its names are stable."""
    rows = vectors.T.copy()
    for i in range(len(rows)):
        pivot = np.unravel_index(int(np.abs(rows[i:]).argmax()), rows[i:].shape)
        rows[[i, i + int(pivot[0])]] = rows[[i + int(pivot[0]), i]]
        rows[i] /= rows[i, pivot[1]]
        for other in range(len(rows)):
            if other != i:
                rows[other] -= rows[other, pivot[1]] * rows[i]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.T
