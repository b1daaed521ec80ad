"""Time of an expected update at an equal achieved error: JAX program and headode.

The error is the largest one of an entry of G and C. For the JAX program it is the root mean square
over eight scrambles, and the power of two of nodes from which on it is below the target is taken
(with the root of Q that is best for a single state). headode's factorized method is asked for the
loosest tolerance, of four to a decade, with which its error is below the target; its
quasi-Monte-Carlo, whose errors are random, for the target. Exact values come from the factorized
method at the tightest tolerance that it affords, and are compared with the mean of all scrambles.

Every call sees another state, a hair from the last one, so that nothing that is kept for a
repeated state can help.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from cases import model_of, staged_states
from jax_program import INTEGRANDS, NodeStream, Problem, expected_update
from node_errors import SCRAMBLES, NodeErrors, node_errors
from reference import largest_error, reference
from report import Section, Table
from timing import milliseconds

import headode as ho
from headode.expectation.select import Expectation, expectation

TARGETS = (1e-4, 1e-5, 1e-6)
# Doubles of the nodes that are looked at for errors (streamed) and kept for timing: 1 GiB.
LARGEST_STUDIED, LARGEST_TIMED = 27, 27
# The factorized method estimates its error at every eighth call: a round has them all.
CALLS = 8
NUDGE = 1e-9

CASE = ("activation", "state", "L")
CHECK = ("tolerance", "reported error", "JAX nodes", "difference", "its standard error", "slope")
SAMPLED = ("JAX nodes", "JAX error", "JAX ms", "QMC nodes", "QMC error", "QMC ms")
FACTORIZED = ("fact. tolerance", "fact. error", "fact. ms", "JAX / fact.")
# Tolerances that the factorized method is tried with, until its error is below the target.
TRIED = tuple(10.0 ** (-digits / 4) for digits in range(8, 45))


def nearby(state: ho.OrderParameters) -> Callable[[], ho.OrderParameters]:
    """States in turn that differ from this one by too little to matter, but differ."""
    scales = 1.0 + NUDGE * np.arange(2 * CALLS + 1)
    states = itertools.cycle([state.replace(M=scale * state.M) for scale in scales])
    return lambda: next(states)


def evaluated(
    model: ho.Model, state: ho.OrderParameters, method: str, tolerance: float
) -> tuple[Expectation, ho.ExpectedUpdate | None]:
    """An evaluator and its terms; none where the method refuses the state."""
    evaluate = expectation(model, method=method, tolerance=tolerance)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ho.ToleranceWarning)
            return evaluate, evaluate(state)
    except ho.NumericalFailure:
        return evaluate, None


def call_headode(evaluate: Expectation, state: Callable[[], ho.OrderParameters]) -> None:
    """One warm expected update."""
    evaluate(state())


def call_jax(
    problem: Problem, nodes: jax.Array, root: str, state: Callable[[], ho.OrderParameters]
) -> None:
    """One expected update, back in NumPy."""
    current = state()
    jax.device_get(expected_update(problem, current.M, current.R, nodes, root=root))


def run(quick: bool) -> Section:
    """Both activations, both states, L = 3 and 32."""
    section = Section("expected_updates")
    checks = Table(
        "Exact values: factorized at its tightest, against the mean of the JAX program's scrambles",
        (*CASE, *CHECK),
    )
    table = Table(
        "An expected update at equal error, warm, milliseconds",
        (*CASE, "target", *SAMPLED, *FACTORIZED),
    )
    for activation, tokens in itertools.product(INTEGRANDS, (3, 32)):
        model = model_of(activation, tokens=tokens)
        problem = Problem.of(model)
        dimensions = int(np.ceil(np.log2(tokens * model.heads)))
        largest = LARGEST_STUDIED - dimensions - (8 if quick else 2 if tokens == 3 else 1)
        for name, state in staged_states().items():
            exact = reference(model, state)
            errors = node_errors(problem, state, exact.terms, largest)
            checks.add(
                *(activation, name, tokens, exact.tolerance, exact.terms.error),
                *(f"{SCRAMBLES} × 2^{int(np.log2(errors.counts[-1]))}", errors.deviation),
                *(errors.standard_error, round(errors.slope, 2)),
            )
            for target in TARGETS[: 2 if quick else None]:
                row = _row(model, state, exact.terms, errors, target)
                table.add(activation, name, tokens, target, *row)
    section.show(checks)
    section.show(table)
    return section


def _row(
    model: ho.Model,
    state: ho.OrderParameters,
    exact: ho.ExpectedUpdate,
    errors: NodeErrors,
    target: float,
) -> tuple[object, ...]:
    """One row of the table, from the number of JAX nodes on."""
    problem = Problem.of(model)
    count, extrapolated = errors.count_for(target)
    affordable = LARGEST_TIMED - int(np.ceil(np.log2(problem.tokens * problem.heads)))
    timed = min(count, 1 << affordable, int(errors.counts[-1]))
    nodes = NodeStream(problem, 0, root="ordered").take(timed)
    states = nearby(state)
    programs = {"jax": partial(call_jax, problem, nodes, "ordered", states)}
    found: dict[str, tuple[float, int, float]] = {}
    for method, tolerances in (("quasi_monte_carlo", (target,)), ("factorized", TRIED)):
        for tolerance in tolerances:
            evaluate, terms = evaluated(model, state, method, tolerance)
            if terms is None:
                break
            found[method] = largest_error(terms, exact), terms.nodes, tolerance
            programs[method] = partial(call_headode, evaluate, states)
            if found[method][0] <= target:
                break
    times = milliseconds(programs, {"factorized": CALLS})
    # Beyond what fits into memory the time is proportional to the nodes, which it is below, too.
    jax_ms = times["jax"] * count / timed
    jax_error = target if extrapolated else errors.rms[np.flatnonzero(errors.counts == count)[0]]
    at = int(np.log2(count))
    sampled, factorized = found.get("quasi_monte_carlo"), found.get("factorized")
    ratio = jax_ms / times["factorized"] if factorized else None
    return (
        f"≈ 2^{at} (> 2^{int(np.log2(errors.counts[-1]))})" if extrapolated else f"2^{at}",
        None if extrapolated else float(jax_error),
        float(jax_ms),
        sampled[1] if sampled else None,
        sampled[0] if sampled else None,
        times.get("quasi_monte_carlo"),
        factorized[2] if factorized else None,
        factorized[0] if factorized else None,
        times.get("factorized"),
        ratio,
    )
