"""A working folder with a configuration, and stand-ins for what computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from headode import Model, Signal
from headode.cli.main import app
from headode.trajectory import trajectory_dataset

CONFIG = """\
model: {tokens: 3, heads: 2, activation: linear}
signal: {kind: one_hot, amplitude: [1.0, 2.0]}
training:
  learning_rate: 0.5
  time: 2.0
initial: {scale: 0.1}
output: {count: 5}
simulation: {dimension: 200, runs: 2}
"""

Invoke = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty current folder with ``config.yaml``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.fixture
def invoke() -> Invoke:
    """Run the command line in this process; a result has exit_code, stdout and stderr."""

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(app, arguments)
        assert "Traceback" not in result.output or "debug" in arguments
        return result

    return run


@pytest.fixture
def trajectory() -> xr.Dataset:
    """A short trajectory of two heads, as an integration returns it."""
    return trajectory_dataset(
        [0.0, 1.0, 2.0],
        {
            "M": np.linspace(0, 1, 12).reshape(3, 2, 2),
            "R": np.tile(np.eye(2), (3, 1, 1)),
            "risk": np.array([0.5, 0.3, 0.25]),
            "expectation_error": np.full(3, 1e-8),
        },
        kind="integration",
        configuration=Model(3, 2, Signal.one_hot([1.0, 2.0]), "linear").to_dict(),
        status="success",
        bayes_risk=0.2,
        right_hand_side_evaluations=17,
        expectation_method="closed_form",
        wall_time=0.5,
    )


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], list[dict[str, Any]]]:
    """Put a result, or an exception to raise, in the place of a function that computes."""

    def replace(target: str, outcome: Any) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []

        def function(*_: Any, **arguments: Any) -> Any:
            calls.append(arguments)
            if callable(outcome):
                return outcome()
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(target, function)
        return calls

    return replace
