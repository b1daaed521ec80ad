"""Any mapping as plain data that is safe to validate and to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headode.config.faults import Fault, show
from headode.config.origin import KeyPath

# The schema is five levels deep; a limit keeps cyclic and hostile data from recursing for ever.
LARGEST_DEPTH = 16
# Seeds may be large, but Python refuses to print integers of more than 4300 digits.
LARGEST_INTEGER_BITS = 256


def plain_mapping(mapping: Mapping[Any, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """Copy a mapping into dicts, lists and scalars; NumPy values and tuples are converted.

    Keys that are no text are left out, values that cannot be kept become None; each is reported.
    """
    faults: list[Fault] = []
    return _plain_dict(mapping, (), faults), faults


def _plain_dict(mapping: Mapping[Any, Any], path: KeyPath, faults: list[Fault]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(key, str):
            result[key] = _plain(value, (*path, key), faults)
        else:
            faults.append(Fault((*path, show(key)), "is not a valid key: keys are plain text"))
    return result


def _plain(value: Any, path: KeyPath, faults: list[Fault]) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping | list | tuple) and len(path) >= LARGEST_DEPTH:
        faults.append(Fault(path, "is nested too deeply"))
        return None
    if isinstance(value, Mapping):
        return _plain_dict(value, path, faults)
    if isinstance(value, list | tuple):
        return [_plain(entry, (*path, i), faults) for i, entry in enumerate(value)]
    if isinstance(value, int) and value.bit_length() > LARGEST_INTEGER_BITS:
        faults.append(Fault(path, "is an integer too large to be meant"))
        return None
    return value
