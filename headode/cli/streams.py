"""Standard streams that cost nothing when nobody can read them any more."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from typing import TextIO

import typer

from headode.cli.statuses import Status, complain


class SafeStream(io.TextIOBase):
    """A standard stream that says nothing more once it cannot be written, instead of raising.

    A full disk, a closed terminal or a pipe that nobody reads must not end a computation.

    Args:
        stream: what is written to.
        failure: why it cannot be written, if that is known already.
    """

    def __init__(self, stream: TextIO, failure: OSError | None = None) -> None:
        self._stream = stream
        self.failure = failure

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """What the stream does with characters that it does not have."""
        return self._stream.errors

    def write(self, text: str) -> int:
        """Write, if that is possible."""
        try:
            self._stream.write(text)
        except (OSError, ValueError) as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush, if that is possible."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def isatty(self) -> bool:
        """Whether somebody watches."""
        return self.failure is None and self._stream.isatty()

    def writable(self) -> bool:
        """Always, as far as anybody can tell."""
        return True

    def fileno(self) -> int:
        """That of the stream."""
        return self._stream.fileno()

    def _give_up(self, error: OSError | ValueError) -> None:
        """Remember why, and send the rest nowhere: it would fail again when Python ends."""
        if self.failure is None:
            known = isinstance(error, OSError)
            self.failure = error if known else OSError(errno.EBADF, str(error))  # type: ignore[assignment]
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def make_streams_safe() -> None:
    """Let nothing that is printed in this process raise, or end up in a file of results."""
    # A file gets the lowest number that is free: that of a stream that was closed.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            closed = OSError(errno.EBADF, os.strerror(errno.EBADF))
            setattr(sys, name, SafeStream(open(os.devnull, "w"), closed))  # noqa: SIM115
            continue
        # A terminal without Greek letters shows question marks.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
        setattr(sys, name, SafeStream(stream))


def print_result(show: Callable[[], object]) -> None:
    """Print what is nowhere else, on standard error if standard output cannot be written.

    Raises:
        typer.Exit: then, with the status of a failure. A reader that has seen enough is none.
    """
    show()
    failure = getattr(sys.stdout, "failure", None)
    if failure is None or failure.errno == errno.EPIPE:
        return
    complain(f"could not write standard output: {failure.strerror}; what belongs there is:")
    with redirect_stdout(sys.stderr):
        show()
    raise typer.Exit(Status.FAILURE)
