"""How well do local processes and a Dask cluster share the points of a phase diagram?

    pip install -e '.[dask]'
    python benchmarks/phase_diagram.py [--points N] [--workers N]

The same sweep is computed by one worker, by local processes, one for each processor, and by as many
workers of a Dask cluster on this machine: the final risk and the time of the first split, over the
standard deviations of two features. Each has a Python and a Zarr store of its own and is timed from
the start of the one to its end, so that imports, kernels and workers are included. Processor times
are of all its processes. Kernels are compiled before, by a sweep of four points.

Parallel efficiency is the time of one worker over that of n, times n. The exit status is 1 if any
value of any store differs from the others' in any bit. Prints a table and writes it to
benchmarks/results/phase_diagram.json (results/quick/ with fewer points than usual).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from report import Section, Table

import headode as ho
from headode.phase_diagrams.diagram import Status
from headode.phase_diagrams.engine import processors
from headode.phase_diagrams.store import load_diagram
from headode.progress import Progress

CONFIGURATION: dict[str, Any] = {
    "model": {"tokens": 3, "heads": 4, "activation": "bayes_softmax", "label_noise": 0.3},
    "signal": {"kind": "sign_flips", "mean": [2.0, 0.0, 0.0], "amplitude": [0.0, 1.8, 1.2]},
    "training": {"learning_rate": "gradient_flow", "time": 150.0},
    "initial": {"scale": 0.01, "seed": 0},
    "expectation": {"tolerance": 1e-4},
    "integrator": {"rtol": 1e-4},
    "output": {"count": 100},
}
SWEPT = ("signal.amplitude.1", "signal.amplitude.2")
MEASURES = ("final_risk", "specialization_time")
USUAL_POINTS, FEWEST_POINTS = 40, 2
ONE, PROCESSES, DASK = "one worker", "local processes", "Dask cluster"


@dataclass(frozen=True)
class Cost:
    """What a sweep took, in seconds.

    Attributes:
        first: until its first point was finished.
        wall: in all.
        user: of all its processes.
        system: likewise.
        elsewhere: of all other processes of the machine, user and system.
    """

    first: float
    wall: float
    user: float
    system: float
    elsewhere: float


def sweep(engine: str, workers: int, points: int, store: Path) -> None:
    """Compute the diagram in this process or from it, and print when a first point was finished."""
    finished: list[float] = []

    def note(progress: Progress) -> None:
        if progress.done and not finished:
            finished.append(time.time())

    def compute(**where: Any) -> None:
        axis = {"start": 0.5, "stop": 3.0, "count": points}
        ho.phase_diagram(
            CONFIGURATION,
            axes=dict.fromkeys(SWEPT, axis),
            measures=MEASURES,
            store=store,
            progress=note,
            **where,
        )

    if engine == DASK:
        _on_a_cluster(compute, workers, store.parent)
    else:
        compute(workers=workers)
    print(finished[0])


def _on_a_cluster(compute: Callable[..., None], workers: int, folder: Path) -> None:
    from distributed import Client, LocalCluster

    options: dict[str, Any] = {"n_workers": workers, "threads_per_worker": 1}
    options |= {"dashboard_address": ":0", "local_directory": str(folder)}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        compute(scheduler=client)


def measured(engine: str, workers: int, points: int, store: Path) -> Cost:
    """What such a sweep takes in a Python of its own."""
    command = [sys.executable, __file__, "--points", str(points), "--workers", str(workers)]
    before, machine_before = resource.getrusage(resource.RUSAGE_CHILDREN), _machine_seconds()
    started = time.time()
    done = subprocess.run(
        [*command, "--sweep", engine, str(store)], stdout=subprocess.PIPE, text=True, check=True
    )
    wall, after = time.time() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{points} × {points} points, {engine}: {wall:.1f} s", flush=True)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    elsewhere = _machine_seconds() - machine_before - user - system
    return Cost(float(done.stdout) - started, wall, user, system, elsewhere)


def _machine_seconds() -> float:
    """Processor seconds that anything on this machine has had since it was started."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def bits(store: Path) -> dict[str, Any]:
    """The raw content of every variable of a store, status and messages included."""
    variables = load_diagram(store).variables.items()
    return {
        str(name): variable.values.tobytes()
        if variable.dtype.kind in "fiu"
        else variable.values.tolist()
        for name, variable in variables
    }


def compare(points: int, workers: int, folder: Path) -> Section:
    """All three sweeps, and whether they have the same bits."""
    section = Section("phase_diagram")
    section.numbers = {"load_before": round(os.getloadavg()[0], 1), "points": points**2}
    measured(ONE, 1, FEWEST_POINTS, folder / "kernels.zarr")
    stores = {engine: folder / f"{engine}.zarr" for engine in (ONE, PROCESSES, DASK)}
    counts = {engine: 1 if engine == ONE else workers for engine in stores}
    costs = {
        engine: measured(engine, counts[engine], points, store) for engine, store in stores.items()
    }
    section.show(_table(points, counts, costs))
    found = {engine: bits(store) for engine, store in stores.items()}
    different = sorted(
        {name for other in found.values() for name in other if other[name] != found[ONE][name]}
    )
    failed = int((load_diagram(stores[ONE])["status"] == Status.FAILED).sum())
    section.numbers |= {"failed_points": failed, "different_variables": different}
    verdict = f"differ in {', '.join(different)}" if different else "have the same bits"
    print(f"\nThe stores {verdict}; {failed} of {points**2} points failed.")
    return section


def _table(points: int, counts: Mapping[str, int], costs: Mapping[str, Cost]) -> Table:
    columns = (
        "computed by",
        "workers",
        "first point s",
        "wall s",
        "user s",
        "system s",
        "busy",
        "others",
    )
    table = Table(f"{points} × {points} points", (*columns, "points/s", "efficiency"))
    for engine, cost in costs.items():
        count = counts[engine]
        table.add(
            engine,
            count,
            cost.first,
            cost.wall,
            cost.user,
            cost.system,
            (cost.user + cost.system) / (count * cost.wall),
            cost.elsewhere / cost.wall,
            points**2 / cost.wall,
            costs[ONE].wall / (count * cost.wall),
        )
    return table


def main() -> None:
    """Compare; or, as one of the processes that are compared, compute."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=USUAL_POINTS, help="along each axis")
    parser.add_argument("--workers", type=int, default=processors(), help="instead of one per core")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "results", help="folder of the JSON"
    )
    parser.add_argument("--sweep", nargs=2, metavar=("WORKERS", "STORE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.points < FEWEST_POINTS or options.workers < 1:
        parser.error(f"--points must be at least {FEWEST_POINTS}, --workers at least 1")
    if options.sweep:
        engine, store = options.sweep
        sweep(engine, options.workers, options.points, Path(store))
        return
    started, quick = time.perf_counter(), options.points < USUAL_POINTS
    with tempfile.TemporaryDirectory(prefix="headode-") as folder:
        section = compare(options.points, options.workers, Path(folder))
    place = options.output / "quick" if quick else options.output
    print(section.save(place, quick=quick, seconds=time.perf_counter() - started))
    sys.exit(1 if section.numbers["different_variables"] else 0)


if __name__ == "__main__":
    main()
