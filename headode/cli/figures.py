"""Drawing results from the command line, after they have been saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from headode.cli.session import Session
from headode.cli.statuses import Status, complain

if TYPE_CHECKING:
    import xarray as xr

    from headode.validation.report import Report


def draw(session: Session, result: xr.Dataset, path: Path | None, *, force: bool) -> None:
    """Draw the natural picture of a result that is safe, if a path is given.

    Raises:
        typer.Exit: with the status of a failure when the figure cannot be drawn or written.
    """
    if path is not None:
        if not drawn(session, result, path, force=force):
            raise typer.Exit(Status.FAILURE)
        session.say(f"Figure: {path}")


def drawn(session: Session, result: xr.Dataset, path: Path, *, force: bool) -> bool:
    """Draw a result that is safe; returns whether that succeeded, and says so if not."""
    try:
        from headode.plotting import plot, save_figure

        save_figure(plot(result), path, force=force)
    # Whatever is wrong with a picture, the result is complete without it.
    except Exception as error:
        session.explain(error)
        complain(f"could not draw {path}: {error}")
        return False
    return True


def draw_report(session: Session, report: Report, folder: Path) -> None:
    """Add pictures and page to a report that is safe; without them it is complete as well."""
    try:
        from headode.plotting import report_figures
        from headode.validation.folder import draw_into

        draw_into(folder, report_figures(report))
    except Exception as error:
        session.explain(error)
        complain(f"could not draw the report: {error}")
