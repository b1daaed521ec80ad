"""The progress bar of a long computation, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from headode.cli.session import Session
from headode.cli.signals import held
from headode.progress import Progress, ProgressCallback

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


@contextmanager
def progress_bar(session: Session, title: str, unit: str) -> Iterator[ProgressCallback | None]:
    """Draw a bar with how far it is, the risk, the rate and the time left.

    A bar that cannot be drawn costs nothing. When the block ends, signals are held until what was
    computed is saved.

    Args:
        session: decides whether anything is drawn.
        title: what is running.
        unit: what ``Progress.done`` counts, such as ``t`` or ``steps``.

    Yields:
        What the computation calls with its progress; None when nothing is drawn.
    """
    bar = None
    if session.shows_progress:
        with suppress(Exception):
            bar = _started_bar()
    try:
        yield None if bar is None else _reporting(bar, title, unit)
    finally:
        held(None)
        if bar is not None:
            with suppress(Exception):
                bar.stop()


def _started_bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[place]}"),
        TextColumn("{task.fields[risk]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.start()
    return bar


def _reporting(bar: Bar, title: str, unit: str) -> ProgressCallback:
    task = bar.add_task(title, total=None, place="", risk="", rate="")

    def report(progress: Progress) -> None:
        with suppress(Exception):
            speed = bar.tasks[0].speed
            bar.update(
                task,
                completed=progress.done,
                total=progress.total,
                place=f"{unit} {progress.done:.4g} of {progress.total:.4g}",
                risk="" if progress.risk is None else f"risk {progress.risk:.6f}",
                rate="" if speed is None else f"{speed:.3g} {unit}/s",
            )

    return report
