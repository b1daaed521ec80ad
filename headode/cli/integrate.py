"""``headode integrate``: the order-parameter ODE of a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headode.cli.exits import exit_statuses
from headode.cli.options import CommandLogLevelOption, ConfigArgument, ForceOption, QuietOption
from headode.cli.session import Session

if TYPE_CHECKING:
    import xarray as xr

    from headode.config import Config
    from headode.progress import ProgressCallback

ADVICE = (
    "a tighter expectation.tolerance, a smaller training.learning_rate or another integrator.method"
)


def integrate(
    context: typer.Context,
    config: ConfigArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Result file (netCDF); by default CONFIG's name .nc."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the result too (png, pdf or svg).")
    ] = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    log_level: CommandLogLevelOption = None,
) -> None:
    """Integrate the order-parameter ODE.

    When it fails or is interrupted, what was computed so far is saved as NAME.partial.nc.
    """
    session = Session.of(context, quiet, log_level)
    with exit_statuses(session):
        from headode.cli.figures import draw
        from headode.cli.inputs import load_configuration
        from headode.cli.paths import Paths, check_figure
        from headode.cli.progress_bar import progress_bar
        from headode.cli.saving import partial_result_saved, save_result
        from headode.cli.summary import show_integration
        from headode.trajectory import save_dataset

        configuration = load_configuration(config)
        paths = Paths("CONFIG", config, force)
        target = paths.result(output, ".nc")
        figure = plot and paths.output("--plot", plot, check_figure)
        session.note(f"integrating {config}; the result will be {target}")
        with partial_result_saved(target, ADVICE), progress_bar(session, "ODE", "t") as progress:
            run = _integrate(configuration, progress)
        save_result(lambda path: save_dataset(run, path, force=force), target)
        session.show(show_integration, run)
        session.say(f"Result: {target}")
        draw(session, run, figure, force=force)


def _integrate(config: Config, progress: ProgressCallback | None) -> xr.Dataset:
    from headode.cli.arguments import (
        INTEGRATION_KEYS,
        integration_arguments,
        naming_keys,
        training_arguments,
    )
    from headode.dynamics.integrate import integrate as run

    with naming_keys(config, INTEGRATION_KEYS):
        return run(
            config.build_model(),
            config.build_state(),
            **training_arguments(config),
            **integration_arguments(config),
            progress=progress,
        )
