"""Pictures of results, each drawn without any global state of matplotlib.

Figures are plain :class:`matplotlib.figure.Figure` objects: no display and no ``pyplot`` is needed.
The names below are loaded on first use, so that importing this package does not load matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headode.plotting.continuation import continuation_figure
    from headode.plotting.deviations import deviation_figure
    from headode.plotting.natural import plot
    from headode.plotting.overlay import overlay_figure
    from headode.plotting.phase_diagram import phase_diagram_figure
    from headode.plotting.phases import find_phases
    from headode.plotting.pruning import pruning_figure
    from headode.plotting.report_figures import report_figures
    from headode.plotting.save import save_figure
    from headode.plotting.scaling import scaling_figure
    from headode.plotting.simulation import simulation_figure
    from headode.plotting.stability import stability_figure
    from headode.plotting.trajectory import trajectory_figure

_HOME = {
    "continuation_figure": "headode.plotting.continuation",
    "deviation_figure": "headode.plotting.deviations",
    "find_phases": "headode.plotting.phases",
    "overlay_figure": "headode.plotting.overlay",
    "phase_diagram_figure": "headode.plotting.phase_diagram",
    "plot": "headode.plotting.natural",
    "pruning_figure": "headode.plotting.pruning",
    "report_figures": "headode.plotting.report_figures",
    "save_figure": "headode.plotting.save",
    "scaling_figure": "headode.plotting.scaling",
    "simulation_figure": "headode.plotting.simulation",
    "stability_figure": "headode.plotting.stability",
    "trajectory_figure": "headode.plotting.trajectory",
}

__all__ = [
    "continuation_figure",
    "deviation_figure",
    "find_phases",
    "overlay_figure",
    "phase_diagram_figure",
    "plot",
    "pruning_figure",
    "report_figures",
    "save_figure",
    "scaling_figure",
    "simulation_figure",
    "stability_figure",
    "trajectory_figure",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'headode.plotting' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
