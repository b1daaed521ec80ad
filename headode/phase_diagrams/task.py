"""What a worker does: compute some points, on one thread."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from headode._differences import shown_differences
from headode._floats import own_errstate
from headode._forks import in_forked_child
from headode.activation import register_activation
from headode.errors import HeadodeError
from headode.phase_diagrams.axes import corner_points
from headode.phase_diagrams.plan import NUMERICAL_ERRORS, Outcome, Plan, known_versions

# Read by libraries when they are loaded: a worker has one core.
ONE_THREAD = dict.fromkeys(
    (
        "NUMBA_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
ORPHAN_SECONDS = 0.5
# Accuracy hardly matters when kernels are only to be compiled.
WARM_TOLERANCE, WARM_TIME = 1e-3, 1e-9
MOST_CORNERS = 32

# A process computes one point at a time, whatever threads it has: each task has one core.
_one_at_a_time = threading.Lock()


def _renew_lock() -> None:
    global _one_at_a_time
    _one_at_a_time = threading.Lock()


in_forked_child(_renew_lock)


class TaskResult(NamedTuple):
    """Outcomes of some points, the seconds that they took, and the largest memory in bytes."""

    outcomes: list[Outcome]
    seconds: float
    memory: int


@own_errstate
def compute_points(plan: Plan, points: Sequence[int]) -> TaskResult:
    """The outcomes of points, by flat index.

    Raises:
        HeadodeError: if this worker has other versions of what computes than where the plan is
            from: its numbers would differ.
    """
    import numba

    from headode.expectation.threads import single_threaded_blas

    if known_versions() != plan.versions:
        shown = shown_differences(dict(plan.versions), dict(known_versions()))
        raise HeadodeError(f"a worker has other versions ({shown})")
    for activation in plan.activations:
        register_activation(activation)
    with _one_at_a_time, single_threaded_blas():
        threads = numba.get_num_threads()
        numba.set_num_threads(1)
        try:
            started = time.perf_counter()
            outcomes = [plan.evaluate(index) for index in plan.indices(points)]
            return TaskResult(outcomes, time.perf_counter() - started, _largest_memory())
        finally:
            numba.set_num_threads(threads)


def warm_up(plan: Plan) -> None:
    """Compile the kernels that the points need, into the cache that all workers share.

    What fails here fails again, and is recorded, at its point.
    """
    from headode.dynamics.integrate import integrate

    for activation in plan.activations:
        register_activation(activation)
    for corner in corner_points(plan.axes)[:MOST_CORNERS]:
        with suppress(*NUMERICAL_ERRORS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            experiment, _ = plan.experiment((*corner, 0))
            method = experiment.given("expectation").get("method", "auto")
            integrate(
                experiment.model(),
                experiment.state(),
                times=[0.0, WARM_TIME],
                **experiment.training_arguments(),
                method=method,
                tolerance=WARM_TOLERANCE,
            )


def start_worker() -> None:
    """Make a new process a worker: deaf to Ctrl-C, and not to outlive the process that started it.

    Ctrl-C and a closed terminal reach all processes of the terminal, and batch systems tell all
    processes of a job to end; the one that keeps the results decides.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(ORPHAN_SECONDS)
    os._exit(1)


def _largest_memory() -> int:
    """Most bytes that this process has had in memory; 0 where that cannot be told."""
    try:
        import resource
    except ImportError:
        return 0
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
