"""The closing tables of the commands."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np

from headode.cli.tables import overlap_rows, print_table
from headode.specialization.reading import read_trajectory
from headode.specialization.summary import summary_rows

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from headode.phase_diagrams.estimate import Estimate

# Errors of a risk below this are beyond the digits that are shown.
SHOWN_ERROR = 1e-5


def show_integration(run: xr.Dataset) -> None:
    """Print what an integration found and what it cost."""
    risk = run["risk"].values
    rows = [("risk at the start", f"{risk[0]:.6f}"), ("risk at the end", f"{risk[-1]:.6f}")]
    rows.append(("Bayes risk", floor_text(run)))
    if "bayes_risk" in run.attrs:
        rows.append(("excess risk at the end", f"{risk[-1] - run.attrs['bayes_risk']:.3g}"))
    rows += overlap_rows(run["M"].values[-1])
    if "expectation_error" in run:
        method = run.attrs.get("expectation_method", "unknown method")
        rows.append(
            ("expectation error", f"{run['expectation_error'].values.max():.1e} ({method})")
        )
    rows += _cost_rows(run, {"right_hand_side_evaluations": "right-hand sides"})
    print_table(f"ODE until time {float(run['time'][-1]):g}", rows)
    print_table("Specialization", summary_rows(read_trajectory(run)))


def floor_text(result: xr.Dataset) -> str:
    """The Bayes risk that is stored with a result, with its error if that is seen."""
    if "bayes_risk" not in result.attrs:
        return "left out, for it would take long (headode risk)"
    error = float(result.attrs.get("bayes_risk_error", 0.0))
    shown = f"{result.attrs['bayes_risk']:.6f}"
    return f"{shown} ± {error:.1g}" if error > SHOWN_ERROR else shown


def show_simulation(ensemble: xr.Dataset) -> None:
    """Print what an ensemble of simulations found and what it cost."""
    risk = ensemble["risk"].values
    rows = [
        ("risk at the start", _mean_and_error(risk[:, 0])),
        ("risk at the end", _mean_and_error(risk[:, -1])),
    ]
    rows += overlap_rows(ensemble["M"].values[:, -1].mean(axis=0))
    rows += _cost_rows(ensemble, {"dimension": "dimension d", "runs": "runs"})
    print_table(f"SGD until time {float(ensemble['time'][-1]):g}, mean over runs", rows)


def show_diagram(diagram: xr.Dataset, seconds: float) -> None:
    """Print how many points of a phase diagram have which status, and what it cost."""
    from headode.phase_diagrams.diagram import Status

    status = diagram["status"].values
    counts = {each: int((status == each).sum()) for each in Status}
    rows = [("points", " × ".join(str(size) for size in status.shape))]
    rows.append(("computed", str(counts[Status.COMPUTED])))
    if counts[Status.FAILED]:
        rows.append(("failed", str(counts[Status.FAILED])))
    if counts[Status.INTERPOLATED]:
        share = counts[Status.INTERPOLATED] / status.size
        rows.append(("saved by refinement", f"{counts[Status.INTERPOLATED]} ({share:.0%})"))
    warned = (diagram["message"].values != "") & (status == Status.COMPUTED)
    if warned.any():
        first = shorten(str(diagram["message"].values[warned][0]), 50, placeholder=" ...")
        rows.append(("with a warning", f"{int(warned.sum())}, the first: {first}"))
    rows.append(("wall time", f"{seconds:.2f} s"))
    print_table("Phase diagram", rows)


def show_estimate(estimate: Estimate) -> None:
    """Print what a sweep will take."""
    rows = [
        ("points", str(estimate.points)),
        ("seconds for each", f"{estimate.fastest:.3g} to {estimate.slowest:.3g}"),
        (f"wall time, {estimate.workers} workers", _duration(estimate.seconds)),
        ("memory of the workers", f"{estimate.memory / 2**30:.2f} GiB"),
        ("largest size of the result", f"{estimate.stored / 2**20:.2g} MiB"),
    ]
    if estimate.failed:
        rows.append(("probes that failed", str(estimate.failed)))
    print_table(f"Dry run, from {estimate.probes} points", rows)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _mean_and_error(values: NDArray[np.float64]) -> str:
    if values.size == 1:
        return f"{values[0]:.6f}"
    return f"{values.mean():.6f} ± {values.std(ddof=1) / np.sqrt(values.size):.1e}"


def _cost_rows(result: xr.Dataset, names: dict[str, str]) -> list[tuple[str, str]]:
    rows = [(label, str(result.attrs[key])) for key, label in names.items() if key in result.attrs]
    if "wall_time" in result.attrs:
        rows.append(("wall time", f"{result.attrs['wall_time']:.2f} s"))
    return rows
