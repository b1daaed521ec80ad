"""Tables of what two clocks contribute, for the overlap of two heads' weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.expectation.clock_functions import clock_step, clock_times
from headode.expectation.gaussian_rule import TooManyNodes
from headode.expectation.sharpness import relative_derivatives
from headode.expectation.threads import scratch
from headode.kernels.generated.clock import average_tables
from headode.kernels.load import Kernel
from headode.kernels.token_rule import Precision, line_rule

# Multiplications in one of the about ten matrix products and tables: some seconds in all.
LARGEST_WORK = 1 << 31


@dataclass(frozen=True)
class PairTables:
    """Conditional averages of two clocks, given what the fields of the two heads share.

    Attributes:
        one: (laws, 6, M, points) of head h: 1 − g, ∂_u g, ∂_u² g, a g, ∂_u(a g), ∂_u²(a g).
        two: likewise of head k.
        outer: (laws, M) weights of the nodes of what is shared.
        clocks: for each head the step and the times e^x of its clock's grid.
    """

    one: Array
    two: Array
    outer: Array
    clocks: list[tuple[float, Array]]


def pair_tables(
    law_of: Kernel,
    means: Array,
    covariances: Array,
    windows: list[tuple[float, float]],
    tolerance: float,
    precision: Precision,
) -> PairTables:
    """Tables by nodes for one head's field and, given it, the other's."""
    fields = _Fields.of(means, covariances, precision)
    chains = math.ceil(math.log(2) / clock_step(tolerance))
    step = math.log(2) / chains
    points = [math.ceil((end - begin) / step) + 1 for begin, end in windows]
    work = fields.one.size * points[0] * (points[1] + fields.inner.shape[1])
    _check_work(work, covariances)
    nodes = (fields.one[..., None], np.ones((len(means), 1))), (fields.two, fields.inner)
    tables = []
    for i, (begin, _) in enumerate(windows):
        table = scratch(("pair", i), (len(means), 6, fields.one.shape[1], points[i]))
        _average(law_of, *nodes[i], (begin, step, chains), table)
        tables.append(table)
    clocks = [
        (step, clock_times(begin, step, count))
        for (begin, _), count in zip(windows, points, strict=True)
    ]
    return PairTables(tables[0], tables[1], fields.outer, clocks)


def _check_work(work: int, covariances: Array) -> None:
    if work > LARGEST_WORK:
        raise TooManyNodes(
            f"scores with a standard deviation of {math.sqrt(covariances.max()):.3g} take too many "
            f"nodes for the factorized method (try method auto or a looser tolerance)"
        )


@dataclass(frozen=True)
class _Fields:
    """Nodes of all laws, padded with nodes of weight zero to common numbers M and J."""

    one: Array  # (laws, M)
    two: Array  # (laws, M, J)
    outer: Array  # (laws, M) weights
    inner: Array  # (laws, J) weights

    @classmethod
    def of(cls, means: Array, covariances: Array, precision: Precision) -> _Fields:
        rows = []
        for mean, covariance in zip(means, covariances, strict=True):
            deviation = math.sqrt(max(float(covariance[0, 0]), 0.0))
            carried = float(covariance[0, 1]) / deviation if deviation > 0 else 0.0
            residual = math.sqrt(max(float(covariance[1, 1]) - carried**2, 0.0))
            z, outer = line_rule(max(deviation, abs(carried)), precision)
            r, inner = line_rule(residual, precision)
            one = mean[0] + deviation * z
            two = mean[1] + carried * z[:, None] + residual * r
            rows.append((one, two, outer, inner))
        M, J = (max(len(row[side]) for row in rows) for side in (2, 3))
        return cls(
            np.array([_pad(one, M) for one, _, _, _ in rows]),
            np.array([_pad(_pad(two, J, axis=1), M, axis=0) for _, two, _, _ in rows]),
            np.array([_pad(outer, M, zero=True) for _, _, outer, _ in rows]),
            np.array([_pad(inner, J, zero=True) for _, _, _, inner in rows]),
        )


def _pad(array: Array, size: int, *, axis: int = 0, zero: bool = False) -> Array:
    if array.shape[axis] == size:
        return array
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, size - array.shape[axis])
    return np.pad(array, widths) if zero else np.pad(array, widths, mode="edge")


def _average(
    law_of: Kernel, fields: Array, weights: Array, grid: tuple[float, float, int], tables: Array
) -> None:
    """Fill one head's ``tables`` with averages over the inner nodes; see the kernel."""
    y, slopes, bends = relative_derivatives(law_of, fields)
    for law, table in enumerate(tables):
        average_tables(y[law], slopes[law], bends[law], weights[law], *grid, table)
