"""Trajectories of order parameters as xarray datasets, and their netCDF files.

The ODE and the simulators fill the same dataset, so that both can be overlaid, plotted and saved
alike; a simulation has a leading ``run`` dimension.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headode._checks import Array, check_array, check_integer, check_number, check_option
from headode._files import whole_file
from headode._limits import LARGEST_COUNT
from headode._version import __version__
from headode.errors import ArgumentError
from headode.order_parameters import OrderParameters

if TYPE_CHECKING:
    import xarray as xr

# name: (dimensions after run and time, long name)
VARIABLES = {
    "M": (("head", "feature"), "overlap of head and feature, k_h·k*_f/d"),
    "Q": (("head", "head_2"), "overlap of two heads, k_h·k_k/d"),
    "R": (("head", "head_2"), "residual overlap of two heads, Q − M Mᵀ"),
    "risk": ((), "population risk"),
    "m_v": ((), "overlap of the value with the teacher's, v·v*/d"),
    "q_v": ((), "squared norm of the value, |v|²/d"),
    "offset": (("head",), "offset of the scores"),
    "k_v_star": (("head",), "overlap of head and teacher's value, k_h·v*/d"),
    "k_v": (("head",), "overlap of head and value, k_h·v/d"),
    "v_k_star": (("feature",), "overlap of value and feature, v·k*_f/d"),
    "expectation_error": ((), "estimated absolute error of the expected updates"),
    "risk_standard_error": ((), "standard error of the Monte Carlo estimate of the risk"),
}


SPACINGS = ("log", "linear")
# The first recorded time after t = 0 on a logarithmic grid, as a fraction of the last one.
LOG_SPAN = 1e-4


def output_times(time: float, count: int = 200, spacing: str = "log") -> Array:
    """``count`` output times from 0 to ``time``, both included.

    A logarithmic grid has t = 0 and then a geometric sequence over the last four decades.
    """
    time = check_number("time", time, 0.0, exclusive=True)
    count = check_integer("count", count, 2, LARGEST_COUNT)
    if check_option("spacing", spacing, SPACINGS) == "linear" or count == 2:
        grid: Array = np.linspace(0.0, time, count)
    else:
        first = max(LOG_SPAN * time, np.finfo(float).tiny)
        grid = np.concatenate([[0.0], np.geomspace(first, time, count - 1)])
    grid[-1] = time
    if (np.diff(grid) <= 0).any():
        raise ArgumentError("time", f"be long enough for {count} different times", time)
    return grid


def check_times(times: Any) -> Array:
    """Return asked output times: nonnegative, strictly increasing, at least one after 0."""
    grid = check_array("times", times, (None,))
    if grid[0] < 0 or (np.diff(grid) <= 0).any() or grid[-1] == 0:
        raise ArgumentError(
            "times", "be nonnegative and strictly increasing, ending after 0", times
        )
    return grid


def asked_times(time: float | None, times: Any, count: int, spacing: str) -> Array:
    """Output times from a last ``time`` with ``count`` and ``spacing``, or the given ``times``.

    Raises:
        ArgumentError: unless exactly one of the two is given, or for one that cannot be used.
    """
    if (time is None) == (times is None):
        raise ArgumentError("time", "be given, or else times (one of the two)", time)
    return check_times(times) if time is None else output_times(time, count, spacing)


def trajectory_dataset(
    time: Any,
    variables: Mapping[str, Any],
    *,
    kind: str,
    configuration: Mapping[str, Any],
    **attributes: Any,
) -> xr.Dataset:
    """Assemble a trajectory.

    Args:
        time: (T,) times in units of steps/d (gradient flow: η steps/d).
        variables: arrays by name; each of shape (T, ...) or, for simulations, (runs, T, ...). Only
            the names of :data:`VARIABLES` are known; ``Q`` is added from M and R when missing.
        kind: ``integration`` or ``simulation``.
        configuration: everything that determines the trajectory, as plain data; kept as JSON.
        attributes: further attributes; None is left out.

    Returns:
        A dataset with coordinates ``time``, ``head``, ``head_2``, ``feature`` (and ``run``).
    """
    import xarray as xr

    arrays = {name: np.asarray(value) for name, value in variables.items() if value is not None}
    if "Q" not in arrays:
        M = arrays["M"]
        arrays["Q"] = M @ M.swapaxes(-1, -2) + arrays["R"]
    runs = arrays["M"].ndim == 4
    leading = ("run", "time") if runs else ("time",)
    data = {}
    for name, (dims, long_name) in VARIABLES.items():
        if name in arrays:
            data[name] = ((*leading, *dims), arrays[name], {"long_name": long_name})
    heads, features = arrays["M"].shape[-2:]
    # Heads and features are numbered from 1, as in the papers and on every picture.
    coordinates: dict[str, Any] = {
        "time": ("time", np.asarray(time, dtype=float), {"units": "steps/d", "long_name": "time"}),
        "head": ("head", np.arange(1, heads + 1), {"long_name": "head"}),
        "head_2": ("head_2", np.arange(1, heads + 1), {"long_name": "second head"}),
        "feature": ("feature", np.arange(1, features + 1), {"long_name": "latent direction"}),
    }
    if runs:
        count = arrays["M"].shape[0]
        coordinates["run"] = ("run", np.arange(count), {"long_name": "independent run"})
    kept = {name: value for name, value in attributes.items() if value is not None}
    return xr.Dataset(
        data,
        coords=coordinates,
        attrs={
            "kind": kind,
            "configuration": json.dumps(configuration),
            "headode_version": __version__,
            **kept,
        },
    )


def configuration_of(dataset: xr.Dataset) -> dict[str, Any]:
    """The configuration a dataset was made with, as plain data."""
    configuration: dict[str, Any] = json.loads(dataset.attrs["configuration"])
    return configuration


def state_at(dataset: xr.Dataset, index: int = -1) -> OrderParameters:
    """The order parameters at one recorded time of an integration (the last one by default)."""
    if "run" in dataset.dims:
        raise ArgumentError("dataset", "be an integration, without a run dimension", "simulation")
    frame = dataset.isel(time=index)
    parts: dict[str, Any] = {"M": frame["M"], "R": frame["R"]}
    for name in ("m_v", "q_v"):
        if name in frame:
            parts[name] = float(frame[name])
    if "offset" in frame:
        parts["offset"] = frame["offset"].values
    return OrderParameters(**parts)


def check_writable(
    path: str | os.PathLike[str], *, force: bool = False, argument: str = "output"
) -> Path:
    """Return the path if a result may be written there; called before anything is computed.

    Raises:
        ArgumentError: if the file exists (unless ``force``), or its folder does not exist or
            cannot be written.
    """
    target = Path(path)
    if target.exists() and not force:
        raise ArgumentError(argument, "not exist yet (use --force to overwrite it)", str(target))
    if not target.parent.is_dir():
        raise ArgumentError(argument, "be in an existing folder", str(target))
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise ArgumentError(argument, "be in a folder that can be written", str(target))
    return target


def save_dataset(dataset: xr.Dataset, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a netCDF file that appears whole or not at all.

    Raises:
        ArgumentError: if the file exists (unless ``force``) or its folder does not.
    """
    target = check_writable(path, force=force)
    with whole_file(target) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf")
    return target


def load_dataset(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read a file of :func:`save_dataset` into memory.

    Raises:
        ArgumentError: if the file is missing or no netCDF file.
    """
    import xarray as xr

    source = Path(path)
    if not source.is_file():
        raise ArgumentError("file", "exist", str(source))
    try:
        return xr.load_dataset(source, engine="h5netcdf")
    except MemoryError:
        raise
    # Damaged files make the libraries below fail in any way.
    except Exception as error:
        text = " ".join(str(error).split())
        requirement = f"be a whole netCDF file in the HDF5 format ({text})"
        raise ArgumentError("file", requirement, str(source)) from error
