"""Where the values of a configuration come from: file, lines and dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Keys and list positions from the top level down to a value.
KeyPath = tuple[str | int, ...]


def dotted(path: KeyPath) -> str:
    """Write a path as a dotted key; a key that would garble the message is quoted."""
    return ".".join(
        str(part) if str(part).isprintable() and len(str(part)) <= 80 else repr(part)[:80]
        for part in path
    )


def key_path(key: str) -> KeyPath:
    """The path of a dotted key such as ``model.heads``."""
    return tuple(key.split("."))


# compare=False: two configurations with the same values are equal wherever they come from.
@dataclass(frozen=True)
class Origin:
    """The file that values were read from, and the line of each of them.

    Attributes:
        name: the file as the user wrote it; empty for a mapping given in Python.
        lines: line number, counted from 1, of each path that the file has.
    """

    name: str = field(default="", compare=False)
    lines: Mapping[KeyPath, int] = field(default_factory=dict, compare=False)

    def line(self, path: KeyPath) -> int:
        """The line of a path, or of the nearest section above it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def locate(self, path: KeyPath, text: str, line: int | None = None) -> str:
        """One line of text about a path: where it is, its dotted key, what is said about it."""
        line = self.line(path) if line is None else line
        where = f"{self.name}:{line}: " if self.name else ""
        return f"{where}{dotted(path)}: {text}" if path else f"{where}{text}"


@dataclass
class Document:
    """A configuration as read: plain data, and where each part of it was written."""

    data: dict[str, Any]
    origin: Origin = field(default_factory=Origin)

    def has(self, path: KeyPath) -> bool:
        """Whether the document has a value at this path."""
        value: Any = self.data
        for part in path:
            if isinstance(value, dict):
                if part not in value:
                    return False
            elif not (isinstance(value, list) and isinstance(part, int) and part < len(value)):
                return False
            value = value[part]
        return True

    def get(self, path: KeyPath) -> Any:
        """The value at a path that the document has."""
        value: Any = self.data
        for part in path:
            value = value[part]
        return value

    def drop(self, path: KeyPath) -> None:
        """Remove a key."""
        del self.get(path[:-1])[path[-1]]

    def move(self, old: KeyPath, new: KeyPath) -> None:
        """Rename a key or move it to another section, keeping the lines it was written on."""
        self.get(new[:-1])[new[-1]] = self.get(old)
        self.drop(old)
        moved = {
            (*new, *path[len(old) :]): line
            for path, line in self.origin.lines.items()
            if path[: len(old)] == old
        }
        self.origin = Origin(self.origin.name, {**self.origin.lines, **moved})
