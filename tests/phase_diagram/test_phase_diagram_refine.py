"""Refinement finds the same boundaries with fewer points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from sweeps import overlap, sections, tree

import headode as ho
from headode.errors import ArgumentError
from headode.phase_diagrams.api import make_plan, run_plan
from headode.phase_diagrams.diagram import Status
from headode.phase_diagrams.refine import Cell

GRID: dict[str, Any] = {
    "signal.mean.0": {"start": 0.0, "stop": 1.0, "count": 41},
    "signal.mean.1": {"start": 0.0, "stop": 1.0, "count": 37},
}


def radius(point: Any) -> float:
    """Squared distance from the origin."""
    x, y = point.model.signal.mean
    return float(x**2 + y**2)


def band(point: Any) -> float:
    """Number of a diagonal band; the middle one is thin."""
    x, y = point.model.signal.mean
    return float((x - y > 0.2) + 1 if abs(x - y) > 0.04 else 0)


def sweep(measure: Any, **arguments: Any) -> xr.Dataset:
    return ho.phase_diagram(sections(), axes=GRID, measures=[measure], workers=1, **arguments)


def test_boundary_of_a_threshold() -> None:
    full = sweep(radius)
    found = sweep(radius, refine={"measure": "radius", "threshold": 0.49})
    computed = found["status"] == Status.COMPUTED
    assert set(np.unique(found["status"])) == {Status.COMPUTED, Status.INTERPOLATED}
    assert float(computed.mean()) < 0.4
    np.testing.assert_array_equal(found["radius"].where(computed), full["radius"].where(computed))
    # Exactly the same phases, though two thirds of the points were never computed ...
    np.testing.assert_array_equal(found["radius"] >= 0.49, full["radius"] >= 0.49)
    # ... and the others are bilinear over cells of at most four steps, which for a square of a
    # coordinate is off by a quarter of the squared side at most.
    side = 4 / 36
    np.testing.assert_allclose(found["radius"], full["radius"], atol=2 * side**2 / 4)


def test_names_and_small_numbers_are_phases() -> None:
    full = sweep(band)
    found = sweep(band, refine={"measure": "band", "cell": 8})
    assert float((found["status"] == Status.COMPUTED).mean()) < 0.6
    np.testing.assert_array_equal(found["band"], full["band"])


def test_a_boundary_is_followed_into_cells_whose_corners_are_alike() -> None:
    """A tongue that enters through one edge of coarse cells and ends within them."""

    def tongue(point: Any) -> float:
        x, y = point.model.signal.mean
        return float(x < 0.6 and abs(y - 0.45) < 0.06)

    full = sweep(tongue)
    found = sweep(tongue, refine={"measure": "tongue", "cell": 6})
    np.testing.assert_array_equal(found["tongue"], full["tongue"])


def test_failed_points_are_a_phase() -> None:
    def holed(point: Any) -> float:
        x, y = point.model.signal.mean
        if np.hypot(x - 0.6, y - 0.6) < 0.25:
            raise ArithmeticError("a hole")
        return 1.0

    with pytest.warns(RuntimeWarning, match="points failed"):
        found = sweep(holed, refine="holed")
    x, y = np.meshgrid(found["signal.mean.0"], found["signal.mean.1"], indexing="ij")
    hole = np.hypot(x - 0.6, y - 0.6) < 0.25
    np.testing.assert_array_equal(np.isnan(found["holed"]), hole)


def test_refinement_does_not_depend_on_workers_and_is_resumed(tmp_path: Any) -> None:
    axes = {key: {**values, "count": 9} for key, values in GRID.items()}
    plan = make_plan(
        sections(),
        axes=axes,
        measures=[radius, overlap],
        seeds=2,
        refine={"measure": "radius", "threshold": 0.49, "cell": 4},
    )
    first = run_plan(plan, workers=1, store=tmp_path / "one.zarr")
    second = run_plan(plan, workers=2, store=tmp_path / "two.zarr")
    xr.testing.assert_identical(first, second)
    assert tree(tmp_path / "one.zarr") == tree(tmp_path / "two.zarr")
    again = run_plan(plan, workers=1, store=tmp_path / "one.zarr", resume=True)
    xr.testing.assert_identical(again, first)
    assert tree(tmp_path / "one.zarr") == tree(tmp_path / "two.zarr")


def test_cells_are_cut_down_to_single_steps() -> None:
    assert Cell(0, 4, 0, 2).parts() == [
        Cell(0, 2, 0, 1),
        Cell(0, 2, 1, 2),
        Cell(2, 4, 0, 1),
        Cell(2, 4, 1, 2),
    ]
    assert Cell(0, 1, 0, 3).parts() == [Cell(0, 1, 0, 1), Cell(0, 1, 1, 3)]
    assert Cell(3, 4, 7, 8).parts() == []


@pytest.mark.parametrize(
    ("axes", "refine", "said"),
    [
        ({"model.heads": [1, 2]}, "overlap", "two axes of increasing numbers"),
        ({"model.heads": [2, 1], "model.tokens": [2, 3]}, "overlap", "increasing numbers"),
        (
            {"model.heads": [1, 2], "model.activation": ["erf", "linear"]},
            "overlap",
            "increasing numbers",
        ),
        ({"model.heads": [1, 2], "model.tokens": [2, 3]}, "final_risk", "be one of overlap"),
        (
            {"model.heads": [1, 2], "model.tokens": [2, 3]},
            {"measure": "overlap", "cell": 0},
            "refine.cell",
        ),
        (
            {"model.heads": [1, 2], "model.tokens": [2, 3]},
            {"measure": "overlap", "treshold": 0.5},
            "did you mean threshold",
        ),
    ],
)
def test_refinements_that_are_refused(axes: Any, refine: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        make_plan(sections(), axes=axes, measures=[overlap], refine=refine)
