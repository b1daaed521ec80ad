"""The pictures and the page that belong into a validation report's folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from headode.plotting.deviations import deviation_figure
from headode.plotting.overlay import overlay_figure
from headode.plotting.report_page import write_report_page
from headode.plotting.save import save_figure
from headode.plotting.scaling import scaling_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from headode.validation.report import Report


def report_figures(report: Report) -> dict[str, Callable[[Path], object]]:
    """Writers of a report's pictures and page by file name, for ``report.save(figures=...)``."""

    @cache
    def figures() -> dict[str, Figure]:
        return {
            "overlay": overlay_figure(report.theory, report.simulation),
            "scaling": scaling_figure(report.data),
            "deviations": deviation_figure(report.data),
        }

    def picture(name: str) -> Callable[[Path], object]:
        return lambda path: save_figure(figures()[name], path)

    return {
        **{f"{name}.png": picture(name) for name in ("overlay", "deviations", "scaling")},
        "report.html": lambda path: write_report_page(report, figures(), path),
    }
