"""The pictures of the gallery: they look as all figures of headode, and those are shown."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import matplotlib as mpl
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

from headode.plotting.style import STYLE

# A value stays the last one of its script until a later block ends with another.
_shown: WeakSet[Figure] = WeakSet()


def headode_style(_configuration: dict[str, Any], _script: str) -> None:
    """Undo what the script before may have set."""
    mpl.rcParams.update(mpl.rcParamsDefault)
    mpl.rcParams.update(STYLE)


def last_figure(_block: Any, variables: dict[str, Any], configuration: dict[str, Any]) -> str:
    """Show the figure that a block ends with, as a notebook does; pyplot does not know of it."""
    figure = variables["example_globals"].get("___")
    if not isinstance(figure, Figure) or figure in _shown:
        return ""
    _shown.add(figure)
    path = next(variables["image_path_iterator"])
    figure.savefig(path)
    rst: str = figure_rst([path], configuration["src_dir"])
    return rst
