"""Derivatives of the flow by differences, with an error estimate.

The rates are affine in the state at given expected updates, and in the updates at a given state
(theory: the ODE). So only the updates are differenced, and what the product rule gives is exact; in
gradient flow at R = 0 the rates of R depend on R alone, to the last bit. Differences along
directions in which R must not become indefinite take one side only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.stability.flow import Flow

# Largest change of a marked token's score by a step along an overlap, and of the variance of scores
# by a step along a residual.
SCORE_STEP, VARIANCE_STEP = 0.16, 0.03
# A step whose error is too large is tried again, smaller and smaller by this factor.
SHRINK, TRIES = 0.25, 3


def largest_signal(model: Model) -> float:
    """The largest root mean square of |θ| over the components of P_θ, and at least 1."""
    signal = model.signal
    spread = np.trace(signal.covariances, axis1=1, axis2=2)
    return max(1.0, float(np.sqrt(((signal.means**2).sum(axis=1) + spread).max())))


@dataclass(frozen=True)
class Stencil:
    """A formula for a first derivative, in units of 1/step.

    Attributes:
        offsets: displacements in units of the step.
        weights: of the values there.
        coarser: weights of a formula of lower order on the same values.
    """

    offsets: Array
    weights: Array
    coarser: Array

    @classmethod
    def of(cls, offsets: list[float], coarser: list[float]) -> Stencil:
        """Exact for polynomials of the highest degree; the coarser one on a subset of offsets."""
        points = np.array(offsets)
        weights = np.zeros(len(points))
        kept = np.isin(points, coarser)
        weights[kept] = _derivative_weights(points[kept])
        return cls(points, _derivative_weights(points), weights)


def _derivative_weights(points: Array) -> Array:
    """Weights w with Σ w f(x) = f'(0) for polynomials f of degree below the number of points."""
    powers = points[None, :] ** np.arange(len(points))[:, None]
    result: Array = np.linalg.solve(powers, np.eye(len(points))[1])
    return result


CENTRAL = Stencil.of([-1.0, -0.5, -0.25, 0.25, 0.5, 1.0], [-0.5, -0.25, 0.25, 0.5])
FORWARD = Stencil.of([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 0.2, 0.4, 0.6, 0.8])


class Linearization:
    """The flow near one state.

    Args:
        flow: the vector field.
        vector: packed state.
        tolerance: target of the absolute error of the entries of a derivative; where a step does
            not reach it, smaller ones are tried.

    Attributes:
        rate: (n,) rates of change at the state.
        sampling: error of the rates from sampled expectations.
    """

    def __init__(self, flow: Flow, vector: Array, *, tolerance: float = 1e-9) -> None:
        self.flow, self.vector = flow, vector
        self._tolerance = tolerance
        self._terms = flow.terms(vector)
        self.rate = flow.rate(vector, self._terms)
        self._overlap_step = SCORE_STEP / largest_signal(flow.model)
        self.sampling = flow.sampling(self._terms)

    def along(self, direction: Array, *, one_sided: bool = False) -> tuple[Array, Array]:
        """The derivative of the rates along a direction of unit size, and its absolute error.

        Args:
            direction: packed.
            one_sided: only states on its positive side are admissible.
        """
        flow = self.flow
        # Affine in the state at fixed updates: the difference is exact.
        explicit = flow.rate(self.vector + direction, self._terms) - self.rate
        stencil = FORWARD if one_sided else CENTRAL
        step = VARIANCE_STEP if one_sided else self._overlap_step
        for _ in range(TRIES):
            found, truncation, noise = self._difference(direction, stencil, step)
            # A smaller step makes the noise larger.
            if truncation.max() <= max(self._tolerance, noise.max()):
                break
            step *= SHRINK
        # Sampled expectations vary with the state as the exact ones do.
        sampling = self.sampling * SCORE_STEP / self._overlap_step
        given = 2 * flow.roundoff(self._terms) * (explicit != 0.0)
        return explicit + found, truncation + noise + given + sampling

    def _difference(
        self, direction: Array, stencil: Stencil, step: float
    ) -> tuple[Array, Array, Array]:
        """The derivative through the updates; its errors by the stencil and by theirs."""
        flow = self.flow
        rates = []
        for offset in stencil.offsets:
            if offset == 0.0:
                rates.append(self.rate)
                continue
            terms = flow.terms(self.vector + offset * step * direction)
            rates.append(flow.rate(self.vector, terms))
        values = np.array(rates)
        found: Array = stencil.weights @ values / step
        coarse = stencil.coarser @ values / step
        noise = flow.roundoff(self._terms) * float(np.linalg.norm(stencil.weights)) / step
        # Where no update enters a rate, the difference is zero exactly.
        touched = (values != self.rate).any(axis=0)
        return found, np.abs(found - coarse), noise * touched
