"""A simulation over the theory that it should follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headode.errors import ArgumentError
from headode.plotting.curves import draw_points, draw_theory
from headode.plotting.header import band_handle, legend_rows, line_handle, points_handle
from headode.plotting.page import fill_page, finish_page, new_page
from headode.plotting.panels import overlap_panels, progress_panels
from headode.plotting.phases import find_phases
from headode.plotting.style import headode_style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def overlay_figure(theory: xr.Dataset, simulation: xr.Dataset) -> Figure:
    """Draw the ODE as lines, and over them the simulation.

    Points are means over the runs with their standard errors; bands reach from the 10 % to the
    90 % quantile of the runs. The panels are those of :func:`headode.plotting.simulation_figure`
    that both datasets have; phases are those of the theory.

    Args:
        theory: a trajectory without a ``run`` dimension.
        simulation: one with it, of the same heads and features.

    Raises:
        ArgumentError: if the two are no such pair.
    """
    _check_pair(theory, simulation)
    left = overlap_panels(theory)
    right = progress_panels(theory, norms=True)
    simulated = {
        panel.key: panel
        for panel in overlap_panels(simulation) + progress_panels(simulation, norms=True)
    }
    right = [panel for panel in right if panel.key in simulated]
    time, steps = theory["time"].values, simulation["time"].values
    several = simulation.sizes["run"] > 1
    with headode_style():
        remarks = [line_handle("ODE"), points_handle("SGD, mean ± s.e." if several else "SGD")]
        if several:
            remarks.append(band_handle("10–90 % of the runs"))
        everywhere = np.concatenate([time, steps[steps > time[-1]]])
        page = new_page(left, right, everywhere, legend_rows(theory, remarks), find_phases(theory))
        fill_page(page, left + right, time, draw_theory)
        fill_page(page, [simulated[panel.key] for panel in left + right], steps, draw_points)
        finish_page(page, simulation)
    return page.figure


def _check_pair(theory: xr.Dataset, simulation: xr.Dataset) -> None:
    if "run" in theory.dims:
        raise ArgumentError("theory", "be an integration, without runs", "a simulation")
    if "run" not in simulation.dims:
        raise ArgumentError("simulation", "be a simulation, with runs", "an integration")
    shape = theory["M"].shape[1:]
    if simulation["M"].shape[2:] != shape:
        requirement = f"have the theory's {shape[0]} heads and {shape[1]} features"
        raise ArgumentError("simulation", requirement, simulation["M"].shape[2:])
