"""Where a comparison of the ODE with SGD does not mean what it seems to mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from headode._checks import Array
from headode.expectation.symmetry import Symmetry
from headode.validation.extrapolation import ROUNDOFF
from headode.validation.scaling import Departure, Reach

if TYPE_CHECKING:
    import xarray as xr

# In standard errors; critical are about four.
LARGE_ALLOWANCE = 1.0


def symmetry_warnings(symmetry: Symmetry) -> list[str]:
    """One line for each exact symmetry of the start.

    The ODE keeps it for ever; fluctuations of order d^(-1/2) break it at finite d, and where the
    symmetric trajectory is unstable the two then part at a time that grows like log d.
    """
    consequence = "the ODE keeps this for ever, while runs at finite d may leave it"
    groups = [", ".join(str(head + 1) for head in group) for group in symmetry.classes]
    return [
        *(f"heads {heads} start interchangeable: {consequence}" for heads in groups),
        *(
            f"no head overlaps with feature {f + 1}, whose sign is symmetric: {consequence}"
            for f in symmetry.absent
        ),
    ]


def reach_notes(limits: Reach, times: Array) -> list[str]:
    """A line for each limit of what the ensembles can judge."""
    notes = []
    if limits.departure is not None:
        notes.append(
            f"{describe_departure(limits.departure, times)}: fluctuations are not small there "
            "(do heads split?), and a deviation would be no evidence against the ODE"
        )
    third = limits.third_departure
    if third is not None and limits.third < limits.horizon:
        notes.append(f"{describe_departure(third, times)}: d = {third.smaller} is not used there")
    return notes


def allowance_notes(data: xr.Dataset, names: Sequence[str]) -> list[str]:
    """A line if the allowance for the ODE's numerical error makes the verdict less sharp."""
    import xarray as xr

    medians = [0.0]
    for name in names:
        error = data[f"{name}_standard_error"]
        allowed, error = xr.broadcast(data[f"{name}_allowance"], error)
        varying = error.values > ROUNDOFF
        if varying.any():
            medians.append(float(np.median(allowed.values[varying] / error.values[varying])))
    largest = max(medians)
    if largest <= LARGE_ALLOWANCE:
        return []
    return [
        f"the ODE's numerical error is allowed for with {largest:.2g} standard errors of a typical "
        "comparison: a smaller tolerance would make the verdict sharper"
    ]


def describe_departure(departure: Departure, times: Array) -> str:
    """When, of what and by how much variances do not scale."""
    return (
        f"from t = {times[departure.index]:.4g} on the variance of {departure.what} at "
        f"d = {departure.larger} becomes {departure.ratio:.2g} times what d = "
        f"{departure.smaller} predicts"
    )
