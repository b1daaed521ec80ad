"""The folder of a report, and the pictures in it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from headode._files import whole_folder
from headode._output_paths import check_output
from headode.errors import ArgumentError
from headode.trajectory import save_dataset

if TYPE_CHECKING:
    import xarray as xr

# A file that every report has; a folder without it is never replaced.
MARKER = "report.json"


def check_folder(
    path: str | os.PathLike[str], *, force: bool = False, argument: str = "output"
) -> Path:
    """Return the path if a report may be written there; called before anything is computed.

    Args:
        path: the folder.
        force: replace an earlier report.
        argument: its name in messages.

    Raises:
        ArgumentError: if the folder exists (with ``force``: if it is no earlier report), or its
            parent does not, or for another path that cannot be written.
    """
    target = check_output(path, force=force, argument=argument, folder=True)
    if target.exists() and not (target / MARKER).is_file():
        raise ArgumentError(argument, f"be a new folder, or one with a {MARKER}", str(target))
    return target


def save_parts(parts: Mapping[str, xr.Dataset], folder: Path) -> Path:
    """Write what there is of a report, by name, to a folder that appears whole or not at all."""
    with whole_folder(folder) as temporary:
        for name, dataset in parts.items():
            save_dataset(dataset, temporary / f"{name}.nc")
    return folder


def draw_into(folder: Path, figures: Mapping[str, Callable[[Path], object]]) -> None:
    """Add pictures and pages to a report that is safe already.

    Args:
        folder: of the report.
        figures: functions that write one to a path, by file name.

    Warns:
        RuntimeWarning: if one cannot be drawn; the others are.
    """
    for name, draw in figures.items():
        try:
            draw(folder / name)
        # Whatever is wrong with a picture, the report is complete without it.
        except Exception as error:
            text = f"could not draw {folder / name}: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=3)
