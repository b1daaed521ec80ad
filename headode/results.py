"""Results that are read from files: what they have to hold before anything is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headode.errors import ArgumentError
from headode.experiment import Experiment
from headode.trajectory import VARIABLES, configuration_of

if TYPE_CHECKING:
    import xarray as xr


def check_trajectory(dataset: xr.Dataset, kinds: tuple[str, ...], source: str) -> None:
    """Refuse what was read from a file unless it is a trajectory of one of some kinds.

    Raises:
        ArgumentError: naming the file, and what it is or lacks.
    """
    kind = dataset.attrs.get("kind")
    if kind not in kinds:
        is_ = f"kind {kind}" if isinstance(kind, str) else "no result of headode"
        raise ArgumentError("file", f"be of kind {' or '.join(kinds)} ({source} is {is_})", kind)
    leading = ("run", "time") if kind == "simulation" else ("time",)
    for name in ("M", "R"):
        dims = {*leading, *VARIABLES[name][0]}
        if name not in dataset or set(dataset[name].dims) != dims or not dataset[name].size:
            wanted = ", ".join((*leading, *VARIABLES[name][0]))
            raise ArgumentError("file", f"hold {name} with the dimensions {wanted}", source)
    try:
        sections = configuration_of(dataset)
        Experiment({name: sections[name] for name in ("model", "signal")}).model()
    except (KeyError, TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        requirement = f"hold the configuration that it was made with ({text})"
        raise ArgumentError("file", requirement, source) from error
