"""``headode simulate``: an ensemble of finite-dimensional SGD runs."""

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
    force: ForceOption = False,
    quiet: QuietOption = False,
    log_level: CommandLogLevelOption = None,
) -> None:
    """Simulate online SGD in finite dimension.

    When it fails or is interrupted, what was computed so far is saved as NAME.partial.nc.
    """
    session = Session.of(context, quiet, log_level)
    with exit_statuses(session):
        from headode.cli.arguments import require_learning_rate
        from headode.cli.progress_bar import progress_bar
        from headode.cli.saving import check_file, partial_result_saved, save_result
        from headode.config import load_config
        from headode.trajectory import save_dataset

        configuration = load_config(config)
        require_learning_rate(configuration, "simulate")
        target = check_file(output or Path(f"{config.stem}_simulation.nc"), force=force)
        session.note(f"simulating {config}; the result will be {target}")
        with (
            partial_result_saved(target, ADVICE),
            progress_bar(session, "SGD", "steps") as progress,
        ):
            ensemble = _simulate(configuration, workers, progress)
        save_result(lambda path: save_dataset(ensemble, path, force=force), target)
        if not session.quiet:
            from headode.cli.summary import show_simulation

            show_simulation(ensemble)
        session.say(f"Result: {target}")


def _simulate(config: Config, workers: int | None, progress: ProgressCallback | None) -> xr.Dataset:
    from headode.cli.arguments import (
        SIMULATION_KEYS,
        naming_keys,
        simulation_arguments,
        training_arguments,
    )
    from headode.simulation.simulate import simulate as run

    with naming_keys(config, SIMULATION_KEYS):
        return run(
            config.build_model(),
            config.build_state(),
            **training_arguments(config),
            **simulation_arguments(config),
            workers=workers,
            progress=progress,
        )
