"""Which head serves which point of the support of P_θ, or which direction of a Gaussian.

*Points.* The distance of head h to the point θ^(s) is that of the vectors ``k_h`` and
``Σ_f θ^(s)_f k*_f``: ``D_hs² = |M_h − θ^(s)|² + R_hh``. With ``b_h = Q_hh/2``, the mean score of
the head on a token marked with this signal is ``|θ^(s)|²/2 − D_hs²/2``. Of two points a head has
*decided* for the nearer one when it has gone, from half-way between them, an eighth of the way to
there. It *serves* the points against which it has not decided. So an unspecialized head serves all
points, one that has split along one of two features two of four, and in the end it is the nearest.

The points are those of a discrete P_θ, or the distinct means of a mixture's components.

*Directions.* A single Gaussian has no points. There, the directions are the eigenvectors of its
covariance, and head h sits along the one on which ``M_h − E θ`` is longest in units of the
standard deviation of θ, if it is an eighth of it at least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode._signs import leading_signs
from headode.signal import Signal
from headode.split_rule import SIGNIFICANT

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

# Beyond this nobody reads which point is whose, and there would be millions of distances.
MOST_POINTS = 1024


def has_points(signal: Signal) -> bool:
    """Whether heads are assigned to points, and not to directions."""
    return signal.is_discrete or len(np.unique(signal.means, axis=0)) > 1


def points_of(signal: Signal) -> tuple[Array, Array]:
    """Distinct points (S, F), in the order of the components, and their probabilities (S,)."""
    _, first, which = np.unique(signal.means, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    odds = np.bincount(which.ravel(), signal.probabilities).astype(np.float64)
    return signal.means[first[order]], odds[order]


def squared_distances(M: Array, R: Array, points: Array) -> Array:
    """(H, S) squared distances ``D_hs²`` of heads and points."""
    offset = M[:, None, :] - points[None, :, :]
    result: Array = (offset**2).sum(axis=-1) + np.diag(R)[:, None]
    return result


def served_points(distances: Array, points: Array) -> Flags:
    """(H, S) whether a head serves a point (rule: see the module)."""
    apart = ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=-1)
    # From half-way to the nearer point the difference of the squares grows from 0 to `apart`.
    serves = [(row[:, None] - row[None, :] <= SIGNIFICANT * apart).all(axis=1) for row in distances]
    return np.array(serves)


def heads_of_points(serves: Flags, distances: Array) -> Numbers:
    """(S,) the head that each point has to itself, from 0; −1 where it has none.

    As many points as possible get one of the heads that serve them, no head goes to two points, and
    the sum of squared distances is as small as it can be.
    """
    from scipy.optimize import linear_sum_assignment

    # Worth more than all distances together: the number of points with a head comes first.
    forbidden = 1.0 + float(distances.sum())
    heads, points = linear_sum_assignment(np.where(serves, distances, forbidden))
    matched = np.full(distances.shape[1], -1)
    allowed = serves[heads, points]
    matched[points[allowed]] = heads[allowed]
    return matched


def principal_directions(signal: Signal) -> tuple[Array, Array]:
    """(D,) variances of θ along its principal directions, the largest first, and these (D, F)."""
    values, vectors = np.linalg.eigh(signal.covariance)
    kept = values > values.size * np.finfo(float).eps * values[-1]
    order = np.argsort(-values[kept], kind="stable")
    directions = vectors[:, kept].T[order]
    return values[kept][order], directions * leading_signs(directions)[:, None]


def coordinates(M: Array, signal: Signal, variances: Array, directions: Array) -> Array:
    """(H, D) of ``M_h − E θ`` along the directions, in units of the standard deviation of θ."""
    result: Array = (M - signal.mean) @ directions.T / np.sqrt(variances)
    return result


def directions_of_heads(along: Array) -> Numbers:
    """(H,) signed number of the direction on which a head sits, from 1; 0 for none."""
    longest = np.abs(along).argmax(axis=1)
    value = along[np.arange(len(along)), longest]
    signed = np.where(np.abs(value) >= SIGNIFICANT, np.sign(value) * (longest + 1), 0)
    return signed.astype(np.int64)
