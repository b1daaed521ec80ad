"""Faults that show only when several keys are seen together.

The constructors of the model objects know what fits together; they are called here, and what
they refuse becomes a fault of the key. Each check looks only at sound values: a value that is
at fault itself was reported already, and nothing that depends on it can be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from headode._checks import check_array
from headode.config.axes import check_axes, check_sweep
from headode.config.draft import Draft, Unsound
from headode.config.faults import Fault, missing, must, refused
from headode.config.origin import Document
from headode.config.signal_kinds import kind_parameters
from headode.errors import ArgumentError
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal
from headode.trajectory import check_times

# (section, key, key of `model` that has to be `learned`)
LEARNED_ONLY = (
    ("training", "value_learning_rate", "value"),
    ("training", "offset_learning_rate", "offset"),
    ("initial", "m_v", "value"),
    ("initial", "q_v", "value"),
    ("initial", "offset", "offset"),
)


def inconsistencies(document: Document, faults: list[Fault]) -> list[Fault]:
    """Check what the sound values of a document mean together, given the faults known so far."""
    draft = Draft(document, faults)
    for check in CHECKS:
        with suppress(Unsound):
            for fault in check(draft):
                draft.report(fault)
    return draft.found


def _attempt(
    section: str,
    build: Callable[..., Any],
    arguments: Mapping[str, Any],
    neutral: Mapping[str, Any],
) -> Iterator[Fault]:
    """Call a constructor, and again with a neutral value for each argument that it refuses.

    A constructor stops at the first thing it refuses; this finds the others too.
    """
    arguments, neutral = dict(arguments), dict(neutral)
    while True:
        try:
            build(**arguments)
        except ArgumentError as error:
            yield refused((section, error.argument), error)
            if error.argument not in neutral:
                return
            arguments[error.argument] = neutral.pop(error.argument)
        else:
            return


def _check_signal(draft: Draft) -> Iterator[Fault]:
    kind = draft.value("signal", "kind")
    absent = [
        key
        for key, required in kind_parameters(kind).items()
        if required and not draft.has("signal", key) and draft.sound("signal", key)
    ]
    for key in absent:
        yield missing(("signal", key), f"given for kind {kind}")
    if not absent:
        neutral = {"covariance": 1.0, "covariances": 1.0, "probabilities": None}
        arguments = {
            key: draft.value_or("signal", key, neutral[key])
            if key in neutral
            else draft.value("signal", key)
            for key in draft.given("signal")
            if key != "kind"
        }
        yield from _attempt("signal", getattr(Signal, kind), arguments, neutral)


def _features(draft: Draft) -> int | None:
    """F, unless something is wrong with the signal."""
    if not draft.sound("signal"):
        return None
    return Signal.from_dict(
        {key: draft.value("signal", key) for key in draft.given("signal")}
    ).features


def _check_model(draft: Draft) -> Iterator[Fault]:
    arguments = {
        key: draft.value("model", key)
        for key in ("activation", "offset", "prefactor")
        if draft.sound("model", key)
    }
    if not draft.sound("model", "heads") and isinstance(arguments.get("offset"), list):
        del arguments["offset"]
    arguments["tokens"] = draft.value_or("model", "tokens", 1)
    arguments["heads"] = draft.value_or("model", "heads", 1)
    # Any signal will do here: this is about the student. `linear` takes a prefactor too.
    arguments["signal"] = Signal.one_hot([1.0])
    neutral = {"activation": "linear", "offset": None, "prefactor": None}
    yield from _attempt("model", Model, arguments, neutral)


def _check_learned_only(draft: Draft) -> Iterator[Fault]:
    for section, key, learned in LEARNED_ONLY:
        if draft.has(section, key) and draft.sound(section, key):
            mode = draft.value_or("model", learned, "learned")
            if mode != "learned":
                requirement = f"be left out unless model.{learned} is learned"
                yield must((section, key), requirement, draft.value(section, key))


def _check_initial(draft: Draft) -> Iterator[Fault]:
    explicit = [key for key in ("M", "R") if draft.has("initial", key)]
    if not explicit:
        for key in ("m_v", "q_v", "offset"):
            if draft.has("initial", key) and draft.sound("initial", key):
                requirement = "be left out unless M and R are given too"
                yield must(("initial", key), requirement, draft.value("initial", key))
        return
    for key in ("scale", "seed"):
        if draft.has("initial", key) and draft.sound("initial", key):
            requirement = "be left out when M and R are given"
            yield must(("initial", key), requirement, draft.value("initial", key))
    for key in {"M", "R"} - set(explicit):
        yield missing(("initial", key), f"given together with {explicit[0]}")
    yield from _check_explicit_state(draft)


def _check_explicit_state(draft: Draft) -> Iterator[Fault]:
    given = {
        key: draft.value("initial", key)
        for key in ("M", "R", "m_v", "q_v", "offset")
        if draft.has("initial", key) and draft.sound("initial", key)
    }
    heads = draft.value_or("model", "heads", None)
    for key, shape in (("M", (heads, _features(draft))), ("R", (heads, heads))):
        if key in given:
            try:
                check_array(key, given[key], shape)
            except ArgumentError as error:
                yield refused(("initial", key), error)
                del given[key]
    # What is left is judged whatever is wrong with M or R.
    size = len(given.get("R") or given.get("M") or given.get("offset") or [0])
    neutral = {"R": np.eye(size), "m_v": None, "q_v": None, "offset": None}
    arguments = {"R": neutral["R"], **given, "M": np.zeros((size, 1))}
    yield from _attempt("initial", OrderParameters, arguments, neutral)


def _check_times(draft: Draft) -> Iterator[Fault]:
    if not draft.has("output", "times"):
        if not draft.has("training", "time") and draft.sound("training", "time"):
            yield missing(("training", "time"), "a finite number > 0 (or give output.times)")
        return
    for key in ("count", "spacing"):
        if draft.has("output", key) and draft.sound("output", key):
            requirement = "be left out when output.times is given"
            yield must(("output", key), requirement, draft.value("output", key))
    times = draft.value("output", "times")
    try:
        check_times(times)
    except ArgumentError as error:
        yield refused(("output", "times"), error)
        return
    if draft.has("training", "time") and draft.value("training", "time") != times[-1]:
        requirement = f"be left out or end output.times, {times[-1]:g}"
        yield must(("training", "time"), requirement, draft.value("training", "time"))


def _check_simulation(draft: Draft) -> Iterator[Fault]:
    features, heads = _features(draft), draft.value("model", "heads")
    dimension = draft.value("simulation", "dimension")
    if features is not None and dimension <= features + 1 + heads:
        requirement = f"be larger than features + 1 + heads = {features + 1 + heads}"
        yield must(("simulation", "dimension"), requirement, dimension)


CHECKS = (
    _check_signal,
    _check_model,
    _check_learned_only,
    _check_initial,
    _check_times,
    _check_simulation,
    check_axes,
    check_sweep,
)
