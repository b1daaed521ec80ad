"""Signals save what is computed, and nothing that is saved is destroyed by more of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import SIGNALED, names, run, signaled

from headode.cli.signals import held, interruptible, release
from headode.phase_diagrams.store import load_diagram
from headode.trajectory import load_dataset

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SWEEP = """\
phase_diagram:
  axes: {signal.amplitude.0: {start: 0.5, stop: 2.0, count: 40}}
  measures: [final_risk]
"""
Invoke = Callable[..., Any]


@pytest.mark.parametrize(
    ("number", "count"), [(signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGHUP, 2)]
)
def test_integrate(folder: Path, number: int, count: int) -> None:
    done = signaled(number, "integrate", "config.yaml", "-o", "run.nc", count=count)
    assert done.returncode == STATUS[number], done.stderr
    assert names(folder) == {"run.partial.nc"}
    partial = load_dataset("run.partial.nc")
    assert partial.attrs["status"] == "interrupted"
    assert 0.6 <= float(partial["time"][-1]) < 2.0
    assert "is in run.partial.nc" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_result_is_saved(folder: Path, number: int) -> None:
    done = signaled(number, "integrate", "config.yaml", "-o", "run.nc", count=2, saving=True)
    assert done.returncode == STATUS[number], done.stderr
    assert "interrupted; the result is in run.nc" in done.stderr
    assert names(folder) == {"run.nc"}
    assert load_dataset("run.nc").attrs["status"] == "success"


def test_ctrl_c_pressed_for_the_third_time_gives_up(folder: Path) -> None:
    arguments = ("integrate", "config.yaml", "-o", "run.nc")
    done = signaled(signal.SIGINT, *arguments, count=3, saving=True)
    assert done.returncode == 130
    assert "press Ctrl-C once more" in done.stderr
    assert names(folder) == set()


def test_simulate(folder: Path) -> None:
    done = signaled(signal.SIGTERM, "simulate", "config.yaml", "-o", "sim.nc", "--workers", "1")
    assert done.returncode == 143, done.stderr
    assert "To continue: headode simulate config.yaml -o sim.nc --resume" in done.stderr
    assert {"sim.partial.nc", "sim.nc.partial"} == names(folder)


def test_validate_keeps_what_is_finished(folder: Path) -> None:
    arguments = ("validate", "config.yaml", "-o", "report", "--workers", "1")
    done = signaled(signal.SIGTERM, *arguments)
    assert done.returncode == 143, done.stderr
    assert names(folder) == {"report.partial"}
    assert "theory" in done.stderr
    theory = load_dataset("report.partial/theory.nc")
    assert theory.attrs["status"] == "success"
    assert float(theory["time"][-1]) == pytest.approx(2.0)


def test_risk(folder: Path, invoke: Invoke) -> None:
    arguments = ("risk", "config.yaml", "--restarts", "4")
    done = signaled(signal.SIGTERM, *arguments, "-o", "risk.json")
    assert done.returncode == 143, done.stderr
    assert names(folder) == {"risk.partial.json"}
    kept = json.loads(Path("risk.partial.json").read_text())
    # The second of four searches is the first after a third of them.
    assert "interrupted: 2 of 4 searches are finished" in done.stderr
    assert sum(minimum["count"] for minimum in kept["minima"]) == 2
    assert invoke("risk", "config.yaml", "--restarts", "2", "-o", "two.json").exit_code == 0
    two = json.loads(Path("two.json").read_text())
    assert {**kept, "restarts": 2, "evaluations": 0} == {**two, "evaluations": 0}
    # Without a file, it is printed.
    printed = signaled(signal.SIGHUP, *arguments)
    assert printed.returncode == 129
    assert f"{kept['risk']:.6f}" in printed.stdout


def test_prune(folder: Path, invoke: Invoke) -> None:
    assert invoke("integrate", "config.yaml", "-o", "run.nc", "--quiet").exit_code == 0
    done = signaled(signal.SIGTERM, "prune", "run.nc", "-o", "pruned.nc")
    assert done.returncode == 143, done.stderr
    assert names(folder) == {"run.nc", "pruned.partial.nc"}
    assert invoke("prune", "run.nc", "-o", "pruned.nc", "--quiet").exit_code == 0
    partial, whole = load_dataset("pruned.partial.nc"), load_dataset("pruned.nc")
    np.testing.assert_array_equal(partial["kept"], [1, 2])  # one, and what the loss refers to
    np.testing.assert_array_equal(partial["loss"], whole["loss"])
    assert invoke("plot", "pruned.partial.nc").exit_code == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_phase_diagram(folder: Path, workers: str) -> None:
    text = Path("config.yaml").read_text() + SWEEP
    Path("config.yaml").write_text(text)
    arguments = ("phase-diagram", "config.yaml", "-o", "d.zarr", "--workers", workers)
    done = signaled(signal.SIGTERM, *arguments)
    assert done.returncode == 143, done.stderr
    assert "To continue: headode phase-diagram config.yaml -o d.zarr --resume" in done.stderr
    kept = int((load_diagram("d.zarr")["status"] == 1).sum())
    assert 12 <= kept < 40
    assert f"{kept} of 40 points are done" in done.stderr


def test_ignored_signals_stay_ignored(folder: Path) -> None:
    """As under nohup."""
    program = SIGNALED.replace("SIGHUP, signal.SIG_DFL", "SIGHUP, signal.SIG_IGN")
    assert program != SIGNALED
    done = run(f"{int(signal.SIGHUP)},1,0", "integrate", "config.yaml", program=program)
    assert done.returncode == 0, done.stderr
    assert load_dataset("config.nc").attrs["status"] == "success"


def test_workers_are_deaf_to_what_all_processes_of_a_job_get() -> None:
    program = """
import os, signal
from headode.phase_diagrams.task import start_worker
start_worker()
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    os.kill(os.getpid(), getattr(signal, name))
print("alive")
"""
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"alive\n"


def test_handlers_are_there_only_for_the_length_of_a_command() -> None:
    before = [signal.getsignal(number) for number in STATUS]
    own = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with interruptible():
            # Whoever handles a signal already goes on doing so.
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, own)
    assert [signal.getsignal(number) for number in STATUS] == before


def test_signals_are_held_until_released() -> None:
    with interruptible() as interruption:
        held(None)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.number == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            release()
    assert interruption.status == 143
