"""The commands with everything real, on problems that take a moment."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headode.config import config_from_dict, load_config
from headode.progress import Progress
from headode.trajectory import configuration_of, load_dataset

Invoke = Callable[..., Any]


def test_integrate_and_plot(folder: Path, invoke: Invoke) -> None:
    result = invoke("integrate", "config.yaml", "-o", "run.nc", "--plot", "run.png")
    assert result.exit_code == 0, result.stderr
    assert "risk at the end" in result.stdout
    assert Path("run.png").read_bytes().startswith(b"\x89PNG")
    run = load_dataset("run.nc")
    config = load_config("config.yaml")
    np.testing.assert_array_equal(run["time"], config.output_times())
    np.testing.assert_allclose(run["M"][0], config.build_state().M, rtol=1e-12)
    assert run.attrs["status"] == "success"
    # The file holds the complete configuration, from which the run can be repeated.
    assert configuration_of(run) == config.to_dict()
    assert config_from_dict(configuration_of(run)).to_dict() == config.to_dict()

    drawn = invoke("plot", "run.nc", "-o", "again.pdf")
    assert (drawn.exit_code, drawn.stdout) == (0, "Figure: again.pdf\n")
    assert Path("again.pdf").read_bytes().startswith(b"%PDF")
    assert invoke("plot", "run.nc").exit_code == 2  # run.png is there
    assert invoke("plot", "run.nc", "--force", "--quiet").output == ""


def test_plot_refuses_what_is_no_result(folder: Path, invoke: Invoke) -> None:
    for file in ("no.nc", "config.yaml"):
        result = invoke("plot", file)
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1


def test_simulate(folder: Path, invoke: Invoke) -> None:
    result = invoke("simulate", "config.yaml", "--workers", "1")
    assert result.exit_code == 0, result.stderr
    assert "mean over runs" in result.stdout
    ensemble = load_dataset("config_simulation.nc")
    assert ensemble.sizes["run"] == 2
    assert configuration_of(ensemble) == load_config("config.yaml").to_dict()


def test_validate(folder: Path, invoke: Invoke) -> None:
    result = invoke("validate", "config.yaml", "-o", "report", "--workers", "1")
    assert result.exit_code == 0, result.output
    verdict = json.loads(Path("report/report.json").read_text("utf-8"))
    assert verdict["agrees"] is True


def test_validate_names_the_key_of_an_argument_it_refuses(folder: Path, invoke: Invoke) -> None:
    text = Path("config.yaml").read_text("utf-8").replace("dimension: 200", "dimension: 201")
    Path("odd.yaml").write_text(text, encoding="utf-8")
    result = invoke("validate", "odd.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith("odd.yaml:8: simulation.dimension: must be a multiple of 4")


def test_control_c_during_an_integration(
    folder: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def impatient(*_: Any) -> Iterator[Callable[[Progress], None]]:
        def report(progress: Progress) -> None:
            if progress.done > 0.5:
                os.kill(os.getpid(), signal.SIGINT)

        yield report

    monkeypatch.setattr("headode.cli.progress_bar.progress_bar", impatient)
    # A shell starts what runs in the background deaf to Ctrl-C, and Python leaves it so.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = invoke("integrate", "config.yaml", "-o", "run.nc")
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    assert not Path("run.nc").exists()
    partial = load_dataset("run.partial.nc")
    assert partial.attrs["status"] == "interrupted"
    assert 0.5 < float(partial["time"][-1]) < 2.0
