"""Points are computed the same wherever and in whatever order; failures are recorded."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from sweeps import AXES, failing_once, overlap, sections

import headode as ho
from headode.activation import Activation, register_activation
from headode.errors import ArgumentError, Interrupted, NumericalFailure
from headode.phase_diagrams import sweep as sweep_module
from headode.phase_diagrams.api import make_plan, run_plan
from headode.phase_diagrams.diagram import Status
from headode.phase_diagrams.estimate import estimate, probe_points
from headode.phase_diagrams.store import chunk_sides

FEW: dict[str, Any] = {
    "signal.amplitude.1": [0.5, 1.5],
    "initial.scale": [0.1, 0.3],
    "model.activation": ["linear", "erf"],
}


@pytest.fixture(scope="module")
def reference() -> xr.Dataset:
    """A small sweep, point by point in this process."""
    return ho.phase_diagram(
        sections(), axes=FEW, measures=["final_risk", "specialization_times"], seeds=2, workers=1
    )


def test_values_are_those_of_single_calls(reference: xr.Dataset) -> None:
    for scale in (0.1, 0.3):
        for seed in (0, 1):
            given = sections(
                signal={"amplitude": [0.0, 1.5]},
                model={"activation": "erf"},
                initial={"scale": scale, "seed": seed},
            )
            config = ho.config_from_dict(given)
            run = ho.integrate(
                config.build_model(),
                config.build_state(),
                times=config.output_times(),
                tolerance=1e-3,
            )
            place = {"signal.amplitude.1": 1.5, "initial.scale": scale, "model.activation": "erf"}
            found = reference["final_risk"].sel({**place, "seed": seed})
            assert float(found) == float(run["risk"][-1])


def test_dataset_has_axes_status_and_summaries(reference: xr.Dataset) -> None:
    assert reference.attrs["kind"] == "phase_diagram"
    assert reference["final_risk"].dims == (*FEW, "seed")
    assert reference["specialization_times"].dims == (*FEW, "seed", "feature")
    assert (reference["status"] == Status.COMPUTED).all()
    assert reference["status"].attrs["flag_meanings"].split()[Status.FAILED] == "failed"
    risks = reference["final_risk"]
    np.testing.assert_allclose(reference["final_risk_mean"], risks.mean("seed"), rtol=1e-14)
    spread = risks.std("seed", ddof=1)
    np.testing.assert_allclose(reference["final_risk_std"], spread, rtol=1e-9, atol=1e-16)
    for variable in reference.variables.values():
        assert variable.attrs["long_name"]


def test_processes_give_the_same_bits(reference: xr.Dataset, tmp_path: Path) -> None:
    found = ho.phase_diagram(
        sections(),
        axes=FEW,
        measures=["final_risk", "specialization_times"],
        seeds=2,
        workers=2,
        store=tmp_path / "d.zarr",
    )
    xr.testing.assert_identical(found, reference)
    xr.testing.assert_identical(xr.open_zarr(tmp_path / "d.zarr").load(), reference)


def test_order_and_size_of_tasks_change_nothing(
    reference: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(sections(), axes=FEW, measures=["final_risk", "specialization_times"], seeds=2)
    for order in (slice(None, None, -1), slice(None)):
        one_by_one = [plan.evaluate(index) for index in list(plan.indices(range(plan.size)))[order]]
        values = [outcome.values["final_risk"] for outcome in one_by_one][order]
        np.testing.assert_array_equal(values, reference["final_risk"].values.ravel())
    monkeypatch.setattr(sweep_module, "TASK_SECONDS", 1e-9)
    xr.testing.assert_identical(run_plan(plan, workers=1), reference)


def test_one_failing_point_among_400() -> None:
    with pytest.warns(RuntimeWarning, match="1 of 400 points failed.*it overflows here"):
        diagram = ho.phase_diagram(sections(), axes=AXES, measures=[failing_once], workers=1)
    whole = ho.phase_diagram(sections(), axes=AXES, measures={"failing_once": overlap}, workers=1)
    failed = diagram["status"] == Status.FAILED
    assert int(failed.sum()) == 1
    assert bool(failed[-1, -1])
    assert str(diagram["message"][-1, -1].item()) == (
        "failing_once: ArithmeticError: it overflows here"
    )
    assert np.isnan(diagram["failing_once"][-1, -1])
    xr.testing.assert_equal(
        diagram["failing_once"].where(~failed), whole["failing_once"].where(~failed)
    )


def test_other_measures_of_a_failing_point_are_kept() -> None:
    def fails(point: Any) -> float:
        raise NumericalFailure("no such thing")

    with pytest.warns(RuntimeWarning, match="2 of 2 points failed"):
        diagram = ho.phase_diagram(
            sections(), axes={"model.heads": [1, 2]}, measures=[fails, overlap], workers=1
        )
    assert (diagram["status"] == Status.FAILED).all()
    assert np.isfinite(diagram["overlap"]).all()
    assert str(diagram["message"][0].item()) == "fails: no such thing"


def test_warnings_at_a_point_are_recorded() -> None:
    def dubious(point: Any) -> float:
        import warnings

        warnings.warn("to be taken with care", stacklevel=1)
        return 1.0

    diagram = ho.phase_diagram(sections(), axes={"model.heads": [1]}, measures=[dubious], workers=1)
    assert (diagram["status"] == Status.COMPUTED).all()
    assert str(diagram["message"][0].item()) == "to be taken with care"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mistake_in_a_measure_stops_the_sweep(workers: int) -> None:
    def mistaken(point: Any) -> float:
        return float(point.no_such_thing)

    with pytest.raises(AttributeError) as caught:
        ho.phase_diagram(
            sections(), axes={"model.heads": [1, 2]}, measures=[mistaken], workers=workers
        )
    assert "at the point model.heads = " in "".join(getattr(caught.value, "__notes__", []))


def test_a_dead_worker_is_replaced(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.touch()

    def deadly_once(point: Any) -> float:
        if point.parameters["initial.scale"] == 0.3 and trap.exists():
            trap.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return float(point.state.M.max())

    axes = {"initial.scale": [0.1, 0.2, 0.3, 0.4]}
    found = ho.phase_diagram(sections(), axes=axes, measures=[deadly_once], workers=2)
    assert not trap.exists()
    assert (found["status"] == Status.COMPUTED).all()
    again = ho.phase_diagram(sections(), axes=axes, measures=[deadly_once], workers=1)
    xr.testing.assert_identical(found["deadly_once"], again["deadly_once"])


def test_points_that_kill_their_worker_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "MOST_DEATHS", 1)

    def deadly(point: Any) -> float:
        if point.parameters["initial.scale"] == 0.3:
            os.kill(os.getpid(), signal.SIGKILL)
        return float(point.state.M.max())

    with pytest.raises(NumericalFailure, match=r"processes died .* times.*out of memory") as caught:
        ho.phase_diagram(
            sections(), axes={"initial.scale": [0.1, 0.2, 0.3]}, measures=[deadly], workers=2
        )
    assert caught.value.partial is not None
    assert "status" in caught.value.partial


def test_interruption_keeps_what_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "TASK_SECONDS", 1e-9)

    def interrupted(point: Any) -> float:
        if point.parameters["initial.scale"] == 0.3:
            raise KeyboardInterrupt
        return float(point.state.M.max())

    with pytest.raises(Interrupted, match="2 of 3 points are done") as caught:
        ho.phase_diagram(
            sections(), axes={"initial.scale": [0.1, 0.2, 0.3]}, measures=[interrupted], workers=1
        )
    assert caught.value.partial is not None
    assert caught.value.partial["status"].values.tolist() == [1, 1, 0]


def test_registered_activations_reach_the_workers() -> None:
    from sympy import Symbol, exp

    x = Symbol("x")
    register_activation(Activation("sharper", exp(x), "pooled"))
    diagram = ho.phase_diagram(
        sections(model={"activation": "sharper"}),
        axes={"model.heads": [1, 2]},
        measures={"name": lambda point: len(point.model.activation.name)},
        workers=2,
    )
    np.testing.assert_array_equal(diagram["name"], 7.0)


def test_progress_and_partial_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "LIVE_SECONDS", 0.0)
    seen: list[float] = []
    partial: list[int] = []
    ho.phase_diagram(
        sections(),
        axes={"initial.scale": [0.1, 0.2, 0.3]},
        measures=[overlap],
        workers=1,
        progress=lambda progress: seen.append(progress.done / progress.total),
        live=lambda diagram: partial.append(int((diagram["status"] == Status.COMPUTED).sum())),
    )
    assert seen[-1] == 1.0
    assert seen == sorted(seen)
    assert partial[-1] == 3
    assert partial == sorted(partial)


def test_dry_run_computes_few_points_in_a_process_of_its_own() -> None:
    plan = make_plan(sections(), axes=AXES, measures=[overlap], seeds=3)
    found = estimate(plan, workers=4)
    assert found.points == 1200
    assert found.workers == 4
    assert found.probes == len(probe_points(plan)) == 5
    assert 0 < found.fastest <= found.slowest
    # All that is loaded takes at least 50 MB in each worker.
    assert found.memory > 4 * 50e6
    assert found.stored == 1200 * 9


def test_chunks_are_rows_of_bounded_size() -> None:
    assert chunk_sides((40, 40, 1)) == (25, 40, 1)
    assert chunk_sides((5, 3)) == (5, 3)
    assert chunk_sides((7, 5000, 2)) == (1, 512, 2)
    for shape in ((100, 100, 100, 1), (3, 1, 2000), (1, 1)):
        assert np.prod(chunk_sides(shape)) <= 1024


def test_engines_that_are_refused() -> None:
    plan = make_plan(sections(), axes={"model.heads": [1]}, measures=[overlap])
    with pytest.raises(ArgumentError, match="`workers` must be left out with a scheduler"):
        run_plan(plan, workers=2, scheduler="tcp://127.0.0.1:1")
    with pytest.raises(ArgumentError, match="`workers` must be an integer ≥ 1"):
        run_plan(plan, workers=0)
    with pytest.raises(ArgumentError, match=r"an address or a dask.distributed.Client"):
        run_plan(plan, scheduler=7)
    with pytest.raises(ArgumentError, match="`store` must be given"):
        run_plan(plan, resume=True)


def test_a_daemonic_process_computes_a_sweep_by_itself(monkeypatch):
    """It may not start processes, such as those of ``multiprocessing.Pool``."""
    from types import SimpleNamespace

    from headode.phase_diagrams import engine

    monkeypatch.setattr(engine, "current_process", lambda: SimpleNamespace(daemon=True))
    with engine.running_engine(2, None) as running:
        assert isinstance(running, engine.ThisProcess)
