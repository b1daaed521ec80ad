"""``headode.simulate``: an ensemble of finite-d SGD runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headode._checks import Array, check_integer, plain_data
from headode._floats import own_errstate
from headode._limits import LARGEST_WORKERS
from headode._version import __version__
from headode.errors import ArgumentError, Interrupted, NumericalFailure
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.progress import ProgressCallback
from headode.simulation.checkpoint import Checkpoint
from headode.simulation.ensemble import Ensemble, Run, RunRecords, run_ensemble
from headode.simulation.options import SimulationOptions, check_steps
from headode.simulation.overlaps import OverlapsRun
from headode.simulation.risk import estimate_risk
from headode.simulation.vectors import Overlaps, check_dimension
from headode.simulation.weights import WeightsRun
from headode.training import Training
from headode.trajectory import asked_times, trajectory_dataset

if TYPE_CHECKING:
    import xarray as xr


@own_errstate
def simulate(
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
    dimension: int = 10_000,
    runs: int = 8,
    method: str = "overlaps",
    seed: int = 0,
    workers: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: ProgressCallback | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Simulate online SGD in finite dimension, from exactly the given overlaps.

    The risk is a Monte Carlo estimate with its standard error, from a random stream of its own.

    Args:
        model: task and architecture; L tokens, H heads, F features.
        state: initial overlaps; every run starts from them, in random directions of R^d.
        time: last time, in units of steps/d; with ``count`` and ``spacing`` of the records.
        times: instead of ``time``: record at exactly these times. What is recorded for a time t is
            the state after ``round(t d)`` steps, whose number is the coordinate ``step``.
        learning_rate: η > 0.
        value_learning_rate: η_v of a learned value.
        offset_learning_rate: η_b of learned offsets.
        batch_size: B fresh sequences per step.
        weight_decay: λ; each step also does k ← k − η λ k/d.
        count: number of records, t = 0 included.
        spacing: ``log`` or ``linear``.
        dimension: d ≥ F + H + 2.
        runs: number of independent runs.
        method: ``overlaps`` (the Markov chain of the overlaps, exact in law at a cost independent
            of d) or ``weights`` (full vectors, the ground truth).
        seed: determines every number of the result, whatever the number of workers.
        workers: threads, which take a run each; None: as many as processors.
        checkpoint: folder that keeps each run as soon as it is finished, made if need be. The runs
            found in it are not simulated again: the same call continues what was interrupted, or
            killed, with the same numbers to the last bit. Remove it when the result is safe.
        progress: called several times a second, in units of steps (the mean over the runs).
        configuration: what to keep as the dataset's configuration; None: the arguments.

    Returns:
        A dataset with dimensions ``run`` and ``time`` and the variables M, R, Q, risk,
        risk_standard_error, k_v_star; m_v, q_v, k_v, v_k_star for a learned value; offset for
        learned offsets.

    Raises:
        ArgumentError: for an argument that cannot be used, such as the checkpoint of another
            simulation.
        Interrupted: on Ctrl-C; ``partial`` holds what was recorded, NaN where a run did not get.
        NumericalFailure: if a run diverges; ``partial`` holds the others, and its records before.
    """
    started = perf_counter()
    model.check_state(state)
    grid = asked_times(time, times, count, spacing)
    training = Training(
        learning_rate, value_learning_rate, offset_learning_rate, batch_size, weight_decay
    )
    if training.learning_rate is None:
        requirement = "be a number > 0 (only the ODE has the limit of gradient flow)"
        raise ArgumentError("learning_rate", requirement, learning_rate)
    options = SimulationOptions(dimension, runs, method, seed)
    check_dimension(options.dimension, model.heads, model.features)
    threads = (
        (os.cpu_count() or 1)
        if workers is None
        else check_integer("workers", workers, 1, LARGEST_WORKERS)
    )
    arguments = {
        **model.to_dict(),
        "training": {**training.to_dict(), "time": float(grid[-1])},
        "initial": state.to_dict(),
        "output": {"times": grid.tolist()},
        "simulation": options.to_dict(),
    }
    kept_configuration = plain_data(
        "configuration", arguments if configuration is None else configuration
    )
    check_steps(grid[-1], options.dimension, "time" if times is None else "times")
    store = None if checkpoint is None else Checkpoint(checkpoint, _identity(arguments, model))
    ensemble = _ensemble(model, state, training, options, grid, store)
    kept = [None if store is None else store.load(number) for number in range(options.runs)]
    records = [RunRecords() if each is None else each for each in kept]
    todo = [number for number, each in enumerate(kept) if each is None]
    interrupted = False
    try:
        run_ensemble(ensemble, records, todo, min(threads, options.runs), progress)
    except KeyboardInterrupt:
        interrupted = True
    attributes = {"learning_rate": training.learning_rate, "wall_time": perf_counter() - started}
    data = _dataset(
        model,
        records,
        grid,
        ensemble.steps,
        kept_configuration,
        options.to_dict() | attributes,
    )
    if interrupted:
        finished = sum(len(each.rows) == grid.size for each in records)
        message = f"interrupted: {finished} of {options.runs} runs are finished"
        raise Interrupted(message, data)
    _check_convergence(records, grid, data)
    assert data is not None
    return data


