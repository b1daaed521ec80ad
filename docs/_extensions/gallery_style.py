"""How the pictures of the gallery look: as all figures of headode."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl

from headode.plotting.style import STYLE


def headode_style(_configuration: dict[str, Any], _script: str) -> None:
    """Undo what the script before may have set."""
    mpl.rcParams.update(mpl.rcParamsDefault)
    mpl.rcParams.update(STYLE)
