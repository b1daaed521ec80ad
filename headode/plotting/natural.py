"""``headode.plot``: the natural picture of any result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from headode import plotting as figures
from headode._floats import own_errstate
from headode.errors import ArgumentError, one_of
from headode.phase_diagrams.store import is_diagram, load_diagram
from headode.plotting.save import check_figure_path, save_figure
from headode.trajectory import check_writable, load_dataset

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

# Names in headode.plotting, which loads them, and matplotlib, when they are asked for.
FIGURES = {
    "integration": "trajectory_figure",
    "simulation": "simulation_figure",
    "comparison": "deviation_figure",
    "phase_diagram": "phase_diagram_figure",
    "pruning": "pruning_figure",
    "stability": "stability_figure",
    "continuation": "continuation_figure",
}


@own_errstate
def plot(
    result: xr.Dataset | str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
) -> Figure:
    """Draw a result the way its kind asks for.

    Args:
        result: a dataset of :func:`headode.integrate` or :func:`headode.simulate`, the ``data`` of
            a report of :func:`headode.validate`, a phase diagram, the path of a file or store with
            one of these, or the folder of a saved report (theory and simulation over each other).
        output: where to save the figure too (png, pdf or svg); None: nowhere.
        force: overwrite an existing ``output``.

    Returns:
        The figure. In a notebook, it is shown when it is the value of a cell.

    Raises:
        ArgumentError: for a result of an unknown kind, or a path that cannot be read or written.
    """
    if output is not None:
        check_writable(check_figure_path(output), force=force)
    figure = _draw_file(Path(result)) if isinstance(result, str | os.PathLike) else _draw(result)
    if output is not None:
        save_figure(figure, output, force=force)
    return figure


def _draw_file(path: Path) -> Figure:
    """Draw what a file or folder holds; one that lacks what its kind has is not headode's fault."""
    try:
        return _draw_folder(path) if path.is_dir() else _draw(load_dataset(path))
    except ArgumentError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        requirement = f"be a whole result of headode ({type(error).__name__}: {text})"
        raise ArgumentError("file", requirement, str(path)) from error


def _draw(dataset: xr.Dataset) -> Figure:
    """Draw one dataset by its kind."""
    if not hasattr(dataset, "data_vars"):
        requirement = "be a dataset, or the path of a file or of a report's folder"
        raise ArgumentError("result", requirement, dataset)
    # A comparison is no trajectory and has no configuration: its variables tell what it is.
    kind = "comparison" if "M_z" in dataset else dataset.attrs.get("kind")
    if kind not in FIGURES:
        raise ArgumentError("result.kind", one_of(FIGURES, kind), kind)
    figure: Figure = getattr(figures, FIGURES[kind])(dataset)
    return figure


def _draw_folder(folder: Path) -> Figure:
    """Draw a phase diagram, or the theory and the simulation of a saved report."""
    if is_diagram(folder):
        return _draw(load_diagram(folder))
    theory = load_dataset(folder / "theory.nc")
    return figures.overlay_figure(theory, load_dataset(folder / "simulation.nc"))
