"""What was lost of a store, or damaged, is computed again, and nothing else is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from sweeps import overlap, sections, tree

from headode.phase_diagrams import store as store_module
from headode.phase_diagrams.api import make_plan, run_plan
from headode.phase_diagrams.plan import Plan
from headode.phase_diagrams.store import load_diagram

AXES = {"initial.scale": [0.1, 0.2, 0.3], "model.activation": ["linear", "erf"]}
# Numbers, one without a value, texts, and numbers for each feature, of which one has no value.
MEASURES = ["final_risk", "specialization_time", "phase", "specialization_times", overlap]
SIZE = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep, with chunks of two points."""
    path = tmp_path_factory.mktemp("whole") / "d.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "CHUNK", 2)
        run_plan(plan(), workers=1, store=path)
    return path


def plan() -> Plan:
    return make_plan(sections(), axes=AXES, measures=MEASURES, seeds=2)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Points that are computed, as they are."""
    monkeypatch.setattr(store_module, "CHUNK", 2)
    seen: list[tuple[int, ...]] = []
    evaluate = Plan.evaluate

    def noted(self: Plan, index: tuple[int, ...]) -> Any:
        seen.append(index)
        return evaluate(self, index)

    monkeypatch.setattr(Plan, "evaluate", noted)
    return seen


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:16])  # the header of a chunk


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGE: dict[str, tuple[str, Callable[[Path], object], int]] = {
    "a number": ("final_risk/0.0.0", Path.unlink, 2),
    "a text": ("phase/1.1.0", Path.unlink, 2),
    "one measure of several": ("overlap", shutil.rmtree, SIZE),
    "a function's measure": ("overlap/2.0.0", Path.unlink, 2),
    "status": ("status/0.1.0", Path.unlink, 2),
    "hashes": ("checks/checksum/0.0.0", Path.unlink, 2),
    "all hashes": ("checks", shutil.rmtree, SIZE),
    "truncated number": ("final_risk/0.0.0", truncate, 2),
    "truncated text": ("phase/0.0.0", truncate, 2),
    "truncated status": ("status/2.1.0", truncate, 2),
    "truncated hashes": ("checks/checksum/2.1.0", truncate, 2),
    "zero bytes": ("final_risk/2.0.0", empty, 2),
    "values of other points": (
        "final_risk/0.0.0",
        lambda path: shutil.copy(path.with_name("1.1.0"), path),
        2,
    ),
    "mean over the seeds": ("final_risk_mean", shutil.rmtree, 0),
    "truncated mean": ("final_risk_mean/0.0", truncate, 0),
    "coordinate": ("initial.scale/0", Path.unlink, 0),
    "truncated coordinate": ("initial.scale/0", truncate, 0),
    "names on an axis": ("model.activation", shutil.rmtree, 0),
    "attributes": (".zattrs", Path.unlink, 0),
    "truncated attributes": (".zattrs", truncate, 0),
    "metadata of all": (".zmetadata", Path.unlink, 0),
    "truncated metadata": (".zmetadata", truncate, 0),
    "metadata of an array": ("phase/.zarray", empty, 0),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_lost_is_computed_again(
    whole: Path, tmp_path: Path, computed: list[tuple[int, ...]], name: str
) -> None:
    where, harm, points = DAMAGE[name]
    path = tmp_path / "d.zarr"
    shutil.copytree(whole, path)
    harm(path / where)
    result = run_plan(plan(), workers=1, store=path, resume=True)
    assert len(computed) == points
    xr.testing.assert_identical(load_diagram(path), load_diagram(whole))
    xr.testing.assert_identical(result, run_plan(plan(), workers=1, store=path, resume=True))
    assert tree(path) == tree(whole)


def test_values_that_do_not_exist_are_no_lost_ones(
    whole: Path, computed: list[tuple[int, ...]]
) -> None:
    """Heads that do not split have no date: NaN is the result, and is not computed again."""
    dates = load_diagram(whole)["specialization_time"].values
    assert np.isnan(dates).any()
    run_plan(plan(), workers=1, store=whole, resume=True)
    assert not computed


def test_several_files_at_once(
    whole: Path, tmp_path: Path, computed: list[tuple[int, ...]]
) -> None:
    path = tmp_path / "d.zarr"
    shutil.copytree(whole, path)
    for name in ("final_risk/0.0.0", "phase/0.0.0", "status/1.0.0"):
        (path / name).unlink()
    run_plan(plan(), workers=2, store=path, resume=True)
    assert tree(path) == tree(whole)
