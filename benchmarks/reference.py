"""Accurate expected updates to measure errors against, and their independent check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import headode as ho

# The factorized method refuses tolerances that would take too many nodes.
TOLERANCES = tuple(10.0**-digits for digits in range(11, 5, -1))


@dataclass(frozen=True)
class Reference:
    """Terms of the factorized method at the tightest tolerance that it affords.

    Attributes:
        terms: the terms, with their reported error.
        tolerance: what was asked.
    """

    terms: ho.ExpectedUpdate
    tolerance: float


_known: dict[tuple[int, int], tuple[ho.Model, ho.OrderParameters, Reference]] = {}


def reference(model: ho.Model, state: ho.OrderParameters) -> Reference:
    """The reference at a state, computed once for every model and state object."""
    key = id(model), id(state)
    if key not in _known:
        _known[key] = model, state, _compute(model, state)
    return _known[key][2]


def reference_terms(model: ho.Model, state: ho.OrderParameters) -> ho.ExpectedUpdate:
    """Only the terms."""
    return reference(model, state).terms


def _compute(model: ho.Model, state: ho.OrderParameters) -> Reference:
    for tolerance in TOLERANCES:
        try:
            terms = ho.expected_update(model, state, method="factorized", tolerance=tolerance)
        except ho.NumericalFailure:
            continue
        return Reference(terms, tolerance)
    raise ho.NumericalFailure("no tolerance is loose enough for the factorized method")


def largest_error(update: Any, exact: ho.ExpectedUpdate) -> float:
    """Largest error of an entry of G and C."""
    return max(
        float(np.abs(np.asarray(update.G) - exact.G).max()),
        float(np.abs(np.asarray(update.C) - exact.C).max()),
    )
