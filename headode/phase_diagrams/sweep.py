"""Compute the points of a plan, in tasks of about half a second, and keep what is finished."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from headode.errors import Interrupted, NumericalFailure
from headode.phase_diagrams.diagram import Diagram
from headode.phase_diagrams.engine import Engine
from headode.phase_diagrams.store import Store
from headode.phase_diagrams.task import TaskResult, compute_points, warm_up
from headode.progress import Progress, ProgressCallback

if TYPE_CHECKING:
    import xarray as xr

# Sending a task and writing its results take some ten milliseconds.
TASK_SECONDS = 0.5
# Between two looks at a computation, and between two partial pictures of it.
REPORT_SECONDS = 0.5
LIVE_SECONDS = 10.0
# Times in a row that processes may die before it is taken to be the points' doing.
MOST_DEATHS = 3

LiveCallback = Callable[["xr.Dataset"], None]


@dataclass
class Sweep:
    """A sweep under way.

    Attributes:
        diagram: the results.
        engine: computes.
        store: keeps the results, if they are to be kept.
        progress: told about the number of finished points.
        live: given the results so far, every ten seconds.
    """

    diagram: Diagram
    engine: Engine
    store: Store | None = None
    progress: ProgressCallback | None = None
    live: LiveCallback | None = None
    _queue: deque[int] = field(default_factory=deque)
    _running: dict[Future[TaskResult], list[int]] = field(default_factory=dict)
    _unwritten: set[int] = field(default_factory=set)
    _done: int = 0
    _seconds: float = 0.0  # of a point, on average over the latest tasks
    _deaths: int = 0
    _shown: float = field(default_factory=monotonic)

    def warm_up(self) -> None:
        """Have the kernels compiled by one worker, before the others need them."""
        if self.engine.workers > 1:
            self.engine.submit(warm_up, self.diagram.plan).result()

    def compute(self, points: Iterable[int]) -> None:
        """Compute points, by flat index, as far as they are not done.

        Raises:
            NumericalFailure: if processes keep dying; ``partial`` is the dataset so far.
            OSError: if the store cannot be written.
        """
        self._queue.extend(self.diagram.pending(points))
        self._done = int(self.diagram.done.sum())
        while self._queue or self._running:
            self._step()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Keep what is finished when Ctrl-C ends a block.

        Raises:
            Interrupted: then; ``partial`` is the dataset so far.
        """
        try:
            yield
        except KeyboardInterrupt:
            self._keep_finished()
            self._done = int(self.diagram.done.sum())
            message = f"interrupted: {self._so_far()}"
            raise Interrupted(message, self.diagram.dataset()) from None

    def _step(self) -> None:
        try:
            while self._queue and len(self._running) < self.engine.queue:
                self._submit()
            wait(self._running, REPORT_SECONDS, FIRST_COMPLETED)
            self._keep_finished()
        except BrokenExecutor as error:
            self._recover(error)
        self._report()

    def _submit(self) -> None:
        points = [self._queue.popleft() for _ in range(self._task_size())]
        try:
            future = self.engine.submit(compute_points, self.diagram.plan, points)
        except BaseException:
            self._queue.extendleft(reversed(points))
            raise
        self._running[future] = points

    def _task_size(self) -> int:
        """Points for the next task: half a second, and less where too few are left for all."""
        if not self._seconds or self._deaths:
            return 1
        fair = -(-len(self._queue) // (2 * self.engine.workers))
        return max(1, min(int(TASK_SECONDS / self._seconds), fair, len(self._queue)))

    def _keep_finished(self) -> None:
        """Take over and write what has come in, and what an interrupted writing has left.

        Ctrl-C may come anywhere here: a task is given up only when its results are noted down for
        writing, and those only when they are written.
        """
        try:
            for future in [future for future in self._running if future.done()]:
                result, took = future.result(), self._running[future]
                for number, outcome in zip(took, result.outcomes, strict=True):
                    self.diagram.record(number, outcome)
                self._unwritten.update(took)
                del self._running[future]
                self._done += len(took)
                latest = result.seconds / len(took)
                self._seconds = 0.5 * (self._seconds + latest) if self._seconds else latest
                self._deaths = 0
        finally:
            self._write()

    def _write(self) -> None:
        if self.store is None or not self._unwritten:
            return
        try:
            self.store.write(self.diagram, self._unwritten)
        except OSError as error:
            error.add_note(f"{self.store.path} has all points but the latest; it can be resumed")
            raise
        self._unwritten.clear()

    def _recover(self, error: BrokenExecutor) -> None:
        """Start the processes anew, and try what they were computing again, point by point."""
        self._deaths += 1
        for points in self._running.values():
            self._queue.extendleft(reversed(points))
        lost = sorted(number for points in self._running.values() for number in points)
        self._running.clear()
        if self._deaths > MOST_DEATHS:
            index = next(self.diagram.plan.indices(lost[:1]), None)
            where = "" if index is None else f", the first one at {self.diagram.plan.where(index)}"
            text = f"processes died {self._deaths} times in a row{where} (out of memory?)"
            message = f"{text}; {self._so_far()}"
            raise NumericalFailure(message, self.diagram.dataset()) from error
        self.engine.restart()

    def _so_far(self) -> str:
        return f"{self._done} of {self.diagram.plan.size} points are done"

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(Progress(float(self._done), float(self.diagram.plan.size)))
        if self.live is not None and monotonic() - self._shown > LIVE_SECONDS:
            self.live(self.diagram.dataset())
            self._shown = monotonic()
