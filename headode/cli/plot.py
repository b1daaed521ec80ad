"""``headode plot``: the natural picture of a result file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headode.cli.exits import exit_statuses
from headode.cli.options import CommandLogLevelOption, ForceOption, QuietOption
from headode.cli.session import Session
from headode.cli.statuses import Status, complain


def plot(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(help="Result file (netCDF) or phase diagram (Zarr).", metavar="FILE"),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Figure (png, pdf or svg); by default FILE's name .png."
        ),
    ] = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    log_level: CommandLogLevelOption = None,
) -> None:
    """Draw the natural picture of a result file."""
    session = Session.of(context, quiet, log_level)
    with exit_statuses(session):
        from headode.cli.inputs import check_result
        from headode.cli.paths import Paths, check_figure
        from headode.plotting import plot as draw

        check_result(file, "FILE", folders=True)
        figure = Paths("FILE", file, force).result(output, ".png", check_figure)
        try:
            draw(file, figure, force=force)
        except OSError as error:
            complain(f"could not write {figure}: {error}")
            raise typer.Exit(Status.FAILURE) from None
        session.say(f"Figure: {figure}")
