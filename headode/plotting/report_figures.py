"""The pictures that belong into a validation report's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from headode.plotting.overlay import overlay_figure
from headode.plotting.save import save_figure

if TYPE_CHECKING:
    from headode.validation.report import Report


def report_figures(report: Report) -> dict[str, Callable[[Path], object]]:
    """Writers of a report's pictures by file name, for ``report.save(folder, figures=...)``."""

    def overlay(path: Path) -> object:
        return save_figure(overlay_figure(report.theory, report.simulation), path)

    return {"overlay.png": overlay}
