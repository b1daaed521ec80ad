"""The ``headode`` command: global options, and the commands.

Only typer is imported here. Each command imports what it needs when it runs, which keeps
``headode --help`` fast.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated

import typer

from headode._version import __version__
from headode.cli.citation import CITATION
from headode.cli.example import example
from headode.cli.integrate import integrate
from headode.cli.options import LogLevel, LogLevelOption, QuietOption
from headode.cli.phase_diagram import phase_diagram
from headode.cli.plot import plot
from headode.cli.prune import prune
from headode.cli.risk import risk
from headode.cli.session import Session
from headode.cli.simulate import simulate
from headode.cli.stability import stability
from headode.cli.statuses import STATUSES, Status
from headode.cli.streams import make_streams_safe, print_result
from headode.cli.validate import validate

OBJECTS_BETWEEN_COLLECTIONS = 100_000

app = typer.Typer(
    name="headode",
    help="Learning dynamics of multi-head attention on the single-location model.",
    epilog=f"Exit status: {STATUSES}.",
    no_args_is_help=True,
    # rich markup would import rich for every --help.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_and_exit(text: str) -> None:
    print_result(lambda: typer.echo(text))
    raise typer.Exit(Status.SUCCESS)


def _show_version(asked: bool) -> None:
    if asked:
        _print_and_exit(f"headode {__version__}")


def _show_citation(asked: bool) -> None:
    if asked:
        _print_and_exit(CITATION)


@app.callback()
def _options(
    context: typer.Context,
    quiet: QuietOption = False,
    log_level: LogLevelOption = LogLevel.warning,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
    _cite: Annotated[
        bool,
        typer.Option("--cite", help="Show what to cite.", callback=_show_citation, is_eager=True),
    ] = False,
) -> None:
    context.obj = Session(quiet, log_level)


for command in (
    integrate,
    simulate,
    validate,
    phase_diagram,
    risk,
    stability,
    prune,
    plot,
    example,
):
    app.command(command.__name__.replace("_", "-"))(command)


def run() -> None:
    """Entry point of the console script."""
    make_streams_safe()
    # Figures go to files, and look the same whatever the user's settings of matplotlib; a backend
    # that cannot be imported, or a file of settings that cannot be read, must not matter.
    os.environ |= {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}
    # A command imports some 200 000 objects that stay. Looking for garbage among them again and
    # again takes 0.4 s, and a last time when the interpreter ends 0.7 s.
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(Status.INTERRUPTED)
    finally:
        gc.freeze()
