"""``headode phase-diagram``."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from sweeps import tree
from typer.testing import CliRunner

from headode.cli.main import app
from headode.phase_diagrams import store as store_module
from headode.phase_diagrams.diagram import Status
from headode.phase_diagrams.plan import Plan
from headode.phase_diagrams.store import load_diagram

CONFIG = """\
model: {tokens: 3, heads: 2, activation: linear}
signal: {kind: one_hot, amplitude: [1.0, 2.0]}
training: {time: 2.0}
initial: {scale: 0.1}
output: {count: 3}
expectation: {tolerance: 1.0e-3}
phase_diagram:
  axes:
    signal.amplitude.0: {start: 0.5, stop: 2.0, count: 4}
    model.heads: [1, 2, 3]
  measures: [final_risk]
"""
# SGD with steps this large for this few sequences diverges at one corner: η = 10, B = 1.
DIVERGING = """\
model: {tokens: 3, heads: 2, activation: linear}
signal: {kind: one_hot, amplitude: [1.0, 2.0]}
training: {time: 20.0}
initial: {scale: 0.1}
output: {count: 3}
expectation: {tolerance: 1.0e-3}
integrator: {rtol: 1.0e-3, atol: 1.0e-6}
phase_diagram:
  axes:
    training.learning_rate: {start: 0.01, stop: 10.0, count: 20, spacing: log}
    training.batch_size: {start: 1, stop: 20, count: 20}
  measures: [final_risk, bayes_risk]
