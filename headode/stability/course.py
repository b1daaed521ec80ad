"""The course of a trajectory from nearly identical heads, and the differences that grow about it.

The state is a *background* plus small *differences*. The background starts with all heads alike and
follows the ODE; differences follow the ODE linearized about it. What happens to a feature before
its spread, the standard deviation over the heads of the overlaps with it, is a twentieth of its
natural scale is linear. From then on the differences along it belong to the background, where they
saturate, while those along other features are still linear and grow about heads that now differ.
When no feature is left, the background is the trajectory itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.errors import NumericalFailure
from headode.order_parameters import OrderParameters
from headode.stability.coordinates import Coordinates
from headode.stability.differences_flow import DifferencesFlow
from headode.stability.flow import Flow

# Spread, in units of the natural scale, at which differences cease to be linear.
LINEAR = 0.05
# Differences along a feature that are this close to it cease to be linear with the others.
SOON = 0.5
# Of the integrator; dates follow to about four digits.
RTOL, ATOL = 1e-4, 1e-7
# The absolute tolerance of differences is a fraction of their size. When they have grown so many
# times it is taken anew: against the old one, roundoff alone would make the integrator crawl.
GROWN = 1e6


@dataclass(frozen=True, eq=False)
class Course:
    """What was followed.

    Attributes:
        time: (T,) times of the integrator's steps.
        M: (T, H, F) overlaps, of background and differences together.
        dM: (T, H, F) their rates of change.
    """

    time: Array
    M: Array
    dM: Array

    @property
    def spread(self) -> Array:
        """(T, F) standard deviations over the heads."""
        result: Array = self.M.std(axis=1)
        return result


def follow_course(
    flow: Flow, state: OrderParameters, scales: Array, level: float, until: float
) -> Course:
    """Follow background and differences.

    Args:
        flow: the vector field.
        state: at time 0.
        scales: (F,) natural scales; infinite for features that are not looked at.
        level: spread, in units of the natural scale, at which a feature is done with.
        until: last time; earlier, when all features are done with.

    Raises:
        NumericalFailure: if the integrator fails.
    """
    follower = _Follower(flow, state, scales, level)
    reached = 0.0
    while reached < until and not follower.done:
        reached = follower.stage(reached, until)
    return follower.course()


class _Follower:
    def __init__(self, flow: Flow, state: OrderParameters, scales: Array, level: float) -> None:
        self._flow, self._scales, self._level = flow, scales, level
        self._shape = (flow.model.heads, flow.model.features)
        vector = flow.pack(state)
        alike = Coordinates.of(flow.model).invariant((tuple(range(flow.model.heads)),))
        self._background = alike @ (alike.T @ vector)
        self._differences = vector - self._background
        self._size = len(vector)
        self._linear = np.isfinite(scales)
        self._times: list[float] = []
        self._rows: list[tuple[Array, Array]] = []
        self._record(0.0, DifferencesFlow(flow, self._background), self._both)

    @property
    def _both(self) -> Array:
        return np.concatenate([self._background, self._differences])

    @property
    def done(self) -> bool:
        """Whether all features that are looked at have reached the level."""
        spread = self._rows[-1][0].std(axis=0)
        return bool((spread >= self._level * self._scales)[np.isfinite(self._scales)].all())

    def course(self) -> Course:
        """What was recorded."""
        M, dM = (np.array(part) for part in zip(*self._rows, strict=True))
        return Course(np.array(self._times), M, dM)

    def stage(self, start: float, until: float) -> float:
        """Integrate until the differences along a feature cease to be linear, or have grown a lot.

        Returns that time.
        """
        import scipy.integrate

        rates = DifferencesFlow(self._flow, self._background)
        largest = float(np.abs(self._differences).max())
        solver = scipy.integrate.LSODA(
            rates,
            start,
            self._both,
            until,
            rtol=RTOL,
            atol=np.repeat([ATOL, RTOL * largest or ATOL], self._size),
        )
        both, end, over = self._both, start, self._excess(self._both) >= 0
        grown = False
        while solver.status == "running" and not over and not grown and not self.done:
            message = solver.step()
            if solver.status == "failed":
                raise NumericalFailure(f"the prediction failed at time {solver.t:.6g} ({message})")
            both, end, over = solver.y, float(solver.t), self._excess(solver.y) >= 0
            grown = float(np.abs(both[self._size :]).max()) > GROWN * largest > 0.0
            if over:
                path = solver.dense_output()
                end = _root(lambda t, path=path: self._excess(path(t)), solver.t_old, end)  # type: ignore[misc]
                both = path(end)
            self._record(end, rates, both)
        self._background, self._differences = both[: self._size], both[self._size :]
        if over:
            self._join()
        return end

    def _record(self, time: float, rates: DifferencesFlow, both: Array) -> None:
        M, dM = (self._overlaps(self._sum(part)) for part in (both, rates(time, both)))
        self._times.append(time)
        self._rows.append((M, dM))

    def _overlaps(self, vector: Array) -> Array:
        """(H, F) overlaps of a packed state, a view."""
        H, F = self._shape
        return vector[: H * F].reshape(H, F)

    def _sum(self, both: Array) -> Array:
        """The packed state that background and differences make."""
        result: Array = both[: self._size] + both[self._size :]
        return result

    def _share(self, differences: Array) -> Array:
        """(F,) spreads of the differences in units of what is still linear."""
        share = self._overlaps(differences).std(axis=0) / (LINEAR * self._scales)
        return np.where(self._linear, share, 0.0)

    def _excess(self, both: Array) -> float:
        """By how much the largest linear difference is larger than linear ones may be."""
        return float(self._share(both[self._size :]).max()) - 1.0

    def _join(self) -> None:
        """Move the differences that are no longer small to the background."""
        joining = self._share(self._differences) > SOON
        self._linear &= ~joining
        background, differences = self._background.copy(), self._differences.copy()
        if self._linear.any():
            self._overlaps(background)[:, joining] += self._overlaps(differences)[:, joining]
            self._overlaps(differences)[:, joining] = 0.0
        else:
            background, differences = background + differences, np.zeros_like(differences)
        self._background, self._differences = background, differences


def _root(function: Callable[[float], float], start: float, end: float) -> float:
    """Where a function that ends nonnegative becomes so."""
    import scipy.optimize

    if function(start) >= 0:
        return start
    found: float = scipy.optimize.brentq(function, start, end, xtol=1e-9 * max(end, 1.0))
    return found
