"""``headode phase-diagram``: a sweep over the axes of a configuration."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headode.cli.exits import exit_statuses
from headode.cli.options import (
    CommandLogLevelOption,
    ConfigArgument,
    ForceOption,
    QuietOption,
)
from headode.cli.session import Session
from headode.cli.signals import release
from headode.cli.statuses import Status, complain
from headode.errors import Interrupted, NumericalFailure

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
        from headode.cli.figures import draw
        from headode.cli.inputs import load_configuration
        from headode.cli.paths import Paths, check_figure, check_resumed_store, check_store
        from headode.cli.streams import print_result
        from headode.cli.summary import show_diagram

        configuration = load_configuration(config)
        plan = _plan(configuration)
        if dry_run:
            print_result(partial(_show_estimate, plan, workers, scheduler))
            return
        paths = Paths("CONFIG", config, force)
        target = paths.result(output, ".zarr", check_resumed_store if resume else check_store)
        figure = plot and paths.output("--plot", plot, check_figure)
        picture = live and paths.output("--live", live, check_figure, force=True)
        session.note(f"sweeping {config}; the result will be {target}")
        command = ["headode", "phase-diagram", str(config), "-o", str(target), "--resume"]
        with _store_explained(target, shlex.join(command)):
            started = perf_counter()
            diagram = _run(
                session,
                plan,
                store=target,
                resume=resume,
                replace=force,
                workers=workers,
                scheduler=scheduler,
                live=None if picture is None else _drawing(session, picture),
            )
            release()
        session.show(show_diagram, diagram, perf_counter() - started)
        session.say(f"Result: {target}")
        complete = _failures_said(plan, diagram)
        draw(session, diagram, figure, force=force)
        if not complete:
            raise typer.Exit(Status.FAILURE)


def _plan(config: Config) -> Plan:
    from headode.phase_diagrams.api import make_plan

    if config.phase_diagram is None:
        requirement = "be there for `headode phase-diagram`, with the axes of the sweep"
        raise config.refusal("phase_diagram", requirement, None)
    return make_plan(config)


def _run(session: Session, plan: Plan, **arguments: Any) -> xr.Dataset:
    from headode.cli.progress_bar import progress_bar
    from headode.phase_diagrams.api import run_plan

    with progress_bar(session, "sweep", "points") as progress:
        return run_plan(plan, progress=progress, **arguments)


def _drawing(session: Session, picture: Path) -> LiveCallback:
    """Draws what there is; a picture that cannot be drawn does not stop the sweep."""
    from headode.cli.figures import drawn

    def draw(diagram: xr.Dataset) -> None:
        drawn(session, diagram, picture, force=True)

    return draw


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
    except KeyboardInterrupt:
        complain(f"interrupted; what is finished is in {target}")
        status = Status.INTERRUPTED
    except OSError as error:
        complain(f"could not write {target}: {error.strerror or error}")
        status = Status.FAILURE
    else:
        return
    typer.echo(f"To continue: {command}", err=True)
    raise typer.Exit(status)


def _failures_said(plan: Plan, diagram: xr.Dataset) -> bool:
    """Say which points failed; returns whether none did."""
    from headode.phase_diagrams.api import failures

    failed = failures(plan, diagram)
    if failed:
        complain(f"numerical failure: {failed}\nThe others are in the result.")
    return not failed


def _show_estimate(plan: Plan, workers: int | None, scheduler: str | None) -> None:
    from headode.cli.summary import show_estimate
    from headode.phase_diagrams.estimate import estimate

    show_estimate(estimate(plan, workers=workers, scheduler=scheduler))
