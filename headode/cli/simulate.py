"""``headode simulate``: an ensemble of finite-dimensional SGD runs."""

from __future__ import annotations

import shlex
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
from headode.errors import ArgumentError, NumericalFailure

if TYPE_CHECKING:
    import xarray as xr

    from headode.config import Config
    from headode.progress import ProgressCallback

ADVICE = "a smaller training.learning_rate or a larger training.batch_size"


def simulate(
    context: typer.Context,
    config: ConfigArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Result file (netCDF); by default CONFIG's name _simulation.nc."
        ),
    ] = None,
    workers: WorkersOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted or killed simulation.")
    ] = False,
    force: ForceOption = False,
    quiet: QuietOption = False,
    log_level: CommandLogLevelOption = None,
) -> None:
    """Simulate online SGD in finite dimension.

    Finished runs are kept in the folder OUTPUT.partial until all are, for --resume. When it fails
    or is interrupted, what was computed so far is also saved as NAME.partial.nc, to look at.
    """
    session = Session.of(context, quiet, log_level)
    with exit_statuses(session):
        from headode.cli.arguments import require_learning_rate
        from headode.cli.inputs import load_configuration
        from headode.cli.paths import Paths
        from headode.cli.progress_bar import progress_bar
        from headode.cli.saving import partial_result_saved, save_result
        from headode.cli.summary import show_simulation
        from headode.simulation.checkpoint import discard_checkpoint
        from headode.trajectory import save_dataset

        configuration = load_configuration(config)
        require_learning_rate(configuration, "simulate")
        target = Paths("CONFIG", config, force).result(output, "_simulation.nc")
        checkpoint = _checkpoint_of(target, config, resume, force)
        session.note(f"simulating {config}; the result will be {target}")
        command = shlex.join(["headode", "simulate", str(config), "-o", str(target), "--resume"])
        with (
            partial_result_saved(target, ADVICE, to_continue=command),
            progress_bar(session, "SGD", "steps") as progress,
        ):
            ensemble = _simulate(configuration, checkpoint, workers, progress)
        save_result(lambda path: save_dataset(ensemble, path, force=force), target)
        discard_checkpoint(checkpoint)
        session.show(show_simulation, ensemble)
        session.say(f"Result: {target}")


def _checkpoint_of(target: Path, config: Path, resume: bool, force: bool) -> Path:
    """The folder for the finished runs; one that is there is continued, or removed, when asked."""
    from headode._output_paths import check_apart
    from headode.simulation.checkpoint import discard_checkpoint

    folder = target.with_name(f"{target.name}.partial")
    check_apart({"CONFIG": config, "folder of the finished runs": folder})
    if force and not resume:
        discard_checkpoint(folder)
    if folder.exists() and not resume:
        requirement = "have no unfinished simulation (--resume continues it, --force removes it)"
        raise ArgumentError("output", requirement, str(folder))
    return folder


def _simulate(
    config: Config, checkpoint: Path, workers: int | None, progress: ProgressCallback | None
) -> xr.Dataset:
    from headode.cli.arguments import (
        SIMULATION_KEYS,
        naming_keys,
        simulation_arguments,
        training_arguments,
    )
    from headode.simulation.checkpoint import discard_checkpoint
    from headode.simulation.simulate import simulate as run

    with naming_keys(config, SIMULATION_KEYS):
        try:
            return run(
                config.build_model(),
                config.build_state(),
                **training_arguments(config),
                **simulation_arguments(config),
                workers=workers,
                checkpoint=checkpoint,
                progress=progress,
            )
        except NumericalFailure:
            # All runs are over: to continue would only fail again.
            discard_checkpoint(checkpoint)
            raise
