"""A Dask cluster computes the same bits, and may lose workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from sweeps import sections

import headode as ho
from headode.errors import HeadodeError, NumericalFailure
from headode.phase_diagrams.api import make_plan, run_plan
from headode.phase_diagrams.diagram import Status
from headode.phase_diagrams.estimate import estimate

distributed = pytest.importorskip("distributed")

AXES: dict[str, Any] = {
    "signal.amplitude.1": [0.5, 1.0, 1.5],
    "initial.scale": [0.1, 0.2, 0.3, 0.4],
    "model.activation": ["linear", "erf"],
}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of two workers on this machine."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", protocol="tcp://"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_same_bits_as_in_this_process(client: Any, tmp_path: Path) -> None:
    given: dict[str, Any] = {"axes": AXES, "measures": ["final_risk", "phase"], "seeds": 2}
    here = ho.phase_diagram(sections(), **given, workers=1)
    there = ho.phase_diagram(sections(), **given, scheduler=client)
    by_address = ho.phase_diagram(
        sections(), **given, scheduler=client.scheduler.address, store=tmp_path / "d.zarr"
    )
    xr.testing.assert_identical(here, there)
    xr.testing.assert_identical(here, by_address)
    xr.testing.assert_identical(here, xr.open_zarr(tmp_path / "d.zarr").load())


def test_a_worker_that_is_killed_midway(client: Any, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.touch()

    def deadly_once(point: Any) -> float:
        if point.parameters["initial.scale"] == 0.3 and trap.exists():
            trap.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return float(point.run["risk"][-1])

    plan = make_plan(sections(), axes=AXES, measures=[deadly_once])
    found = run_plan(plan, scheduler=client)
    assert not trap.exists()
    xr.testing.assert_identical(found, run_plan(plan, workers=1))
    assert (found["status"] == Status.COMPUTED).all()


def test_workers_with_other_versions_are_refused(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headode.phase_diagrams import plan as plan_module

    monkeypatch.setattr(plan_module, "known_versions", lambda: {"numpy": "1.0"})
    plan = make_plan(sections(), axes=AXES, measures=["final_risk"])
    with pytest.raises(HeadodeError, match="a worker has other versions"):
        run_plan(plan, scheduler=client)


def test_points_that_kill_every_worker(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from headode.phase_diagrams import sweep as sweep_module

    monkeypatch.setattr(sweep_module, "MOST_DEATHS", 0)
    client.run_on_scheduler(_allow_no_failures)

    def deadly(point: Any) -> float:
        os.kill(os.getpid(), signal.SIGKILL)
        return 0.0

    with pytest.raises(NumericalFailure, match="processes died"):
        ho.phase_diagram(
            sections(), axes={"initial.scale": [0.1]}, measures=[deadly], scheduler=client
        )


def _allow_no_failures(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 0


def test_dry_run_on_a_cluster(client: Any) -> None:
    plan = make_plan(sections(), axes=AXES, measures=["final_risk"])
    found = estimate(plan, scheduler=client)
    assert found.workers >= 1
    assert found.seconds > 0
