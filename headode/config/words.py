"""Type annotations of the schema in words, for messages and for the reference."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from headode.errors import one_of

SYMBOLS = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))


def field_annotation(field: FieldInfo) -> Any:
    """The annotation of a field with its bounds, which pydantic keeps apart."""
    annotation: Any = field.annotation
    for bound in field.metadata:
        annotation = Annotated[annotation, bound]
    return annotation


def unwrap(annotation: Any) -> tuple[Any, list[Any]]:
    """An annotation without ``| None``, and the bounds on it."""
    bounds: list[Any] = []
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *outer = get_args(annotation)
            bounds += outer
        elif len(choices := union_choices(annotation)) == 1:
            annotation = choices[0]
        else:
            return annotation, bounds


def union_choices(annotation: Any) -> list[Any]:
    """The alternatives of a union, None left out; empty for what is no union."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return []
    return [choice for choice in get_args(annotation) if choice is not types.NoneType]


def allowed(annotation: Any, value: Any = None) -> str:
    """What an annotation allows, such as "an integer ≥ 1".

    A misspelt ``value`` adds the nearest valid name.
    """
    core, bounds = unwrap(annotation)
    if choices := union_choices(core):
        return ", or ".join(allowed(choice, value) for choice in choices)
    if get_origin(core) is Literal:
        options = get_args(core)
        return options[0] if len(options) == 1 else one_of(options, value).removeprefix("be ")
    if get_origin(core) is list:
        element = get_args(core)[0]
        plural = {"number": "finite numbers", "list of numbers": "rows of finite numbers"}
        entries = plural.get(type_name(element)) or f"entries, each {allowed(element, value)}"
        return f"a nonempty list of {entries}"
    text = {int: "an integer", float: "a finite number", str: "a name"}.get(core)
    if text is None:
        text = "a section with " + ", ".join(keys_of(core)) if keys_of(core) else "a mapping"
    limits = _limits(bounds)
    return f"{text} {limits}" if limits else text


def type_name(annotation: Any) -> str:
    """The type in a few words, for the reference."""
    core, _ = unwrap(annotation)
    if choices := union_choices(core):
        return " or ".join(dict.fromkeys(type_name(choice) for choice in choices))
    if get_origin(core) is list:
        entries = type_name(get_args(core)[0])
        if entries.startswith("list"):
            return "matrix"
        return "list" if " or " in entries else f"list of {entries}s"
    names = {int: "integer", float: "number", str: "name"}
    return names.get(core) or ("name" if get_origin(core) is Literal else "mapping")


def options_and_limits(annotation: Any) -> str:
    """What an annotation allows beyond its type, for the reference; empty if everything."""
    core, bounds = unwrap(annotation)
    if choices := union_choices(core):
        parts = [options_and_limits(choice) for choice in choices]
        return "; ".join(part for part in parts if part)
    if get_origin(core) is list:
        return options_and_limits(get_args(core)[0])
    if get_origin(core) is Literal:
        return ", ".join(f"`{option}`" for option in get_args(core))
    return _limits(bounds)


def keys_of(annotation: Any) -> tuple[str, ...]:
    """The keys of a section; empty for what is no section."""
    core, _ = unwrap(annotation)
    is_section = isinstance(core, type) and issubclass(core, BaseModel)
    return tuple(core.model_fields) if is_section else ()


def _limits(bounds: list[Any]) -> str:
    return " and ".join(
        f"{symbol} {_shown(getattr(bound, attribute))}"
        for kind, attribute, symbol in SYMBOLS
        for bound in bounds
        if isinstance(bound, kind)
    )


def _shown(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"
