"""The picture of a simulation: medians and bands over its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headode.errors import ArgumentError
from headode.plotting.curves import draw_band
from headode.plotting.header import band_handle, legend_rows, line_handle
from headode.plotting.page import fill_page, finish_page, new_page
from headode.plotting.panels import overlap_panels, progress_panels
from headode.plotting.phases import find_phases
from headode.plotting.style import headode_style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def simulation_figure(dataset: xr.Dataset) -> Figure:
    """Draw an ensemble of finite-d runs.

    On the left, the overlaps M_hf, one panel per feature; on the right the risk, the value and the
    offsets where they are learned, and the norms Q_hh. A curve is the median over the runs, in the
    band of their 10 % to 90 % quantiles; phases are dated on the median spread of the heads.

    Args:
        dataset: a trajectory with a ``run`` dimension.

    Raises:
        ArgumentError: if the dataset has no runs.
    """
    if "run" not in dataset.dims:
        raise ArgumentError("dataset", "be a simulation, with runs", "an integration")
    left, right = overlap_panels(dataset), progress_panels(dataset, norms=True)
    time = dataset["time"].values
    with headode_style():
        remarks = [line_handle("median"), band_handle("10–90 % of the runs")]
        rows = legend_rows(dataset, remarks if dataset.sizes["run"] > 1 else [])
        page = new_page(left, right, time, rows, find_phases(dataset))
        fill_page(page, left + right, time, draw_band)
        finish_page(page, dataset)
    return page.figure
