"""``headode validate``: the ODE and a simulation from the same initial overlaps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headode.cli.exits import exit_statuses
from headode.cli.options import (
    CommandLogLevelOption,
    ConfigArgument,
    ForceOption,
    QuietOption,
    WorkersOption,
)
from headode.cli.session import Session
from headode.cli.statuses import Status

if TYPE_CHECKING:
    import xarray as xr

    from headode.cli.saving import Partial
    from headode.config import Config
    from headode.progress import ProgressCallback
    from headode.validation.report import Report

ADVICE = "a smaller training.learning_rate, a tighter expectation.tolerance"


def validate(
    context: typer.Context,
    config: ConfigArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Report folder; by default CONFIG's name _report."),
    ] = None,
    workers: WorkersOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    log_level: CommandLogLevelOption = None,
) -> None:
    """Compare the ODE with a simulation; exit status 0 if they agree.

    Exit status 1 if they disagree, or if it cannot be told because fluctuations decided.
    """
    session = Session.of(context, quiet, log_level)
    with exit_statuses(session):
        from headode.cli.arguments import require_learning_rate
        from headode.cli.figures import draw_report
        from headode.cli.inputs import load_configuration
        from headode.cli.paths import Paths
        from headode.cli.progress_bar import progress_bar
        from headode.cli.saving import partial_result_saved, save_result
        from headode.validation.folder import check_folder

        configuration = load_configuration(config)
        require_learning_rate(configuration, "validate")
        target = Paths("CONFIG", config, force).result(output, "_report", check_folder)
        session.note(f"comparing {config}; the result will be {target}")
        with (
            partial_result_saved(target, ADVICE, describe=_partial),
            progress_bar(session, "SGD", "steps") as progress,
        ):
            report = _validate(configuration, workers, progress)
        save_result(lambda path: report.save(path, force=force), target)
        session.show(lambda: typer.echo(report.summary()))
        draw_report(session, report, target)
        session.say(f"Report: {target}")
        if not report.agrees:
            raise typer.Exit(Status.DISAGREEMENT)


def _partial(parts: dict[str, xr.Dataset]) -> Partial:
    from headode.cli.saving import Partial
    from headode.validation.folder import save_parts

    return Partial(lambda path: save_parts(parts, path), "", ", ".join(parts))


def _validate(config: Config, workers: int | None, progress: ProgressCallback | None) -> Report:
    from headode.cli.arguments import (
        VALIDATION_KEYS,
        naming_keys,
        training_arguments,
        validation_arguments,
    )
    from headode.validation.validate import validate as run

    with naming_keys(config, VALIDATION_KEYS):
        return run(
            config.build_model(),
            config.build_state(),
            **training_arguments(config),
            **validation_arguments(config),
            workers=workers,
            progress=progress,
        )
