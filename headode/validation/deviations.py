"""Deviations of a simulation from the theory, one by one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headode.validation.entries import COMPARED, distinct

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Deviation:
    """One compared quantity at one time.

    Attributes:
        what: name and indices, e.g. ``M[head 1, feature 2]``.
        time: in steps/d.
        theory: value of the ODE.
        simulation: mean over the runs, extrapolated to d → ∞.
        standard_error: of that mean, from the scatter of the runs.
        z: deviation in standard errors, after the allowance for the ODE's numerical error.
        critical: largest absolute z that agrees.
    """

    what: str
    time: float
    theory: float
    simulation: float
    standard_error: float
    z: float
    critical: float

    @property
    def variable(self) -> str:
        """Name without indices."""
        return self.what.partition("[")[0]

    @property
    def relative(self) -> float:
        """|z| in units of its critical value: above 1 it does not agree."""
        return abs(self.z) / self.critical

    def __str__(self) -> str:
        return (
            f"{self.what} at t = {self.time:.4g}: theory {self.theory:.6g}, simulation "
            f"{self.simulation:.6g} ± {self.standard_error:.2g}, z = {self.z:.2f} "
            f"(critical {self.critical:.2f})"
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data; an infinite z (nothing varies between the runs) is None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }


COLUMNS = ("theory", "simulation", "standard_error", "z", "critical")


def all_deviations(data: xr.Dataset) -> list[Deviation]:
    """Every compared quantity at every time, by variable, entry and time."""
    found = []
    times = data["time"].values
    for name in COMPARED:
        if f"{name}_z" not in data:
            continue
        variable = data[f"{name}_z"]
        columns = {part: data[f"{name}_{part}"].values for part in COLUMNS}
        for entry in np.argwhere(distinct(variable)[0]):
            labels = [
                f"{str(dim).removesuffix('_2')} {int(variable[dim].values[i])}"
                for dim, i in zip(variable.dims[1:], entry, strict=True)
            ]
            what = f"{name}[{', '.join(labels)}]" if labels else name
            for row, time in enumerate(times):
                where = (row, *entry)
                parts = {part: float(column[where]) for part, column in columns.items()}
                found.append(Deviation(what, float(time), **parts))
    return found


def largest(deviations: Iterable[Deviation]) -> tuple[Deviation, ...]:
    """The largest one of each variable relative to its critical value, the largest of all first."""
    best: dict[str, Deviation] = {}
    for each in deviations:
        known = best.get(each.variable)
        if known is None or each.relative > known.relative:
            best[each.variable] = each
    return tuple(sorted(best.values(), key=lambda each: each.relative, reverse=True))
