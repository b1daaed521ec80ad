"""Faults of a configuration, and how each is said in one line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from headode.config.origin import KeyPath, Origin
from headode.errors import ArgumentError, ConfigError, describe


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: at which path, what, and the line where it is not the path's."""

    path: KeyPath
    text: str
    line: int | None = None


def show(value: Any) -> str:
    """A value as an error message shows it: as YAML writes it, on one line, not too long."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    return describe(value).replace("\n", " ")


def must(path: KeyPath, requirement: str, value: Any) -> Fault:
    """A value that does not meet a requirement ("be ...")."""
    return Fault(path, f"must {requirement}, but is {show(value)}")


def refused(path: KeyPath, error: ArgumentError) -> Fault:
    """A value that the constructor of a model object refused."""
    return must(path, error.requirement, error.value)


def missing(path: KeyPath, allowed: str) -> Fault:
    """A required key that is not there."""
    return Fault(path, f"is missing; it must be {allowed}")


def nearest(name: Any, names: Iterable[str]) -> str | None:
    """The valid name that was probably meant, if any is near."""
    near = get_close_matches(name, list(names), n=1) if isinstance(name, str) else []
    return near[0] if near else None


def config_error(faults: Iterable[Fault], origin: Origin) -> ConfigError:
    """All faults as one error, one line each, in the order of the file."""
    located = [
        (origin.line(fault.path) if fault.line is None else fault.line, fault) for fault in faults
    ]
    # sort is stable: faults of one line keep the order in which they were found.
    located.sort(key=lambda pair: pair[0])
    return ConfigError(origin.locate(fault.path, fault.text, line) for line, fault in located)
