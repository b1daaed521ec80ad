"""Nothing is lost, whatever happens; and nobody else's store is touched."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from sweeps import AXES, continue_sweep, overlap, sections, slow_overlap, tree

import headode as ho
from headode.errors import ArgumentError
from headode.phase_diagrams import store as store_module
from headode.phase_diagrams import sweep as sweep_module
from headode.phase_diagrams.api import make_plan, run_plan
from headode.phase_diagrams.diagram import Status
from headode.phase_diagrams.store import Store, is_diagram, load_diagram, locked_store

# Processes are forked from one that has loaded everything, and so start at once.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["sweeps", "headode.dynamics.integrate", "zarr", "filelock"])


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "CHUNK", 64)
    monkeypatch.setattr(sweep_module, "TASK_SECONDS", 0.02)


def start(path: Path, workers: int = 1) -> Any:
    """A process that continues a sweep of two seconds."""
    process = PROCESSES.Process(target=continue_sweep, args=(str(path), workers))
    process.start()
    return process


def finish(path: Path) -> None:
    process = start(path)
    process.join()
    assert process.exitcode == 0


def kill(process: Any) -> None:
    process.kill()
    process.join()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of that sweep, made at one go."""
    path = tmp_path_factory.mktemp("undisturbed") / "d.zarr"
    finish(path)
    return path


def done(path: Path) -> int:
    """Number of points that are not pending; as quickly as it can be read."""
    if not path.exists():
        return 0
    status = zarr.open_array(path / "status", mode="r")[...]
    return int(np.sum(status != Status.PENDING))


@pytest.mark.slow
def test_twenty_kills(undisturbed: Path, tmp_path: Path) -> None:
    path, dice, reached = tmp_path / "d.zarr", random.Random(0), [0]
    kills = 0
    while kills < 20:
        # Every tenth one has worker processes, which must not outlive it.
        process = start(path, workers=2 if kills % 10 == 9 else 1)
        before = reached[-1]
        while process.is_alive() and done(path) <= before:
            time.sleep(0.01)
        time.sleep(dice.uniform(0.0, 0.05))
        if not process.is_alive():
            break
        kill(process)
        kills += 1
        reached.append(done(path))
        assert reached[-1] >= before
    assert kills == 20
    assert reached[-1] > 20
    finish(path)
    assert tree(path) == tree(undisturbed)
    xr.testing.assert_identical(load_diagram(path), load_diagram(undisturbed))


def test_workers_do_not_outlive_a_killed_sweep(tmp_path: Path) -> None:
    import psutil

    process = start(tmp_path / "d.zarr", workers=2)
    while done(tmp_path / "d.zarr") < 5:
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    kill(process)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_a_chunk_that_was_written_without_its_status_does_not_count(tmp_path: Path) -> None:
    plan = make_plan(sections(), axes={"initial.scale": [0.1, 0.2, 0.3]}, measures=[overlap])
    whole = run_plan(plan, workers=1, store=tmp_path / "whole.zarr")
    path = tmp_path / "d.zarr"
    with locked_store(path, plan, resume=False) as store:
        store._write("overlap", (slice(0, 3), slice(0, 1)), whole["overlap"].values[:, None] + 1.0)
    (path / "overlap" / "0.deadbeef.partial").write_bytes(b"half of a chunk")
    xr.testing.assert_identical(run_plan(plan, workers=1, store=path, resume=True), whole)
    assert tree(path) == tree(tmp_path / "whole.zarr")


def test_resuming_a_finished_sweep_computes_nothing(tmp_path: Path) -> None:
    calls: list[int] = []

    def counted(point: Any) -> float:
        calls.append(1)
        return 1.0

    plan = make_plan(sections(), axes={"initial.scale": [0.1, 0.2]}, measures=[counted], seeds=2)
    first = run_plan(plan, workers=1, store=tmp_path / "d.zarr")
    before = tree(tmp_path / "d.zarr")
    again = run_plan(plan, workers=1, store=tmp_path / "d.zarr", resume=True)
    assert len(calls) == 4
    xr.testing.assert_identical(again, first)
    assert tree(tmp_path / "d.zarr") == before


def test_store_of_another_sweep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.zarr"
    given: dict[str, Any] = {"axes": {"initial.scale": [0.1, 0.2]}, "measures": [overlap]}
    run_plan(make_plan(sections(), **given), workers=1, store=path)
    before = tree(path)

    def other(point: Any) -> float:
        return 0.0

    changed = {
        "configuration.training.time: 1.0 there, 2.0 here": (
            sections(training={"time": 2.0}),
            given,
        ),
        "axes.initial.scale": (sections(), given | {"axes": {"initial.scale": [0.1, 0.3]}}),
        "measures": (sections(), given | {"measures": {"overlap": other}}),
        "seeds: 1 there, 2 here": (sections(), given | {"seeds": 2}),
        "derived": (sections(), given | {"derived": {"model.heads": len}}),
    }
    for said, (configuration, arguments) in changed.items():
        with pytest.raises(ArgumentError) as caught:
            run_plan(make_plan(configuration, **arguments), workers=1, store=path, resume=True)
        assert f"must belong to the same sweep ({said}" in str(caught.value)
    with pytest.raises(ArgumentError, match="must not exist yet"):
        run_plan(make_plan(sections(), **given), workers=1, store=path)
    assert tree(path) == before


