"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LogLevel(StrEnum):
    """How much is said on standard error."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


ConfigArgument = Annotated[
    Path, typer.Argument(help="Configuration file (YAML).", metavar="CONFIG")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite existing output.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress bar and no closing table.")
]
LogLevelOption = Annotated[
    LogLevel, typer.Option("--log-level", help="Least serious messages to show.")
]
# The same option after the command; when left out, the one before the command counts.
CommandLogLevelOption = Annotated[
    LogLevel | None, typer.Option("--log-level", help="Least serious messages to show.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Threads; by default one per processor.")
]
