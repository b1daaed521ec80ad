"""``headode.simulate``: an ensemble of finite-d SGD runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from headode._checks import Array, check_integer
from headode.errors import ArgumentError, Interrupted, NumericalFailure
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.progress import ProgressCallback
from headode.simulation.ensemble import Records, RiskEstimate, run_ensemble
from headode.simulation.options import SimulationOptions
from headode.simulation.risk import estimate_risk
from headode.simulation.vectors import Overlaps
from headode.simulation.weights import WeightsRun
from headode.training import Training
from headode.trajectory import check_times, output_times, trajectory_dataset

if TYPE_CHECKING:
    import xarray as xr

# Normal deviates drawn between two looks at the keyboard: a few tenths of a second.
CHUNK_NORMALS = 50_000_000


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
    method: str = "weights",
    seed: int = 0,
    workers: int | None = None,
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
        method: ``weights`` (full vectors, the ground truth).
        seed: determines every number of the result, whatever the number of workers.
        workers: threads; None: as many as processors.
        progress: called several times a second, in units of steps.
        configuration: what to keep as the dataset's configuration; None: the arguments.

    Returns:
        A dataset with dimensions ``run`` and ``time`` and the variables M, R, Q, risk,
        risk_standard_error, m_v and q_v for a learned value, offset for learned offsets.

    Raises:
        ArgumentError: for an argument that cannot be used.
        Interrupted: on Ctrl-C; ``partial`` holds the times that every run has reached.
        NumericalFailure: if a run diverges; ``partial`` holds what was recorded before.
    """
    started = perf_counter()
    model.check_state(state)
    grid = _recorded_times(time, times, count, spacing)
    training = Training(
        learning_rate, value_learning_rate, offset_learning_rate, batch_size, weight_decay
    )
    if training.is_gradient_flow:
        requirement = "be a number > 0 (only the ODE has the limit of gradient flow)"
        raise ArgumentError("learning_rate", requirement, learning_rate)
    options = SimulationOptions(dimension, runs, method, seed)
    threads = (os.cpu_count() or 1) if workers is None else check_integer("workers", workers, 1)
    steps = np.rint(grid * options.dimension).astype(np.int64)
    ensemble, risk = _prepare(model, state, training, options, grid.size)
    if configuration is None:
        configuration = {
            **model.to_dict(),
            "training": {**training.to_dict(), "time": float(grid[-1])},
            "initial": state.to_dict(),
            "output": {"times": grid.tolist()},
            "simulation": options.to_dict(),
        }
    chunk = max(1, CHUNK_NORMALS // (training.batch_size * model.tokens * options.dimension))
    records = Records()
    interrupted = False
    try:
        run_ensemble(ensemble, steps, risk, records, min(threads, options.runs), chunk, progress)
    except KeyboardInterrupt:
        interrupted = True
    attributes = {"learning_rate": learning_rate, "wall_time": perf_counter() - started}
    data = _dataset(model, records, grid, steps, configuration, options.to_dict() | attributes)
    if interrupted:
        raise Interrupted(f"interrupted after {len(records.rows)} of {grid.size} records", data)
    if records.diverged is not None:
        run, step = records.diverged
        where = f"run {run} of the simulation diverged before t = {step / options.dimension:g}"
        raise NumericalFailure(f"{where}: try a smaller learning rate", data)
    assert data is not None
    return data


def _recorded_times(time: float | None, times: ArrayLike | None, count: int, spacing: str) -> Array:
    if (time is None) == (times is None):
        raise ArgumentError("time", "be given, or else times (one of the two)", time)
    return check_times(times) if time is None else output_times(time, count, spacing)


def _prepare(
    model: Model,
    state: OrderParameters,
    training: Training,
    options: SimulationOptions,
    record_count: int,
) -> tuple[list[WeightsRun], RiskEstimate]:
    """The runs, and the estimate of their risk; one random stream for each run and each record."""
    weight_seeds, risk_seeds = np.random.SeedSequence(options.seed).spawn(2)
    streams = [each.spawn(record_count) for each in risk_seeds.spawn(options.runs)]
    runs = [
        WeightsRun(model, state, training, options.dimension, seed)
        for seed in weight_seeds.spawn(options.runs)
    ]
    runs[0].advance(0)  # compiles once, before the threads start, if this machine never did

    def risk(run: int, record: int, overlaps: Overlaps) -> tuple[float, float]:
        return estimate_risk(model, overlaps, np.random.default_rng(streams[run][record]))

    return runs, risk


def _dataset(
    model: Model,
    records: Records,
    grid: Array,
    steps: NDArray[np.int64],
    configuration: Mapping[str, Any],
    attributes: Mapping[str, Any],
) -> xr.Dataset | None:
    """What was recorded so far, or None when nothing was."""
    recorded = len(records.rows)
    if recorded == 0:
        return None
    variables = records.arrays()
    if not model.learns_value:
        del variables["m_v"], variables["q_v"]
    if not model.learns_offset:
        del variables["offset"]
    advanced = max(1, int(steps[recorded - 1])) * attributes["runs"]
    dataset = trajectory_dataset(
        grid[:recorded],
        variables,
        kind="simulation",
        configuration=configuration,
        microseconds_per_step=1e6 * records.advancing / advanced,
        **attributes,
    )
    number = ("time", steps[:recorded], {"long_name": "number of steps, round(t d)"})
    return dataset.assign_coords(step=number)
