"""Signals that end a process: what is computed is saved before they do."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TypeVar

from headode.cli.statuses import Status

Result = TypeVar("Result")

# Ctrl-C; the time limit of a batch system, or kill; a terminal that is closed.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
# So many times Ctrl-C ends the process, even while it is saving.
PRESSED_TO_GIVE_UP = 3
SAVING = b"\nsaving what was computed (press Ctrl-C once more to give it up)\n"


class Interruption:
    """What signals do while a command runs.

    The first one is a ``KeyboardInterrupt``, upon which a computation hands out what it has. Until
    that is saved, and from :func:`held` until a whole result is, further ones are only noted.

    Attributes:
        number: of the first signal; None if none has come.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.held = False
        self._received: Counter[int] = Counter()

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        first = self.number is None
        self.number = self.number or number
        self._received[number] += 1
        if self._received[signal.SIGINT] >= PRESSED_TO_GIVE_UP or (first and not self.held):
            raise KeyboardInterrupt
        if number == signal.SIGINT and self._received[number] == PRESSED_TO_GIVE_UP - 1:
            # Not by a stream, which may be in the middle of something.
            with suppress(OSError):
                os.write(2, SAVING)

    @property
    def status(self) -> int:
        """Exit status of what was interrupted."""
        return Status.INTERRUPTED if self.number is None else 128 + self.number


# Signals belong to the process, and so does what handles them.
_current: Interruption | None = None


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Handle signals for the length of a block.

    Those that are ignored, as under nohup, or handled by somebody else stay so.
    """
    global _current
    interruption = Interruption()
    earlier: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is None:
                continue
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                earlier[number] = signal.signal(number, interruption)
    outer, _current = _current, interruption
    try:
        yield interruption
    finally:
        _current = outer
        for number, handler in earlier.items():
            signal.signal(number, handler)


def held(result: Result) -> Result:
    """Let no signal come between a result and its saving; returns the result."""
    if _current is not None:
        _current.held = True
    return result


def release() -> None:
    """End what :func:`held` began.

    Raises:
        KeyboardInterrupt: if a signal has come.
    """
    if _current is not None:
        _current.held = False
        if _current.number is not None:
            raise KeyboardInterrupt
