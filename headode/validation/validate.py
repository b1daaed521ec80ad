"""``headode.validate``: does SGD in finite dimension follow the ODE?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from headode._checks import Array, check_integer, check_option
from headode.dynamics.integrate import integrate
from headode.errors import ArgumentError
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.progress import Progress, ProgressCallback
from headode.simulation.options import METHODS, SimulationOptions
from headode.simulation.simulate import simulate
from headode.simulation.vectors import smallest_dimension
from headode.training import Training
from headode.trajectory import check_times, output_times
from headode.validation.compare import FEWEST_STEPS, compare
from headode.validation.report import Report
from headode.validation.scope import symmetry_warnings

if TYPE_CHECKING:
    import xarray as xr

# The second ensemble has a quarter of the dimension and four times the runs: a quarter of the cost.
COARSENING = 4


def validate(
    model: Model,
    state: OrderParameters,
    *,
    time: float | None = None,
    times: ArrayLike | None = None,
    learning_rate: float,
    value_learning_rate: float = 1.0,
    offset_learning_rate: float = 1.0,
    batch_size: int = 1,
    weight_decay: float = 0.0,
    count: int = 200,
    spacing: str = "log",
    comparisons: int = 20,
    level: float = 0.01,
    method: str = "auto",
    tolerance: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    integrator: str = "auto",
    dimension: int = 10_000,
    runs: int = 8,
    simulation_method: str = "weights",
    seed: int = 0,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> Report:
    """Integrate the ODE, simulate SGD from the same overlaps, and judge whether they agree.

    Beside the asked ensemble a second one of four times the runs at a quarter of the dimension,
    which costs a quarter more, serves to extrapolate to d → ∞ and to estimate the variance; see
    :func:`headode.validation.compare.compare` for the test.

    How sharp the verdict is, for three tokens, two heads and t = 6 at η = 1: with 8 runs at
    d = 2000 (``bayes_softmax``, 40 repetitions) the right ODE was never rejected; a term G that
    is 5 % too small always was, as was an N that is 20 % too small; one of 10 % in 32 cases; 2 %
    of G or 5 % of N hardly ever. At d = 400 (``linear``) none of 200 right ODEs was rejected.

    Args:
        model: task and student.
        state: initial overlaps.
        time: last time, in steps/d.
        times: instead of ``time``: the output times of the ODE. Times are rounded to steps that
            both ensembles can take, multiples of 4/d.
        learning_rate: η > 0.
        value_learning_rate: η_v of a learned value.
        offset_learning_rate: η_b of learned offsets.
        batch_size: B fresh sequences per step.
        weight_decay: λ.
        count: number of output times of the ODE, with ``time``.
        spacing: ``log`` or ``linear``, with ``time``.
        comparisons: at how many of these times, at most, the simulation is compared.
        level: largest probability with which a correct theory is said to disagree.
        method: of the expectations, as in :func:`headode.integrate`.
        tolerance: target absolute error of the expected updates; the errors of the simulation's
            means are hardly ever below 1e-3.
        rtol: relative tolerance of the integrator.
        atol: absolute tolerance of the integrator.
        integrator: as in :func:`headode.integrate`.
        dimension: d, a multiple of 4.
        runs: runs at that dimension, at least 2.
        simulation_method: as ``method`` in :func:`headode.simulate`.
        seed: of the simulations, and of the ODE's quadrature nodes.
        workers: threads of the simulation.
        progress: called during the simulations, in units of their steps, taken together.
        configuration: kept in the datasets instead of one made from the arguments.

    Returns:
        The report: ``agrees``, ``worst``, ``summary()``, ``data``, ``save(folder)``.

    Raises:
        ArgumentError: for an argument that cannot be used, such as a time before 64 steps of the
            smaller ensemble.
        NumericalFailure: if the ODE or a run diverges.
        Interrupted: on Ctrl-C.
    """
    model.check_state(state)
    check_option("simulation_method", simulation_method, METHODS)
    fine = SimulationOptions(dimension, runs, simulation_method, seed)
    coarse = _coarse_options(fine, model)
    grid, compared = _times(time, times, count, spacing, coarse.dimension, comparisons)
    training: dict[str, Any] = {
        "learning_rate": learning_rate,
        "value_learning_rate": value_learning_rate,
        "offset_learning_rate": offset_learning_rate,
        "batch_size": batch_size,
        "weight_decay": weight_decay,
    }
    if Training(**training).is_gradient_flow:
        raise ArgumentError("learning_rate", "be a number > 0: SGD has one", learning_rate)
    theory = integrate(
        model,
        state,
        times=grid,
        method=method,
        tolerance=tolerance,
        seed=seed,
        rtol=rtol,
        atol=atol,
        integrator=integrator,
        configuration=configuration,
        **training,
    )
    last = float(compared[-1])
    total = last * (coarse.dimension + fine.dimension)

    def ensemble(options: SimulationOptions, done: float) -> xr.Dataset:
        described = None
        if configuration is not None:
            described = {**configuration, "simulation": options.to_dict()}
        return simulate(
            model,
            state,
            times=compared,
            workers=workers,
            progress=_part(progress, done, total),
            configuration=described,
            **training,
            **options.to_dict(),
        )

    small, large = ensemble(coarse, 0.0), ensemble(fine, last * coarse.dimension)
    warnings = symmetry_warnings(model, state)
    return compare(theory, large, small, level=level, warnings=warnings)


def _coarse_options(fine: SimulationOptions, model: Model) -> SimulationOptions:
    """The second ensemble: a quarter of the dimension and four times the runs."""
    check_integer("runs", fine.runs, 2)
    smallest = COARSENING * smallest_dimension(model.heads, model.features)
    if fine.dimension % COARSENING or fine.dimension < smallest:
        requirement = f"be a multiple of {COARSENING}, at least {smallest}"
        raise ArgumentError("dimension", requirement, fine.dimension)
    # A seed of its own, so that its runs are independent of the first ensemble's.
    seed = int(np.random.SeedSequence([fine.seed, 1]).generate_state(1)[0])
    return SimulationOptions(
        fine.dimension // COARSENING, COARSENING * fine.runs, fine.method, seed
    )


def _times(
    time: float | None,
    times: ArrayLike | None,
    count: int,
    spacing: str,
    coarse_dimension: int,
    comparisons: int,
) -> tuple[Array, Array]:
    """Output times of the ODE, and those of the simulations: some of the former.

    All are a whole number of steps of both ensembles.
    """
    if (time is None) == (times is None):
        raise ArgumentError("time", "be given, or else times (one of the two)", time)
    check_integer("comparisons", comparisons, 1)
    asked = check_times(times) if time is None else output_times(time, count, spacing)
    steps = np.unique(np.rint(asked * coarse_dimension))
    late = steps[steps >= FEWEST_STEPS]
    if late.size == 0:
        name, given = ("time", time) if times is None else ("times", times)
        earliest = FEWEST_STEPS / coarse_dimension
        raise ArgumentError(name, f"reach {earliest:g}, {FEWEST_STEPS} steps of a run", given)
    chosen = np.unique(np.rint(np.linspace(0, late.size - 1, comparisons)).astype(int))
    recorded = np.concatenate([steps[steps == 0], late[chosen]])
    return steps / coarse_dimension, recorded / coarse_dimension


def _part(
    progress: ProgressCallback | None, before: float, total: float
) -> ProgressCallback | None:
    """Reports of one simulation as part of both: a step of either costs the same, over its runs."""
    if progress is None:
        return None
    return lambda report: progress(Progress(before + report.done, total, report.risk))
