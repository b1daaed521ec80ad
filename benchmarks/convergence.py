"""Error against quadrature nodes and against time, for every method: a table and a figure."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cases import model_of, staged_states
from expected_updates import CALLS, call_headode, call_jax, evaluated, nearby
from jax_program import INTEGRANDS, NodeStream, Problem
from node_errors import node_errors
from reference import largest_error, reference
from report import Section, Table
from timing import milliseconds

import headode as ho

STATE = "specialized"
TOLERANCES = tuple(10.0**-digits for digits in range(2, 12))
# Errors below the reference's own say nothing: points within this factor of it are left out.
ABOVE_REFERENCE = 2.0
SMALLEST_TIMED = 10
NAMES = {
    "monte_carlo": "Monte Carlo (JAX)",
    "sobol": "scrambled Sobol (JAX)",
    "factorized": "factorized (headode)",
}


def run(quick: bool) -> Section:
    """Both activations at the specialized state, L = 3."""
    section = Section("convergence")
    largest = 14 if quick else 20
    slopes = Table(
        "Order of convergence: error ∝ nodes^exponent", ("activation", "method", "exponent")
    )
    for activation in INTEGRANDS:
        table = Table(
            f"Error against nodes: {activation}, {STATE} state, L = 3, H = 4",
            ("method", "nodes", "error", "ms"),
        )
        model, state = model_of(activation), staged_states()[STATE]
        exact = reference(model, state)
        problem = Problem.of(model)
        for kind in ("monte_carlo", "sobol"):
            errors = node_errors(problem, state, exact.terms, largest, kind=kind)
            slopes.add(activation, NAMES[kind], round(errors.slope, 2))
            for count, error in zip(errors.counts, errors.rms, strict=True):
                ms = _sampled_ms(problem, state, int(count), kind)
                table.add(NAMES[kind], int(count), float(error), ms)
        for row in _factorized_rows(model, state, exact.terms):
            table.add(NAMES["factorized"], *row)
        section.show(table)
    section.show(slopes)
    return section


def _sampled_ms(problem: Problem, state: ho.OrderParameters, count: int, kind: str) -> float | None:
    """Time of the JAX program; it is the same for both kinds of nodes."""
    if kind == "monte_carlo" or count < 1 << SMALLEST_TIMED:
        return None
    nodes = NodeStream(problem, 0, root="ordered").take(count)
    return milliseconds({"it": partial(call_jax, problem, nodes, "ordered", nearby(state))})["it"]


def _factorized_rows(
    model: ho.Model, state: ho.OrderParameters, exact: ho.ExpectedUpdate
) -> list[tuple[int, float, float]]:
    """Nodes, error and time for one tolerance after another."""
    rows = []
    for tolerance in TOLERANCES:
        evaluate, terms = evaluated(model, state, "factorized", tolerance)
        if terms is None:
            break
        error = largest_error(terms, exact)
        if error < ABOVE_REFERENCE * exact.error:
            break
        call = partial(call_headode, evaluate, nearby(state))
        rows.append((terms.nodes, error, milliseconds({"it": call}, {"it": CALLS})["it"]))
    return rows


def draw(content: dict[str, Any], path: Path) -> None:
    """The figure, from the content of the section's JSON file."""
    from matplotlib import pyplot as plt

    from headode.plotting.style import COLORS, MARKERS, TEXT_WIDTH, headode_style

    tables = [table for table in content["tables"] if table["title"].startswith("Error")]
    with headode_style():
        figure, axes = plt.subplots(
            2,
            len(tables),
            figsize=(TEXT_WIDTH, 4.6),
            sharex="row",
            sharey=True,
            layout="constrained",
        )
        for column, table in enumerate(tables):
            activation = table["title"].split(":")[1].split(",")[0].strip()
            for (method, label), color, marker in zip(
                NAMES.items(), COLORS[1::-1] + COLORS[2:3], MARKERS, strict=False
            ):
                rows = [row[1:] for row in table["rows"] if row[0] == label]
                for axis, abscissa in zip(axes[:, column], (0, 2), strict=True):
                    points = np.array([(r[abscissa], r[1]) for r in rows if r[abscissa]])
                    if points.size:
                        look = {"color": color, "marker": marker, "label": label}
                        axis.loglog(*points.T, **look)
                if method != "factorized":
                    _slope_line(axes[0, column], rows, method)
            axes[0, column].set_title(activation)
            axes[0, column].set_xlabel("quadrature nodes $N$")
            axes[1, column].set_xlabel("milliseconds per update")
        for axis in axes[:, 0]:
            axis.set_ylabel("largest error of G and C")
        axes[0, 0].legend(loc="lower right")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=200)
        plt.close(figure)


def _slope_line(axis: Any, rows: list[list[Any]], method: str) -> None:
    """A quiet line of the order that theory promises, beside the measured points."""
    from headode.plotting.style import QUIET

    exponent, offset, text = {
        "monte_carlo": (-0.5, 2.5, "$N^{-1/2}$"),
        "sobol": (-1.0, 0.4, "$N^{-1}$"),
    }[method]
    counts = np.array([rows[0][0], rows[-1][0]], dtype=float)
    line = offset * rows[0][1] * (counts / counts[0]) ** exponent
    axis.loglog(counts, line, color=QUIET, linewidth=0.6, linestyle=":")
    where = {"xytext": (2, 0), "textcoords": "offset points", "va": "center"}
    axis.annotate(text, (counts[-1], line[-1]), color=QUIET, fontsize=7, **where)
