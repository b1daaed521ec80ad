"""Saving results so that nothing that was computed is lost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import typer

from headode.cli.signals import held, release
from headode.cli.statuses import Status, complain
from headode.errors import Interrupted, NumericalFailure

Save = Callable[[Path], object]


class Partial(NamedTuple):
    """What a computation has when it stops early.

    Attributes:
        save: writes it.
        ending: of its name.
        extent: how far it reaches, as in "until time 3".
        show: prints it, where no output is wanted.
    """

    save: Save
    ending: str
    extent: str
    show: Callable[[], object] | None = None


def partial_trajectory(dataset: Any) -> Partial:
    """What an integration or a simulation has when it stops early."""
    from headode.trajectory import save_dataset

    until = f"until time {float(dataset['time'][-1]):.6g}"
    return Partial(lambda path: save_dataset(dataset, path), ".nc", until)


def save_result(save: Save, target: Path) -> None:
    """Save a result, elsewhere if it has to be.

    Raises:
        typer.Exit: with the status of a failure when the result is elsewhere, or nowhere; with that
            of an interruption when a signal has come meanwhile.
    """
    held(None)
    if _save_somewhere(save, target) != target:
        raise typer.Exit(Status.FAILURE)
    try:
        release()
    except KeyboardInterrupt:
        complain(f"interrupted; the result is in {target}")
        raise typer.Exit(Status.INTERRUPTED) from None


@contextmanager
def partial_result_saved(
    target: Path | None,
    advice: str,
    *,
    to_continue: str | None = None,
    describe: Callable[[Any], Partial] = partial_trajectory,
) -> Iterator[None]:
    """Save what a failing or interrupted computation has until then, and leave.

    It gets a name of its own, ``run.partial.nc`` for ``run.nc``: what has the name that was asked
    for is complete, and what had it before stays.

    Args:
        target: where the whole result would have been saved; None if nowhere.
        advice: what to try after a numerical failure; empty if nothing.
        to_continue: the command that goes on after an interruption, if there is one.
        describe: how to save what there is.
    """
    try:
        yield
    except NumericalFailure as failure:
        held(None)
        complain(f"numerical failure: {failure}")
        _keep_partial(failure.partial, target, describe)
        if advice:
            typer.echo(f"What may help: {advice}.", err=True)
        raise typer.Exit(Status.FAILURE) from None
    except Interrupted as interrupt:
        held(None)
        complain(str(interrupt))
        _keep_partial(interrupt.partial, target, describe)
        if to_continue is not None:
            typer.echo(f"To continue: {to_continue}", err=True)
        raise typer.Exit(Status.INTERRUPTED) from None


def _keep_partial(partial: Any, target: Path | None, describe: Callable[[Any], Partial]) -> None:
    if partial is None:
        typer.echo("Nothing was computed that could be saved.", err=True)
        return
    described = describe(partial)
    if target is None:
        if described.show is not None:
            described.show()
        return
    wanted = _unused(target.with_name(f"{target.stem}.partial{described.ending}"))
    if _save_somewhere(described.save, wanted) == wanted:
        typer.echo(f"What was computed, {described.extent}, is in {wanted}", err=True)


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
