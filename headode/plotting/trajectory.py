"""The picture of an integration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headode.errors import ArgumentError
from headode.plotting.curves import draw_line
from headode.plotting.header import legend_rows
from headode.plotting.heat_maps import choose_moments, draw_heat_maps, maps_height
from headode.plotting.page import fill_page, finish_page, new_page
from headode.plotting.panels import overlap_panels, progress_panels
from headode.plotting.phases import find_phases
from headode.plotting.style import headode_style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def trajectory_figure(dataset: xr.Dataset) -> Figure:
    """Draw the solution of the ODE.

    On the left, the overlaps M_hf, one panel per feature, with the values that θ_f takes; on the
    right the risk and, where they are learned, the value and the offsets; below, the overlaps Q_hk
    of the heads at the start, in each phase and at the end. Phases are shaded and named
    (rule: :mod:`headode.specialization.splits`).

    Args:
        dataset: a trajectory without a ``run`` dimension; it may have stopped early (NaN).

    Raises:
        ArgumentError: if the dataset has runs.
    """
    if "run" in dataset.dims:
        raise ArgumentError("dataset", "be an integration, without runs", "a simulation")
    one_head = dataset.sizes["head"] == 1
    left, right = overlap_panels(dataset), progress_panels(dataset, norms=one_head)
    time, phases = dataset["time"].values, find_phases(dataset)
    moments = () if one_head else choose_moments(dataset, phases)
    with headode_style():
        below = maps_height(len(moments)) if moments else 0.0
        page = new_page(left, right, time, legend_rows(dataset), phases, below=below)
        fill_page(page, left + right, time, draw_line)
        if page.below is not None:
            draw_heat_maps(page.figure, page.below, dataset, moments)
        finish_page(page, dataset)
    return page.figure
