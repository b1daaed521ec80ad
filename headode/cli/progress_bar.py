"""The progress bar of a long computation, on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headode.cli.session import Session
from headode.progress import Progress, ProgressCallback


@contextmanager
def progress_bar(session: Session, title: str, unit: str) -> Iterator[ProgressCallback | None]:
    """Draw a bar with how far it is, the risk, the rate and the time left.

    Args:
        session: decides whether anything is drawn.
        title: what is running.
        unit: what ``Progress.done`` counts, such as ``t`` or ``steps``.

    Yields:
        What the computation calls with its progress; None when nothing is drawn.
    """
    if not session.shows_progress:
        yield None
        return
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
    with bar:
        task = bar.add_task(title, total=None, place="", risk="", rate="")

        def report(progress: Progress) -> None:
            speed = bar.tasks[0].speed
            bar.update(
                task,
                completed=progress.done,
                total=progress.total,
                place=f"{unit} {progress.done:.4g} of {progress.total:.4g}",
                risk="" if progress.risk is None else f"risk {progress.risk:.6f}",
                rate="" if speed is None else f"{speed:.3g} {unit}/s",
            )

        yield report
