"""The closing tables of ``headode risk`` and ``headode prune``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headode.cli.summary import floor_text
from headode.cli.tables import MOST_HEADS, overlap_rows, print_table

if TYPE_CHECKING:
    import xarray as xr

    from headode.model import Model
    from headode.statics.minima import Minimum
    from headode.statics.optimal_risk import OptimalRisk

MOST_MINIMA = 5
# Residual overlaps below this are not worth a row.
SMALLEST_RESIDUAL = 1e-6


def show_optimal_risk(model: Model, result: OptimalRisk) -> None:
    """Print the best risk, how sure it is, and where it is reached."""
    best = result.best
    searches = sum(minimum.count for minimum in result.minima)
    rows = [
        ("Bayes risk", f"{result.bayes_risk:.6f}"),
        ("best risk", f"{result.risk:.6f}"),
        ("excess risk", f"{result.excess:.3g}"),
        ("optimality residual", f"{best.residual:.1e}"),
        ("expectation error", f"{best.error:.1e}"),
        ("distinct minima", f"{len(result.minima)}"),
    ]
    for number, minimum in enumerate(result.minima[:MOST_MINIMA], start=1):
        found = f"{minimum.risk:.6f}, found by {minimum.count} of {searches} searches"
        rows.append((f"risk of minimum {number}", found + _remarks(minimum)))
    rows += _state_rows(best)
    name = model.activation.name
    print_table(f"Optimal risk of {name}, L = {model.tokens}, H = {model.heads}", rows)


def _remarks(minimum: Minimum) -> str:
    remarks = []
    if not minimum.is_minimum:
        remarks.append("not a minimum yet")
    if minimum.escaping:
        heads = ", ".join(map(str, minimum.escaping))
        remarks.append(f"approached as head {heads} goes to infinity")
    elif minimum.flat:
        remarks.append("one of a continuum")
    return "".join(f"; {remark}" for remark in remarks)


def _state_rows(minimum: Minimum) -> list[tuple[str, str]]:
    state = minimum.state
    rows = overlap_rows(state.M)
    residual = np.linalg.eigvalsh(state.R)[::-1]
    if residual[0] > SMALLEST_RESIDUAL:
        shown = residual[residual > SMALLEST_RESIDUAL]
        rows.append(("eigenvalues of R", "".join(f"{value:9.4f}" for value in shown)))
    if state.offset is not None:
        rows.append(("offsets", "".join(f"{b:9.4f}" for b in state.offset[:MOST_HEADS])))
    if state.m_v != 1.0:
        rows.append(("m_v", f"{state.m_v:9.4f}"))
    return rows


def show_pruning(pruning: xr.Dataset) -> None:
    """Print the risk for each number of heads, the largest first, and which heads these are."""
    rows = []
    for kept in pruning["kept"].values[::-1]:
        here = pruning.sel(kept=kept)
        heads = pruning["head"].values[here["keeps"].values]
        rows.append(
            (
                str(kept),
                f"{float(here['risk']):.6f}",
                f"{float(here['loss']):.3g}",
                " ".join(map(str, heads)),
            )
        )
    attributes = pruning.attrs
    print_table(
        f"Best heads ({attributes['search']})", rows, ("heads kept", "risk", "loss", "which")
    )
    print_table(
        "",
        [
            ("Bayes risk", floor_text(pruning)),
            ("largest loss", f"{attributes['largest_loss']:g}"),
            ("removable heads", str(attributes["removable"])),
        ],
    )
