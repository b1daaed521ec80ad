"""Cost of the factorized method: against tokens, heads and support points, at a fixed tolerance.

States are fixed while one number grows. The time is that of a warm call, the mean over eight in a
row, of which one estimates the error; the error is the reported one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from cases import SIGNAL, model_of, staged_states
from expected_updates import CALLS, call_headode, evaluated, nearby
from jax_program import INTEGRANDS
from report import Section, Table
from timing import milliseconds

import headode as ho

TOLERANCE = 1e-6
TOKENS = (2, 3, 4, 8, 16, 32, 64, 100, 1000, 10_000, 100_000, 1_000_000)
HEADS = (1, 2, 3, 4, 6, 8, 12, 16)
SUPPORTS = (2, 4, 8, 16, 32, 64)
# The classical comparison: does a long sequence cost more than a short one?
LONG, SHORT = 100_000, 4
RESULT_COLUMNS = ("reported error", "nodes", "ms")


def measure(model: ho.Model, state: ho.OrderParameters) -> tuple[Any, ...]:
    """Reported error, nodes and milliseconds; or why not."""
    evaluate, terms = evaluated(model, state, "factorized", TOLERANCE)
    if terms is None:
        return None, "too many", None
    run = partial(call_headode, evaluate, nearby(state))
    return terms.error, terms.nodes, milliseconds({"it": run}, {"it": CALLS})["it"]


def spread_heads(heads: int) -> ho.OrderParameters:
    """Heads near the four support points in turn, with little residual: like late in training."""
    rng = np.random.default_rng(0)
    points = SIGNAL.means[np.arange(heads) % SIGNAL.components]
    M = 0.8 * points + 0.1 * rng.standard_normal(points.shape)
    return ho.OrderParameters(M, 1e-5 * np.eye(heads))


def polygon_signal(points: int) -> ho.Signal:
    """Support points on a circle of radius 1.5 around the mean (2, 0, 0)."""
    angles = 2 * np.pi * np.arange(points) / points + 0.1
    circle = 1.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return ho.Signal.discrete(np.concatenate([np.full((points, 1), 2.0), circle], axis=1))


def run(quick: bool) -> Section:
    """Three tables."""
    section = Section("scaling")
    section.show(_against_tokens(quick))
    heads = Table(
        f"Cost against heads: factorized, L = 3, tolerance {TOLERANCE:g}",
        ("activation", "H", *RESULT_COLUMNS),
    )
    support = Table(
        f"Cost against support points: factorized, L = 3, H = 4, tolerance {TOLERANCE:g}",
        ("activation", "support", *RESULT_COLUMNS),
    )
    for activation in INTEGRANDS:
        for count in HEADS[::3] if quick else HEADS:
            model = ho.Model(3, count, SIGNAL, activation)
            heads.add(activation, count, *measure(model, spread_heads(count)))
        for count in SUPPORTS[::2] if quick else SUPPORTS:
            model = ho.Model(3, 4, polygon_signal(count), activation)
            support.add(activation, count, *measure(model, staged_states()["specialized"]))
    section.show(heads)
    section.show(support)
    return section


def _against_tokens(quick: bool) -> Table:
    table = Table(
        f"Cost against tokens: factorized, H = 4, tolerance {TOLERANCE:g}",
        ("activation", "state", "L", *RESULT_COLUMNS),
    )
    tokens = (SHORT, 100, LONG) if quick else TOKENS
    for activation in INTEGRANDS:
        for name, state in staged_states().items():
            for length in tokens:
                result = measure(model_of(activation, tokens=length), state)
                table.add(activation, name, length, *result)
            ratio = _long_over_short(activation, state)
            table.add(activation, name, "ratio of 10^5 to 4", None, None, ratio)
    return table


def _long_over_short(activation: str, state: ho.OrderParameters) -> float | None:
    """Time of a long sequence over that of a short one, measured in turn; or none, if refused."""
    runs = {}
    for length in (LONG, SHORT):
        model = model_of(activation, tokens=length)
        evaluate, terms = evaluated(model, state, "factorized", TOLERANCE)
        if terms is None:
            return None
        runs[str(length)] = partial(call_headode, evaluate, nearby(state))
    times = milliseconds(runs, dict.fromkeys(runs, CALLS))
    return times[str(LONG)] / times[str(SHORT)]
