"""Several independent runs over threads: records, progress, interruption."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.progress import Progress, ProgressCallback
from headode.simulation.vectors import Overlaps

# Seconds of SGD steps between two looks at whether to stop, and between two reports of progress.
CHUNK_SECONDS = 0.2
REPORT_SECONDS = 0.1


class Run(Protocol):
    """A simulation that can be moved on and measured."""

    def advance(self, steps: int) -> None:
        """Take SGD steps."""

    def overlaps(self) -> Overlaps:
        """Order parameters now."""


# (run, record, overlaps) → risk and its standard error; NaN for a run that diverged.
RiskEstimate = Callable[[int, int, Overlaps], tuple[float, float]]


class Measurement(NamedTuple):
    """One run at one recorded time."""

    overlaps: Overlaps
    risk: float
    risk_standard_error: float


@dataclass
class RunRecords:
    """What was measured of one run so far.

    Attributes:
        rows: a measurement for each recorded time that the run has reached.
        advanced: steps taken.
        seconds: spent in them.
        diverged: whether the run stopped because its risk was not finite.
    """

    rows: list[Measurement] = field(default_factory=list)
    advanced: int = 0
    seconds: float = 0.0
    diverged: bool = False

    def columns(self) -> dict[str, Array]:
        """Measured quantities by name, of shape (times, ...)."""
        columns = {
            name: np.array([getattr(row.overlaps, name) for row in self.rows])
            for name in Overlaps._fields
        }
        for name in ("risk", "risk_standard_error"):
            columns[name] = np.array([getattr(row, name) for row in self.rows])
        return columns


@dataclass(frozen=True)
class Ensemble:
    """What the runs are, and what is to be recorded of them.

    Attributes:
        start: makes a run ready to go; called in the thread that simulates it, one at a time.
        steps: numbers of steps to record at, not decreasing.
        risk: estimate for one run at one record.
        finished: called in the run's thread when it has reached the end, or diverged.
    """

    start: Callable[[int], Run]
    steps: NDArray[np.int64]
    risk: RiskEstimate
    finished: Callable[[int, RunRecords], None]


def run_ensemble(
    ensemble: Ensemble,
    records: Sequence[RunRecords],
    todo: Sequence[int],
    workers: int,
    progress: ProgressCallback | None,
) -> None:
    """Simulate runs, each to its end, and fill ``records``.

    Each run is a task of its own with its own random stream, so that threads change nothing, and
    what is finished does not wait for the others. When this is left by an exception (Ctrl-C, or
    one of a run), all runs stop within a chunk of steps, and what they recorded stays.

    Args:
        ensemble: what to do.
        records: of all the runs; those of ``todo`` are empty and filled in place.
        todo: numbers of the runs to simulate.
        workers: number of threads.
        progress: called several times a second, from this thread, with the number of steps of a
            run, averaged over all of them.
    """
    stop, starting = threading.Event(), threading.Lock()

    def report() -> None:
        if progress is not None:
            done = math.fsum(each.advanced for each in records) / len(records)
            progress(Progress(done=done, total=float(ensemble.steps[-1])))

    with _threads(workers, stop) as pool:
        pending = {pool.submit(_follow, ensemble, n, records[n], stop, starting) for n in todo}
        while pending:
            ended, pending = wait(pending, REPORT_SECONDS, FIRST_EXCEPTION)
            for future in ended:
                future.result()  # raises what the run raised
            report()


@contextmanager
def _threads(workers: int, stop: threading.Event) -> Iterator[ThreadPoolExecutor]:
    """Threads that are told to stop, and waited for, when the block is left by an exception."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield pool
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _follow(
    ensemble: Ensemble,
    number: int,
    records: RunRecords,
    stop: threading.Event,
    starting: threading.Lock,
) -> None:
    """Take one run to its end, unless asked to stop."""
    # One at a time: not all libraries of linear algebra add in the same order when called at once.
    with starting:
        run = ensemble.start(number)
    chunk = 1
    for index, target in enumerate(ensemble.steps.tolist()):
        while records.advanced < target:
            if stop.is_set():
                return
            count = min(chunk, target - records.advanced)
            started = perf_counter()
            run.advance(count)
            seconds = perf_counter() - started
            records.seconds += seconds
            records.advanced += count
            # At most doubled, since a time this short is measured badly.
            fitting = int(count * CHUNK_SECONDS / max(seconds, 1e-9))
            chunk = max(1, min(2 * chunk, fitting)) if count == chunk else chunk
        overlaps = run.overlaps()
        risk, error = ensemble.risk(number, index, overlaps)
        if not math.isfinite(risk):
            records.diverged = True
            break
        records.rows.append(Measurement(overlaps, risk, error))
    ensemble.finished(number, records)
