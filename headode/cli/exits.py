"""How each kind of error is said before leaving with its exit status."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from headode.cli.session import Session
from headode.cli.signals import interruptible
from headode.cli.statuses import Status, complain
from headode.errors import ArgumentError, ConfigError, NumericalFailure

# What is wrong with a disk, permissions or limits is no fault of headode.
OF_THE_SYSTEM = (
    errno.EACCES,
    errno.EDQUOT,
    errno.EIO,
    errno.EMFILE,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
)


@contextmanager
def exit_statuses(session: Session) -> Iterator[None]:
    """Turn the errors of a command, and signals, into clear lines and an exit status."""
    with warnings.catch_warnings(), interruptible() as interruption:
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        try:
            with _errors_said(session):
                yield
        except typer.Exit as left:
            if left.exit_code == Status.INTERRUPTED:
                left.exit_code = interruption.status
            raise


@contextmanager
def _errors_said(session: Session) -> Iterator[None]:
    """Say what an error means, and leave with its status."""
    try:
        yield
    except (typer.Exit, typer.Abort):
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
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_THE_SYSTEM:
            complain(str(error))
            raise typer.Exit(Status.FAILURE) from None
        if isinstance(error, ValueError) and _wrong_threads():
            complain(
                "Environment variable `NUMBA_NUM_THREADS` must be an integer ≥ 1, "
                f"but is {os.environ.get('NUMBA_NUM_THREADS')!r}."
            )
            raise typer.Exit(Status.BAD_INPUT) from None
        _unexpected(error, session)
        raise typer.Exit(Status.UNEXPECTED) from None


def _wrong_threads() -> bool:
    """Whether Numba cannot be loaded for the number of threads that the environment asks for."""
    try:
        return int(os.environ.get("NUMBA_NUM_THREADS", "1")) < 1
    except ValueError:  # which Numba does not mind
        return False


def _unexpected(error: Exception, session: Session) -> None:
    session.explain(error)
    advice = "" if session.debugs else " with what --log-level debug shows"
    complain(
        f"unexpected {type(error).__name__}: {' '.join(str(error).split())}\n"
        f"This is a fault of headode; please report it{advice}."
    )


def _show_warning(message: Warning | str, *_: Any) -> None:
    import logging

    logging.getLogger("headode").warning("%s", message)
