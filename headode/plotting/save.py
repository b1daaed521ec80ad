"""Writing figures to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headode._files import whole_file
from headode._output_paths import check_output
from headode.errors import ArgumentError, one_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What each format needs so that the same figure is the same file, byte for byte: no date.
FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"dpi": 200},
    ".pdf": {"metadata": {"CreationDate": None}},
    ".svg": {"metadata": {"Date": None}},
}


def save_figure(figure: Figure, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a figure; its format (png at 200 dpi, pdf or svg) is that of the file's suffix.

    The file appears whole or not at all, and the same figure always gives the same bytes.

    Raises:
        ArgumentError: for another suffix, a file that exists (unless ``force``), or a folder that
            does not.
    """
    suffix = check_figure_path(path).suffix.lower()
    target = check_output(path, force=force)
    from headode.plotting.style import headode_style

    with headode_style(), whole_file(target) as temporary:
        figure.savefig(temporary, format=suffix[1:], **FORMATS[suffix])
    return target


def check_figure_path(path: str | os.PathLike[str], *, argument: str = "output") -> Path:
    """Return the path if its suffix is that of a format; to be called before any computation.

    Raises:
        ArgumentError: listing the formats.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        options = one_of(FORMATS, target.suffix.lower()).removeprefix("be ")
        raise ArgumentError(argument, f"end in {options}", str(target))
    return target
