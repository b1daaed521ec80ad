"""Reading a YAML file into plain data, keeping the line of every key and list entry.

The file is composed into YAML's own node tree, which knows the lines, and only the plain scalars of
YAML 1.2 are turned into values: no tag can ask for a Python object, and no text is evaluated.
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from headode.config.faults import Fault
from headode.config.origin import Document, KeyPath, Origin
from headode.config.plain import plain_mapping
from headode.errors import ConfigError

PREFIX = "tag:yaml.org,2002:"
SCALAR_TAGS = {PREFIX + name for name in ("null", "bool", "int", "float")}
# Dates, `<<` and `=` mean nothing here: they are kept as the text they are.
TEXT_TAGS = {PREFIX + name for name in ("str", "timestamp", "merge", "value")}
# Python converts decimal integers of at most 4300 digits; nobody means even a hundred.
LONGEST_NUMBER = 100
# What a file begins with that is in another encoding than UTF-8.
MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def read_yaml(path: str | os.PathLike[str]) -> tuple[Document, list[Fault]]:
    """Read a configuration file.

    Returns:
        The document without the entries that cannot be kept, and a fault for each of these.

    Raises:
        ConfigError: if the file cannot be read, is no valid YAML or has no mapping at its top.
    """
    name = os.fspath(path)
    yaml = YAML(typ="safe", pure=True)
    text = _read_text(name)
    try:
        # ruamel warns about an anchor used twice; aliases are refused below in any case.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            root = yaml.compose(text)
        if root is None:
            raise _fatal(name, 1, "is empty, but needs at least the sections model and signal")
        if not isinstance(root, MappingNode):
            raise _fatal(name, 1, "must be a mapping of sections such as `model:` at the top level")
        reader = _NodeReader(yaml)
        data = reader.mapping(root, ())
    except ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        raise _fatal(name, _line_at(text, position), f"is not valid YAML: {error.reason}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ": ".join(part for part in (error.context, error.problem) if part)
        line = 1 if mark is None else mark.line + 1
        raise _fatal(name, line, f"is not valid YAML: {problem}") from None
    except YAMLError as error:
        raise _fatal(name, 1, f"is not valid YAML: {error}") from None
    except RecursionError:
        raise _fatal(name, 1, "is nested too deeply") from None
    data, faults = plain_mapping(data)
    return Document(data, Origin(name, reader.lines)), reader.faults + faults


def _read_text(name: str) -> str:
    try:
        content = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([f"{name}: cannot be read: {reason}"]) from None
    try:
        encoding = next((name for mark, name in MARKS if content.startswith(mark)), "utf-8-sig")
        text = content.decode(encoding)
        version = re.search(r"^%YAML\s+(\S+)", text, re.MULTILINE)
        if version and version[1] != "1.2":
            line = _line_at(text, version.start())
            raise _fatal(name, line, f"must be YAML 1.2, where 010 is ten, but is {version[0]}")
        return text
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise _fatal(name, line, f"is not UTF-8 text (byte 0x{byte:02x})") from None


def _line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _fatal(name: str, line: int, text: str) -> ConfigError:
    """A fault that leaves nothing else to check."""
    return ConfigError([f"{name}:{line}: {' '.join(text.split())}"])


class _NodeReader:
    """Turns YAML nodes into plain data and collects lines and faults on the way."""

    def __init__(self, yaml: YAML) -> None:
        self.constructor = yaml.constructor
        self.lines: dict[KeyPath, int] = {}
        self.faults: list[Fault] = []
        self._seen: set[int] = set()

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        """Read a mapping; keys that are no text or come twice are left out and reported."""
        self.lines.setdefault(path, _line(node))
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            here = (*path, key_node.value if isinstance(key_node, ScalarNode) else "?")
            if not isinstance(key_node, ScalarNode) or key_node.tag not in TEXT_TAGS:
                self._refuse(here, "is not a valid key: keys are plain text", key_node)
            elif key_node.value in result:
                self._refuse(here, f"is given twice, first on line {self.lines[here]}", key_node)
            else:
                self.lines[here] = _line(key_node)
                result[key_node.value] = self._value(value_node, here)
        return result

    def _value(self, node: Node, path: KeyPath) -> Any:
        """The value of a node; None after reporting a value that cannot be kept."""
        if id(node) in self._seen:
            return self._refuse(path, "is an alias (*name); write the value out instead")
        self._seen.add(id(node))
        if isinstance(node, MappingNode) and node.tag == PREFIX + "map":
            return self.mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == PREFIX + "seq":
            for i, entry in enumerate(node.value):
                self.lines[(*path, i)] = _line(entry)
            return [self._value(entry, (*path, i)) for i, entry in enumerate(node.value)]
        if isinstance(node, ScalarNode) and node.tag in TEXT_TAGS:
            return node.value
        if isinstance(node, ScalarNode) and node.tag in SCALAR_TAGS:
            return self._scalar(node, path)
        tag = str(node.tag).replace(PREFIX, "!!")
        return self._refuse(path, f"has the tag {tag}; only plain values are read")

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        if len(node.value) > LONGEST_NUMBER:
            return self._refuse(path, f"has more than {LONGEST_NUMBER} digits")
        try:
            return self.constructor.construct_object(node)
        except (ArithmeticError, LookupError, ValueError):
            # An explicit tag such as `!!int abc` asks for what the text does not allow.
            name = str(node.tag).removeprefix(PREFIX)
            return self._refuse(path, f"is not a valid {name}: {node.value!r}")

    def _refuse(self, path: KeyPath, text: str, node: Node | None = None) -> None:
        self.faults.append(Fault(path, text, None if node is None else _line(node)))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
