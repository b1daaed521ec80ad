"""Everything headode raises or warns about, in one place."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class HeadodeError(Exception):
    """Base class of the errors that headode raises on purpose."""


class ArgumentError(HeadodeError, ValueError):
    """An argument has a value that cannot be used.

    The three parts are kept apart so that a configuration file's reader can add the line number:
    ``argument`` (its name), ``requirement`` ("must be ...") and ``value`` (what was given).
    """

    def __init__(self, argument: str, requirement: str, value: Any) -> None:
        self.argument = argument
        self.requirement = requirement
        self.value = value
        super().__init__(f"Argument `{argument}` must {requirement}, but is {describe(value)}.")

    def __reduce__(self) -> tuple[type[ArgumentError], tuple[str, str, Any]]:
        return (type(self), (self.argument, self.requirement, self.value))


class ConfigError(HeadodeError):
    """A configuration file has one or more faults; ``faults`` holds one line of text for each."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[str, ...]]]:
        return (type(self), (self.faults,))


class NumericalFailure(HeadodeError):
    """A computation could not go on; ``partial`` holds what was computed until then.

    It is of the kind that the function returns, or None.
    """

    def __init__(self, message: str, partial: Any = None) -> None:
        self.partial = partial
        super().__init__(message)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C stopped a computation; ``partial`` holds what was computed until then.

    It is of the kind that the function returns, or None.
    """

    def __init__(self, message: str, partial: Any = None) -> None:
        self.partial = partial
        super().__init__(message)


class ToleranceWarning(UserWarning):
    """The asked tolerance was not reached within the largest allowed number of nodes."""


class SmoothnessWarning(UserWarning):
    """A score function is not smooth, so that expectations converge slowly."""


def describe(value: Any) -> str:
    """Show a value in an error message: short, and without NumPy's type decoration."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def one_of(options: Iterable[str], value: Any) -> str:
    """Say "be one of a, b, c", with the nearest valid name for a misspelt ``value``."""
    names = list(options)
    text = "be one of " + ", ".join(names)
    near = get_close_matches(value, names, n=1) if isinstance(value, str) else []
    return f"{text} (did you mean {near[0]}?)" if near else text
