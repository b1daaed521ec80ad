"""What a sweep will take, from a few of its points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headode.phase_diagrams.axes import corner_points
from headode.phase_diagrams.engine import processors, running_engine
from headode.phase_diagrams.plan import Plan
from headode.phase_diagrams.store import stored_bytes
from headode.phase_diagrams.task import compute_points, warm_up

MOST_PROBES = 5


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take.

    Attributes:
        points: number of points, each seed counted; with refinement fewer are computed.
        workers: processes.
        fastest: seconds of the fastest probe.
        slowest: seconds of the slowest probe.
        seconds: of the whole sweep.
        memory: bytes of all workers.
        stored: bytes of the store.
        failed: probes that failed.
        probes: points that were computed.
    """

    points: int
    workers: int
    fastest: float
    slowest: float
    seconds: float
    memory: int
    stored: int
    failed: int
    probes: int


def estimate(plan: Plan, *, workers: int | None = None, scheduler: Any = None) -> Estimate:
    """Compute a few points of a sweep: of its corners, and in the middle.

    Args:
        plan: of the sweep.
        workers: local processes that it will have; None: one for each processor.
        scheduler: instead of those, a Dask scheduler or client.
    """
    points = probe_points(plan)
    # A process of its own, so that its memory is that of a worker.
    with running_engine(None if scheduler else 1, scheduler, apart=True) as engine:
        if scheduler is not None:
            workers = engine.workers
        engine.submit(warm_up, plan).result()
        results = [engine.submit(compute_points, plan, [point]).result() for point in points]
    count = workers or processors()
    seconds = np.array([result.seconds for result in results])
    return Estimate(
        points=plan.size,
        workers=count,
        fastest=float(seconds.min()),
        slowest=float(seconds.max()),
        seconds=float(seconds.mean()) * plan.size / count,
        memory=count * max(result.memory for result in results),
        stored=stored_bytes(plan),
        failed=sum(outcome.failed for result in results for outcome in result.outcomes),
        probes=len(points),
    )


def probe_points(plan: Plan) -> list[int]:
    """Flat indices of a few points, far apart."""
    corners = corner_points(plan.axes)
    chosen = np.unique(np.linspace(0, len(corners) - 1, MOST_PROBES - 1).round().astype(int))
    places = [corners[i] for i in chosen]
    places.append(tuple(len(axis.values) // 2 for axis in plan.axes))
    return sorted({int(np.ravel_multi_index((*place, 0), plan.shape)) for place in places})
