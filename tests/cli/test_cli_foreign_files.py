"""Files that are of another kind, damaged or altered are bad input, said in one line."""

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import headode as ho
from headode.cli.main import app
from headode.trajectory import load_dataset, save_dataset


@pytest.fixture(scope="module")
def run():
    model = ho.Model(2, 1, ho.Signal.sign_flips([1.0, 0.0], [0.0, 0.5]), "linear")
    return ho.integrate(model, ho.OrderParameters([[0.1, 0.2]], [[0.01]]), time=0.1, count=3)


def write(kind, path, run):
    save_dataset(run, path)
    whole = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "garbage":
        path.write_bytes(whole[:8] + bytes(range(256)) * 8)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("model: {}\n")
    elif kind == "netcdf3":
        path.write_bytes(b"CDF\x01" + bytes(100))
    elif kind == "stability":
        save_dataset(run.assign_attrs(kind="stability"), path, force=True)
    elif kind == "foreign":
        data = xr.Dataset({"M": (("x", "y"), np.ones((2, 2)))})
        save_dataset(data, path, force=True)
    elif kind == "configuration":
        save_dataset(run.assign_attrs(configuration="{"), path, force=True)
    elif kind == "variable":
        save_dataset(run.drop_vars("M"), path, force=True)


KINDS = ("truncated", "garbage", "empty", "text", "netcdf3", "stability", "foreign")


@pytest.mark.parametrize("command", ["prune", "plot"])
@pytest.mark.parametrize("kind", [*KINDS, "configuration", "variable"])
def test_other_files_are_bad_input(command, kind, run, tmp_path):
    path = tmp_path / "run.nc"
    write(kind, path, run)
    output = ["-o", str(tmp_path / ("out.nc" if command == "prune" else "out.png"))]
    result = CliRunner().invoke(app, [command, str(path), *output])
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    assert "fault of headode" not in result.stderr


def test_a_damaged_file_is_named(run, tmp_path):
    path = tmp_path / "run.nc"
    write("truncated", path, run)
    with pytest.raises(ho.ArgumentError, match=r"whole netCDF file.*run\.nc"):
        load_dataset(path)
