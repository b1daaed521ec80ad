"""``headode.validate``: does SGD in finite dimension follow the ODE?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from headode._checks import check_option, plain_data
from headode._floats import own_errstate
from headode.dynamics.integrate import integrate
from headode.errors import ArgumentError, Interrupted, NumericalFailure
from headode.expectation.symmetry import Symmetry
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.progress import ProgressCallback
from headode.simulation.options import METHODS, SimulationOptions
from headode.simulation.simulate import simulate
from headode.training import Training
from headode.validation.compare import compare
from headode.validation.plan import plan_ensembles, plan_times, progress_parts
from headode.validation.report import Report
from headode.validation.scope import symmetry_warnings

if TYPE_CHECKING:
    import xarray as xr

# The ODE is solved once more with tolerances larger by this factor, to measure its error.
LOOSER = 4.0


@own_errstate
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
    simulation_method: str = "overlaps",
    seed: int = 0,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> Report:
    """Integrate the ODE, simulate SGD from the same overlaps, and judge whether they agree.

    Beside the asked ensemble, one of four times the runs at a quarter of the dimension and one of
    16 times the runs at a sixteenth (or 8 and an eighth, if that is 32 or more) serve to
    extrapolate to d → ∞, to estimate variances and to see how they scale; each takes as many steps
    as the first. See :func:`headode.validation.compare.compare` for the test.

    Args:
        model: task and student.
        state: initial overlaps.
        time: last time, in steps/d.
        times: instead of ``time``: the output times of the ODE. Times are rounded to steps that
            all ensembles can take, multiples of up to 16/d.
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
        progress: called during the simulations, in units of steps of work, taken together.
        configuration: kept in the datasets instead of one made from the arguments.

    Returns:
        The report: ``verdict``, ``agrees``, ``worst``, ``summary()``, ``data``, ``save(folder)``.

    Raises:
        ArgumentError: for an argument that cannot be used, such as a time before 64 steps of the
            second ensemble.
        NumericalFailure: if the ODE or a run diverges, unless it is one of the third ensemble:
            that is then not used. ``partial`` holds the finished trajectories by name, such as
            ``theory`` and ``simulation_d100``, and as ``unfinished`` what there is of the next.
        Interrupted: on Ctrl-C; likewise.
    """
    model.check_state(state)
    if configuration is not None:
        configuration = plain_data("configuration", configuration)
    simulation_method = check_option("simulation_method", simulation_method, METHODS)
    asked = SimulationOptions(dimension, runs, simulation_method, seed)
    ensembles = plan_ensembles(asked, model)
    grid, compared = plan_times(time, times, count, spacing, comparisons, ensembles)
    training: dict[str, Any] = {
        "learning_rate": learning_rate,
        "value_learning_rate": value_learning_rate,
        "offset_learning_rate": offset_learning_rate,
        "batch_size": batch_size,
        "weight_decay": weight_decay,
    }
    if Training(**training).is_gradient_flow:
        raise ArgumentError("learning_rate", "be a number > 0: SGD has one", learning_rate)

    def solution(factor: float, seed: int) -> xr.Dataset:
        return integrate(
            model,
            state,
            times=grid,
            method=method,
            tolerance=factor * tolerance,
            seed=seed,
            rtol=factor * rtol,
            atol=factor * atol,
            integrator=integrator,
            configuration=configuration,
            **training,
        )

    def ensemble(options: SimulationOptions, report: ProgressCallback | None) -> xr.Dataset:
        described = None
        if configuration is not None:
            described = {**configuration, "simulation": options.to_dict()}
        data = simulate(
            model,
            state,
            times=compared,
            workers=workers,
            progress=report,
            configuration=described,
            **training,
            **options.to_dict(),
        )
        largest = options.dimension == dimension
        finished["simulation" if largest else f"simulation_d{options.dimension}"] = data
        return data

    finished: dict[str, xr.Dataset] = {}
    with _handed_out(finished):
        theory = finished["theory"] = solution(1.0, seed)
        looser = solution(LOOSER, seed + 1)
        symmetry = Symmetry.of(model, state)
        simulated, notes = _simulate_all(ensemble, ensembles, progress, float(compared[-1]))
        warnings = [*symmetry_warnings(symmetry), *notes]
        return compare(
            theory, simulated, looser=looser, level=level, symmetry=symmetry, warnings=warnings
        )


@contextmanager
def _handed_out(finished: Mapping[str, xr.Dataset]) -> Iterator[None]:
    """Let an exception take the finished trajectories along, and what there is of the next one."""

    def parts(unfinished: xr.Dataset | None) -> dict[str, xr.Dataset] | None:
        rest = {} if unfinished is None else {"unfinished": unfinished}
        return {**finished, **rest} or None

    try:
        yield
    except Interrupted as interrupt:
        raise Interrupted(str(interrupt), parts(interrupt.partial)) from None
    except KeyboardInterrupt:
        raise Interrupted("interrupted", parts(None)) from None
    except NumericalFailure as failure:
        raise NumericalFailure(str(failure), parts(failure.partial)) from None


def _simulate_all(
    simulated: Callable[[SimulationOptions, ProgressCallback | None], xr.Dataset],
    ensembles: Sequence[SimulationOptions],
    progress: ProgressCallback | None,
    last: float,
) -> tuple[list[xr.Dataset], list[str]]:
    """The ensembles, in the order given, and a note if the third of them is not used."""
    data: list[xr.Dataset] = []
    notes = []
    # The smallest dimension first: if a run diverges, it is one of those.
    smallest_first = ensembles[::-1]
    parts = progress_parts(progress, smallest_first, last)
    for options, part in zip(smallest_first, parts, strict=True):
        try:
            data.insert(0, simulated(options, part))
        except NumericalFailure as failure:
            if options in ensembles[:2]:
                raise
            # Steps of a size that the other ones can take may be too large for the third.
            notes.append(f"d = {options.dimension} is not used: {failure}")
    return data, notes
