"""``headode stability``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from headode.cli.main import app
from headode.trajectory import load_dataset

CONFIG = """\
model: {tokens: 3, heads: 2, activation: bayes_softmax, label_noise: 0.3}
signal: {kind: sign_flips, mean: [2.0, 0.0], amplitude: [0.0, 1.8]}
training: {time: 300.0}
initial: {scale: 0.001}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["stability", *arguments])


def test_tables_and_file(config: Path) -> None:
    result = invoke("config.yaml", "-o", "stability.nc")
    assert result.exit_code == 0, result.output
    assert "M of every head" in result.stdout
    assert "heads apart along feature 2" in result.stdout
    # κ Var θ with H = 2: twice 0.014182445, times 1.8².
    assert "0.091902" in result.stdout
    assert "Splits predicted" in result.stdout
    saved = load_dataset(config.parent / "stability.nc")
    assert float(saved["growth_rate"][0]) == pytest.approx(2 * 0.014182445 * 1.8**2, rel=1e-6)
    assert float(saved["specialization_time"].sel(feature=2)) > 30.0
    assert saved.attrs["kind"] == "stability"


def test_quiet_says_nothing_and_existing_files_are_kept(config: Path) -> None:
    target = config.parent / "stability.nc"
    target.write_text("mine")
    assert invoke("config.yaml", "-o", "stability.nc").exit_code == 2
    assert target.read_text() == "mine"
    result = invoke("config.yaml", "-o", "stability.nc", "--force", "--quiet")
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_single_head_has_no_prediction(config: Path) -> None:
    config.write_text(CONFIG.replace("heads: 2", "heads: 1"))
    result = invoke("config.yaml")
    assert result.exit_code == 0
    assert "the head along feature 1" in result.stdout
    assert "Splits" not in result.stdout


def test_no_fixed_point_is_a_numerical_failure(config: Path) -> None:
    text = CONFIG.replace("bayes_softmax", "linear, value: learned")
    config.write_text(text.replace("{time:", "{learning_rate: 200.0, time:"))
    result = invoke("config.yaml")
    assert result.exit_code == 3
    assert "smaller learning rate" in result.stderr
