"""A reading in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headode.specialization.assignment import Numbers

if TYPE_CHECKING:
    import xarray as xr

# Listed one by one up to here; then the number of the others is said.
MOST = 3
MOST_EXCURSIONS = 2
# Heads per point are listed for this many points; for more, only what differs from one.
MOST_POINTS_LISTED = 8


def summary_rows(reading: xr.Dataset) -> list[tuple[str, str]]:
    """Labels and texts, about eight of them.

    Args:
        reading: of :func:`headode.read_trajectory`.

    Returns:
        Splits of features, drops and plateaus of the risk, heads per point, redundant heads and
        excursions. For a simulation: medians over the runs, and nothing about single heads.
    """
    rows = _splits(reading) + _stages(reading)
    if "run" not in reading.dims:
        rows += _targets(reading) + _redundant(reading)
    return rows + _excursions(reading)


def _splits(reading: xr.Dataset) -> list[tuple[str, str]]:
    time = np.atleast_2d(reading["specialization_time"].values)
    split = np.atleast_2d(reading["specialized"].values)
    runs = len(split)
    mostly = np.flatnonzero(2 * split.sum(axis=0) > runs)
    dates = {int(f): float(np.median(time[split[:, f], f])) for f in mostly}
    rows = []
    for f in sorted(dates, key=lambda f: dates[f]):
        if "run" in reading.dims:
            detail = f" (median; {split[:, f].sum()} of {runs} runs)"
        else:
            detail = f", heads finally {_count(reading['side'].values[:, f])}"
        rows.append((f"feature {f + 1} splits", f"t = {_number(dates[f])}{detail}"))
    if not rows:
        return [("splits", "none")]
    if len(rows) > MOST:
        return [*rows[:MOST], ("...", f"{len(rows) - MOST} more features")]
    return rows


def _count(side: Numbers) -> str:
    """How many heads chose which side, the larger group first."""
    sizes = sorted((int((side > 0).sum()), int((side < 0).sum())), reverse=True)
    between = int((side == 0).sum())
    return f"{sizes[0]}:{sizes[1]}" + (f", {between} between" if between else "")


def _stages(reading: xr.Dataset) -> list[tuple[str, str]]:
    drops = [_number(time) for time in reading["drop_time"].values]
    rows = [("risk drops", f"t = {_listed(drops)}" if drops else "none")]
    columns = (reading[f"plateau_{name}"].values for name in ("start", "stop", "risk"))
    plateaus = [
        f"{risk:.4f} from t = {_number(start)} to {_number(stop)}"
        for start, stop, risk in zip(*columns, strict=True)
    ]
    return [*rows, ("risk plateaus", _listed(plateaus))] if plateaus else rows


def _targets(reading: xr.Dataset) -> list[tuple[str, str]]:
    if "direction_of_head" in reading:
        numbers = reading["direction_of_head"].values
        texts = [f"{n:+d}" if n else "–" for n in numbers]
        return [("heads along directions", " ".join(texts))]
    if "serves" not in reading:
        return []
    serves = reading["serves"].values
    count = serves.sum(axis=0)
    text = ":".join(map(str, count)) if count.size <= MOST_POINTS_LISTED else _spread(count)
    several = int((serves.sum(axis=1) > 1).sum())
    if several:
        text += f" ({several} of {len(serves)} heads serve several points)"
    return [("heads per point", text)]


def _spread(count: Numbers) -> str:
    """For many points: how many have no head, one, several."""
    parts = [(count == 0, "without"), (count == 1, "with one"), (count > 1, "with several")]
    return ", ".join(f"{int(which.sum())} {name}" for which, name in parts if which.any())


def _redundant(reading: xr.Dataset) -> list[tuple[str, str]]:
    alike, silent, negligible = (reading[name].values for name in ("alike", "silent", "negligible"))
    useless = silent | negligible
    groups = [np.flatnonzero((alike == first) & ~useless) for first in np.unique(alike)]
    texts = [f"{_heads(group)} alike" for group in groups if group.size > 1]
    for which, word in ((silent, "silent"), (negligible & ~silent, "without weight")):
        if which.any():
            texts.append(f"{_heads(np.flatnonzero(which))} {word}")
    return [("redundant heads", "; ".join(texts) or "none")]


def _heads(index: Numbers) -> str:
    return ("heads " if len(index) > 1 else "head ") + _listed([str(h + 1) for h in index], 8)


def _excursions(reading: xr.Dataset) -> list[tuple[str, str]]:
    columns = ["head", "feature", "left", "extremum", "extremum_time", "back"]
    rows_of_numbers = zip(*(reading[f"excursion_{name}"].values for name in columns), strict=True)
    texts = [
        f"head {head}, feature {feature}: off at t = {_number(left)}, "
        f"M = {extremum:.2f} at {_number(turned)}, back at {_number(back)}"
        for head, feature, left, extremum, turned, back in rows_of_numbers
    ]
    if "excursion_run" in reading:
        numbers = reading["excursion_run"].values
        texts = [f"run {run}, {text}" for run, text in zip(numbers, texts, strict=True)]
    if not texts:
        return [("excursions", "none")]
    rows = [("excursion", text) for text in texts[:MOST_EXCURSIONS]]
    more = len(texts) - len(rows)
    return [*rows, ("...", f"{more} more excursions")] if more else rows


def _listed(texts: list[str], most: int = MOST) -> str:
    more = f", ... ({len(texts) - most} more)" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _number(value: float) -> str:
    """Three significant digits, and no exponent where none is needed."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
