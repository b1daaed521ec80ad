"""Saving results so that nothing that was computed is lost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from headode.cli.exits import Status, complain
from headode.errors import ArgumentError, Interrupted, NumericalFailure
from headode.trajectory import check_writable, save_dataset

if TYPE_CHECKING:
    import xarray as xr

Save = Callable[[Path], object]


def check_file(path: Path, *, force: bool, option: str = "--output") -> Path:
    """Return the path if a result may be written there; called before anything is computed.

    Raises:
        ArgumentError: naming the option, if it is a folder, exists (unless ``force``), or its
            folder does not exist or cannot be written.
    """
    if path.is_dir():
        raise ArgumentError(option, "be a file, not a folder", str(path))
    return check_writable(path, force=force, argument=option)


def save_result(save: Save, target: Path) -> Path:
    """Save a result, elsewhere if it has to be.

    Returns:
        The path, when it is the one that was asked.

    Raises:
        typer.Exit: with the status of a failure when the result is elsewhere, or nowhere.
    """
    place = _save_somewhere(save, target)
    if place != target:
        raise typer.Exit(Status.FAILURE)
    return place


@contextmanager
def partial_result_saved(
    target: Path, advice: str, *, to_continue: str | None = None
) -> Iterator[None]:
    """Save what a failing or interrupted computation has until then, and leave.

    It gets a name of its own, ``run.partial.nc`` for ``run.nc``: what has the name that was asked
    for is complete, and what had it before stays.

    Args:
        target: where the whole result would have been saved.
        advice: what to try after a numerical failure.
        to_continue: the command that goes on after an interruption, if there is one.
    """
    try:
        yield
    except NumericalFailure as failure:
        complain(f"numerical failure: {failure}")
        _save_partial(failure.partial, target)
        typer.echo(f"What may help: {advice}.", err=True)
        raise typer.Exit(Status.FAILURE) from None
    except Interrupted as interrupt:
        complain(str(interrupt))
        _save_partial(interrupt.partial, target)
        if to_continue is not None:
            typer.echo(f"To continue: {to_continue}", err=True)
        raise typer.Exit(Status.INTERRUPTED) from None


def _save_partial(partial: xr.Dataset | None, target: Path) -> None:
    if partial is None:
        typer.echo("Nothing was computed that could be saved.", err=True)
        return
    wanted = _unused(target.with_name(f"{target.stem}.partial.nc"))
    place = _save_somewhere(lambda path: save_dataset(partial, path), wanted)
    if place == wanted:
        until = float(partial["time"][-1])
        typer.echo(f"What was computed, until time {until:.6g}, is in {place}", err=True)


def _save_somewhere(save: Save, target: Path) -> Path | None:
    """Save at the target, or beside it, in the current or in the temporary folder."""
    try:
        save(target)
    # Whatever went wrong, the result is still in memory and must not be lost.
    except Exception as error:
        complain(f"could not write {target}: {error}")
    else:
        return target
    folders = (target.absolute().parent, Path.cwd(), Path(tempfile.gettempdir()))
    for folder in dict.fromkeys(folders):
        place = _unused(folder / target.name)
        try:
            save(place)
        except Exception as error:
            complain(f"could not write {place}: {error}")
        else:
            typer.echo(f"The result is in {place} instead.", err=True)
            return place
    complain("the result could not be saved anywhere")
    return None


def _unused(path: Path) -> Path:
    """The path, or the first of ``name-2.nc``, ``name-3.nc``, ... that does not exist yet."""
    number, candidate = 2, path
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate
