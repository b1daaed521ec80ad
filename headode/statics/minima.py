"""The local minima that several searches have found, each counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.statics.descent import Basin, Box
from headode.statics.landscape import Landscape, Point

# Two searches have found the same minimum if their risks differ by at most so many tolerances and
# their invariants by at most this, relative to the largest one (or to 1).
SAME_RISK, SAME_INVARIANTS = 10.0, 0.02
# Shift of a learned offset that switches a head off, or makes it ignore a null token.
FAR_OFFSET = 10.0
# A head shorter than the first has no direction; at least by the second factor it is moved out.
SMALLEST_HEAD, OUTWARDS = 1e-3, 1.5


@dataclass(frozen=True, eq=False)
class Minimum:
    """A local minimum of the population risk over the student's order parameters.

    Attributes:
        risk: E there.
        error: estimated absolute error of the expected updates there.
        state: its order parameters; a learned value has q_v = m_v².
        residual: norm of the gradient with respect to M, a factor A of R = A Aᵀ, learned offsets
            and value, and of what is missing to C ⪰ 0 on the null space of R.
        is_minimum: whether the second-order conditions hold, too.
        flat: number of directions of M, offsets and value along which the second derivative
            vanishes: more than zero for a continuum of equivalent minima, or for a head that
            does not matter.
        escaping: numbers (from 1) of heads that can go to infinity without raising the risk by
            more than the tolerance: the infimum is approached, not attained.
        count: number of searches that ended here.
    """

    risk: float
    error: float
    state: OrderParameters
    residual: float
    is_minimum: bool
    flat: int
    escaping: tuple[int, ...]
    count: int = 1


def minimum_of(
    model: Model, landscape: Landscape, basin: Basin, box: Box, tolerance: float
) -> Minimum:
    """What a search has found, with a look at infinity where it is flat or at a wall."""
    state = basin.point.state
    return Minimum(
        risk=basin.slope.risk,
        error=basin.slope.terms.error,
        state=OrderParameters(
            state.M,
            0.5 * (state.R + state.R.T),
            m_v=state.m_v,
            q_v=state.q_v,
            offset=state.offset,
        ),
        residual=basin.residual,
        is_minimum=basin.is_minimum,
        flat=basin.flat,
        escaping=_escaping(model, landscape, basin, box, tolerance),
    )


def distinct(model: Model, found: Sequence[Minimum], tolerance: float) -> tuple[Minimum, ...]:
    """Each minimum once, the lowest risk first.

    Permutations of heads, and rotations or reflections of features that leave P_θ as it is, make no
    difference. Flat minima of equal risk are one, as they are points of a continuum.
    """
    kept: list[Minimum] = []
    for candidate in sorted(found, key=lambda minimum: minimum.risk):
        for i, known in enumerate(kept):
            if _same(model, known, candidate, tolerance):
                kept[i] = _joined(known, candidate, tolerance)
                break
        else:
            kept.append(candidate)
    return tuple(kept)


def _joined(known: Minimum, other: Minimum, tolerance: float) -> Minimum:
    """The better one of two finds of one minimum: converged first, then attained, then lower."""

    def rank(minimum: Minimum) -> tuple[bool, int]:
        return minimum.residual > tolerance or not minimum.is_minimum, len(minimum.escaping)

    best = min((known, other), key=rank)
    return replace(best, count=known.count + other.count)


def _same(model: Model, one: Minimum, two: Minimum, tolerance: float) -> bool:
    errors = max(SAME_RISK * tolerance, one.error + two.error)
    if abs(one.risk - two.risk) > errors:
        return False
    if one.flat and two.flat:
        return True
    a, b = _invariants(model, one.state), _invariants(model, two.state)
    scale = max(1.0, float(np.abs(a).max()), float(np.abs(b).max()))
    return bool(np.abs(a - b).max() <= SAME_INVARIANTS * scale)


def _invariants(model: Model, state: OrderParameters) -> Array:
    """Numbers that neither permutations of heads nor symmetries of P_θ change."""
    carried = state.M @ model.signal.covariance @ state.M.T
    along_mean = state.M @ model.signal.mean
    parts = [np.linalg.eigvalsh(matrix) for matrix in (state.Q, state.R, carried)]
    parts += [np.sort(values) for values in (np.diag(state.Q), np.diag(carried), along_mean)]
    if state.offset is not None:
        gauge = state.offset.mean() if _has_gauge(model) else 0.0
        parts.append(np.sort(state.offset - gauge))
    parts.append(np.array([state.m_v]))
    return np.concatenate(parts)


def _escaping(
    model: Model, landscape: Landscape, basin: Basin, box: Box, tolerance: float
) -> tuple[int, ...]:
    point = basin.point
    at_a_wall = (np.abs(point.vector) >= box.bounds(point)).any()
    if not basin.flat and not at_a_wall:
        return ()
    allowed = basin.slope.risk + max(tolerance, basin.slope.terms.error)
    return tuple(
        h + 1
        for h in range(len(point.M))
        if any(
            landscape.slope(far).risk <= allowed
            for far in _far_away(point, h, box, offsets=not _offsets_cancel(model))
        )
    )


def _offsets_cancel(model: Model) -> bool:
    """Whether the offset of one head alone makes no difference."""
    alone = model.activation.normalization == "per_head" or model.heads == 1
    return alone and _has_gauge(model)


def _has_gauge(model: Model) -> bool:
    """Whether a number added to all scores that compete makes no difference."""
    activation = model.activation
    return activation.is_exponential and activation.null == 0 and not activation.takes_prefactor


def _far_away(point: Point, head: int, box: Box, *, offsets: bool) -> list[Point]:
    """The point with one head moved outwards to the edge of the box, or its offset far away."""
    moved = []
    length = float(np.hypot(np.linalg.norm(point.M[head]), np.linalg.norm(point.A[head])))
    if length > SMALLEST_HEAD:
        M, A = point.M.copy(), point.A.copy()
        M[head] *= max(OUTWARDS, box.overlap / length)
        A[head] *= max(OUTWARDS, box.overlap / length)
        moved.append(replace(point, M=M, A=A))
    if offsets and point.offset is not None:
        for shift in (FAR_OFFSET, -FAR_OFFSET):
            offset = point.offset.copy()
            offset[head] += shift
            moved.append(replace(point, offset=offset))
    return moved
