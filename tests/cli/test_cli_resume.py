"""Interrupted simulations are continued by ``headode simulate --resume``."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from headode.trajectory import load_dataset

Invoke = Callable[..., Any]

# Some 0.2 s a run, one after the other: an interruption falls between two of them.
CONFIG = """\
model: {tokens: 3, heads: 2}
signal: {kind: one_hot, amplitude: [1.0, 2.0]}
training: {learning_rate: 0.5, time: 200.0}
initial: {scale: 0.1}
output: {count: 5}
simulation: {dimension: 1000, runs: 6}
"""
ARGUMENTS = ("simulate", "long.yaml", "-o", "sim.nc", "--workers", "1")
KEPT = Path("sim.nc.partial")
# Processes started in the background ignore Ctrl-C, and their children inherit that.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from headode.cli.main import run
run()
"""


@pytest.fixture
def long(folder: Path) -> Path:
    """A folder with a simulation of a second."""
    (folder / "long.yaml").write_text(CONFIG, encoding="utf-8")
    return folder


def interrupt(how: signal.Signals) -> tuple[int, str]:
    """Start the program, send it a signal after its first run; returns status and messages."""
    command = [sys.executable, "-c", PROGRAM, *ARGUMENTS]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (KEPT / "run-0.npz").exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(how)
    _, messages = process.communicate()
    return process.returncode, messages


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_and_continued(long: Path, invoke: Invoke, how: signal.Signals) -> None:
    status, messages = interrupt(how)
    assert not Path("sim.nc").exists()
    finished = len(list(KEPT.glob("run-*.npz")))
    assert 1 <= finished < 6
    if how is signal.SIGINT:
        assert status == 130
        assert f"{finished} of 6 runs are finished" in messages
        assert "To continue: headode simulate long.yaml -o sim.nc --resume\n" in messages
        partial = load_dataset("sim.partial.nc")
        assert np.isfinite(partial["risk"][:finished]).all()
    else:
        assert status == -signal.SIGKILL

    refused = invoke(*ARGUMENTS)
    assert refused.exit_code == 2
    assert "--resume continues it, --force removes it" in refused.stderr
    resumed = invoke(*ARGUMENTS, "--resume")
    assert resumed.exit_code == 0, resumed.stderr
    assert not KEPT.exists()
    whole = invoke("simulate", "long.yaml", "-o", "whole.nc")
    assert whole.exit_code == 0
    assert not Path("whole.nc.partial").exists()
    xr.testing.assert_equal(load_dataset("sim.nc"), load_dataset("whole.nc"))


def unfinished() -> None:
    """Leave behind what a killed simulation does."""
    KEPT.mkdir()
    (KEPT / "simulation.json").write_text('{"model": {"tokens": 5}}', encoding="utf-8")


def test_unfinished_simulation_of_something_else(folder: Path, invoke: Invoke) -> None:
    unfinished()
    arguments = ("simulate", "config.yaml", "-o", "sim.nc")
    refused = invoke(*arguments, "--resume")
    assert refused.exit_code == 2
    assert "model.tokens: 5 there, 3 here" in refused.stderr
    assert (KEPT / "simulation.json").exists()
    forced = invoke(*arguments, "--force")
    assert forced.exit_code == 0
    assert not KEPT.exists()


def test_a_folder_of_something_else_is_never_removed(folder: Path, invoke: Invoke) -> None:
    KEPT.mkdir()
    (KEPT / "precious").write_text("data")
    for option in ("--force", "--resume"):
        result = invoke("simulate", "config.yaml", "-o", "sim.nc", option)
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
    assert (KEPT / "precious").read_text() == "data"


def test_nothing_to_resume_is_a_start(folder: Path, invoke: Invoke) -> None:
    assert invoke("simulate", "config.yaml", "-o", "sim.nc", "--resume").exit_code == 0
    again = invoke("simulate", "config.yaml", "-o", "sim.nc", "--resume")
    assert again.exit_code == 2  # the result is there
    assert not KEPT.exists()


def test_a_diverged_simulation_cannot_be_continued(folder: Path, invoke: Invoke) -> None:
    text = Path("config.yaml").read_text("utf-8").replace("0.5", "50.0")
    Path("large.yaml").write_text(text.replace("2.0\n", "100.0\n"), encoding="utf-8")
    result = invoke("simulate", "large.yaml", "-o", "sim.nc")
    assert result.exit_code == 3
    assert "2 of 2 runs of the simulation diverged" in result.stderr
    assert Path("sim.partial.nc").exists()
    assert not KEPT.exists()
