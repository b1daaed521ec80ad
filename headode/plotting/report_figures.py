"""The pictures and the page that belong into a validation report's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from headode.plotting.deviations import deviation_figure
from headode.plotting.overlay import overlay_figure
from headode.plotting.report_page import write_report_page
from headode.plotting.save import save_figure
from headode.plotting.scaling import scaling_figure

if TYPE_CHECKING:
    from headode.validation.report import Report


def report_figures(report: Report) -> dict[str, Callable[[Path], object]]:
    """Writers of a report's pictures and page by file name, for ``report.save(figures=...)``."""
    return {
        "overlay.png": lambda path: save_figure(
            overlay_figure(report.theory, report.simulation), path
        ),
        "deviations.png": lambda path: save_figure(deviation_figure(report.data), path),
        "scaling.png": lambda path: save_figure(scaling_figure(report.data), path),
        "report.html": lambda path: write_report_page(report, path),
    }
