"""How well an activation can do at best: the minimum of the risk over the order parameters."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from headode._checks import check_integer, check_number, check_seed
from headode._floats import own_errstate
from headode._limits import LARGEST_COUNT
from headode.errors import ArgumentError, Interrupted, NumericalFailure, ToleranceWarning
from headode.expectation.bayes_risk import bayes_risk_and_error
from headode.expectation.gaussian_rule import TooManyNodes
from headode.expectation.select import expectation
from headode.expectation.threads import single_threaded_blas
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.progress import Progress, ProgressCallback
from headode.statics.descent import Box, refine, settle
from headode.statics.landscape import Landscape, Point
from headode.statics.minima import Minimum, distinct, minimum_of
from headode.statics.starts import given_point, signal_strength, starting_points

# Tolerance of the expected updates during the descents; of sampled ones, which are far slower.
LOOSE, LOOSE_SAMPLED = 1e-5, 1e-3
# The Bayes risk serves as a floor and as a reference: more digits are of no use.
SMALLEST_BAYES_TOLERANCE = 1e-7
# Walls: beyond them a head of a normalized activation is idle, or a hard maximum.
WALL, WALL_IN_SIGNALS, FARTHEST_OFFSET = 4.0, 2.0, 60.0
# Scores that are no exponentials change their shape with their scale, and need more room.
SLOWER_SCORES = 4.0
# An element-wise activation has its optimum where c H |M θ| is of order one; this is far beyond.
FAR_ELEMENTWISE = 1e3


@dataclass(frozen=True, eq=False)
class OptimalRisk:
    """The lowest risk that was found, and all local minima.

    Attributes:
        minima: distinct local minima, the lowest first.
        bayes_risk: what no attention can beat.
        bayes_risk_error: its estimated error.
        evaluations: number of expected updates that the searches took.
        tolerance: what was asked.
    """

    minima: tuple[Minimum, ...]
    bayes_risk: float
    bayes_risk_error: float
    evaluations: int
    tolerance: float

    @property
    def best(self) -> Minimum:
        """The lowest minimum."""
        return self.minima[0]

    @property
    def risk(self) -> float:
        """Its population risk."""
        return self.best.risk

    @property
    def error(self) -> float:
        """Estimated absolute error of the expected updates there."""
        return self.best.error

    @property
    def state(self) -> OrderParameters:
        """Its order parameters."""
        return self.best.state

    @property
    def residual(self) -> float:
        """Norm of the projected gradient there."""
        return self.best.residual

    @property
    def excess(self) -> float:
        """How far it is above the Bayes risk."""
        return self.risk - self.bayes_risk

    @property
    def converged(self) -> bool:
        """Whether it is a minimum, with residual and error within the tolerance."""
        best = self.best
        return best.is_minimum and max(best.residual, best.error) <= self.tolerance

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "risk": self.risk,
            "bayes_risk": self.bayes_risk,
            "bayes_risk_error": self.bayes_risk_error,
            "excess": self.excess,
            "converged": self.converged,
            "tolerance": self.tolerance,
            "evaluations": self.evaluations,
            "minima": [
                {
                    "risk": minimum.risk,
                    "error": minimum.error,
                    "residual": minimum.residual,
                    "is_minimum": minimum.is_minimum,
                    "flat": minimum.flat,
                    "escaping": list(minimum.escaping),
                    "count": minimum.count,
                    "state": minimum.state.to_dict(),
                }
                for minimum in self.minima
            ],
        }


@own_errstate
def optimal_risk(
    model: Model,
    *,
    restarts: int = 8,
    seed: int = 0,
    starts: Iterable[OrderParameters] = (),
    tolerance: float = 1e-6,
    method: str = "auto",
    progress: ProgressCallback | None = None,
) -> OptimalRisk:
    """Minimum of the population risk over M, R ⪰ 0 and what else is learned (theory: statics).

    Several searches descend on the exact gradients, each until the first- and second-order
    conditions of a local minimum hold. Nothing guarantees that the lowest one is the global
    minimum: look at how many searches ended there. The result does not depend on the number of
    threads.

    Args:
        model: any model. Offsets are free if they are ``learned``, and the value likewise.
        restarts: number of searches: the first starts with heads at the points of the signal, the
            second near its mean, the third near zero, the others at random.
        seed: of the starts.
        starts: states to start from besides.
        tolerance: target of the optimality residual, and of the error of the expected updates.
        method: of expectation; see :func:`headode.expected_update`.
        progress: called after every search.

    Raises:
        ArgumentError: for an argument out of range, or a start that does not fit the model.
        NumericalFailure: if no search could be evaluated, or a risk below the Bayes risk shows that
            an expectation is wrong; ``partial`` is the result then.
        Interrupted: on Ctrl-C; ``partial`` is the result of the searches that are finished, None if
            none is.

    Warns:
        ToleranceWarning: if the lowest minimum is not within the tolerance.
    """
    given = [given_point(model, state) for state in starts]
    restarts = check_integer("restarts", restarts, 0, LARGEST_COUNT)
    seed = check_seed("seed", seed)
    tolerance = check_number("tolerance", tolerance, 0.0, exclusive=True)
    if restarts + len(given) == 0:
        raise ArgumentError("restarts", "be ≥ 1 unless starts are given", restarts)
    floor, floor_error = bayes_risk_and_error(
        model, tolerance=max(tolerance, SMALLEST_BAYES_TOLERANCE)
    )
    search = _Search(model, method, tolerance)
    found: list[Minimum] = []

    def result() -> OptimalRisk:
        minima = distinct(model, found, tolerance)
        return OptimalRisk(minima, floor, floor_error, search.evaluations, tolerance)

    points = itertools.chain(given, starting_points(model, restarts, seed))
    total = restarts + len(given)
    done = 0
    try:
        with single_threaded_blas():
            for done, minimum in enumerate(map(search.run, points), start=1):
                if minimum is not None:
                    found.append(minimum)
                if progress is not None:
                    lowest = min((each.risk for each in found), default=None)
                    progress(Progress(done, total, lowest))
    except KeyboardInterrupt:
        message = f"interrupted: {done} of {total} searches are finished"
        raise Interrupted(message, result() if found else None) from None
    if not found:
        raise NumericalFailure(
            "no search for the optimal risk could be evaluated (try method auto)"
        )
    best = result()
    _check(best)
    return best


class _Search:
    """Search after search, each with expectations of its own: none depends on earlier ones."""

    def __init__(self, model: Model, method: str, tolerance: float) -> None:
        self._model, self._method, self._tolerance = model, method, tolerance
        self._box = _box(model)
        self._loose: float | None = None
        self.evaluations = 0

    def run(self, start: Point) -> Minimum | None:
        """The minimum below a start; None if its expectations take too many nodes."""
        if self._loose is None:
            self._loose = self._loose_tolerance(start)
        descending = Landscape(self._model, self._method, self._loose)
        refining = Landscape(self._model, self._method, self._tolerance)
        minimum = None
        with suppress(TooManyNodes):
            basin = settle(descending, start, self._box)
            basin = refine(refining, basin, self._box, self._tolerance)
            minimum = minimum_of(self._model, descending, basin, self._box, self._tolerance)
        self.evaluations += descending.evaluations + refining.evaluations
        return minimum

    def _loose_tolerance(self, start: Point) -> float:
        """Tolerance of the descents: by the method that a start turns out to need."""
        evaluate = expectation(self._model, method=self._method, tolerance=LOOSE_SAMPLED)
        sampled = False
        with suppress(TooManyNodes), warnings.catch_warnings():
            warnings.simplefilter("ignore", ToleranceWarning)
            sampled = evaluate(start.state).method == "quasi_monte_carlo"
        return max(self._tolerance, LOOSE_SAMPLED if sampled else LOOSE)


def _box(model: Model) -> Box:
    if model.activation.takes_prefactor:
        far = FAR_ELEMENTWISE * max(1.0, 1.0 / (model.prefactor * model.heads))
        return Box(far, far)
    wall = WALL + WALL_IN_SIGNALS * signal_strength(model)
    room = 1.0 if model.activation.is_exponential else SLOWER_SCORES
    return Box(room * wall, room * FARTHEST_OFFSET)


def _check(result: OptimalRisk) -> None:
    lowest = min(minimum.risk + minimum.error for minimum in result.minima)
    if lowest < result.bayes_risk - result.bayes_risk_error - result.tolerance:
        raise NumericalFailure(
            f"a risk of {lowest:.9g} was found, below the Bayes risk {result.bayes_risk:.9g}: "
            "an expectation is less accurate than it says (try a tighter tolerance)",
            result,
        )
    if not result.converged:
        text = (
            f"The optimal risk has a residual of {result.residual:.1e} and an error of "
            f"{result.error:.1e}; the tolerance is {result.tolerance:.1e}."
        )
        if not result.best.is_minimum:
            text += " The second-order conditions of a minimum were not met."
        warnings.warn(text, ToleranceWarning, stacklevel=3)
