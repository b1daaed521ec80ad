"""The verdict on an ODE and a simulation, and what it rests on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from headode._files import whole_folder
from headode._version import __version__
from headode.trajectory import save_dataset
from headode.validation.deviations import Deviation, all_deviations, largest
from headode.validation.exponents import Exponent
from headode.validation.folder import MARKER, check_folder, draw_into

if TYPE_CHECKING:
    import xarray as xr

Verdict = Literal["agrees", "disagrees", "inconclusive"]


@dataclass(frozen=True, eq=False)
class Report:
    """Agreement of an ODE with ensembles of finite-d runs.

    Attributes:
        level: largest probability with which a correct theory would be said to disagree.
        comparisons: number of compared quantities, over all times.
        horizon: last compared time at which fluctuations are small, in steps/d (0 if at none of
            them); None if they always are.
        fluctuation_exponent: of the scatter of the runs against d, expected −1/2; None if it
            cannot be fitted.
        bias_exponent: of mean over runs − theory against d, expected −1; None if no bias is
            resolved.
        warnings: why the verdict may not mean what it seems to mean.
        data: at each compared time and for each variable X: X_theory, X_simulation (extrapolated
            to d → ∞), X_standard_error, X_z, X_critical, and X_allowance for the ODE's numerical
            error, which z leaves out; at each dimension too X_bias (mean − theory), X_bias_error
            and X_scatter (standard deviation over runs).
        theory: the ODE's trajectory.
        ensembles: two or three, the largest dimension first.
    """

    level: float
    comparisons: int
    horizon: float | None
    fluctuation_exponent: Exponent | None
    bias_exponent: Exponent | None
    warnings: tuple[str, ...]
    data: xr.Dataset
    theory: xr.Dataset
    ensembles: tuple[xr.Dataset, ...]

    @cached_property
    def deviations(self) -> tuple[Deviation, ...]:
        """The largest deviation of each variable up to the horizon, the largest of all first."""
        return largest(each for each in all_deviations(self.data) if not self.is_beyond(each.time))

    @cached_property
    def beyond(self) -> tuple[Deviation, ...]:
        """Likewise beyond the horizon."""
        return largest(each for each in all_deviations(self.data) if self.is_beyond(each.time))

    def is_beyond(self, time: float) -> bool:
        """Whether fluctuations are not small at a compared time."""
        return self.horizon is not None and time > self.horizon

    @property
    def verdict(self) -> Verdict:
        """``agrees``: no compared quantity deviates by more than its critical z.

        ``disagrees``: one does, at a time when fluctuations are small. ``inconclusive``: one does,
        but only when they are not, so that this is no evidence against the theory.
        """
        if any(each.relative > 1 for each in self.deviations):
            return "disagrees"
        return "inconclusive" if any(each.relative > 1 for each in self.beyond) else "agrees"

    @property
    def agrees(self) -> bool:
        """Whether the verdict is ``agrees``; False for ``inconclusive``."""
        return self.verdict == "agrees"

    @property
    def worst(self) -> Deviation:
        """The largest deviation that the verdict rests on, relative to its critical value."""
        conclusive = self.deviations if self.verdict != "inconclusive" else self.beyond
        return (conclusive or self.beyond)[0]

    @property
    def simulation(self) -> xr.Dataset:
        """The ensemble at the largest dimension."""
        return self.ensembles[0]

    def headline(self) -> str:
        """The verdict in one line."""
        runs, dimensions = (
            ", ".join(str(each.attrs[name]) for each in self.ensembles)
            for name in ("runs", "dimension")
        )
        runs = f"SGD at d = {dimensions} with {runs} runs, extrapolated to infinite d"
        if self.verdict == "disagrees":
            return f"DISAGREES: {runs}"
        if self.verdict == "agrees":
            return f"agrees: {runs}"
        if not self.horizon:
            return f"INCONCLUSIVE, fluctuations are not small at any compared time: {runs}"
        return f"INCONCLUSIVE after t = {self.horizon:.4g}, agrees until then: {runs}"

    def summary(self) -> str:
        """The verdict in a few lines of text."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.headline()
        yield (
            f"{self.comparisons} comparisons over {self.data.sizes['time']} times, at a level of "
            f"{self.level:.2g} for all of them together"
        )
        until = "" if self.horizon is None else f" up to t = {self.horizon:.4g}"
        if self.deviations:
            yield f"largest deviation of each variable{until}:"
            yield from (f"  {deviation}" for deviation in self.deviations)
        if self.beyond:
            yield f"after t = {self.horizon:.4g}, where it would be no evidence against the ODE:"
            yield from (f"  {deviation}" for deviation in self.beyond)
        for what, found, expected in self.exponents():
            yield f"{what} ∝ d^({found}), expected {expected}" if found else f"{what}: not resolved"
        yield from (f"warning: {warning}" for warning in self.warnings)

    def exponents(self) -> tuple[tuple[str, Exponent | None, str], ...]:
        """What scales with d, the fitted exponent (None: not resolved) and the expected one."""
        return (
            ("fluctuations between runs", self.fluctuation_exponent, "−1/2"),
            ("bias of the mean", self.bias_exponent, "−1"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The verdict and what it rests on, as plain data for a JSON file."""
        kept = ("dimension", "runs", "method", "seed")
        exponents = {
            "fluctuation_exponent": self.fluctuation_exponent,
            "bias_exponent": self.bias_exponent,
        }
        return {
            "verdict": self.verdict,
            "agrees": self.agrees,
            "level": self.level,
            "comparisons": self.comparisons,
            "times": self.data["time"].values.tolist(),
            "horizon": self.horizon,
            "worst": self.worst.to_dict(),
            "deviations": [deviation.to_dict() for deviation in self.deviations],
            "beyond_horizon": [deviation.to_dict() for deviation in self.beyond],
            **{name: found and found._asdict() for name, found in exponents.items()},
            "warnings": list(self.warnings),
            "ensembles": [{name: each.attrs[name] for name in kept} for each in self.ensembles],
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
        ``theory.nc`` and ``simulation.nc``, and ``simulation_d….nc`` of the smaller dimensions.
        Figures are drawn when all of this is safe.

        Args:
            folder: to be made.
            figures: functions that write a picture or a page to a path, by file name, as
                ``headode.plotting.report_figures(report)`` gives them; written into the folder.
            force: replace an earlier report.

        Raises:
            ArgumentError: if the folder exists (with ``force``: if it is no earlier report), or
                its parent does not, or for another path that cannot be written.

        Warns:
            RuntimeWarning: if a figure cannot be drawn; the others are.
        """
        target = check_folder(folder, force=force)
        with whole_folder(target, replace=force) as temporary:
            text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
            (temporary / MARKER).write_text(text + "\n", encoding="utf-8")
            save_dataset(self.data, temporary / "comparison.nc")
            save_dataset(self.theory, temporary / "theory.nc")
            save_dataset(self.simulation, temporary / "simulation.nc")
            for each in self.ensembles[1:]:
                save_dataset(each, temporary / f"simulation_d{each.attrs['dimension']}.nc")
        draw_into(target, figures or {})
        return target
