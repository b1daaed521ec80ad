"""``headode risk``: the Bayes risk, and the best risk of a configuration's activation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headode.cli.exits import exit_statuses
from headode.cli.options import CommandLogLevelOption, ConfigArgument, ForceOption, QuietOption
from headode.cli.session import Session

if TYPE_CHECKING:
    from headode.config import Config
    from headode.model import Model
    from headode.progress import ProgressCallback
    from headode.statics.optimal_risk import OptimalRisk

ADVICE = "a tighter expectation.tolerance or expectation.method auto"
KEYS = {"method": "expectation.method", "tolerance": "expectation.tolerance"}


def risk(
    context: typer.Context,
    config: ConfigArgument,
    restarts: Annotated[
        int, typer.Option("--restarts", min=1, help="Searches for the optimal risk.")
    ] = 8,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the searches' starts.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="All minima as JSON; by default only the table."),
    ] = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    log_level: CommandLogLevelOption = None,
) -> None:
    """Minimize the risk over all that the student can become.

    The minimum is over the overlaps M and R, and over learned offsets and a learned value.
    """
    session = Session.of(context, quiet, log_level)
    with exit_statuses(session):
        from headode.cli.inputs import load_configuration
        from headode.cli.paths import Paths
        from headode.cli.progress_bar import progress_bar
        from headode.cli.saving import Partial, partial_result_saved, save_result
        from headode.cli.statics_summary import show_optimal_risk
        from headode.cli.streams import print_result

        configuration = load_configuration(config)
        target = output and Paths("CONFIG", config, force).output("--output", output)
        model = configuration.build_model()
        described = {**model.to_dict(), "restarts": restarts, "seed": seed}

        def partial(result: OptimalRisk) -> Partial:
            return Partial(
                lambda path: _write(path, {**described, **result.to_dict()}),
                ".json",
                f"the minima of {sum(each.count for each in result.minima)} searches",
                lambda: print_result(lambda: show_optimal_risk(model, result)),
            )

        session.note(f"searching the optimal risk of {config}")
        with (
            partial_result_saved(target, ADVICE, describe=partial),
            progress_bar(session, "optimal risk", "search") as progress,
        ):
            result = _search(configuration, model, restarts, seed, progress)
        if target is not None:
            save_result(partial(result).save, target)
            session.show(show_optimal_risk, model, result)
            session.say(f"Result: {target}")
        elif not session.quiet:
            print_result(lambda: show_optimal_risk(model, result))


def _search(
    config: Config, model: Model, restarts: int, seed: int, progress: ProgressCallback | None
) -> OptimalRisk:
    from headode.cli.arguments import naming_keys
    from headode.statics.optimal_risk import optimal_risk

    with naming_keys(config, KEYS):
        return optimal_risk(
            model,
            restarts=restarts,
            seed=seed,
            method=config.expectation.method,
            tolerance=config.expectation.tolerance,
            progress=progress,
        )


def _write(path: Path, content: dict[str, object]) -> None:
    from headode._files import whole_file

    with whole_file(path) as temporary:
        text = json.dumps(content, indent=2, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
