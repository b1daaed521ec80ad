"""Files that commands read: what they are instead, when they are not what is wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from headode.errors import ArgumentError

if TYPE_CHECKING:
    import xarray as xr

    from headode.config import Config

PICTURES = {b"\x89PNG": "a PNG picture", b"%PDF": "a PDF", b"\xff\xd8\xff": "a JPEG picture"}
HDF5, NETCDF_3 = b"\x89HDF", b"CDF"
# Enough for the first bytes of a file; results in JSON are looked at as a whole up to the second.
START, LARGEST_JSON = 512, 50_000_000


class Kind(NamedTuple):
    """What a file is, and what can be done with it; empty if nothing."""

    name: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.name}{self.advice and f' ({self.advice})'}"


def load_configuration(path: Path) -> Config:
    """Read a configuration.

    Raises:
        ArgumentError: saying what it is, for a result or a picture.
        ConfigError: for faults in a configuration.
    """
    from headode.config import load_config

    kind = _folder_kind(path) if path.is_dir() else _result_kind(path)
    if kind is not None:
        requirement = f"be a configuration (YAML), not {kind}"
        raise ArgumentError("CONFIG", requirement, str(path))
    return load_config(path)


def load_result(path: Path, argument: str) -> xr.Dataset:
    """Read a result in netCDF.

    Raises:
        ArgumentError: naming the argument, and saying what it is instead.
    """
    from headode.trajectory import load_dataset

    check_result(path, argument, folders=False)
    return load_dataset(path)


def check_result(path: Path, argument: str, *, folders: bool) -> None:
    """Refuse what is no result, as far as it can be told at a glance.

    Args:
        path: the file or folder.
        argument: its name in messages.
        folders: whether reports and phase diagrams are results that can be used.

    Raises:
        ArgumentError: naming the argument, and saying what it is instead.
    """
    wanted = "a result" if folders else "a result of `headode integrate`"
    kind: Kind | None
    if path.is_dir():
        kind = _folder_kind(path)
        fits = folders and bool(kind.advice)
    else:
        if not path.exists():
            raise ArgumentError(argument, "exist", str(path))
        kind = _result_kind(path) or _configuration_kind(path)
        fits = kind is None or kind.name == "a netCDF file"
    if not fits:
        raise ArgumentError(argument, f"be {wanted}, not {kind}", str(path))


def _folder_kind(folder: Path) -> Kind:
    if (folder / "report.json").is_file():
        return Kind("the folder of a report", "`headode plot` draws it")
    if any((folder / name).is_file() for name in (".zattrs", ".zgroup", "zarr.json")):
        return Kind("a Zarr group", "`headode plot` draws phase diagrams")
    if (folder / "simulation.json").is_file():
        return Kind("an unfinished simulation, which `headode simulate --resume` continues")
    return Kind("a folder")


def _result_kind(path: Path) -> Kind | None:
    """What a file is, if it is a result or a picture; None also if it cannot be read.

    Only plain files are looked at: reading from a pipe would take away what is in it.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            start = file.read(START)
        text = path.read_text("utf-8") if start.lstrip()[:1] == b"{" else ""
    except (OSError, UnicodeError):
        return None
    if start.startswith(HDF5):
        return Kind("a netCDF file", _use_of(path))
    if start.startswith(NETCDF_3):
        return Kind("a netCDF-3 file", "headode writes netCDF-4")
    if b"<svg" in start:
        return Kind("an SVG picture")
    for first, name in PICTURES.items():
        if start.startswith(first):
            return Kind(name)
    return _json_kind(text)


def _use_of(path: Path) -> str:
    """The commands that take a netCDF file, by the kind that it says it is."""
    import h5netcdf

    try:
        with h5netcdf.File(path, "r") as file:
            kind: Any = file.attrs.get("kind")
    except OSError:
        return ""
    kind = kind.decode() if isinstance(kind, bytes) else kind
    if kind == "integration":
        return "a trajectory, which `headode plot` and `headode prune` take"
    return f"a result of kind {kind}, which `headode plot` takes" if kind else ""


def _json_kind(text: str) -> Kind | None:
    if not text or len(text) > LARGEST_JSON:
        return None
    try:
        content = json.loads(text)
    except ValueError:
        return None
    if "verdict" in content:
        return Kind("the verdict of `headode validate`", "`headode plot` draws its folder")
    if "minima" in content:
        return Kind("the minima of `headode risk`")
    return None


def _configuration_kind(path: Path) -> Kind | None:
    """A configuration, by its sections; None for anything else."""
    if path.suffix.lower() in (".yaml", ".yml"):
        return Kind("a configuration", "`headode integrate` makes a result of it")
    if path.suffix.lower() == ".json":
        return Kind("a JSON file")
    return None
