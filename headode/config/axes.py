"""The axes of a phase diagram: which keys are swept, and over what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from headode.config.config import Config
from headode.config.draft import Draft
from headode.config.faults import Fault, must, nearest
from headode.config.words import field_annotation, keys_of, union_choices, unwrap

# What a sweep cannot vary: itself, and what only says when the state is recorded.
NOT_SWEPT = ("phase_diagram", "output")


def check_axes(draft: Draft) -> Iterator[Fault]:
    """Check that each axis is a key that can be swept, and that its range makes sense."""
    keys = _sweepable()
    for axis in draft.given("phase_diagram", "axes"):
        path = ("phase_diagram", "axes", axis)
        if (problem := _problem(axis, keys, draft)) is not None:
            yield Fault(path, problem)
        if not draft.sound(*path):
            continue
        values = draft.value(*path)
        if isinstance(values, dict) and values.get("spacing") == "log":
            for end in ("start", "stop"):
                if values[end] <= 0:
                    yield must((*path, end), "be > 0 with spacing log", values[end])


def _sweepable() -> dict[str, Any]:
    """Annotations by dotted key."""
    return {
        f"{section}.{key}": field_annotation(unwrap(field_annotation(field))[0].model_fields[key])
        for section, field in Config.model_fields.items()
        if section not in NOT_SWEPT
        for key in keys_of(field_annotation(field))
    }


def _problem(axis: str, keys: dict[str, Any], draft: Draft) -> str | None:
    """What is wrong with the name of an axis, if anything is."""
    section, _, rest = axis.partition(".")
    name, *entries = rest.split(".")
    key = f"{section}.{name}"
    if key not in keys:
        near = nearest(key, keys)
        hint = f" (did you mean {near}?)" if near else ""
        return f"is not a key that can be swept{hint}; keys are written like model.heads"
    if not all(entry.isdecimal() for entry in entries):
        return f"must have a number, counted from 0, after {key}"
    if len(entries) > _depth(keys[key]):
        return f"goes into {key}, which has no such entries"
    held = draft.value(section, name) if draft.sound(section, name) and entries else None
    for entry in entries:
        if held is None:
            break
        size = len(held) if isinstance(held, list) else 0
        if int(entry) >= size:
            return f"has no entry {entry}: {key} has {size}, counted from 0"
        held = held[int(entry)]
    return None


def _depth(annotation: Any) -> int:
    """How many list positions can follow a key."""
    core, _ = unwrap(annotation)
    if choices := union_choices(core):
        return max(_depth(choice) for choice in choices)
    return 1 + _depth(get_args(core)[0]) if get_origin(core) is list else 0
