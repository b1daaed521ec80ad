"""Which keys of the signal section go with which kind."""

from __future__ import annotations

import inspect

from headode.config.faults import Fault, must, nearest
from headode.config.origin import Document
from headode.config.schema import SignalSection
from headode.signal import SIGNAL_KINDS, Signal


def kind_parameters(kind: str) -> dict[str, bool]:
    """The parameters of a kind of signal, and whether each is required."""
    signature = inspect.signature(getattr(Signal, kind))
    return {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in signature.parameters.items()
    }


def foreign_parameters(document: Document) -> list[Fault]:
    """Report the parameters of other kinds, and take them out of the document.

    One that was probably meant to be a parameter of this kind (`means` for `mean`) takes its place,
    so that this is one fault and not two.
    """
    section = document.data.get("signal")
    kind = section.get("kind") if isinstance(section, dict) else None
    if not isinstance(section, dict) or kind not in SIGNAL_KINDS:
        return []
    takes = kind_parameters(kind)
    faults = []
    for key in section.keys() & SignalSection.model_fields.keys() - takes.keys() - {"kind"}:
        absent = [name for name, required in takes.items() if required and name not in section]
        meant = nearest(key, absent)
        hint = f" (did you mean {meant}?)" if meant else ""
        takers = " and ".join(other for other in SIGNAL_KINDS if key in kind_parameters(other))
        requirement = f"be left out for kind {kind}{hint}, it belongs to {takers}"
        faults.append(must(("signal", key), requirement, section[key]))
        if meant is None:
            document.drop(("signal", key))
        else:
            document.move(("signal", key), ("signal", meant))
    return faults
