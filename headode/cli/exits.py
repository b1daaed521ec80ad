"""Exit statuses, and how each kind of error is said before leaving with one."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import typer

from headode.cli.session import Session
from headode.errors import ArgumentError, ConfigError, NumericalFailure


class Status(IntEnum):
    """Exit status of the command line."""

    SUCCESS = 0
    DISAGREEMENT = 1
    BAD_INPUT = 2
    FAILURE = 3
    # The number that sysexits.h gives to an internal software error.
    UNEXPECTED = 70
    # 128 + the number of SIGINT, as shells have it.
    INTERRUPTED = 130


STATUSES = (
    "0 success, 1 a negative verdict, 2 bad input, 3 numerical failure or a result that could not "
    "be saved where it was asked, 70 an error in headode itself, 130 interrupted"
)


def complain(text: str) -> None:
    """Say on standard error what is wrong."""
    typer.echo(f"error: {text}", err=True)


@contextmanager
def exit_statuses(session: Session) -> Iterator[None]:
    """Turn the errors of a command into clear lines on standard error and an exit status."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        try:
            yield
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except ConfigError as error:
            for fault in error.faults:
                typer.echo(fault, err=True)
            raise typer.Exit(Status.BAD_INPUT) from None
        except ArgumentError as error:
            complain(str(error))
            raise typer.Exit(Status.BAD_INPUT) from None
        except NumericalFailure as error:
            complain(str(error))
            raise typer.Exit(Status.FAILURE) from None
        except MemoryError:
            complain("not enough memory")
            raise typer.Exit(Status.FAILURE) from None
        except KeyboardInterrupt:
            complain("interrupted")
            raise typer.Exit(Status.INTERRUPTED) from None
        except ValueError as error:
            if not _wrong_threads():
                _unexpected(error, session)
                raise typer.Exit(Status.UNEXPECTED) from None
            complain(
                "Environment variable `NUMBA_NUM_THREADS` must be an integer ≥ 1, "
                f"but is {os.environ.get('NUMBA_NUM_THREADS')!r}."
            )
            raise typer.Exit(Status.BAD_INPUT) from None
        except Exception as error:
            _unexpected(error, session)
            raise typer.Exit(Status.UNEXPECTED) from None


def _wrong_threads() -> bool:
    """Whether Numba cannot be loaded for the number of threads that the environment asks for."""
    try:
        return int(os.environ.get("NUMBA_NUM_THREADS", "1")) < 1
    except ValueError:  # which Numba does not mind
        return False


def _unexpected(error: Exception, session: Session) -> None:
    if session.debugs:
        traceback.print_exception(error)
    advice = "" if session.debugs else " with what --log-level debug shows"
    complain(
        f"unexpected {type(error).__name__}: {' '.join(str(error).split())}\n"
        f"This is a fault of headode; please report it{advice}."
    )


def _show_warning(message: Warning | str, *_: Any) -> None:
    import logging

    logging.getLogger("headode").warning("%s", message)
