"""From a starting point to a local minimum of the risk.

SciPy's L-BFGS-B descends at a loose tolerance within a box. What it returns may be a saddle: heads
that coincide are often stationary but unstable. So two second-order conditions are checked, and the
descent goes on where one fails: C ⪰ 0 on the null space of R, else R gets a new direction; and a
positive semidefinite matrix of second derivatives in the other coordinates, else the point is moved
along the most negative one. Starting without residuals and adding directions one by one keeps R
exactly singular where it is so at the minimum; with a full A it would only decay towards that.

A quasi-Newton method that begins with that same matrix then takes the point to the tight tolerance:
a gradient is known to many more digits than differences of the risk, which a line search would have
to compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.statics.landscape import Landscape, Point, Slope

# Of the descent: largest entry of the gradient, remembered steps, evaluations.
LOOSE_GRADIENT = 3e-5
MEMORY = 30
MOST_DESCENT = 600
# Eigenvalues of R below this are dropped after the first descent; if that was wrong, the condition
# on C brings them back, of this size. What then decays below the second number was not needed.
SMALL_RESIDUAL, NO_RESIDUAL = 0.02, 1e-3
# Distance of the points at which gradients are differenced: their errors, about 1e-7, and the third
# derivatives' contribution are then both near 1e-5.
DIFFERENCE = 0.02
# Second derivatives up to this, and to twice their error, count as zero.
FLAT = 3e-5
ESCAPE = 0.3
MOST_ESCAPES = 8
MOST_NEWTON = 16


@dataclass(frozen=True)
class Box:
    """How far the coordinates may go; a minimum at infinity is met at its walls.

    Attributes:
        overlap: largest |M_hf| and |A_hk|.
        offset: largest |b_h|.
    """

    overlap: float
    offset: float

    def bounds(self, point: Point) -> Array:
        """(n,) largest absolute values of the coordinates of a point."""
        return Point(
            np.full(point.M.shape, self.overlap),
            np.full(point.A.shape, self.overlap),
            None if point.offset is None else np.full(point.offset.shape, self.offset),
            None if point.m_v is None else np.inf,
        ).vector

    def projected(self, point: Point, gradient: Array) -> Array:
        """The gradient without what pushes outwards at a wall."""
        vector, bounds = point.vector, self.bounds(point)
        outwards = (np.abs(vector) >= bounds) & (gradient * np.sign(vector) < 0)
        return np.where(outwards, 0.0, gradient)

    def residual(self, point: Point, slope: Slope) -> float:
        """Norm of the projected gradient, with the violation of C ⪰ 0 as one more entry."""
        gradient = self.projected(point, slope.gradient)
        return float(np.hypot(np.linalg.norm(gradient), slope.violation))


@dataclass(frozen=True)
class Basin:
    """A point where a descent has ended.

    Attributes:
        point: its coordinates.
        slope: risk and gradient there.
        residual: see :meth:`Box.residual`.
        hessian: (n, n) second derivatives.
        flat: number of directions of M, offsets and m_v along which the second derivative vanishes.
        is_minimum: whether both second-order conditions hold.
    """

    point: Point
    slope: Slope
    residual: float
    hessian: Array
    flat: int
    is_minimum: bool


def settle(landscape: Landscape, start: Point, box: Box) -> Basin:
    """Descend from a start until both second-order conditions hold."""
    point, slope = _descend(landscape, start, box, SMALL_RESIDUAL)
    for escapes in range(MOST_ESCAPES + 1):
        stable = slope.violation <= max(LOOSE_GRADIENT, 10 * slope.terms.error)
        if not stable and escapes < MOST_ESCAPES:
            column = np.sqrt(SMALL_RESIDUAL) * slope.descent
            point, slope = _descend(landscape, point.with_direction(column), box, NO_RESIDUAL)
            continue
        hessian = _second_derivatives(landscape, point)
        curvatures, axes = np.linalg.eigh(hessian)
        flatness = max(FLAT, 2 * landscape.last_error / DIFFERENCE)
        if curvatures[0] >= -flatness or escapes == MOST_ESCAPES:
            break
        point, slope = _escape(landscape, point, axes[:, 0], box)
    kept = np.delete(np.arange(len(hessian)), point.M.size + np.arange(point.A.size))
    outside = np.linalg.eigvalsh(hessian[np.ix_(kept, kept)])
    return Basin(
        point,
        slope,
        box.residual(point, slope),
        hessian,
        flat=int((np.abs(outside) <= flatness).sum()),
        is_minimum=bool(stable and curvatures[0] >= -flatness),
    )


def refine(landscape: Landscape, basin: Basin, box: Box, tolerance: float) -> Basin:
    """Take a minimum to a residual of at most ``tolerance``, as far as that is possible.

    Where the second derivatives change too fast for Newton's method, as beside a bifurcation, SciPy
    descends once more before it.
    """
    point, slope = _newton(landscape, basin.point, basin.hessian, box, tolerance)
    if box.residual(point, slope) > tolerance:
        gradient = tolerance / np.sqrt(point.vector.size)
        point, slope = _minimize(landscape, point, box, gradient)
        point, slope = _newton(landscape, point, basin.hessian, box, tolerance)
    residual = box.residual(point, slope)
    is_minimum = basin.is_minimum and slope.violation <= max(tolerance, 10 * slope.terms.error)
    return Basin(point, slope, residual, basin.hessian, basin.flat, is_minimum)


def _newton(
    landscape: Landscape, point: Point, hessian: Array, box: Box, tolerance: float
) -> tuple[Point, Slope]:
    """Quasi-Newton steps, each of which lowers the residual; damped where one does not."""
    slope, bounds = landscape.slope(point), box.bounds(point)
    residual, damping = box.residual(point, slope), FLAT
    for _ in range(MOST_NEWTON):
        if residual <= tolerance:
            break
        curvatures, axes = np.linalg.eigh(hessian)
        components = axes.T @ box.projected(point, slope.gradient)
        step = axes @ (components / np.maximum(curvatures, damping))
        candidate = point.at(np.clip(point.vector - step, -bounds, bounds))
        there = landscape.slope(candidate)
        hessian = _symmetric_update(
            hessian, candidate.vector - point.vector, there.gradient - slope.gradient
        )
        its_residual = box.residual(candidate, there)
        if its_residual < residual:
            point, slope, residual = candidate, there, its_residual
            damping = max(FLAT, damping / 10)
        else:
            damping *= 10
    return point, slope


def _symmetric_update(matrix: Array, step: Array, change: Array) -> Array:
    """The symmetric rank-one correction after which ``matrix @ step`` is the gradient's change."""
    missed = change - matrix @ step
    scale = float(missed @ step)
    if abs(scale) < 1e-8 * float(np.linalg.norm(missed) * np.linalg.norm(step)) or scale == 0:
        return matrix
    corrected: Array = matrix + np.outer(missed, missed) / scale
    return corrected


