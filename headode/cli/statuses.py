"""Exit statuses."""

from __future__ import annotations

from enum import IntEnum

import typer


class Status(IntEnum):
    """Exit status of the command line."""

    SUCCESS = 0
    DISAGREEMENT = 1
    BAD_INPUT = 2
    FAILURE = 3
    # The number that sysexits.h gives to an internal software error.
    UNEXPECTED = 70
    # 128 + the number of SIGINT, as shells have it; other signals likewise.
    INTERRUPTED = 130


STATUSES = (
    "0 success, 1 a negative verdict, 2 bad input, 3 numerical failure, or a result or figure that "
    "could not be written where it was asked, 70 an error in headode itself, 130 interrupted "
    "(128 + n by signal n)"
)


def complain(text: str) -> None:
    """Say on standard error what is wrong."""
    typer.echo(f"error: {text}", err=True)
