"""Exit statuses, and that nothing that was computed is lost.

The functions that compute are replaced by stand-ins here; test_cli_end_to_end.py has the real ones.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from headode.errors import ArgumentError, Interrupted, NumericalFailure, ToleranceWarning
from headode.trajectory import load_dataset, save_dataset

INTEGRATE = "headode.dynamics.integrate.integrate"
SIMULATE = "headode.simulation.simulate.simulate"
VALIDATE = "headode.validation.validate.validate"
Invoke = Callable[..., Any]
StandIn = Callable[[str, Any], list[dict[str, Any]]]


@pytest.fixture
def refuse_to_save(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make saving into the given folders fail as on a full disk."""

    def refuse(*folders: Path) -> None:
        def save(dataset: xr.Dataset, path: Path, *, force: bool = False) -> Path:
            if Path(path).absolute().parent in folders:
                raise OSError(28, "No space left on device")
            return save_dataset(dataset, path, force=force)

        monkeypatch.setattr("headode.trajectory.save_dataset", save)

    return refuse


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, empty."""
    place = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_success(folder: Path, invoke: Invoke, stand_in: StandIn, trajectory: xr.Dataset) -> None:
    calls = stand_in(INTEGRATE, trajectory)
    result = invoke("integrate", "config.yaml")
    assert result.exit_code == 0
    assert result.stderr == ""
    for text in ("0.500000", "0.250000", "0.200000", "0.05", "17", "1.0e-08 (closed_form)"):
        assert text in result.stdout
    last_row = next(line for line in result.stdout.splitlines() if "M of head 2" in line)
    assert last_row.split() == ["M", "of", "head", "2", "0.9091", "1.0000"]
    assert result.stdout.endswith("Result: config.nc\n")
    xr.testing.assert_identical(load_dataset("config.nc"), trajectory)
    arguments = calls[0]
    assert arguments["learning_rate"] == 0.5
    assert arguments["time"] == 2.0
    assert (arguments["count"], arguments["spacing"]) == (5, "log")
    assert arguments["configuration"]["simulation"]["dimension"] == 200
    assert arguments["progress"] is None  # standard error is no terminal


def test_quiet_before_or_after_the_command(
    folder: Path, invoke: Invoke, stand_in: StandIn, trajectory: xr.Dataset
) -> None:
    stand_in(INTEGRATE, trajectory)
    for arguments in (["--quiet", "integrate"], ["integrate", "--quiet"]):
        result = invoke(*arguments, "config.yaml", "--force")
        assert (result.exit_code, result.output) == (0, "")


def test_bad_input_is_one_line_per_fault(folder: Path, invoke: Invoke) -> None:
    text = "model: {tokens: 0, haeds: 2}\nsignal: {kind: one_hot}\ntraining: {time: 1.0}\n"
    Path("bad.yaml").write_text(text, encoding="utf-8")
    for command in ("integrate", "simulate", "validate"):
        result = invoke(command, "bad.yaml")
        assert result.exit_code == 2
        assert [line.split(": ")[:2] for line in result.stderr.splitlines()] == [
            ["bad.yaml:1", "model.haeds"],
            ["bad.yaml:1", "model.tokens"],
            ["bad.yaml:2", "signal.amplitude"],
        ]
        assert result.stdout == ""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "bad.yaml:1: is empty"),
        (b"model: [1", "bad.yaml:1: is not valid YAML"),
        (b"model: \xff", "bad.yaml:1: is not UTF-8"),
        (b"model: {tokens: 3, heads: 0}\n", "bad.yaml:1: model.heads: must be an integer"),
        (b"model: !!python/object/apply:os.abort []\n", "bad.yaml:1: model: has the tag"),
    ],
)
def test_bad_input_of_the_real_program(folder: Path, content: bytes, expected: str) -> None:
    Path("bad.yaml").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-m", "headode", "integrate", "bad.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(expected)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_missing_configuration(folder: Path, invoke: Invoke) -> None:
    result = invoke("integrate", "no.yaml")
    assert result.exit_code == 2
    assert result.stderr == "no.yaml: cannot be read: No such file or directory\n"


@pytest.mark.parametrize("command", ["simulate", "validate"])
def test_gradient_flow_cannot_be_simulated(folder: Path, invoke: Invoke, command: str) -> None:
    text = Path("config.yaml").read_text("utf-8").replace("0.5", "gradient_flow")
    Path("flow.yaml").write_text(text, encoding="utf-8")
    result = invoke(command, "flow.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith("flow.yaml:4: training.learning_rate: must be a number for")
    assert result.stderr.count("\n") == 1


def test_output_is_checked_before_anything_is_computed(
    folder: Path, invoke: Invoke, stand_in: StandIn, trajectory: xr.Dataset
) -> None:
    calls = stand_in(INTEGRATE, trajectory)
    Path("old.nc").write_text("precious")
    Path("old.png").write_text("precious")
    for arguments in (
        ["-o", "old.nc"],
        ["-o", "no_such_folder/run.nc"],
        ["-o", str(folder), "--force"],
        ["--plot", "old.png"],
        ["--plot", "run.docx"],
    ):
        result = invoke("integrate", "config.yaml", *arguments)
        assert result.exit_code == 2, arguments
        option = "--plot" if "--plot" in arguments else "--output"
        assert result.stderr.startswith(f"error: Argument `{option}` must ")
        assert result.stderr.count("\n") == 1
    assert calls == []
    assert Path("old.nc").read_text() == "precious"
    assert invoke("integrate", "config.yaml", "-o", "old.nc", "--force").exit_code == 0
    xr.testing.assert_identical(load_dataset("old.nc"), trajectory)


def test_numerical_failure_saves_what_there_is(
    folder: Path, invoke: Invoke, stand_in: StandIn, trajectory: xr.Dataset
) -> None:
    partial = trajectory.isel(time=slice(2))
    stand_in(INTEGRATE, NumericalFailure("the integrator failed at t = 1", partial))
    Path("run.nc").write_text("an earlier result")
    result = invoke("integrate", "config.yaml", "-o", "run.nc", "--force")
    assert result.exit_code == 3
    assert "the integrator failed at t = 1" in result.stderr
    assert "until time 1, is in run.partial.nc" in result.stderr
    assert "expectation.tolerance" in result.stderr
    xr.testing.assert_identical(load_dataset("run.partial.nc"), partial)
    assert Path("run.nc").read_text() == "an earlier result"
    # A second failure keeps what the first one left.
    again = invoke("integrate", "config.yaml", "-o", "run.nc", "--force")
    assert "run.partial-2.nc" in again.stderr
    assert Path("run.partial-2.nc").exists()


@pytest.mark.parametrize(
    ("command", "target"),
    [("integrate", INTEGRATE), ("simulate", SIMULATE), ("validate", VALIDATE)],
)
def test_failures_and_interrupts_of_each_command(
    folder: Path,
    invoke: Invoke,
    stand_in: StandIn,
    trajectory: xr.Dataset,
    command: str,
    target: str,
) -> None:
    stand_in(target, NumericalFailure("diverged"))
    failed = invoke(command, "config.yaml")
    assert failed.exit_code == 3
    assert "Nothing was computed" in failed.stderr
    assert list(folder.glob("*partial*")) == []

    partial = {"theory": trajectory} if command == "validate" else trajectory
    stand_in(target, Interrupted("interrupted at t = 2", partial))
    interrupted = invoke(command, "config.yaml")
    assert interrupted.exit_code == 130
    assert "interrupted at t = 2" in interrupted.stderr
    pattern = "*.partial/theory.nc" if command == "validate" else "*.partial.nc"
    (saved,) = folder.glob(pattern)
    xr.testing.assert_identical(load_dataset(saved), trajectory)

    stand_in(target, KeyboardInterrupt())
    assert invoke(command, "config.yaml").exit_code == 130


def test_interrupt_before_anything_is_computed(
    folder: Path, invoke: Invoke, stand_in: StandIn
) -> None:
    stand_in("headode.config.load_config", KeyboardInterrupt())
    result = invoke("integrate", "config.yaml")
    assert (result.exit_code, result.stderr) == (130, "error: interrupted\n")


def test_full_disk_saves_in_the_temporary_folder(
    folder: Path,
    invoke: Invoke,
    stand_in: StandIn,
    trajectory: xr.Dataset,
    temporary: Path,
    refuse_to_save: Callable[..., None],
) -> None:
    stand_in(INTEGRATE, trajectory)
    refuse_to_save(folder)
    result = invoke("integrate", "config.yaml")
    assert result.exit_code == 3
    assert "could not write config.nc: [Errno 28] No space left on device" in result.stderr
    assert f"The result is in {temporary / 'config.nc'} instead." in result.stderr
    xr.testing.assert_identical(load_dataset(temporary / "config.nc"), trajectory)


def test_other_folder_fails_saves_in_the_current_one(
    folder: Path,
    invoke: Invoke,
    stand_in: StandIn,
    trajectory: xr.Dataset,
    refuse_to_save: Callable[..., None],
) -> None:
    stand_in(INTEGRATE, trajectory)
    (folder / "full").mkdir()
    refuse_to_save(folder / "full")
    (folder / "run.nc").write_text("something else")
    result = invoke("integrate", "config.yaml", "-o", "full/run.nc")
    assert result.exit_code == 3
    assert f"The result is in {folder / 'run-2.nc'} instead." in result.stderr
    xr.testing.assert_identical(load_dataset("run-2.nc"), trajectory)
    assert Path("run.nc").read_text() == "something else"


def test_nowhere_to_save(
    folder: Path,
    invoke: Invoke,
    stand_in: StandIn,
    trajectory: xr.Dataset,
    temporary: Path,
    refuse_to_save: Callable[..., None],
) -> None:
    refuse_to_save(folder, temporary)
    stand_in(INTEGRATE, trajectory)
    result = invoke("integrate", "config.yaml")
    assert result.exit_code == 3
    assert "could not be saved anywhere" in result.stderr
    # A partial result that cannot be saved does not change why the command stopped.
    stand_in(INTEGRATE, Interrupted("interrupted", trajectory))
    assert invoke("integrate", "config.yaml").exit_code == 130


def test_a_file_that_appears_meanwhile_is_not_overwritten(
    folder: Path, invoke: Invoke, stand_in: StandIn, trajectory: xr.Dataset
) -> None:
    def slow() -> xr.Dataset:
        Path("config.nc").write_text("of another run")
        return trajectory

    stand_in(INTEGRATE, slow)
    result = invoke("integrate", "config.yaml")
    assert result.exit_code == 3
    assert Path("config.nc").read_text() == "of another run"
    xr.testing.assert_identical(load_dataset("config-2.nc"), trajectory)


def test_argument_that_only_the_function_can_judge(
    folder: Path, invoke: Invoke, stand_in: StandIn
) -> None:
    text = Path("config.yaml").read_text("utf-8") + "expectation:\n  method: factorized\n"
    Path("late.yaml").write_text(text, encoding="utf-8")
    stand_in(INTEGRATE, ArgumentError("method", "be one of auto, closed_form", "factorized"))
    result = invoke("integrate", "late.yaml")
    assert result.exit_code == 2
    assert result.stderr == (
        "late.yaml:10: expectation.method: must be one of auto, closed_form, but is 'factorized'\n"
    )
    stand_in(INTEGRATE, ArgumentError("other", "be better", 1))
    other = invoke("integrate", "late.yaml")
    assert (other.exit_code, other.stderr) == (
        2,
        "error: Argument `other` must be better, but is 1.\n",
    )


def test_unexpected_error(folder: Path, invoke: Invoke, stand_in: StandIn) -> None:
    stand_in(INTEGRATE, KeyError("lost"))
    result = invoke("integrate", "config.yaml")
    assert result.exit_code == 70
    assert "unexpected KeyError: 'lost'" in result.stderr
    assert "please report it" in result.stderr
    debug = invoke("integrate", "config.yaml", "--log-level", "debug")
    assert debug.exit_code == 70
    assert "Traceback" in debug.stderr


def test_not_enough_memory(folder: Path, invoke: Invoke, stand_in: StandIn) -> None:
    stand_in(INTEGRATE, MemoryError())
    result = invoke("integrate", "config.yaml")
    assert (result.exit_code, result.stderr) == (3, "error: not enough memory\n")


def test_warnings_are_lines_of_the_log(
    folder: Path, invoke: Invoke, stand_in: StandIn, trajectory: xr.Dataset
) -> None:
    def imprecise() -> xr.Dataset:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("tolerance not reached", ToleranceWarning, stacklevel=1)
        return trajectory

    stand_in(INTEGRATE, imprecise)
    warned = invoke("integrate", "config.yaml", "--force")
    assert (warned.exit_code, warned.stderr) == (0, "WARNING: tolerance not reached\n")
    told = invoke("integrate", "config.yaml", "--force", "--log-level", "info")
    assert told.stderr.startswith("INFO: integrating config.yaml; the result will be config.nc\n")
    silent = invoke("--log-level", "error", "integrate", "config.yaml", "--force")
    assert (silent.exit_code, silent.stderr) == (0, "")


class StandInReport:
    """What ``headode validate`` needs of a report."""

    def __init__(self, agrees: bool) -> None:
        self.agrees = agrees

    def summary(self) -> str:
        return "the verdict"

    def save(self, folder: Path, *, force: bool = False) -> Path:
        folder.mkdir(exist_ok=force)
        (folder / "report.json").write_text("{}")
        return folder


@pytest.mark.parametrize(("agrees", "status"), [(True, 0), (False, 1)])
def test_verdict_of_validate(
    folder: Path, invoke: Invoke, stand_in: StandIn, agrees: bool, status: int
) -> None:
    calls = stand_in(VALIDATE, StandInReport(agrees))
    result = invoke("validate", "config.yaml", "--workers", "1")
    assert result.exit_code == status
    assert result.stdout == "the verdict\nReport: config_report\n"
    assert Path("config_report/report.json").exists()
    assert calls[0]["workers"] == 1
    # The report is there now, and is replaced only when asked.
    assert invoke("validate", "config.yaml").exit_code == 2
    assert len(calls) == 1
    assert invoke("validate", "config.yaml", "--force").exit_code == status


def test_report_that_cannot_be_written(
    folder: Path, invoke: Invoke, stand_in: StandIn, temporary: Path
) -> None:
    class FullDisk(StandInReport):
        def save(self, folder: Path, *, force: bool = False) -> Path:
            if Path(folder).absolute().parent != temporary:
                raise OSError(28, "No space left on device")
            return super().save(folder, force=force)

    stand_in(VALIDATE, FullDisk(agrees=True))
    result = invoke("validate", "config.yaml")
    assert result.exit_code == 3
    assert (temporary / "config_report" / "report.json").exists()
