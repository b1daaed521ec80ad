"""Whole trajectories: headode's `integrate` against the JAX program in diffrax.

Both integrate gradient flow at rtol 1e-6 and atol 1e-9 and give the risk at the same output times.
Errors are distances from a tight reference. Of the JAX program they are root mean squares over
seeds of the nodes.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any

import jax_trajectory
import numpy as np
import xarray as xr
from cases import staged_start
from jax_program import NodeStream, Problem
from numpy.typing import NDArray
from report import Section, Table
from splits import output_grid, split_times

import headode as ho

# The staged example splits along both features until then, the one of softmax along feature 2.
ENDS = {"bayes_softmax": 500.0, "softmax": 4000.0}
SEEDS = 4
COLUMNS = (
    "program",
    "right-hand sides",
    "seconds",
    "error of M",
    "error of the final risk",
    "relative error of the times",
)
# The tightest tolerance that does not take too many nodes somewhere on the way.
REFERENCE_TOLERANCES = (1e-8, 1e-7, 1e-6)


def run(quick: bool) -> Section:
    """One table for each activation."""
    section = Section("trajectories")
    for activation, end in ENDS.items():
        section.show(_table(activation, end / 10 if quick else end, quick))
    return section


def _table(activation: str, end: float, quick: bool) -> Table:
    model, start = staged_start(activation)
    grid = output_grid(end)
    exact = _reference(model, start, grid, REFERENCE_TOLERANCES[-1 if quick else 0 :])
    dates = ", ".join(f"{date:.6g} (feature {f})" for f, date in split_times(exact).items())
    table = Table(
        f"Trajectory of {activation} to t = {end:g}: specialization at {dates or 'no time'}, "
        f"final risk {float(exact.risk[-1]):.8f}; error of the reference's updates "
        f"{float(exact.expectation_error.max()):.0e}",
        COLUMNS,
    )
    problem = Problem.of(model)
    programs: dict[str, list[Callable[[], xr.Dataset]]] = {}
    for exponent in (10, 12) if quick else (12, 14, 16):
        programs[f"JAX, 2^{exponent} nodes"] = [
            partial(
                jax_trajectory.integrate,
                *(model, start, grid),
                NodeStream(problem, seed).take(1 << exponent),
            )
            for seed in range(SEEDS)
        ]
    for tolerance in (1e-4, 1e-5) if quick else (1e-4, 1e-5, 1e-6):
        programs[f"headode, tolerance {tolerance:g}"] = [
            partial(ho.integrate, model, start, times=grid, tolerance=tolerance)
        ]
    for name, (runs, seconds) in _interleaved(programs, rounds=1 if quick else 3).items():
        count = int(np.mean([r.attrs["right_hand_side_evaluations"] for r in runs]))
        table.add(name, count, seconds, *_errors(runs, exact))
    return table


def _reference(
    model: ho.Model,
    start: ho.OrderParameters,
    grid: NDArray[np.float64],
    tolerances: tuple[float, ...],
) -> xr.Dataset:
    settings: Any = {"times": grid, "method": "factorized", "rtol": 1e-8, "atol": 1e-11}
    for tolerance in tolerances:
        try:
            return ho.integrate(model, start, tolerance=tolerance, **settings)
        except ho.NumericalFailure as failure:
            print(f"\nreference at tolerance {tolerance:g}: {failure}")
    raise ho.NumericalFailure("no tolerance is loose enough for the factorized method")


def _interleaved(
    programs: Mapping[str, list[Callable[[], xr.Dataset]]], rounds: int
) -> dict[str, tuple[list[xr.Dataset], float]]:
    """Results of every program (all seeds), and the median time of its first seed when warm."""
    for variants in programs.values():
        variants[0]()
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    results: dict[str, list[xr.Dataset]] = {}
    for _ in range(rounds):
        for name, variants in programs.items():
            started = clock.perf_counter()
            first = variants[0]()
            seconds[name].append(clock.perf_counter() - started)
            results[name] = [first]
    for name, variants in programs.items():
        results[name] += [variant() for variant in variants[1:]]
    return {name: (results[name], median(seconds[name])) for name in programs}


def _errors(runs: list[xr.Dataset], exact: xr.Dataset) -> tuple[Any, ...]:
    """Of any overlap at any output, of the final risk, and of the worst specialization time."""
    dates = split_times(exact)
    overlaps = [float(np.abs(run.M.values - exact.M.values).max()) for run in runs]
    risks = [float(run.risk[-1] - exact.risk[-1]) for run in runs]
    times: list[float] = []
    for run in runs:
        found = split_times(run)
        times += [found.get(f, np.nan) / date - 1.0 for f, date in dates.items()]
    worst = None if not times else "missing" if np.isnan(times).any() else _rms(np.array(times))
    return _rms(np.array(overlaps)), _rms(np.array(risks)), worst


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))
