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

    from headode.cli.saving import Partial
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
        from headode.cli.figures import draw
        from headode.cli.inputs import load_result
        from headode.cli.paths import Paths, check_figure
        from headode.cli.progress_bar import progress_bar
        from headode.cli.saving import partial_result_saved, save_result
        from headode.cli.statics_summary import show_pruning
        from headode.results import check_trajectory
        from headode.trajectory import save_dataset

        run = load_result(file, "RUN")
        check_trajectory(run, ("integration",), str(file))
        paths = Paths("RUN", file, force)
        target = paths.result(output, "_pruned.nc")
        figure = plot and paths.output("--plot", plot, check_figure)
        session.note(f"pruning {file}; the result will be {target}")
        with (
            partial_result_saved(target, "", describe=_partial),
            progress_bar(session, "pruning", "heads") as progress,
        ):
            pruning = _prune(run, renormalize, refit_value, largest_loss, progress)
        save_result(lambda path: save_dataset(pruning, path, force=force), target)
        session.show(show_pruning, pruning)
        session.say(f"Result: {target}")
        draw(session, pruning, figure, force=force)


def _partial(pruning: xr.Dataset) -> Partial:
    from headode.cli.saving import Partial
    from headode.trajectory import save_dataset

    numbers = ", ".join(map(str, pruning["kept"].values))
    return Partial(lambda path: save_dataset(pruning, path), ".nc", f"for {numbers} heads")


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
