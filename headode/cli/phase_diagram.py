"""``headode phase-diagram``: a sweep over the axes of a configuration."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from headode.cli.exits import Status, complain, exit_statuses
from headode.cli.options import (
    CommandLogLevelOption,
    ConfigArgument,
    ForceOption,
    QuietOption,
)
from headode.cli.session import Session
from headode.errors import ArgumentError, Interrupted, NumericalFailure

if TYPE_CHECKING:
    import xarray as xr

    from headode.config import Config
    from headode.phase_diagrams.plan import Plan
    from headode.phase_diagrams.sweep import LiveCallback


def phase_diagram(
    context: typer.Context,
    config: ConfigArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Result (Zarr); by default CONFIG's name .zarr."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; by default one per processor."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", help="Address of a Dask scheduler, instead of processes."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted or killed sweep.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compute a few points, and say what all would take.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the result too (png, pdf or svg).")
    ] = None,
    live: Annotated[
        Path | None,
        typer.Option("--live", help="Draw what there is every ten seconds (png, pdf or svg)."),
    ] = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    log_level: CommandLogLevelOption = None,
) -> None:
    """Sweep over parameters.

    Each point is in the result as soon as it is finished. One that fails is recorded, and does not
    stop the others; the exit status is then 3.
    """
    session = Session.of(context, quiet, log_level)
    with exit_statuses(session):
        from headode.cli.figures import check_figure, draw
        from headode.config import load_config

        configuration = load_config(config)
        plan = _plan(configuration)
        if dry_run:
            _show_estimate(plan, workers, scheduler)
            return
        target = _check_target(output or Path(f"{config.stem}.zarr"), resume=resume, force=force)
        figure = None if plot is None else check_figure(plot, force=force)
        picture = None if live is None else check_figure(live, force=True, option="--live")
        session.note(f"sweeping {config}; the result will be {target}")
        command = ["headode", "phase-diagram", str(config), "-o", str(target), "--resume"]
        with _store_explained(target, shlex.join(command)):
            started = perf_counter()
            diagram = _run(session, plan, target, workers, scheduler, resume, picture)
        if not session.quiet:
            from headode.cli.summary import show_diagram

            show_diagram(diagram, perf_counter() - started)
        session.say(f"Result: {target}")
        if figure is not None:
            draw(diagram, figure, force=force)
            session.say(f"Figure: {figure}")
        _leave_with_failures(plan, diagram)


def _plan(config: Config) -> Plan:
    from headode.phase_diagrams.api import make_plan

    if config.phase_diagram is None:
        requirement = "be there for `headode phase-diagram`, with the axes of the sweep"
        raise config.refusal("phase_diagram", requirement, None)
    return make_plan(config)


def _check_target(target: Path, *, resume: bool, force: bool) -> Path:
    """The path of the store; an existing one must be resumed, or is removed when that is asked."""
    from headode.phase_diagrams.store import discard

    if target.exists() and not resume:
        if not force:
            requirement = "not exist yet (--resume continues it, --force removes it)"
            raise ArgumentError("output", requirement, str(target))
        discard(target)
    return target


def _run(
    session: Session,
    plan: Plan,
    target: Path,
    workers: int | None,
    scheduler: str | None,
    resume: bool,
    picture: Path | None,
) -> xr.Dataset:
    from headode.cli.progress_bar import progress_bar
    from headode.phase_diagrams.api import run_plan

    with progress_bar(session, "sweep", "points") as progress:
        return run_plan(
            plan,
            workers=workers,
            scheduler=scheduler,
            store=target,
            resume=resume,
            progress=progress,
            live=None if picture is None else _drawing(picture),
        )


def _drawing(picture: Path) -> LiveCallback:
    from headode.cli.figures import draw

    return lambda diagram: draw(diagram, picture, force=True)


@contextmanager
def _store_explained(target: Path, command: str) -> Iterator[None]:
    """Say what is safe, and how to continue, when a sweep stops early."""
    try:
        yield
    except Interrupted as interrupt:
        complain(f"{interrupt}, and are in {target}")
        status = Status.INTERRUPTED
    except NumericalFailure as failure:
        complain(f"{failure}, and are in {target}")
        status = Status.FAILURE
    except OSError as error:
        complain(f"could not write {target}: {error.strerror or error}")
        status = Status.FAILURE
    else:
        return
    typer.echo(f"To continue: {command}", err=True)
    raise typer.Exit(status)


def _leave_with_failures(plan: Plan, diagram: xr.Dataset) -> None:
    from headode.phase_diagrams.api import failures

    failed = failures(plan, diagram)
    if failed:
        complain(f"numerical failure: {failed}\nThe others are in the result.")
        raise typer.Exit(Status.FAILURE)


def _show_estimate(plan: Plan, workers: int | None, scheduler: str | None) -> None:
    from headode.cli.summary import show_estimate
    from headode.phase_diagrams.estimate import estimate

    show_estimate(estimate(plan, workers=workers, scheduler=scheduler))
