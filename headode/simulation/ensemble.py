"""Several independent runs side by side: threads, records, progress, interruption."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from time import perf_counter
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.progress import Progress, ProgressCallback
from headode.simulation.vectors import Overlaps


class Run(Protocol):
    """A simulation that can be moved on and measured; its thread is not known in advance."""

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
class Records:
    """What was measured so far.

    Attributes:
        rows: one entry per recorded time, each a list over runs.
        advancing: seconds spent in SGD steps, added over runs.
        diverged: the first run whose risk was not finite, and when (in steps).
    """

    rows: list[list[Measurement]] = field(default_factory=list)
    advancing: float = 0.0
    diverged: tuple[int, int] | None = None

    def arrays(self) -> dict[str, Array]:
        """Measured quantities by name, of shape (runs, times, ...)."""
        runs = list(zip(*self.rows, strict=True))
        columns = {
            name: np.array([[getattr(each.overlaps, name) for each in run] for run in runs])
            for name in Overlaps._fields
        }
        for name in ("risk", "risk_standard_error"):
            columns[name] = np.array([[getattr(each, name) for each in run] for run in runs])
        return columns


def run_ensemble(
    runs: Sequence[Run],
    steps: NDArray[np.int64],
    risk: RiskEstimate,
    records: Records,
    workers: int,
    chunk: int,
    progress: ProgressCallback | None,
) -> None:
    """Advance all the runs to each of ``steps`` in turn and append to ``records``.

    The runs keep in step, so that an interruption leaves all of them at the same recorded times.
    Stops early when a run diverges, and says so in ``records.diverged``.

    Args:
        runs: independent simulations; each owns its random stream, so threads change nothing.
        steps: numbers of steps to record at, not decreasing.
        risk: estimate for one run at one record.
        records: filled in place, so that it survives a KeyboardInterrupt.
        workers: number of threads.
        chunk: most steps between two looks at the keyboard.
        progress: called after every chunk, with the number of steps of each run.
    """
    done = 0
    with ThreadPoolExecutor(workers) as pool:
        for index, target in enumerate(steps.tolist()):
            while done < target:
                count = min(chunk, target - done)
                spent = pool.map(lambda run, count=count: _timed_advance(run, count), runs)
                records.advancing += math.fsum(spent)
                done += count
                if progress is not None:
                    progress(Progress(done=done, total=float(steps[-1])))
            overlaps = list(pool.map(lambda run: run.overlaps(), runs))
            risks = list(pool.map(risk, range(len(runs)), repeat(index), overlaps))
            finite = [math.isfinite(estimate) for estimate, _ in risks]
            if not all(finite):
                records.diverged = (finite.index(False), target)
                return
            pairs = zip(overlaps, risks, strict=True)
            records.rows.append([Measurement(each, *estimate) for each, estimate in pairs])


def _timed_advance(run: Run, steps: int) -> float:
    started = perf_counter()
    run.advance(steps)
    return perf_counter() - started
