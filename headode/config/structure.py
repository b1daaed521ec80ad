"""Faults that a single key shows: unknown, missing, or a value of the wrong type or size."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import Tag, ValidationError

from headode.config.config import Config
from headode.config.faults import Fault, missing, must, nearest
from headode.config.origin import Document, KeyPath, dotted
from headode.config.signal_kinds import foreign_parameters
from headode.config.words import allowed, field_annotation, keys_of, union_choices, unwrap


def structural_faults(document: Document) -> list[Fault]:
    """Compare a document with the schema.

    Unknown keys are reported and taken out of the document, or moved to the key that was probably
    meant, so that a misspelt key is one fault and what is written below it is checked all the same.
    """
    faults: list[Fault] = []
    # Renaming a section can bring up unknown keys inside it, hence the loop; each round
    # lowers the number of keys that are not where they belong.
    while unknown := [e["loc"] for e in _errors(document) if e["type"] == "extra_forbidden"]:
        for location in unknown:
            path, section = _resolve(location)
            faults.append(_take_out(document, path, keys_of(section)))
    faults += foreign_parameters(document)
    # A union reports an error for each of its alternatives; one for each path is enough.
    by_path: dict[KeyPath, Fault] = {}
    for error in _errors(document):
        path, annotation = _resolve(error["loc"])
        if error["type"] == "missing":
            by_path.setdefault(path, missing(path, allowed(annotation)))
        else:
            by_path.setdefault(path, _wrong(document, path, annotation))
    return faults + _joined(document, by_path)


def _wrong(document: Document, path: KeyPath, annotation: Any) -> Fault:
    value = document.get(path)
    return must(path, f"be {allowed(annotation, value)}", value)


def _joined(document: Document, by_path: dict[KeyPath, Fault]) -> list[Fault]:
    """Say of a list whose entries are all wrong that the list is wrong."""
    faults = dict(by_path)
    for above in {path[:-1] for path in by_path}:
        value = document.get(above) if document.has(above) else None
        if isinstance(value, list) and len(value) > 1:
            entries = [(*above, i) for i in range(len(value))]
            if all(entry in faults for entry in entries):
                for entry in entries:
                    del faults[entry]
                faults[above] = _wrong(document, above, _resolve(above)[1])
    return list(faults.values())


def _errors(document: Document) -> list[Any]:
    try:
        Config.model_validate(document.data)
    except ValidationError as error:
        return list(error.errors(include_url=False, include_context=False, include_input=False))
    return []


def _resolve(location: tuple[int | str, ...]) -> tuple[KeyPath, Any]:
    """The path of a pydantic location, and the annotation of what belongs there.

    A location also names the alternative of a union. The path stops above a union whose
    alternatives have no names of their own: what is allowed is then any of them. For an unknown
    key the annotation is that of its section.
    """
    path: KeyPath = ()
    annotation: Any = Config
    for part in location:
        core, _ = unwrap(annotation)
        if keys_of(core):
            path = (*path, part)
            field = core.model_fields.get(part)
            if field is None:
                return path, core
            annotation = field_annotation(field)
        elif get_origin(core) in (list, dict):
            path = (*path, part)
            annotation = get_args(core)[-1]
        else:
            tagged = [
                choice for choice in union_choices(core) if Tag(str(part)) in unwrap(choice)[1]
            ]
            if not tagged:
                break
            annotation = tagged[0]
    return path, annotation


def _take_out(document: Document, path: KeyPath, known: tuple[str, ...]) -> Fault:
    """Report an unknown key; move its value to where it was probably meant to be."""
    *section, name = path
    near = nearest(name, known)
    # The very name in another section says more than a similar name in this one.
    meant = _homes(name) or ([(*section, near)] if near else [])
    target = meant[0] if len(meant) == 1 else None
    if target and not document.has(target) and _has_section(document, target[:-1]):
        document.move(path, target)
    else:
        document.drop(path)
    hint = f" (did you mean {' or '.join(map(dotted, meant))}?)" if meant else ""
    return Fault(path, f"is not a known key{hint}; known here: {', '.join(known)}")


def _homes(name: str | int) -> list[KeyPath]:
    """Where a key of this name exists: at the top level or in a section."""
    homes: list[KeyPath] = [(name,)] if name in Config.model_fields else []
    for section, field in Config.model_fields.items():
        if name in keys_of(field_annotation(field)):
            homes.append((section, name))
    return homes


def _has_section(document: Document, section: KeyPath) -> bool:
    return document.has(section) and isinstance(document.get(section), dict)
