"""``headode prune``: the risk of a trained student as heads are removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headode.cli.exits import exit_statuses
from headode.cli.options import CommandLogLevelOption, ForceOption, QuietOption
from headode.cli.session import Session

if TYPE_CHECKING:
    import xarray as xr

    from headode.progress import ProgressCallback


def prune(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="Result of `headode integrate` (netCDF).", metavar="RUN")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Result file (netCDF); by default RUN's name _pruned.nc."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the result too (png, pdf or svg).")
    ] = None,
    largest_loss: Annotated[
        float,
        typer.Option(
            "--largest-loss", min=0.0, help="Rise of the risk up to which heads are removable."
        ),
    ] = 1e-3,
    renormalize: Annotated[
        bool | None,
        typer.Option(
            "--renormalize/--no-renormalize",
            help="Whether the other heads make up for removed ones; by default as the activation "
            "does with fewer heads.",
        ),
    ] = None,
    refit_value: Annotated[
        bool, typer.Option("--refit-value", help="Adapt the norm of a learned value.")
    ] = False,
    force: ForceOption = False,
    quiet: QuietOption = False,
    log_level: CommandLogLevelOption = None,
) -> None:
    """Remove heads of the last state of a run, and see what the risk becomes."""
    session = Session.of(context, quiet, log_level)
    with exit_statuses(session):
        from headode.cli.figures import check_figure, draw
        from headode.cli.progress_bar import progress_bar
        from headode.cli.saving import check_file, save_result
        from headode.experiment import check_result
        from headode.trajectory import load_dataset, save_dataset

        run = load_dataset(file)
        check_result(run, ("integration",), str(file))
        target = check_file(output or Path(f"{file.stem}_pruned.nc"), force=force)
        figure = None if plot is None else check_figure(plot, force=force)
        session.note(f"pruning {file}; the result will be {target}")
        with progress_bar(session, "pruning", "heads") as progress:
            pruning = _prune(run, renormalize, refit_value, largest_loss, progress)
        save_result(lambda path: save_dataset(pruning, path, force=force), target)
        if not session.quiet:
            from headode.cli.statics_summary import show_pruning

            show_pruning(pruning)
        session.say(f"Result: {target}")
        if figure is not None:
            draw(pruning, figure, force=force)
            session.say(f"Figure: {figure}")


def _prune(
    run: xr.Dataset,
    renormalize: bool | None,
    refit_value: bool,
    largest_loss: float,
    progress: ProgressCallback | None,
) -> xr.Dataset:
    from headode.experiment import Experiment
    from headode.statics.pruning import prune
    from headode.trajectory import configuration_of, state_at

    configuration = configuration_of(run)
    task = Experiment({name: configuration[name] for name in ("model", "signal")})
    expectation = configuration.get("expectation", {})
    return prune(
        task.model(),
        state_at(run),
        renormalize=renormalize,
        refit_value=refit_value,
        largest_loss=largest_loss,
        method=expectation.get("method", "auto"),
        tolerance=expectation.get("tolerance", 1e-6),
        progress=progress,
        configuration=configuration,
    )