def _descend(
    landscape: Landscape, start: Point, box: Box, smallest: float = 0.0
) -> tuple[Point, Slope]:
    """Descend; then drop what R has below ``smallest``, and if that is anything descend again."""
    point, slope = _minimize(landscape, start, box)
    values, vectors = np.linalg.eigh(point.A @ point.A.T)
    kept = values > smallest
    if kept.sum() >= point.A.shape[1]:
        return point, slope
    factor = vectors[:, kept] * np.sqrt(values[kept])
    return _minimize(landscape, Point(point.M, factor, point.offset, point.m_v), box)


def _minimize(
    landscape: Landscape, start: Point, box: Box, gradient: float = LOOSE_GRADIENT
) -> tuple[Point, Slope]:
    from scipy.optimize import Bounds, minimize

    latest: dict[bytes, Slope] = {}

    def risk_and_gradient(vector: Array) -> tuple[float, Array]:
        slope = landscape.slope(start.at(vector))
        latest[vector.tobytes()] = slope
        return slope.risk, slope.gradient

    bounds = box.bounds(start)
    found = minimize(
        risk_and_gradient,
        np.clip(start.vector, -bounds, bounds),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(-bounds, bounds),
        options={
            "gtol": gradient,
            "ftol": 0.0,
            "maxcor": MEMORY,
            "maxfun": MOST_DESCENT,
            "maxiter": MOST_DESCENT,
        },
    )
    end = np.array(found.x)
    point = start.at(end)
    return point, latest.get(end.tobytes()) or landscape.slope(point)


def _second_derivatives(landscape: Landscape, point: Point) -> Array:
    """(n, n), by central differences of the gradient."""
    vector = point.vector
    rows = []
    for i in range(vector.size):
        step = np.zeros_like(vector)
        step[i] = DIFFERENCE
        ahead, behind = (landscape.slope(point.at(vector + s * step)).gradient for s in (1, -1))
        rows.append((ahead - behind) / (2 * DIFFERENCE))
    matrix = np.array(rows)
    symmetric: Array = 0.5 * (matrix + matrix.T)
    return symmetric


def _escape(landscape: Landscape, point: Point, axis: Array, box: Box) -> tuple[Point, Slope]:
    """Leave a saddle to the side on which the risk is lower, and descend."""
    sides = [point.at(point.vector + sign * ESCAPE * axis) for sign in (1.0, -1.0)]
    return _descend(landscape, min(sides, key=lambda side: landscape.slope(side).risk), box)