def test_store_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headode.phase_diagrams import plan as plan_module

    given: dict[str, Any] = {"axes": {"initial.scale": [0.1]}, "measures": [overlap]}
    run_plan(make_plan(sections(), **given), workers=1, store=tmp_path / "d.zarr")
    monkeypatch.setattr(plan_module, "known_versions", lambda: {"headode": "0.0.1"})
    with pytest.raises(ArgumentError, match=r"versions\.headode: '.*' there, '0.0.1' here"):
        run_plan(make_plan(sections(), **given), workers=1, store=tmp_path / "d.zarr", resume=True)


def test_what_is_no_phase_diagram_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "data").write_text("data")
    plan = make_plan(sections(), axes={"initial.scale": [0.1]}, measures=[overlap])
    with pytest.raises(ArgumentError, match="must be a phase diagram"):
        run_plan(plan, workers=1, store=folder, resume=True)
    with pytest.raises(ArgumentError, match="must be a phase diagram"):
        run_plan(plan, workers=1, store=folder, replace=True)
    with pytest.raises(ArgumentError, match="must be a phase diagram"):
        load_diagram(folder)
    assert (folder / "data").read_text() == "data"
    with pytest.raises(ArgumentError, match="must be in an existing folder"):
        run_plan(plan, workers=1, store=tmp_path / "no" / "d.zarr")
    assert not is_diagram(tmp_path / "nothing")


def test_two_processes_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "d.zarr"
    holder = start(path)
    while done(path) == 0:
        time.sleep(0.01)
    plan = make_plan(sections(), axes=AXES, measures=[slow_overlap])
    with pytest.raises(ArgumentError, match="not be in use by another process"):
        run_plan(plan, workers=1, store=path, resume=True)
    kill(holder)
    # The lock of a killed process is none.
    with locked_store(path, plan, resume=True) as store:
        assert store.path == path


def test_failing_writes_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(sections(), axes=AXES, measures=[overlap])
    whole = run_plan(plan, workers=1, store=tmp_path / "whole.zarr")
    write, path = Store._write, tmp_path / "d.zarr"
    left = 11

    def write_some(self: Store, *arguments: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_write", write_some)
        with pytest.raises(OSError, match="No space left") as caught:
            run_plan(plan, workers=1, store=path)
    assert "can be resumed" in caught.value.__notes__[0]
    assert 0 < done(path) < plan.size
    xr.testing.assert_identical(run_plan(plan, workers=1, store=path, resume=True), whole)
    assert tree(path) == tree(tmp_path / "whole.zarr")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can make a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk(small_disk: Path, tmp_path: Path) -> None:
    plan = make_plan(sections(), axes=AXES, measures=[overlap])
    whole = run_plan(plan, workers=1, store=tmp_path / "whole.zarr")
    path, ballast = small_disk / "d.zarr", small_disk / "ballast"
    with locked_store(path, plan, resume=False):
        pass
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    # Room for some of the chunks, each of them a file in a page of its own.
    ballast.write_bytes(bytes(free - 24 * 1024))
    with pytest.raises(OSError, match="No space left"):
        run_plan(plan, workers=1, store=path, resume=True)
    assert 0 < done(path) < plan.size
    ballast.unlink()
    xr.testing.assert_identical(run_plan(plan, workers=1, store=path, resume=True), whole)
    assert tree(path) == tree(tmp_path / "whole.zarr")


def test_store_can_be_read_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "d.zarr"
    process = start(path)
    counts = []
    while process.is_alive():
        counts.append(done(path))
        time.sleep(0.05)
    assert counts == sorted(counts)
    assert len(set(counts)) > 5
    assert done(path) == 400


def test_public_function_resumes(tmp_path: Path) -> None:
    given: dict[str, Any] = {"axes": {"initial.scale": [0.1, 0.2]}, "measures": [overlap]}
    path = tmp_path / "d.zarr"
    first = ho.phase_diagram(sections(), **given, workers=1, store=path)
    again = ho.phase_diagram(sections(), **given, workers=1, store=path, resume=True)
    xr.testing.assert_identical(first, again)
    assert first.attrs["kind"] == "phase_diagram"