def _identity(arguments: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """What determines every number of a run, on one machine."""
    from importlib.metadata import version

    # A registered activation is not known from its name alone.
    activation = {name: str(value) for name, value in asdict(model.activation).items()}
    versions = {name: version(name) for name in ("numpy", "numba")} | {"headode": __version__}
    return {**arguments, "activation": activation, "versions": versions}


def _ensemble(
    model: Model,
    state: OrderParameters,
    training: Training,
    options: SimulationOptions,
    grid: Array,
    store: Checkpoint | None,
) -> Ensemble:
    """The runs and the estimate of their risk; a random stream for each run and each record."""
    run_seeds, risk_seeds = np.random.SeedSequence(options.seed).spawn(2)
    seeds = run_seeds.spawn(options.runs)
    streams = [each.spawn(grid.size) for each in risk_seeds.spawn(options.runs)]
    kind = OverlapsRun if options.method == "overlaps" else WeightsRun

    def start(number: int) -> Run:
        run = kind(model, state, training, options.dimension, seeds[number])
        run.advance(0)  # compiles, if this machine never did, before several threads need it
        return run

    def risk(number: int, record: int, overlaps: Overlaps) -> tuple[float, float]:
        return estimate_risk(model, overlaps, np.random.default_rng(streams[number][record]))

    def finished(number: int, records: RunRecords) -> None:
        if store is not None:
            store.save(number, records)

    steps = np.rint(grid * options.dimension).astype(np.int64)
    return Ensemble(start, steps, risk, finished)


def _check_convergence(records: Sequence[RunRecords], grid: Array, data: xr.Dataset | None) -> None:
    diverged = [number for number, each in enumerate(records) if each.diverged]
    if diverged:
        first = min(diverged, key=lambda number: len(records[number].rows))
        time = grid[len(records[first].rows)]
        many = f"{len(diverged)} of {len(records)} runs of the simulation diverged"
        where = f"the first one, run {first}, before t = {time:g}"
        raise NumericalFailure(f"{many}, {where}: try a smaller learning rate", data)


def _dataset(
    model: Model,
    records: Sequence[RunRecords],
    grid: Array,
    steps: NDArray[np.int64],
    configuration: Mapping[str, Any],
    attributes: Mapping[str, Any],
) -> xr.Dataset | None:
    """What was recorded, NaN where a run did not get; None when nothing was."""
    started = [number for number, each in enumerate(records) if each.rows]
    if not started:
        return None
    length = max(len(each.rows) for each in records)
    columns = [records[number].columns() for number in started]
    variables = {name: _stacked([each[name] for each in columns], length) for name in columns[0]}
    unused: tuple[str, ...] = () if model.learns_value else ("m_v", "q_v", "k_v", "v_k_star")
    unused += () if model.learns_offset else ("offset",)
    seconds = sum(each.seconds for each in records)
    dataset = trajectory_dataset(
        grid[:length],
        {name: values for name, values in variables.items() if name not in unused},
        kind="simulation",
        configuration=configuration,
        microseconds_per_step=1e6 * seconds / max(1, sum(each.advanced for each in records)),
        **attributes,
    )
    number = ("time", steps[:length], {"long_name": "number of steps, round(t d)"})
    run = ("run", started, {"long_name": "independent run"})
    return dataset.assign_coords(step=number, run=run)


def _stacked(columns: Sequence[Array], length: int) -> Array:
    """(runs, length, ...) from columns of different lengths."""
    result = np.full((len(columns), length, *columns[0].shape[1:]), np.nan)
    for row, column in zip(result, columns, strict=True):
        row[: len(column)] = column
    return result
