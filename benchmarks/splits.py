"""Specialization times, between output times to the accuracy of a cubic."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from headode.specialization.splits import find_splits

# Output times of every run whose splits are dated.
OUTPUTS = 120
# A logarithmic grid from this fraction of the last time on: all splits are later.
EARLIEST = 1e-2


def output_grid(time: float) -> NDArray[np.float64]:
    """0 and then a geometric sequence."""
    grid = np.concatenate([[0.0], np.geomspace(EARLIEST * time, time, OUTPUTS - 1)])
    grid[-1] = time
    return grid


def split_times(run: xr.Dataset) -> dict[int, float]:
    """When the spread over heads reaches half of its last value, for the features that split.

    The features, and which crossing if there are several, are those of the pictures; a spline
    through the recorded times dates it.
    """
    time = run["time"].values
    spread = run["M"].values.std(axis=1)
    dates = {}
    for split in find_splits(run):
        f = list(run["feature"].values).index(split.feature)
        roots = CubicSpline(time, spread[:, f]).solve(0.5 * spread[-1, f], extrapolate=False)
        dates[split.feature] = float(roots[np.abs(roots - split.time).argmin()])
    return dates
