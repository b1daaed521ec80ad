"""Drawing results from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from headode.cli.exits import Status, complain

if TYPE_CHECKING:
    import xarray as xr


def check_figure(path: Path, *, force: bool, option: str = "--plot") -> Path:
    """Return the path if a figure may be written there; called before anything is computed.

    Raises:
        ArgumentError: naming the option, for an unknown format, a file that exists (unless
            ``force``) or a folder that does not.
    """
    from headode.cli.saving import check_file
    from headode.plotting.save import check_figure_path

    return check_file(check_figure_path(path, argument=option), force=force, option=option)


def draw(result: xr.Dataset | Path, path: Path, *, force: bool) -> None:
    """Draw the natural picture of a result and write it.

    Raises:
        typer.Exit: with the status of a failure when the figure cannot be written.
    """
    from headode.plotting import plot, save_figure

    figure = plot(result)
    try:
        save_figure(figure, path, force=force)
    except OSError as error:
        complain(f"could not write {path}: {error}")
        raise typer.Exit(Status.FAILURE) from None
