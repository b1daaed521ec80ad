"""The axes of a phase diagram: dotted configuration keys, and the values they take."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headode._checks import check_integer, check_number, check_option
from headode._limits import LARGEST_COUNT, LARGEST_INTEGER
from headode.errors import ArgumentError, one_of
from headode.experiment import INTEGER_KEYS, SECTIONS
from headode.trajectory import SPACINGS

# What only says when the state is recorded is not swept.
SWEPT_SECTIONS = tuple(name for name in SECTIONS if name != "output")
RANGE_KEYS = ("start", "stop", "count", "spacing")
MOST_AXES = 4

Value = float | int | str


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        key: dotted configuration key, such as ``signal.amplitude.1`` (entries count from 0).
        values: numbers or names, all different.
    """

    key: str
    values: tuple[Value, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers."""
        return not any(isinstance(value, str) for value in self.values)


def make_axes(axes: Mapping[str, Any], *, free: bool = False) -> tuple[Axis, ...]:
    """Axes from lists of values or ranges ``{start, stop, count, spacing}``, by dotted key.

    Args:
        axes: as said.
        free: whether names without a dot, which are no keys, are axes too.

    Raises:
        ArgumentError: for a key that cannot be swept, or values that are none.
    """
    if not isinstance(axes, Mapping) or not 1 <= len(axes) <= MOST_AXES:
        raise ArgumentError("axes", f"be a mapping of 1 to {MOST_AXES} keys to values", axes)
    return tuple(
        Axis(key if free and _is_free(key) else check_key(key), axis_values(key, given))
        for key, given in axes.items()
    )


def _is_free(key: Any) -> bool:
    return isinstance(key, str) and key.isidentifier()


def check_key(key: Any) -> str:
    """Return a dotted key that can be swept."""
    section, _, rest = str(key).partition(".")
    check_option("axes", section, SWEPT_SECTIONS)
    name, *entries = rest.split(".")
    if name not in SECTIONS[section]:
        known = [f"{section}.{known}" for known in SECTIONS[section]]
        raise ArgumentError("axes", one_of(known, f"{section}.{name}"), key)
    if not all(entry.isdecimal() for entry in entries):
        raise ArgumentError("axes", f"have numbers, counted from 0, after {section}.{name}", key)
    return str(key)


def axis_values(key: str, given: Any) -> tuple[Value, ...]:
    """The values of one axis; those of integer keys are integers, rounded in a range."""
    name = f"axes.{key}"
    if isinstance(given, Mapping):
        grid = _range_values(name, given)
        if key in INTEGER_KEYS:
            return tuple(dict.fromkeys(round(number) for number in grid))
        return tuple(grid)
    if hasattr(given, "tolist"):
        given = given.tolist()
    if isinstance(given, str) or not isinstance(given, Sequence) or not len(given):
        raise ArgumentError(name, "be a nonempty list, or start, stop and count", given)
    values = tuple(_plain(name, key, value) for value in given)
    if len(set(values)) < len(values):
        raise ArgumentError(name, "have no value twice", given)
    return values


def _range_values(name: str, given: Mapping[str, Any]) -> list[float]:
    for key in given:
        if key not in RANGE_KEYS:
            raise ArgumentError(f"{name}.{key}", one_of(RANGE_KEYS, key), key)
    for key in ("start", "stop", "count"):
        if key not in given:
            raise ArgumentError(f"{name}.{key}", "be given", None)
    count = check_integer(f"{name}.count", given["count"], 1, LARGEST_COUNT)
    spacing = check_option(f"{name}.spacing", given.get("spacing", "linear"), SPACINGS)
    start, stop = (check_number(f"{name}.{end}", given[end]) for end in ("start", "stop"))
    for end, number in (("start", start), ("stop", stop)):
        if spacing == "log" and number <= 0:
            raise ArgumentError(f"{name}.{end}", "be > 0 with spacing log", number)
    if start == stop and count > 1:
        raise ArgumentError(f"{name}.stop", "differ from start", stop)
    grid = (np.geomspace if spacing == "log" else np.linspace)(start, stop, count)
    # Twelve digits: 0.3 rather than 0.30000000000000004, also in labels and file names.
    return [float(f"{number:.12g}") for number in grid]


def _plain(name: str, key: str, value: Any) -> Value:
    if isinstance(value, str):
        return str(value)
    number = check_number(name, value)
    if isinstance(value, numbers.Integral):
        return check_integer(name, value, -LARGEST_INTEGER)
    if key in INTEGER_KEYS:
        if not number.is_integer():
            raise ArgumentError(name, "have integers only", value)
        return int(number)
    return number


def corner_points(axes: Sequence[Axis]) -> list[tuple[int, ...]]:
    """Indices of a few points that say much: all names, and the ends of the numbers."""
    ends = [
        sorted({0, len(axis.values) - 1}) if axis.is_numeric else list(range(len(axis.values)))
        for axis in axes
    ]
    corners: list[tuple[int, ...]] = [()]
    for choices in ends:
        corners = [(*corner, choice) for corner in corners for choice in choices]
    return corners


def with_key(sections: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key of plain sections, in place.

    Raises:
        ArgumentError: if the key goes into a list that has no such entry.
    """
    section, name, *entries = key.split(".")
    held: Any = sections.setdefault(section, {})
    place: Any = name
    for entry in entries:
        held, place = held.get(place) if isinstance(held, dict) else held[place], int(entry)
        if not isinstance(held, list) or place >= len(held):
            size = len(held) if isinstance(held, list) else 0
            requirement = f"be an entry of a list (there are {size}, counted from 0)"
            raise ArgumentError("axes", requirement, key)
    held[place] = value
