"""From a file or a mapping to a configuration; all faults are reported together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from headode.config.axes import check_points
from headode.config.config import Config
from headode.config.consistency import inconsistencies
from headode.config.draft import related
from headode.config.faults import Fault, config_error
from headode.config.origin import Document
from headode.config.plain import plain_mapping
from headode.config.structure import structural_faults
from headode.config.yaml_source import read_yaml
from headode.errors import ArgumentError


def load_config(path: str | os.PathLike[str]) -> Config:
    """Read and check a YAML configuration file. Nothing is computed.

    Args:
        path: the file; its format is described in the configuration reference.

    Raises:
        ConfigError: with one line for each fault of the file: file, line, dotted key, what is
            allowed and what was given.
    """
    return _checked(*read_yaml(path))


def config_from_dict(mapping: Mapping[str, Any]) -> Config:
    """Check a configuration given as a mapping, laid out as in a file.

    Args:
        mapping: sections by name; NumPy arrays and tuples are taken as lists.

    Raises:
        ConfigError: with one line for each fault, as for a file but without file and line.
        ArgumentError: if it is no mapping.
    """
    if not isinstance(mapping, Mapping):
        raise ArgumentError("mapping", "be a mapping of sections", mapping)
    data, faults = plain_mapping(mapping)
    return _checked(Document(data), faults)


def _checked(document: Document, faults: list[Fault]) -> Config:
    faults += [
        fault for fault in structural_faults(document) if not _known(fault, faults, document)
    ]
    faults += inconsistencies(document, faults)
    faults += check_points(document, faults, _faults_of)
    if faults:
        raise config_error(faults, document.origin)
    return Config.from_document(document)


def _faults_of(document: Document) -> list[Fault]:
    faults = structural_faults(document)
    return faults + inconsistencies(document, faults)


def _known(fault: Fault, known: list[Fault], document: Document) -> bool:
    """Whether a fault is about a value that could not be read and stands as None."""
    return any(
        related(fault.path, other.path)
        and document.has(other.path)
        and document.get(other.path) is None
        for other in known
    )
