"""The axes of a phase diagram: which keys are swept, over what, and whether that can be computed.

Each value of each axis is put into the configuration, and then the corners of all axes together;
what the checks of a configuration say about these is said of the axis. The points in between are
left to the sweep, which records what it cannot compute.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args, get_origin

from headode.config.config import Config
from headode.config.draft import Draft
from headode.config.faults import Fault, must, nearest
from headode.config.origin import Document, dotted
from headode.config.words import field_annotation, keys_of, union_choices, unwrap
from headode.errors import ArgumentError
from headode.phase_diagrams.axes import MOST_AXES, Axis, axis_values, corner_points, with_key
from headode.phase_diagrams.measures import BUILTIN

# What a sweep cannot vary: itself, and what only says when the state is recorded.
NOT_SWEPT = ("phase_diagram", "output")
# Corners that are checked: those of four axes of numbers, and more than that of names.
MOST_CORNERS = 64

FaultsOf = Callable[[Document], list[Fault]]


def check_axes(draft: Draft) -> Iterator[Fault]:
    """Check that each axis is a key that can be swept, and that its range makes sense."""
    keys = _sweepable()
    axes = draft.given("phase_diagram", "axes")
    if len(axes) > MOST_AXES:
        requirement = f"have at most {MOST_AXES} axes"
        yield must(("phase_diagram", "axes"), requirement, axes)
    for axis in axes:
        path = ("phase_diagram", "axes", axis)
        if (problem := _problem(axis, keys, draft)) is not None:
            yield Fault(path, problem)
        if not draft.sound(*path):
            continue
        values = draft.value(*path)
        try:
            axis_values(axis, values)
        except ArgumentError as error:
            below = error.argument.removeprefix(f"axes.{axis}").strip(".")
            yield must((*path, *([below] if below else [])), error.requirement, error.value)


def check_points(document: Document, faults: list[Fault], faults_of: FaultsOf) -> Iterator[Fault]:
    """Check that the values of the axes give configurations that could be files of their own.

    Args:
        document: with a phase diagram.
        faults: known of it.
        faults_of: what is wrong with a document.
    """
    given = document.data.get("phase_diagram")
    if faults or not isinstance(given, dict):
        return
    axes = [Axis(key, axis_values(key, values)) for key, values in given["axes"].items()]
    base = {name: value for name, value in document.data.items() if name != "phase_diagram"}
    sound = True
    for i, axis in enumerate(axes):
        for j, value in enumerate(axis.values):
            settings = [(other.key, other.values[0]) for other in axes]
            settings[i] = (axis.key, value)
            if found := _faults_at(base, settings, faults_of):
                sound = False
                # A list has a line for each of its values.
                entry = [j] if isinstance(given["axes"][axis.key], list) else []
                text = f"cannot be {value}: {found}"
                yield Fault(("phase_diagram", "axes", axis.key, *entry), text)
                break
    if sound:
        yield from _faulty_corner(axes, base, faults_of)


def _faulty_corner(
    axes: Sequence[Axis], base: dict[str, Any], faults_of: FaultsOf
) -> Iterator[Fault]:
    corners = corner_points(axes)
    for corner in corners[:: -(-len(corners) // MOST_CORNERS)]:
        settings = [(axis.key, axis.values[i]) for axis, i in zip(axes, corner, strict=True)]
        if found := _faults_at(base, settings, faults_of):
            where = ", ".join(f"{key} = {value}" for key, value in settings)
            yield Fault(("phase_diagram", "axes"), f"cannot have the point {where}: {found}")
            return


def _faults_at(
    base: dict[str, Any], settings: Sequence[tuple[str, Any]], faults_of: FaultsOf
) -> str:
    """The first fault of the configuration with some keys set; empty if there is none."""
    data = copy.deepcopy(base)
    for key, value in settings:
        with_key(data, key, value)
    found = faults_of(Document(data))
    return f"{dotted(found[0].path)} {found[0].text}" if found else ""


def check_sweep(draft: Draft) -> Iterator[Fault]:
    """Check that refinement, seeds and measures go together with the rest."""
    measures = draft.value("phase_diagram", "measures")
    seeds = draft.value("phase_diagram", "seeds")
    if seeds > 1 and draft.has("initial", "M"):
        yield must(("phase_diagram", "seeds"), "be 1 when initial.M is given", seeds)
    if len(set(measures)) < len(measures):
        yield must(("phase_diagram", "measures"), "have none twice", measures)
    if draft.has("phase_diagram", "refine"):
        yield from _check_refine(draft, measures)
    swept = "training.learning_rate" in draft.given("phase_diagram", "axes")
    simulated = [name for name in measures if BUILTIN[name].simulates]
    rate = draft.value("training", "learning_rate")
    if simulated and not swept and isinstance(rate, str):
        requirement = f"be a number for the measure {simulated[0]}, which simulates SGD"
        yield must(("training", "learning_rate"), requirement, rate)


def _check_refine(draft: Draft, measures: list[str]) -> Iterator[Fault]:
    refine = draft.value("phase_diagram", "refine")
    if refine["measure"] not in measures or BUILTIN[refine["measure"]].per_feature:
        whole = [name for name in measures if not BUILTIN[name].per_feature]
        requirement = f"be one of the measures ({', '.join(whole)})"
        yield must(("phase_diagram", "refine", "measure"), requirement, refine["measure"])
    axes = draft.given("phase_diagram", "axes")
    numeric = all(
        isinstance(values, dict) or not any(isinstance(value, str) for value in values)
        for values in (draft.value("phase_diagram", "axes", axis) for axis in axes)
    )
    if len(axes) != 2 or not numeric:
        requirement = "be left out unless there are two axes of numbers"
        yield must(("phase_diagram", "refine"), requirement, refine)


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
    if not entries or not draft.sound(section, name):
        return None
    held = draft.value(section, name)
    for entry in entries:
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