"""
# Processes started in the background ignore Ctrl-C, and their children inherit that.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from headode.phase_diagrams import sweep
sweep.TASK_SECONDS = 0.02
from headode.cli.main import run
run()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty current folder with ``config.yaml``."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def invoke(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["phase-diagram", *arguments, "--workers", "1"])
    assert "Traceback" not in result.output
    return result


def test_sweep_is_written_drawn_and_summarized(folder: Path) -> None:
    result = invoke("config.yaml", "--plot", "diagram.png", "--live", "live.png")
    assert result.exit_code == 0, result.output
    assert re.search(r"points +4 × 3", result.stdout)
    assert re.search(r"computed +12", result.stdout)
    assert "Result: config.zarr\nFigure: diagram.png\n" in result.stdout
    assert Path("diagram.png").read_bytes()[1:4] == b"PNG"
    assert Path("live.png").read_bytes() == Path("diagram.png").read_bytes()
    diagram = xr.open_zarr("config.zarr").load()
    assert diagram["final_risk"].dims == ("signal.amplitude.0", "model.heads")
    assert (diagram["status"] == Status.COMPUTED).all()
    drawn = CliRunner().invoke(app, ["plot", "config.zarr", "-o", "again.png"])
    assert drawn.exit_code == 0, drawn.output
    assert Path("again.png").read_bytes() == Path("diagram.png").read_bytes()


def test_existing_store_is_kept_resumed_or_removed(folder: Path) -> None:
    assert invoke("config.yaml", "--quiet").stdout == ""
    again = invoke("config.yaml")
    assert again.exit_code == 2
    assert again.stderr == (
        "error: Argument `CONFIG` must come with an --output, as its default config.zarr must not "
        "exist yet (--resume continues it, --force replaces it), but is 'config.yaml'.\n"
    )
    assert invoke("config.yaml", "--resume").exit_code == 0
    assert invoke("config.yaml", "--force").exit_code == 0
    Path("config.yaml").write_text(CONFIG.replace("time: 2.0", "time: 3.0"), encoding="utf-8")
    other = invoke("config.yaml", "--resume")
    assert other.exit_code == 2
    assert "configuration.training.time: 2.0 there, 3.0 here" in other.stderr
    Path("precious").mkdir()
    refused = invoke("config.yaml", "-o", "precious", "--force")
    assert refused.exit_code == 2
    assert Path("precious").is_dir()


def test_failed_points_are_said_and_set_the_exit_status(folder: Path) -> None:
    # Without a closed form for bayes_softmax, half of the points cannot be computed.
    text = CONFIG.replace("1.0e-3}", "1.0e-3, method: closed_form}")
    text = text.replace("model.heads: [1, 2, 3]", "model.activation: [linear, bayes_softmax]")
    Path("config.yaml").write_text(text, encoding="utf-8")
    result = invoke("config.yaml", "--plot", "diagram.pdf")
    assert result.exit_code == 3
    assert (
        "numerical failure: 4 of 8 points failed, the first one, at signal.amplitude.0 = 0.5, "
        "model.activation = bayes_softmax, with: final_risk: "
    ) in result.stderr
    assert re.search(r"computed +4\n +failed +4", re.sub(" +\n", "\n", result.stdout))
    assert Path("diagram.pdf").exists()
    diagram = load_diagram("config.zarr")
    assert (diagram["status"].sel({"model.activation": "linear"}) == Status.COMPUTED).all()
    assert invoke("config.yaml", "--resume").exit_code == 3


def test_one_diverging_point_among_400(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("config.yaml").write_text(DIVERGING, encoding="utf-8")
    result = invoke("config.yaml")
    assert result.exit_code == 3
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["points", "20", "×", "20"] in lines
    assert ["computed", "399"] in lines
    assert ["failed", "1"] in lines
    assert lines[-1] == ["Result:", "config.zarr"]
    said = "final_risk: the order parameters diverged (try a smaller learning rate) at time "
    closing = (
        "error: numerical failure: 1 of 400 points failed, the first one, at "
        f"training.learning_rate = 10.0, training.batch_size = 1, with: {said}"
    )
    first, last = result.stderr.splitlines()
    assert first.startswith(closing)
    assert last == "The others are in the result."

    diagram = load_diagram("config.zarr")
    failed = diagram["status"] == Status.FAILED
    assert int(failed.sum()) == 1
    assert bool(failed[-1, 0])
    assert int((diagram["status"] == Status.COMPUTED).sum()) == 399
    np.testing.assert_array_equal(np.isfinite(diagram["final_risk"]), ~failed)
    assert np.isfinite(diagram["bayes_risk"]).all()  # does not depend on what failed
    assert str(diagram["message"][-1, 0].item()).startswith(said)
    assert (diagram["message"].where(~failed, "") == "").all()

    # Nothing is left to compute, and what is there stays as it is.
    before = tree("config.zarr")
    with monkeypatch.context() as patch:
        patch.setattr(Plan, "evaluate", lambda *_: pytest.fail("a point was computed again"))
        resumed = invoke("config.yaml", "--resume")
    assert resumed.exit_code == 3
    assert resumed.stderr == result.stderr
    assert tree("config.zarr") == before

    drawn = CliRunner().invoke(app, ["plot", "config.zarr", "-o", "diagram.svg"])
    assert drawn.exit_code == 0, drawn.output
    picture = Path("diagram.svg").read_text(encoding="utf-8")
    assert picture.count("<!-- failed -->") == 1  # in a legend: the Bayes risk is there everywhere
    (cell,) = hatched_cells(picture)
    # In units of the frame, from its upper left: the largest rate, the smallest batch.
    np.testing.assert_allclose(cell, [[0.95, 0.95], [1.0, 1.0]], rtol=1e-4)


def hatched_cells(picture: str) -> list[Any]:
    """Upper left and lower right corner of each hatched cell of an SVG, relative to its frame."""
    cells = []
    pattern = r'<path d="([^"]*)" clip-path="url\(#(\w+)\)" style="fill: url'
    for path, frame in re.findall(pattern, picture):
        corners = np.array(re.findall(r"[\d.]+", path), dtype=float).reshape(-1, 2)
        (rectangle,) = re.findall(rf'id="{frame}">\s*<rect ([^/]*)/>', picture)
        x, y, width, height = map(float, re.findall(r'"([^"]*)"', rectangle))
        extent = np.array([corners.min(axis=0), corners.max(axis=0)])
        cells.append((extent - [x, y]) / [width, height])
    return cells


def test_dry_run_writes_nothing(folder: Path) -> None:
    result = invoke("config.yaml", "--dry-run")
    assert result.exit_code == 0, result.output
    assert re.search(r"points +12", result.stdout)
    assert re.search(r"wall time, 1 workers? +\d", result.stdout)
    assert "GiB" in result.stdout
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_a_store_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store_module.Store, "_write", full)
        result = invoke("config.yaml")
    assert result.exit_code == 3
    assert "could not write config.zarr: No space left on device" in result.stderr
    assert "To continue: headode phase-diagram config.yaml -o config.zarr --resume" in result.stderr
    assert invoke("config.yaml", "--resume").exit_code == 0


def test_interrupted_sweep_is_continued(folder: Path) -> None:
    text = CONFIG.replace("count: 4", "count: 100").replace("heads: [1, 2, 3]", "heads: [1, 2]")
    Path("long.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", PROGRAM, "phase-diagram", "long.yaml", "--workers", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not Path("long.zarr").exists() or not (load_diagram("long.zarr")["status"] > 0).any():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate()
    assert process.returncode == 130, messages
    assert re.search(r"interrupted: \d+ of 200 points are done, and are in long.zarr", messages)
    assert "To continue: headode phase-diagram long.yaml -o long.zarr --resume\n" in messages
    kept = int((load_diagram("long.zarr")["status"] == Status.COMPUTED).sum())
    assert f"interrupted: {kept} of 200" in messages
    assert 0 < kept < 200
    assert invoke("long.yaml", "--resume").exit_code == 0
    assert invoke("long.yaml", "-o", "whole.zarr").exit_code == 0
    xr.testing.assert_identical(load_diagram("long.zarr"), load_diagram("whole.zarr"))


def test_configuration_without_a_sweep(folder: Path) -> None:
    text = CONFIG[: CONFIG.index("phase_diagram")]
    Path("config.yaml").write_text(text, encoding="utf-8")
    result = invoke("config.yaml")
    assert result.exit_code == 2
    assert "phase_diagram: must be there for `headode phase-diagram`" in result.stderr


def test_bad_scheduler(folder: Path) -> None:
    arguments = ["phase-diagram", "config.yaml", "--scheduler", "nonsense"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "be the address of a Dask scheduler that answers" in result.stderr
