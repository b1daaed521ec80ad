"""Statistics over the runs of a simulation, some of which may have stopped early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from headode._checks import Array


def over_runs(values: Array, statistic: Callable[..., Any]) -> Array:
    """Apply ``statistic(values, axis=0)`` to the finite entries of (runs, ...) values.

    The statistic must ignore NaN, like ``np.nanmedian``. Where no run is finite the result is NaN.
    """
    known = np.isfinite(values).any(axis=0)
    result = np.full(values.shape[1:], np.nan)
    column = values[:, known]
    result[known] = statistic(np.where(np.isfinite(column), column, np.nan), axis=0)
    return result


def standard_error(values: Array) -> Array:
    """Standard error of the mean over the runs; NaN where fewer than two are finite."""
    finite = np.where(np.isfinite(values), values, np.nan)
    count = np.isfinite(values).sum(axis=0)
    variance = over_runs((finite - over_runs(finite, np.nanmean)) ** 2, np.nanmean)
    several = count > 1
    result: Array = np.full(count.shape, np.nan)
    result[several] = np.sqrt(variance[several] / (count[several] - 1))
    return result
