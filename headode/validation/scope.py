"""Where a comparison of the ODE with SGD does not mean what it seems to mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headode._checks import Array
from headode.expectation.symmetry import Symmetry
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.validation.extrapolation import scaling_bounds

if TYPE_CHECKING:
    import xarray as xr

# Of the test that variances scale as 1/d, per variable and time: few false warnings in a report.
WARNING_LEVEL = 1e-5


def symmetry_warnings(model: Model, state: OrderParameters) -> list[str]:
    """One line for each exact symmetry of the initial state.

    The ODE keeps it for ever; fluctuations of order d^(-1/2) break it at finite d, and where the
    symmetric trajectory is unstable the two then part at a time that grows like log d.
    """
    symmetry = Symmetry.of(model, state)
    consequence = "the ODE keeps this for ever, while runs at finite d may leave it"
    groups = [", ".join(str(head + 1) for head in group) for group in symmetry.classes]
    return [
        *(f"heads {heads} start interchangeable: {consequence}" for heads in groups),
        *(
            f"no head overlaps with feature {f + 1}, whose sign is symmetric: {consequence}"
            for f in symmetry.absent
        ),
    ]


def scaling_warnings(
    name: str, times: Array, scaling: Array, fine: xr.Dataset, coarse: xr.Dataset
) -> list[str]:
    """A line if the variance of a variable does not scale as 1/d between the two ensembles.

    Args:
        name: of the variable.
        times: (T,).
        scaling: (T,) variance in the larger dimension relative to what the smaller one predicts.
        fine: the ensemble in the larger dimension.
        coarse: the other one.
    """
    low, high = scaling_bounds(fine.sizes["run"], coarse.sizes["run"], WARNING_LEVEL)
    unusual = np.flatnonzero((scaling < low) | (scaling > high))
    if unusual.size == 0:
        return []
    first, last = times[unusual[[0, -1]]]
    extreme = scaling[unusual[np.abs(np.log(np.maximum(scaling[unusual], 1e-300))).argmax()]]
    return [
        f"between t = {first:.4g} and {last:.4g} the variance of {name} at "
        f"d = {fine.attrs['dimension']} is up to {extreme:.2g} times what d = "
        f"{coarse.attrs['dimension']} predicts: fluctuations are not small there (do heads "
        "split?), and the extrapolation in 1/d may fail; try a larger dimension"
    ]
