"""Do the specialization times depend on the quadrature nodes? Mean and deviation over seeds.

The exact flow has one specialization time for each feature. A program that samples the expectations
has one for each node set. The integrators are the same as in `trajectories.py`; what differs
between the rows of one method is the nodes alone.
"""

from __future__ import annotations

import warnings
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

# Where the packaged examples end.
ENDS = {"bayes_softmax": 2000.0, "softmax": 20000.0}
FEATURES = (2, 3)
SEEDS = 8
# The integrator's own error should not show.
ACCURATE = {"rtol": 1e-8, "atol": 1e-11}
EXACT_TOLERANCES = (1e-5, 1e-6, 1e-8)
# Of headode's quasi-Monte-Carlo; how many nodes they take is in the table.
SAMPLED_TOLERANCES = (1e-3, 3e-4)
JAX_NODES = (4096, 16384)


def run(quick: bool) -> Section:
    """One table for each packaged staged example."""
    section = Section("specialization_spread")
    for activation, end in ENDS.items():
        if quick and activation == "softmax":
            continue
        table = Table(
            f"Specialization times over node seeds: {activation}, to t = {end:g}",
            ("method", "nodes", "seeds", *(f"feature {f}" for f in FEATURES)),
        )
        for label, runs in _all_runs(activation, end, quick):
            dates = [split_times(r) for r in runs]
            section.numbers.setdefault("dates", {})[f"{activation}, {label}"] = dates
            nodes = max(int(r.attrs["expectation_nodes"]) for r in runs)
            table.add(label, nodes, len(runs), *(_summary(dates, f) for f in FEATURES))
        section.show(table)
    return section


def _all_runs(activation: str, end: float, quick: bool) -> Any:
    """Label and runs over seeds, method by method."""
    model, start = staged_start(activation)
    grid, seeds = output_grid(end), range(3 if quick else SEEDS)
    for tolerance in EXACT_TOLERANCES[:1] if quick else EXACT_TOLERANCES:
        label = f"headode factorized, {tolerance:g}"
        # Not `auto`, which would go over to sampled nodes where the tolerance takes too many.
        try:
            exact = ho.integrate(
                model, start, times=grid, method="factorized", tolerance=tolerance, **ACCURATE
            )
        except ho.NumericalFailure as failure:
            print(f"\n{label}: {failure}")
        else:
            yield label, [exact]
    for tolerance in SAMPLED_TOLERANCES[:1] if quick else SAMPLED_TOLERANCES:
        label = f"headode quasi-Monte-Carlo, {tolerance:g}"
        yield label, [_sampled(model, start, grid, tolerance, seed) for seed in seeds]
    for nodes in JAX_NODES[:1] if quick else JAX_NODES:
        runs = []
        for seed in seeds:
            stream = NodeStream(Problem.of(model), seed).take(nodes)
            found = jax_trajectory.integrate(model, start, grid, stream)
            runs.append(found.assign_attrs(expectation_nodes=nodes))
        yield "JAX program, Sobol", runs


def _sampled(
    model: ho.Model,
    start: ho.OrderParameters,
    grid: NDArray[np.float64],
    tolerance: float,
    seed: int,
) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ho.ToleranceWarning)
        return ho.integrate(
            model, start, times=grid, method="quasi_monte_carlo", tolerance=tolerance, seed=seed
        )


def _summary(dates: list[dict[int, float]], feature: int) -> str:
    """Mean ± standard deviation, and how many seeds split at all if not all do."""
    values = [found[feature] for found in dates if feature in found]
    if not values:
        return "none splits"
    text = f"{np.mean(values):.6g}"
    if len(values) > 1:
        text += f" ± {np.std(values, ddof=1):.2g}"
    return text if len(values) == len(dates) else f"{text} ({len(values)} of {len(dates)} split)"
