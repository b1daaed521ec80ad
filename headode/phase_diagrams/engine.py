"""Where points are computed: in this process, in local processes, or on a Dask cluster.

All run the same function, and give futures of :mod:`concurrent.futures`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from functools import partial
from multiprocessing import current_process
from time import monotonic
from typing import Any, Protocol

from headode._checks import check_integer
from headode._limits import LARGEST_WORKERS
from headode.errors import ArgumentError
from headode.phase_diagrams.task import ONE_THREAD, start_worker

CONNECT_SECONDS = 30
# The scheduler is asked about its workers, which come and go, this often.
COUNT_SECONDS = 2.0


class Engine(Protocol):
    """Computes calls."""

    @property
    def workers(self) -> int:
        """Calls that run at the same time."""

    @property
    def queue(self) -> int:
        """Calls to have submitted at any time, so that no worker waits for the next."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Start a call.

        Raises:
            BrokenExecutor: if processes have died.
        """

    def restart(self) -> None:
        """Start anew after processes have died."""

    def stop(self) -> None:
        """Stop at once; what is being computed is lost."""


class ThisProcess:
    """Makes a call when it is submitted."""

    workers = 1
    queue = 1

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Make the call."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def restart(self) -> None:
        """Nothing has died."""

    def stop(self) -> None:
        """Nothing runs."""


class LocalProcesses:
    """Processes of this machine, with one thread each.

    loky starts them from scratch, sends functions that are defined in a notebook, and tells when
    one of them has died.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.queue = 2 * workers
        self._executor = self._start()

    def _start(self) -> Any:
        from loky import ProcessPoolExecutor

        # Work arrays of hard points are kept for the next ones. loky takes that for a leak and
        # replaces the process between two tasks, which is no news for anybody.
        warnings.filterwarnings("ignore", message="A worker was restarted while some jobs")
        return ProcessPoolExecutor(self.workers, initializer=start_worker, env=ONE_THREAD)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Send a call to a process."""
        future: Future[Any] = self._executor.submit(function, *arguments)
        return future

    def restart(self) -> None:
        """Start all processes anew."""
        self.stop()
        self._executor = self._start()

    def stop(self) -> None:
        """End the processes."""
        self._executor.shutdown(wait=True, kill_workers=True)


def _on_one_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a worker that others have started, with as many threads as they like."""
    import numba

    numba.set_num_threads(1)
    return function(*arguments)


class DaskCluster:
    """The workers of a Dask scheduler, as many as there are at any time.

    Args:
        client: of the cluster.
        owned: whether to close it in the end.
    """

    def __init__(self, client: Any, *, owned: bool) -> None:
        self._client, self._owned = client, owned
        self._workers, self._counted = 1, -COUNT_SECONDS
        self._executor: Executor = client.get_executor(pure=False)

    @property
    def workers(self) -> int:
        """Processes of the cluster; until one has come, as if there were one."""
        if monotonic() - self._counted > COUNT_SECONDS:
            self._workers = max(1, len(self._client.nthreads()))
            self._counted = monotonic()
        return self._workers

    @property
    def queue(self) -> int:
        """Two calls for each worker."""
        return 2 * self.workers

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Send a call to the scheduler, which repeats it a few times if its worker dies."""
        passed: Future[Any] = Future()
        future = self._executor.submit(_on_one_thread, function, *arguments)
        future.add_done_callback(partial(_pass_on, passed))
        return passed

    def restart(self) -> None:
        """The scheduler takes care of its workers."""

    def stop(self) -> None:
        """Cancel what is running."""
        self._executor.shutdown(wait=False)
        if self._owned:
            self._client.close()


def _pass_on(passed: Future[Any], future: Future[Any]) -> None:
    """Hand on a result, and a worker's death by the name that all executors have for it."""
    from distributed import KilledWorker

    if future.cancelled():
        passed.cancel()
        return
    error = future.exception()
    if error is None:
        passed.set_result(future.result())
    elif isinstance(error, KilledWorker):
        passed.set_exception(BrokenExecutor(str(error)))
    else:
        passed.set_exception(error)


@contextmanager
def running_engine(workers: int | None, scheduler: Any, *, apart: bool = False) -> Iterator[Engine]:
    """An engine for the length of a block.

    Args:
        workers: local processes; None: one for each processor. A single one is this process,
            and so are all in a daemonic process.
        scheduler: instead of those, the address of a Dask scheduler, or a client of one.
        apart: start a process even for a single worker.
    """
    if scheduler is not None and workers is not None:
        raise ArgumentError("workers", "be left out with a scheduler, which has its own", workers)
    engine: Engine
    if scheduler is not None:
        engine = _dask(scheduler)
    else:
        count = (
            processors()
            if workers is None
            else check_integer("workers", workers, 1, LARGEST_WORKERS)
        )
        # Daemonic processes, such as those of multiprocessing.Pool, may not start others.
        alone = (count == 1 and not apart) or current_process().daemon
        engine = ThisProcess() if alone else LocalProcesses(count)
    try:
        yield engine
    finally:
        engine.stop()


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _dask(scheduler: Any) -> DaskCluster:
    try:
        from distributed import Client
    except ImportError:
        requirement = "be None unless Dask is installed (pip install 'headode[dask]')"
        raise ArgumentError("scheduler", requirement, scheduler) from None
    if isinstance(scheduler, Client):
        return DaskCluster(scheduler, owned=False)
    if not isinstance(scheduler, str):
        raise ArgumentError("scheduler", "be an address or a dask.distributed.Client", scheduler)
    try:
        connect: Any = Client
        client = connect(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        requirement = f"be the address of a Dask scheduler that answers ({error})"
        raise ArgumentError("scheduler", requirement, scheduler) from None
    return DaskCluster(client, owned=True)
