"""Every kind of phase diagram is drawn, legibly and without a warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from legibility import drawn, drawn_texts
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure

from headode.errors import ArgumentError
from headode.phase_diagrams.axes import make_axes
from headode.phase_diagrams.diagram import Diagram, Status
from headode.phase_diagrams.measures import make_measures
from headode.phase_diagrams.plan import Outcome, Plan
from headode.plotting import phase_diagram_figure, plot
from headode.plotting.diagram_axes import Scale, axis_label, value_text
from headode.plotting.diagram_layout import Layout, layout_of, measured
from headode.plotting.diagram_lines import BELOW
from headode.plotting.diagram_values import line_color, shown
from headode.plotting.phase_diagram import HEIGHT
from headode.plotting.style import STYLE
from headode.plotting.value_axis import label_decades, number_text, round_numbers

CONFIGURATION: dict[str, Any] = {
    "model": {"tokens": 3, "heads": 4, "activation": "bayes_softmax", "label_noise": 0.3},
    "signal": {"kind": "sign_flips", "mean": [2.0, 0.0, 0.0], "amplitude": [0.0, 1.8, 1.2]},
    "training": {"time": 500.0, "learning_rate": "gradient_flow"},
}
STRENGTH = {"signal.amplitude.1": {"start": 0.3, "stop": 3.0, "count": 12}}
STRENGTHS = STRENGTH | {"signal.amplitude.2": {"start": 0.3, "stop": 3.0, "count": 10}}
TOKENS = {"model.tokens": {"start": 3, "stop": 10000, "count": 9, "spacing": "log"}}
HEADS = {"model.heads": [1, 2, 4, 8]}
RATES = {"training.learning_rate": ["gradient_flow", 0.1, 1.0]}
NAMES = {"model.activation": ["softmax", "softmax1", "bayes_softmax"]}
NOISES = {"model.label_noise": [0.0, 0.3]}
MANY = {"initial.seed": list(range(40))}

Cases = dict[str, tuple[dict[str, Any], list[str], dict[str, Any]]]
CASES: Cases = {
    "map": (STRENGTHS, ["specialization_time"], {}),
    "maps": (STRENGTHS, ["final_risk", "specialization_time"], {"failing": 0.03}),
    "names": (STRENGTHS, ["phase"], {"failing": 0.03}),
    "maps of each kind": (
        TOKENS | STRENGTH,
        ["specialized_features", "feature_order", "growth_rate", "excess_risk", "phase"],
        {},
    ),
    "maps of seeds": (STRENGTHS, ["excess_risk", "phase"], {"seeds": 3, "failing": 0.05}),
    "unfinished map": (STRENGTHS, ["specialization_time", "phase"], {"done": 0.4}),
    "nothing yet": (STRENGTHS, ["final_risk", "phase"], {"done": 0.0}),
    "all failed": (STRENGTHS, ["final_risk", "phase"], {"failing": 1.0}),
    "lines": (STRENGTH, ["final_risk", "excess_risk"], {"seeds": 4}),
    "lines with failures": (STRENGTH | HEADS, ["excess_risk"], {"seeds": 4, "failing": 0.2}),
    "lines of names": (STRENGTH | HEADS, ["phase", "redundant_heads"], {}),
    "small lines": (STRENGTH | HEADS | NAMES, ["excess_risk"], {}),
    "grid of lines": (STRENGTH | HEADS | NAMES | NOISES, ["excess_risk", "phase"], {}),
    "small maps": (STRENGTHS | NAMES, ["specialization_time", "phase"], {"failing": 0.03}),
    "grid of maps": (STRENGTHS | NAMES | NOISES, ["specialization_time"], {}),
    "many facets": (STRENGTHS | MANY, ["growth_rate"], {}),
    "points of names": (NAMES, ["final_risk"], {"seeds": 3}),
    "names only": (NAMES | RATES, ["phase"], {}),
    "mixed values": (STRENGTH | RATES, ["final_risk"], {}),
    "one point": ({"model.heads": [2]}, ["final_risk", "phase"], {}),
    "success": (STRENGTHS, ["success_rate"], {}),
}


def diagram_of(
    axes: dict[str, Any],
    names: list[str],
    *,
    seeds: int = 1,
    failing: float = 0.0,
    done: float = 1.0,
) -> xr.Dataset:
    """A phase diagram of smooth functions, with the phases that they have."""
    plan = Plan(CONFIGURATION, make_axes(axes), make_measures(names), seeds=seeds)
    diagram, rng = Diagram(plan), np.random.default_rng(0)
    for number, index in enumerate(plan.indices(range(plan.size))):
        if number >= done * plan.size:
            break
        parts = [i / max(1, size - 1) for i, size in zip(index, plan.shape[:-1], strict=False)]
        r = float(np.prod(parts[:2]))
        e = 0.03 * rng.standard_normal()
        values = {
            "final_risk": 0.4 - 0.2 * r + 0.01 * e,
            "excess_risk": 10 ** (-4 * r + e),
            "specialization_time": np.nan if r < 0.1 else (20 + e) / (r + 0.01),
            "specialized_features": float((r > 0.1) + (r > 0.4)),
            "growth_rate": r - 0.3,
            "phase": PHASES[min(3, int(4 * r))],
            "feature_order": ["none", "2", "2 < 3", "3 < 2"][min(3, int(4 * r))],
            "redundant_heads": float(3 - int(3 * r)),
            "success_rate": r,
        }
        failed = rng.random() < failing
        kept = {} if failed else {name: values[name] for name in names}
        diagram.record(number, Outcome(kept, "too hard" if failed else "", failed))
    return diagram.dataset()


PHASES = ("unspecialized", "partly specialized", "specialized", "fails")


@pytest.mark.parametrize("name", CASES)
def test_any_phase_diagram_is_drawn(name: str) -> None:
    axes, measures, options = CASES[name]
    figure = drawn(phase_diagram_figure(diagram_of(axes, measures, **options)))
    assert figure.get_size_inches()[0] in (3.375, 6.75)


def test_layouts() -> None:
    def layout(*axes: dict[str, Any]) -> Layout:
        joined = {key: values for axis in axes for key, values in axis.items()}
        return layout_of(diagram_of(joined, ["final_risk"], done=0.0))

    one, two = STRENGTHS
    assert layout(STRENGTHS) == Layout(one, two)
    assert layout(HEADS, STRENGTH) == Layout(one, None, "model.heads")
    assert layout(STRENGTHS, NAMES) == Layout(one, two, None, "model.activation")
    assert layout(NAMES, HEADS, STRENGTH) == Layout(one, None, "model.activation", "model.heads")
    assert layout(STRENGTHS, NAMES, NOISES) == Layout(
        one, two, None, "model.activation", "model.label_noise"
    )
    assert layout(NAMES) == Layout("model.activation")


def test_colors_are_the_values_and_lines_bound_the_phases() -> None:
    diagram = diagram_of(STRENGTHS, ["specialization_time"])
    axes = drawn(phase_diagram_figure(diagram)).axes[0]
    mesh, boundaries = axes.collections[0], axes.collections[2]
    values = diagram["specialization_time"].values
    np.testing.assert_array_equal(mesh.get_array().filled(np.nan).reshape(10, 12), values.T)
    split = np.isfinite(values)
    edges = (split[1:] != split[:-1]).sum() + (split[:, 1:] != split[:, :-1]).sum()
    assert len(boundaries.get_segments()) == edges > 10
    assert axes.get_xlabel() == r"$\sqrt{\mathrm{Var}\,\theta_{2}}$"
    assert axes.get_ylabel() == r"$\sqrt{\mathrm{Var}\,\theta_{3}}$"


def test_legends_name_what_is_seen() -> None:
    diagram = diagram_of(STRENGTHS, ["phase"], failing=0.05)
    texts = [text for text, _ in drawn_texts(phase_diagram_figure(diagram))]
    assert {"phase", *PHASES[:3], "failed"} <= set(texts)
    texts = [
        text
        for text, _ in drawn_texts(
            phase_diagram_figure(diagram_of(STRENGTHS, ["specialization_time"], done=0.5))
        )
    ]
    assert {"no split", "not computed"} <= set(texts)
    assert "failed" not in texts


def test_legends_are_read_row_by_row() -> None:
    """Matplotlib fills its columns one after the other."""
    diagram = diagram_of(STRENGTHS, ["phase"])
    legend = phase_diagram_figure(diagram).subfigs[0].subfigs[1].legends[0]
    columns = legend._ncols
    rows = -(-len(legend.get_texts()) // columns)
    assert (rows, columns) == (2, 2)
    assert [text.get_text() for text in legend.get_texts()] == [PHASES[i] for i in (0, 2, 1, 3)]


def test_maps_side_by_side_are_equally_high() -> None:
    diagram = diagram_of(STRENGTHS, ["final_risk", "phase", "specialization_time"])
    figure = drawn(phase_diagram_figure(diagram))
    maps = [axes for axes in figure.axes if axes.get_xlabel()]
    bottom, top = zip(*(axes.get_position().extents[[1, 3]] for axes in maps[:2]), strict=True)
    assert len(maps) == 3
    # But for half a tick label, where one is at the end of a side.
    most = 0.5 * STYLE["ytick.labelsize"] / 72 / HEIGHT
    assert np.ptp(bottom) < most
    assert np.ptp(top) < most


def test_times_have_a_logarithmic_scale() -> None:
    diagram = diagram_of(STRENGTHS, ["specialization_time", "final_risk"])
    assert shown(diagram, "specialization_time").is_wide
    assert not shown(diagram, "final_risk").is_wide
    diagram["specialization_time"] = 100 + 0.5 * diagram["specialization_time"]
    assert not shown(diagram, "specialization_time").is_wide


def test_contours_are_straight_on_the_scale_of_the_colors() -> None:
    """Of a power law, contours of a logarithmic map are at their exact places."""
    diagram = diagram_of(STRENGTHS, ["specialization_time"])
    x, y = (diagram[key].values for key in STRENGTHS)
    diagram["specialization_time"].values[:] = np.exp(np.add.outer(1.3 * x, 0.7 * y))
    axes = drawn(phase_diagram_figure(diagram)).axes[0]
    (contours,) = [each for each in axes.collections if isinstance(each, QuadContourSet)]
    assert len(contours.levels) > 3
    for level, paths in zip(contours.levels, contours.allsegs, strict=True):
        for path in paths:
            np.testing.assert_allclose(path @ [1.3, 0.7], level, rtol=1e-9)


def test_what_is_not_positive_is_marked_below_a_logarithmic_scale() -> None:
    diagram = diagram_of(STRENGTH | HEADS, ["excess_risk"])
    diagram["excess_risk"].values[2, 1] = -1e-7
    figure = drawn(phase_diagram_figure(diagram))
    (mark,) = [line for line in figure.axes[0].lines if line.get_marker() == BELOW]
    assert mark.get_xdata() == diagram["signal.amplitude.1"].values[2]
    assert mark.get_color() == line_color(1)
    assert "≤ 0" in [text for text, _ in drawn_texts(figure)]


@pytest.mark.parametrize(("high", "between"), [(1e4, True), (1e7, False)])
def test_ticks_between_many_decades_are_left_out(high: float, between: bool) -> None:
    axes = Figure().subplots()
    axes.set(xscale="log", xlim=(1, high))
    label_decades(axes.xaxis, 1, high)
    ticks = [*axes.xaxis.get_majorticklocs(), *axes.xaxis.get_minorticklocs()]
    assert (2.0 in ticks) == between
    assert 1000.0 in ticks


def test_bands_are_one_standard_deviation() -> None:
    diagram = diagram_of(STRENGTH, ["final_risk"], seeds=5)
    axes = drawn(phase_diagram_figure(diagram)).axes[0]
    mean, spread = diagram["final_risk_mean"].values, diagram["final_risk_std"].values
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), mean)
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx((mean + spread).max())
    assert band.min() == pytest.approx((mean - spread).min())


def test_unfinished_seeds_are_summarized_too() -> None:
    diagram = diagram_of(STRENGTH, ["final_risk"], seeds=5)
    bare = diagram.drop_vars(["final_risk_mean", "final_risk_std"])
    drawn(phase_diagram_figure(bare))
    assert measured(diagram) == ["final_risk"]


def test_most_frequent_name_of_the_seeds() -> None:
    diagram = diagram_of({"model.heads": [1, 2]}, ["phase"], seeds=3)
    names = np.array([["fails", "specialized", "fails"], ["", "", "unspecialized"]])
    diagram["phase"] = diagram["phase"].copy(data=names)
    found = shown(diagram, "phase")
    assert [found.names[int(code)] for code in found.values] == ["fails", "unspecialized"]


def test_scales_follow_the_spacing_of_values() -> None:
    assert Scale.of(np.geomspace(3, 1e4, 9).round()).log
    assert Scale.of(np.array([1, 2, 4, 8])).log
    assert not Scale.of(np.linspace(0.5, 3, 9)).log
    assert not Scale.of(np.array([1, 2, 3, 5])).log
    assert not Scale.of(np.geomspace(1, 10, 5) - 1).log
    np.testing.assert_allclose(Scale.of(np.array([3.0, 1.0, 2.0])).edges, [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_allclose(
        Scale.of(np.array([1.0, 10.0, 100.0])).edges, 10.0 ** np.array([-0.5, 0.5, 1.5, 2.5])
    )
    assert round_numbers(1.0, 1000.0) == [1, 10, 100, 1000]
    assert round_numbers(0.3, 3.0) == [0.5, 1, 2]
    assert number_text(-0.25) == "−0.25"


def test_labels_are_the_notation_of_the_field() -> None:
    assert axis_label("model.tokens", {}) == "tokens $L$"
    assert axis_label("signal.mean.0", {}) == r"$\mathrm{E}\,\theta_{1}$"
    one_hot = {"signal": {"kind": "one_hot"}}
    assert axis_label("signal.amplitude.1", one_hot) == "signal strength $a_{2}$"
    assert axis_label("signal.covariance.1.1", {}) == r"$\mathrm{Var}\,\theta_{2}$"
    assert axis_label("signal.covariance.1.0", {}) == "signal.covariance.1.0"
    assert value_text("model.heads", 4) == "$H$ = 4"
    assert value_text("model.activation", "bayes_softmax") == "bayes softmax"


def test_other_datasets_are_refused() -> None:
    with pytest.raises(ArgumentError, match="`diagram` must be a phase diagram"):
        phase_diagram_figure(xr.Dataset())


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_natural_picture_is_saved(suffix: str, tmp_path: Path) -> None:
    diagram = diagram_of(STRENGTHS, ["specialization_time"])
    assert (diagram["status"] == Status.COMPUTED).all()
    for name in ("one", "two"):
        plot(diagram, tmp_path / f"{name}.{suffix}")
    one, two = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
    assert one == two
