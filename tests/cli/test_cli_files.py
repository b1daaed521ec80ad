"""Which files commands refuse, and that they say what these are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from headode.errors import describe
from headode.trajectory import load_dataset, save_dataset

INTEGRATE = "headode.dynamics.integrate.integrate"
Invoke = Callable[..., Any]
StandIn = Callable[[str, Any], list[dict[str, Any]]]


@pytest.fixture
def computing(stand_in: StandIn, trajectory: xr.Dataset) -> list[dict[str, Any]]:
    """What is computed."""
    return stand_in(INTEGRATE, trajectory)


def test_the_configuration_is_not_eaten(
    folder: Path, invoke: Invoke, computing: list[dict[str, Any]]
) -> None:
    before = Path("config.yaml").read_bytes()
    Path("link.nc").symlink_to("config.yaml")
    os.link("config.yaml", "hard.nc")
    for name in ("config.yaml", "link.nc", "hard.nc", str(folder / "config.yaml")):
        for command in ("integrate", "simulate", "validate", "risk", "stability", "phase-diagram"):
            result = invoke(command, "config.yaml", "-o", name, "--force")
            if command == "phase-diagram" and "phase_diagram" in result.stderr:
                continue  # there is no sweep in it, which is found out first
            assert result.exit_code == 2, (command, name)
            requirement = "must be another file than CONFIG"
            shown = describe(name)  # long paths are cut
            assert result.stderr == f"error: Argument `--output` {requirement}, but is {shown}.\n"
    assert computing == []
    assert Path("config.yaml").read_bytes() == before


def test_a_figure_does_not_eat_the_result(
    folder: Path, invoke: Invoke, computing: list[dict[str, Any]], trajectory: xr.Dataset
) -> None:
    for name in ("same.png", str(folder / "same.png"), "SAME.png"):
        result = invoke("integrate", "config.yaml", "-o", "same.png", "--plot", name, "--force")
        assert result.exit_code == 2
        assert "`--plot` must be another file than --output" in result.stderr
    assert computing == []
    save_dataset(trajectory, "run.nc")
    pruned = invoke("prune", "run.nc", "-o", "run.nc", "--force")
    assert (pruned.exit_code, "than RUN" in pruned.stderr) == (2, True)
    os.rename("run.nc", "run.png")
    drawn = invoke("plot", "run.png", "--force")
    assert (drawn.exit_code, "than FILE" in drawn.stderr) == (2, True)
    xr.testing.assert_identical(load_dataset("run.png"), trajectory)


def test_a_sweep_does_not_eat_its_pictures_or_configuration(folder: Path, invoke: Invoke) -> None:
    sweep = "phase_diagram: {axes: {signal.amplitude.0: [0.5, 1.0]}, measures: [final_risk]}\n"
    Path("config.yaml").write_text(Path("config.yaml").read_text() + sweep)
    command = ("phase-diagram", "config.yaml", "-o", "d.zarr", "--workers", "1", "--quiet")
    both = invoke(*command, "--plot", "d.png", "--live", "d.png")
    assert (both.exit_code, "`--live` must be another" in both.stderr) == (2, True)
    assert not Path("d.zarr").exists()
    assert invoke(*command).exit_code == 0
    os.rename("config.yaml", "d.zarr/config.yaml")
    inside = invoke(*command[:1], "d.zarr/config.yaml", *command[2:], "--force")
    assert inside.exit_code == 2
    assert "`--output` must be a folder without CONFIG in it" in inside.stderr
    assert Path("d.zarr/config.yaml").exists()
    # A scheduler that does not answer does not cost the diagram that is there.
    os.rename("d.zarr/config.yaml", "config.yaml")
    before = sorted(path.stat().st_mtime_ns for path in Path("d.zarr").rglob("*"))
    arguments = ("phase-diagram", "config.yaml", "-o", "d.zarr", "--force")
    assert invoke(*arguments, "--scheduler", "nonsense").exit_code == 2
    assert sorted(path.stat().st_mtime_ns for path in Path("d.zarr").rglob("*")) == before


@pytest.mark.parametrize("option", ["--output", "--plot"])
def test_what_is_no_plain_file(
    folder: Path, invoke: Invoke, computing: list[dict[str, Any]], option: str
) -> None:
    os.mkfifo("pipe.png")
    Path("link.png").symlink_to("/dev/null")
    for name in ("pipe.png", "link.png"):
        result = invoke("integrate", "config.yaml", option, name, "--force")
        assert result.exit_code == 2
        assert result.stderr == (
            f"error: Argument `{option}` must be a plain file, not a device, a pipe or a socket, "
            f"but is {name!r}.\n"
        )
    assert computing == []
    assert Path("pipe.png").is_fifo()


def test_results_go_where_links_lead(
    folder: Path, invoke: Invoke, computing: list[dict[str, Any]], trajectory: xr.Dataset
) -> None:
    Path("there").mkdir()
    Path("run.nc").symlink_to("there/run.nc")
    assert invoke("integrate", "config.yaml", "-o", "run.nc").exit_code == 0
    assert Path("run.nc").is_symlink()
    xr.testing.assert_identical(load_dataset("there/run.nc"), trajectory)
    assert invoke("integrate", "config.yaml", "-o", "run.nc").exit_code == 2
    assert invoke("integrate", "config.yaml", "-o", "run.nc", "--force").exit_code == 0
    assert Path("run.nc").is_symlink()


def test_names_that_are_too_long(
    folder: Path, invoke: Invoke, computing: list[dict[str, Any]], trajectory: xr.Dataset
) -> None:
    """Before anything is computed; and what may have a name may also stop halfway."""

    for name in ("a" * 238 + ".nc", "ü" * 119 + ".nc", "a" * 5000):
        result = invoke("integrate", "config.yaml", "-o", name)
        assert result.exit_code == 2, name
        assert result.stderr.count("\n") == 1
    # The configuration's name may be fine, and the one that is made from it not.
    long = "a" * 236 + ".yaml"
    os.rename("config.yaml", long)
    result = invoke("validate", long)
    assert result.exit_code == 2
    assert "must come with an --output, as its default aaa" in result.stderr
    assert computing == []


def test_an_interruption_with_the_longest_name(
    folder: Path, invoke: Invoke, stand_in: StandIn, trajectory: xr.Dataset
) -> None:
    from headode.errors import Interrupted

    stand_in(INTEGRATE, Interrupted("interrupted", trajectory))
    for ending in ("", "-2"):
        assert invoke("integrate", "config.yaml", "-o", "a" * 237 + ".nc").exit_code == 130
        assert Path("a" * 237 + f".partial{ending}.nc").exists()


def test_the_default_name_is_not_what_was_typed(
    folder: Path, invoke: Invoke, computing: list[dict[str, Any]]
) -> None:
    Path("config.nc").touch()
    Path("config_simulation.nc").touch()
    Path("config_report").mkdir()
    for command, default in {
        "integrate": "config.nc",
        "simulate": "config_simulation.nc",
        "validate": "config_report",
    }.items():
        result = invoke(command, "config.yaml")
        assert result.exit_code == 2
        assert result.stderr == (
            f"error: Argument `CONFIG` must come with an --output, as its default {default} must "
            "not exist yet (use --force to overwrite it), but is 'config.yaml'.\n"
        )
    assert computing == []


def test_a_result_given_as_a_configuration(
    folder: Path, invoke: Invoke, trajectory: xr.Dataset
) -> None:
    save_dataset(trajectory, "run.nc")
    save_dataset(trajectory.assign_attrs(kind="simulation"), "sim.nc")
    assert invoke("plot", "run.nc").exit_code == 0
    assert invoke("risk", "config.yaml", "--restarts", "1", "-o", "risk.json").exit_code == 0
    Path("report").mkdir()
    Path("report/report.json").write_text('{"verdict": "agrees"}')
    Path("d.zarr").mkdir()
    Path("d.zarr/.zattrs").write_text('{"kind": "phase_diagram"}')
    Path("other").mkdir()
    expected = {
        "run.nc": "a netCDF file (a trajectory, which `headode plot` and `headode prune` take)",
        "sim.nc": "a netCDF file (a result of kind simulation, which `headode plot` takes)",
        "run.png": "a PNG picture",
        "risk.json": "the minima of `headode risk`",
        "report/report.json": "the verdict of `headode validate` (`headode plot` draws its folder)",
        "report": "the folder of a report (`headode plot` draws it)",
        "d.zarr": "a Zarr group (`headode plot` draws phase diagrams)",
        "other": "a folder",
    }
    for name, what in expected.items():
        for command in ("integrate", "phase-diagram"):
            result = invoke(command, name)
            assert result.exit_code == 2
            assert result.stderr == (
                f"error: Argument `CONFIG` must be a configuration (YAML), not {what}, "
                f"but is {name!r}.\n"
            )


def test_a_configuration_in_json_is_one(
    folder: Path, invoke: Invoke, computing: list[dict[str, Any]]
) -> None:
    import json

    from headode import load_config

    Path("config.json").write_text(json.dumps(load_config("config.yaml").to_dict()))
    assert invoke("integrate", "config.json", "-o", "run.nc").exit_code == 0
    assert len(computing) == 1


def test_something_else_given_as_a_result(
    folder: Path, invoke: Invoke, trajectory: xr.Dataset
) -> None:
    save_dataset(trajectory, "run.nc")
    assert invoke("plot", "run.nc").exit_code == 0
    Path("other").mkdir()
    expected = {
        "config.yaml": "a configuration (`headode integrate` makes a result of it)",
        "run.png": "a PNG picture",
        "other": "a folder",
    }
    for name, what in expected.items():
        drawn, pruned = invoke("plot", name), invoke("prune", name)
        assert (drawn.exit_code, pruned.exit_code) == (2, 2)
        assert drawn.stderr == (
            f"error: Argument `FILE` must be a result, not {what}, but is {name!r}.\n"
        )
        assert pruned.stderr == (
            f"error: Argument `RUN` must be a result of `headode integrate`, not {what}, "
            f"but is {name!r}.\n"
        )
    missing = invoke("plot", "no.nc")
    assert missing.stderr == "error: Argument `FILE` must exist, but is 'no.nc'.\n"
