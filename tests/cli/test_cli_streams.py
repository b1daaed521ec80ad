"""Nothing is lost, and no status changes, where nobody can read what is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from program import PROGRAM, names, run

from headode.trajectory import load_dataset

FULL = Path("/dev/full")
StandIn = Callable[[str, Any], list[dict[str, Any]]]
Invoke = Callable[..., Any]
# Runs the command line on a terminal of its own, which is closed when the integration is on its
# way; the process is then told to hang up.
ON_A_TERMINAL = """
import os, pty, signal, sys
ignores = sys.argv.pop(1) == "ignored"
pid, terminal = pty.fork()
if pid == 0:
    signal.signal(signal.SIGHUP, signal.SIG_IGN if ignores else signal.SIG_DFL)
    os.execv(sys.executable, [sys.executable, "-c", {program!r}, *sys.argv[1:]])
seen = b""
while b"started" not in seen:
    seen += os.read(terminal, 1024)
os.close(terminal)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
# Says when it has started, and goes on when the terminal is gone.
PATIENT = """
import os, time
from headode.dynamics import recorder
advance = recorder.Recorder.advance
started = False
def patient(self, until, interpolate):
    global started
    if until > 0.5 and not started:
        started = True
        os.write(2, b"started")
        while os.isatty(2):
            try:
                os.write(2, b".")
            except OSError:
                break
            time.sleep(0.01)
    advance(self, until, interpolate)
recorder.Recorder.advance = patient
"""


@pytest.mark.parametrize("reaction", ["ignored", "default"])
def test_a_terminal_that_is_closed(folder: Path, reaction: str) -> None:
    program = ON_A_TERMINAL.format(program=PATIENT + PROGRAM)
    done = run(reaction, "integrate", "config.yaml", "-o", "run.nc", program=program)
    if reaction == "ignored":
        assert done.returncode == 0, done.stderr
        assert names(folder) == {"run.nc"}
        assert load_dataset("run.nc").attrs["status"] == "success"
    else:
        assert done.returncode == 129, done.stderr
        assert names(folder) == {"run.partial.nc"}


def test_full_outputs_cost_nothing(folder: Path) -> None:
    with FULL.open("w") as full:
        done = run("integrate", "config.yaml", "--plot", "config.png", stdout=full, stderr=full)
        assert done.returncode == 0
        assert names(folder) == {"config.nc", "config.png"}
        validated = run("validate", "config.yaml", "-o", "report", stdout=full)
        assert (validated.returncode, validated.stderr) == (0, "")
    expected = {"report.json", "report.html", "overlay.png", "deviations.png", "scaling.png"}
    assert expected <= names(folder / "report")
    assert json.loads(Path("report/report.json").read_text())["agrees"] is True


def test_closed_outputs_cost_nothing(folder: Path) -> None:
    """Files get the number of a stream that is closed; what is printed must not end up there."""
    for closed in ("1", "1 2", "0 1 2"):
        redirections = " ".join(f"{number}>&-" for number in closed.split())
        command = f'"$0" -c "$1" integrate config.yaml -o run.nc --force {redirections}'
        shell = ["sh", "-c", command, sys.executable, PROGRAM]
        assert subprocess.run(shell, check=False).returncode == 0, closed
        assert load_dataset("run.nc").attrs["status"] == "success"
        Path("run.nc").unlink()


def test_a_reader_that_has_seen_enough(folder: Path) -> None:
    command = '"$0" -c "$1" integrate config.yaml | true; "$0" -c "$1" risk config.yaml | true'
    shell = ["bash", "-o", "pipefail", "-c", command, sys.executable, PROGRAM]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(folder) == {"config.nc"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["risk", "config.yaml", "--restarts", "1"], ["Bayes risk", "best risk"]),
        (["example", "staged_specialization"], ["model:", "signal:"]),
        (["--version"], ["headode "]),
    ],
)
def test_what_is_only_printed_is_not_lost(
    folder: Path, arguments: list[str], words: list[str]
) -> None:
    with FULL.open("w") as full:
        done = run(*arguments, stdout=full)
    assert done.returncode == 3
    assert "error: could not write standard output: No space left on device" in done.stderr
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_a_table_or_picture_that_fails_changes_nothing(
    folder: Path,
    invoke: Invoke,
    stand_in: StandIn,
    trajectory: xr.Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in("headode.dynamics.integrate.integrate", trajectory)
    stand_in("headode.cli.summary.read_trajectory", IndexError("no such head"))
    result = invoke("integrate", "config.yaml", "-o", "run.nc")
    assert result.exit_code == 0
    assert "the closing table failed: IndexError('no such head')" in result.stderr
    assert result.stdout.endswith("Result: run.nc\n")
    # A figure that was asked for and is not there is a failure; the result is there all the same.
    stand_in("headode.plotting.trajectory_figure", ZeroDivisionError("nothing to draw"))
    drawn = invoke("integrate", "config.yaml", "-o", "other.nc", "--plot", "other.png")
    assert drawn.exit_code == 3
    assert "error: could not draw other.png: nothing to draw\n" in drawn.stderr
    assert names(folder) == {"run.nc", "other.nc"}
    xr.testing.assert_identical(load_dataset("other.nc"), trajectory)


def test_a_report_without_pictures_is_a_report(
    folder: Path, invoke: Invoke, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headode.plotting.report_page.TEMPLATE", folder / "nothing.html")
    result = invoke("validate", "config.yaml", "-o", "report", "--workers", "1")
    assert result.exit_code == 0, result.output
    assert "could not draw" in result.stderr
    assert json.loads(Path("report/report.json").read_text())["verdict"] == "agrees"


def test_a_limit_of_the_size_of_files(folder: Path) -> None:
    """As a full disk: nothing can be saved anywhere, and that is what is said."""
    command = 'ulimit -f 4; "$0" -c "$1" integrate config.yaml -o run.nc'
    shell = ["bash", "-c", command, sys.executable, PROGRAM]
    environment = os.environ | {"TMPDIR": str(folder)}
    done = subprocess.run(shell, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("error: could not write run.nc: ")
    assert "File too large" in done.stderr
    assert done.stderr.endswith("error: the result could not be saved anywhere\n")
    assert names(folder) == set()


@pytest.mark.parametrize(
    "settings",
    [{"MPLBACKEND": "nonsense"}, {"MPLBACKEND": "module://nowhere"}, {"MATPLOTLIBRC": "rc"}],
)
def test_settings_of_matplotlib_do_not_matter(folder: Path, settings: dict[str, str]) -> None:
    Path("rc").write_bytes(b"text.usetex: True\nbackend: nonsense\n\xff")
    environment = os.environ | settings
    arguments = ("validate", "config.yaml", "-o", "report", "--workers", "1", "--quiet")
    done = run(*arguments, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert {"report.json", "report.html", "overlay.png"} <= names(folder / "report")
