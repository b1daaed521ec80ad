"""The sound part of a document that may have faults."""

from __future__ import annotations

from typing import Any

from headode.config.config import Config
from headode.config.faults import Fault
from headode.config.origin import Document, KeyPath
from headode.config.words import field_annotation, unwrap


class Unsound(Exception):
    """A check asked for a value that is at fault itself: nothing can be said about it."""


class Draft:
    """Values of a document, defaults included, as far as no fault is known of them."""

    def __init__(self, document: Document, faults: list[Fault]) -> None:
        self._document = document
        self._known = faults
        self.found: list[Fault] = []

    def report(self, fault: Fault) -> None:
        """Take note of a fault: from now on its key is not sound."""
        self.found.append(fault)

    def given(self, *path: str) -> list[str]:
        """The keys that the document has in a section, or in a mapping below it."""
        held = self._document.get(path) if self._document.has(path) else None
        return list(held) if isinstance(held, dict) else []

    def has(self, *path: str) -> bool:
        """Whether the document has a key, sound or not."""
        return self._document.has(path)

    def sound(self, *path: str) -> bool:
        """Whether no fault is known of a section or key, what is above it or inside it."""
        return not any(related(fault.path, path) for fault in self._known + self.found)

    def value(self, section: str, key: str, *below: str) -> Any:
        """The value of a key, or its default.

        Raises:
            Unsound: if it is at fault, or required and not there.
        """
        path = (section, key, *below)
        if not self.sound(*path):
            raise Unsound
        if self._document.has(path):
            return self._document.get(path)
        core, _ = unwrap(field_annotation(Config.model_fields[section]))
        field = core.model_fields[key]
        if field.is_required():
            raise Unsound
        return field.default

    def value_or(self, section: str, key: str, instead: Any) -> Any:
        """The value of a key, or something else if it is at fault."""
        return self.value(section, key) if self.sound(section, key) else instead


def related(one: KeyPath, other: KeyPath) -> bool:
    """Whether two paths are the same or one lies above the other."""
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]
