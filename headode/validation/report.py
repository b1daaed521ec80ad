"""The verdict on an ODE and a simulation, and what it rests on."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headode._version import __version__
from headode.trajectory import save_dataset
from headode.validation.folder import whole_folder

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


@dataclass(frozen=True, eq=False)
class Report:
    """Agreement of an ODE with an ensemble of finite-d runs.

    Attributes:
        agrees: whether no compared quantity deviates by more than its critical z.
        level: largest probability with which a correct theory would be said to disagree.
        comparisons: number of compared quantities, over all times.
        deviations: the largest deviation of each variable, the largest of all first.
        warnings: why the verdict may not mean what it seems to mean.
        data: at each compared time and for each variable X: X_theory, X_simulation (extrapolated
            to d → ∞), X_mean (at the simulation's d), X_standard_error, X_z, X_critical; and the
            ``allowance`` for the ODE's numerical error, which z leaves out.
        theory: the ODE's trajectory.
        simulation: the ensemble.
        coarse: the ensemble at a smaller dimension, for the extrapolation.
    """

    agrees: bool
    level: float
    comparisons: int
    deviations: tuple[Deviation, ...]
    warnings: tuple[str, ...]
    data: xr.Dataset
    theory: xr.Dataset
    simulation: xr.Dataset
    coarse: xr.Dataset

    @property
    def worst(self) -> Deviation:
        """The largest deviation of all, relative to its critical value."""
        return self.deviations[0]

    def summary(self) -> str:
        """The verdict in a few lines of text."""
        fine, coarse = self.simulation.attrs, self.coarse.attrs
        lines = [
            f"{'agrees' if self.agrees else 'DISAGREES'}: {fine['runs']} runs of SGD at "
            f"d = {fine['dimension']}, extrapolated to infinite d with {coarse['runs']} runs at "
            f"d = {coarse['dimension']}",
            f"{self.comparisons} comparisons over {self.data.sizes['time']} times, at a level of "
            f"{self.level:.2g} for all of them together",
            "largest deviation of each variable:",
            *(f"  {deviation}" for deviation in self.deviations),
            *(f"warning: {warning}" for warning in self.warnings),
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The verdict and what it rests on, as plain data for a JSON file."""
        kept = ("dimension", "runs", "method", "seed")
        return {
            "agrees": self.agrees,
            "level": self.level,
            "comparisons": self.comparisons,
            "times": self.data["time"].values.tolist(),
            "worst": self.worst.to_dict(),
            "deviations": [deviation.to_dict() for deviation in self.deviations],
            "warnings": list(self.warnings),
            "simulation": {name: self.simulation.attrs[name] for name in kept},
            "coarse": {name: self.coarse.attrs[name] for name in kept},
            "headode_version": __version__,
        }

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        figures: Mapping[str, Callable[[Path], object]] | None = None,
        force: bool = False,
    ) -> Path:
        """Write a folder that appears whole or not at all.

        It holds ``report.json``, ``comparison.nc`` (the attribute ``data``), the trajectories
        ``theory.nc``, ``simulation.nc`` and ``simulation_coarse.nc``.

        Args:
            folder: to be made.
            figures: functions that write a picture to a path, by file name, as
                ``headode.plotting.report_figures(report)`` gives them; written into the folder.
            force: replace an earlier report.

        Raises:
            ArgumentError: if the folder exists (with ``force``: if it is no earlier report), or
                its parent does not.
        """
        with whole_folder(folder, marker="report.json", force=force) as (temporary, target):
            text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
            (temporary / "report.json").write_text(text + "\n", encoding="utf-8")
            save_dataset(self.data, temporary / "comparison.nc")
            save_dataset(self.theory, temporary / "theory.nc")
            save_dataset(self.simulation, temporary / "simulation.nc")
            save_dataset(self.coarse, temporary / "simulation_coarse.nc")
            for name, draw in (figures or {}).items():
                draw(temporary / name)
        return target
