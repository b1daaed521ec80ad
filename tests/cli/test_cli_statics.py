"""``headode risk`` and ``headode prune``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headode as ho
from headode.trajectory import load_dataset, state_at

Invoke = Callable[..., Any]


def test_risk(folder: Path, invoke: Invoke) -> None:
    result = invoke("risk", "config.yaml", "--restarts", "2", "-o", "risk.json")
    assert result.exit_code == 0, result.stderr
    for words in ("Bayes risk", "best risk", "excess risk", "residual", "M of head 2", "continuum"):
        assert words in result.stdout
    found = json.loads(Path("risk.json").read_text("utf-8"))
    model = ho.load_config("config.yaml").build_model()
    best = ho.optimal_risk(model, restarts=2)
    assert found["risk"] == best.risk
    assert found["minima"][0]["state"]["M"] == best.state.M.tolist()
    assert found["bayes_risk"] == pytest.approx(ho.bayes_risk(model), abs=1e-5)
    # Again: the file is there; without one, only the table.
    assert invoke("risk", "config.yaml", "-o", "risk.json").exit_code == 2
    assert invoke("risk", "config.yaml", "--restarts", "1", "--quiet").output == ""


def test_risk_names_the_key_it_refuses(folder: Path, invoke: Invoke) -> None:
    text = Path("config.yaml").read_text("utf-8") + "expectation: {method: factorized}\n"
    Path("odd.yaml").write_text(text, encoding="utf-8")
    result = invoke("risk", "odd.yaml")
    assert result.exit_code == 2
    assert "odd.yaml:9: expectation.method" in result.stderr
    assert invoke("risk", "config.yaml", "--restarts", "0").exit_code == 2


def test_prune(folder: Path, invoke: Invoke) -> None:
    assert invoke("integrate", "config.yaml", "-o", "run.nc", "--quiet").exit_code == 0
    result = invoke("prune", "run.nc", "--largest-loss", "0.5", "--plot", "pruned.png")
    assert result.exit_code == 0, result.stderr
    assert "removable heads" in result.stdout
    assert Path("pruned.png").read_bytes().startswith(b"\x89PNG")
    pruned, run = load_dataset("run_pruned.nc"), load_dataset("run.nc")
    config = ho.load_config("config.yaml")
    expected = ho.prune(config.build_model(), state_at(run), largest_loss=0.5)
    np.testing.assert_array_equal(pruned["risk"], expected["risk"])
    assert pruned.attrs["configuration"] == run.attrs["configuration"]
    assert pruned.attrs["removable"] == expected.attrs["removable"]
    # Linear heads are summed: by default what is left is not renormalized.
    assert invoke("prune", "run.nc", "--renormalize", "-o", "other.nc", "-q").output == ""
    assert load_dataset("other.nc").attrs["renormalized"] == 1
    assert invoke("plot", "run_pruned.nc", "-o", "again.pdf").exit_code == 0


def test_prune_refuses_what_has_no_heads_to_remove(folder: Path, invoke: Invoke) -> None:
    assert invoke("simulate", "config.yaml", "-o", "sim.nc", "--quiet").exit_code == 0
    assert invoke("integrate", "config.yaml", "-o", "run.nc", "--quiet").exit_code == 0
    assert invoke("prune", "run.nc", "-o", "pruned.nc", "--quiet").exit_code == 0
    for arguments in (["no.nc"], ["sim.nc"], ["pruned.nc"], ["run.nc", "--refit-value", "--force"]):
        result = invoke("prune", *arguments)
        assert result.exit_code == 2, result.output
        assert result.stderr.startswith("error: Argument")
    assert invoke("prune", "run.nc", "-o", "pruned.nc").exit_code == 2
