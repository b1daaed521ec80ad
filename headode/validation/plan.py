"""Which ensembles a validation simulates, and at which times it compares them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from headode._checks import Array, check_integer
from headode._limits import LARGEST_COUNT
from headode.errors import ArgumentError
from headode.model import Model
from headode.progress import Progress, ProgressCallback
from headode.simulation.options import SimulationOptions, check_steps
from headode.simulation.vectors import smallest_dimension
from headode.trajectory import asked_times
from headode.validation.compare import FEWEST_STEPS

# The second ensemble has a quarter of the dimension, and as many steps of all runs together.
COARSENING = 4
# The third, if that is a whole number and no smaller than this: below, bias is not of order 1/d.
THIRDS = (16, 8)
SMALLEST_THIRD = 32


def plan_ensembles(options: SimulationOptions, model: Model) -> list[SimulationOptions]:
    """The asked ensemble and smaller ones with proportionally more runs, the largest first.

    The means of all of them have the same standard error, and each takes the same number of steps.

    Raises:
        ArgumentError: for a dimension or a number of runs that leaves no second ensemble.
    """
    check_integer("runs", options.runs, 2)
    smallest = smallest_dimension(model.heads, model.features)
    dimension = options.dimension
    if dimension % COARSENING or dimension < COARSENING * smallest:
        requirement = f"be a multiple of {COARSENING}, at least {COARSENING * smallest}"
        raise ArgumentError("dimension", requirement, dimension)
    third = [
        ratio
        for ratio in THIRDS
        if dimension % ratio == 0 and dimension >= ratio * max(SMALLEST_THIRD, smallest)
    ]
    # Seeds of their own, so that the ensembles are independent.
    seeds = np.random.SeedSequence([options.seed, 1]).generate_state(2)
    smaller = [
        SimulationOptions(dimension // ratio, ratio * options.runs, options.method, int(seed))
        for ratio, seed in zip([COARSENING, *third[:1]], seeds, strict=False)
    ]
    return [options, *smaller]


def plan_times(
    time: float | None,
    times: ArrayLike | None,
    count: int,
    spacing: str,
    comparisons: int,
    ensembles: Sequence[SimulationOptions],
) -> tuple[Array, Array]:
    """Output times of the ODE, and those of the simulations: some of the former.

    All are a whole number of steps of every ensemble.
    """
    asked = asked_times(time, times, count, spacing)
    check_steps(asked[-1], ensembles[0].dimension, "time" if times is None else "times")
    comparisons = check_integer("comparisons", comparisons, 1, LARGEST_COUNT)
    unit = float(np.gcd.reduce([each.dimension for each in ensembles]))
    ticks = np.unique(np.rint(asked * unit))
    late = ticks[(ticks > 0) & (ticks / unit * ensembles[1].dimension >= FEWEST_STEPS)]
    if late.size == 0:
        name, given = ("time", time) if times is None else ("times", times)
        earliest = FEWEST_STEPS / ensembles[1].dimension
        raise ArgumentError(
            name, f"reach {earliest:g}, {FEWEST_STEPS} steps of the second ensemble", given
        )
    chosen = np.unique(np.rint(np.linspace(0, late.size - 1, comparisons)).astype(int))
    recorded = np.concatenate([ticks[ticks == 0], late[chosen]])
    return ticks / unit, recorded / unit


def progress_parts(
    progress: ProgressCallback | None, ensembles: Sequence[SimulationOptions], last: float
) -> list[ProgressCallback | None]:
    """Reports of each simulation, in the order given, as part of one count of steps of work.

    A step of full weight vectors takes a time proportional to d; one of the overlaps does not.
    """
    if progress is None:
        return [None] * len(ensembles)
    costs = [each.runs * (each.dimension if each.method == "weights" else 1) for each in ensembles]
    units = [cost / max(costs) for cost in costs]
    work = [unit * last * each.dimension for unit, each in zip(units, ensembles, strict=True)]
    before = np.concatenate([[0.0], np.cumsum(work)])

    def part(unit: float, start: float) -> ProgressCallback:
        total = float(before[-1])
        return lambda report: progress(Progress(start + unit * report.done, total, report.risk))

    return [part(unit, float(start)) for unit, start in zip(units, before, strict=False)]
