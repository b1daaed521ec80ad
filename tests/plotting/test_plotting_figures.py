"""What is on each figure; any shape of trajectory is drawn, legibly and without a warning."""

from __future__ import annotations

import numpy as np
import pytest
from legibility import drawn, drawn_texts
from matplotlib.colors import to_hex
from staged_trajectories import cut_short, staged

from headode.activation import Activation, register_activation
from headode.errors import ArgumentError
from headode.plotting import (
    deviation_figure,
    overlay_figure,
    simulation_figure,
    trajectory_figure,
)
from headode.plotting.style import QUIET, head_look
from headode.specialization.runs import standard_error

LONG = "long_" * 20 + "name"

INTEGRATIONS = {
    "staged": {},
    "one head, one feature": {"heads": 1, "features": 1},
    "one head": {"heads": 1, "features": 3, "learned": True},
    "one feature": {"heads": 3, "features": 1},
    "twelve heads, six features": {
        "heads": 12,
        "features": 6,
        "splits": {2: 50.0, 3: 100.0, 4: 180.0, 5: 600.0, 6: 1500.0},
        "time": 5000.0,
        "learned": True,
    },
    "thirty heads": {"heads": 30, "features": 2},
    "one time": {"times": [0.0]},
    "two times": {"times": [0.0, 10.0]},
    "few times": {"times": [0.0, 1.0, 10.0, 100.0]},
    "times from 1": {"times": np.geomspace(1.0, 500.0, 50)},
    "linear times": {"times": np.linspace(0.0, 500.0, 101)},
    "short": {"time": 0.01},
    "long": {"time": 1e7},
    "unknown Bayes risk": {"bayes_risk": None},
    "risk below the Bayes risk": {"bayes_risk": 5.0},
    "long name": {"activation": LONG},
    "learned": {"learned": True},
    "no split": {"splits": {}},
    "early splits": {"splits": {2: 2.0, 3: 8.0}},
    "split at once": {"splits": {2: 1e-4, 3: 100.0}},
    "splits together": {"splits": {2: 50.0, 3: 51.0}},
}


@pytest.fixture(autouse=True)
def _long_name_is_registered():
    register_activation(Activation(LONG, "exp", "pooled"))


def panels(figure):
    """Axes by their ordinate's label."""
    return {axes.get_ylabel(): axes for axes in figure.axes if axes.get_ylabel()}


def curves(axes):
    """Lines of the heads of a panel, by head."""
    return {int(line.get_label()): line for line in axes.get_lines() if line.get_label().isdigit()}


def levels(axes):
    """Ordinates of the reference lines."""
    flat = [line.get_ydata() for line in axes.get_lines() if line.get_color() == QUIET]
    return sorted(float(y[0]) for y in flat if len(set(y)) == 1)


@pytest.mark.parametrize("name", INTEGRATIONS)
def test_any_integration_is_drawn(name):
    dataset = staged(**INTEGRATIONS[name])
    figure = drawn(trajectory_figure(dataset))
    heads, features = dataset.sizes["head"], dataset.sizes["feature"]
    axes = panels(figure)
    for f in range(1, features + 1):
        lines = curves(axes[f"$M_{{h{f}}}$"])
        assert sorted(lines) == list(range(1, heads + 1))
        for head, line in lines.items():
            overlap = dataset["M"].sel(head=head, feature=f)
            np.testing.assert_array_equal(line.get_ydata(), overlap.values)
            assert to_hex(line.get_color()) == head_look(head - 1).color.lower()
    assert "risk $E$" in axes
    assert (r"$E - E_\mathrm{Bayes}$" in axes) == ("bayes_risk" in dataset.attrs)
    assert ("value" in axes) == ("offset $b_h$" in axes) == ("m_v" in dataset)
    assert ("$Q_{hh}$" in axes) == (heads == 1)
    assert ("head $h$" in axes) == (heads > 1)


@pytest.mark.parametrize("index", [0, 1, 2, 150])
def test_partial_result_is_drawn(index):
    drawn(trajectory_figure(cut_short(staged(learned=True), index)))


@pytest.mark.parametrize("options", [{}, {"heads": 1, "features": 1}, {"heads": 12, "features": 6}])
@pytest.mark.parametrize("runs", [1, 5])
def test_any_simulation_is_drawn(options, runs):
    dataset = staged(**options, runs=runs)
    axes = panels(drawn(simulation_figure(dataset)))
    for f in dataset["feature"].values:
        median = dataset["M"].sel(feature=f).median("run")
        for head, line in curves(axes[f"$M_{{h{f}}}$"]).items():
            np.testing.assert_allclose(line.get_ydata(), median.sel(head=head), atol=1e-14)
        assert len(axes[f"$M_{{h{f}}}$"].collections) == dataset.sizes["head"]
    assert {"risk $E$", "$Q_{hh}$"} <= set(axes)


def test_simulation_with_runs_that_stopped_is_drawn():
    dataset = staged(runs=4, learned=True).copy(deep=True)
    for name in dataset.data_vars:
        values = dataset[name].values.copy()
        values[1, 150:] = np.nan
        values[:, 190:] = np.inf
        dataset[name] = (dataset[name].dims, values)
    axes = panels(drawn(simulation_figure(dataset)))
    line = curves(axes["$M_{h1}$"])[1].get_ydata()
    assert np.isfinite(line[:190]).all()
    assert np.isnan(line[190:]).all()


def test_simulation_without_risk_is_drawn():
    axes = panels(drawn(simulation_figure(staged(runs=3).drop_vars("risk"))))
    assert "risk $E$" not in axes


def test_support_points_are_marked():
    axes = panels(trajectory_figure(staged()))
    # The mean of θ_f is marked too where it is no value of θ_f.
    assert levels(axes["$M_{h1}$"]) == [2.0]
    np.testing.assert_allclose(levels(axes["$M_{h2}$"]), [-1.2, 0.0, 1.2])
    np.testing.assert_allclose(levels(axes["$M_{h3}$"]), [-0.8, 0.0, 0.8])
    assert levels(axes["risk $E$"]) == [0.2]


def test_splits_are_marked_and_named():
    texts = [text for text, _ in drawn_texts(trajectory_figure(staged(time=2000.0)))]
    for name in ("unspecialized", "feature 2 split, $t = 50.0$", "feature 3 split, $t = 300$"):
        assert texts.count(name) == 2  # over each column


@pytest.mark.parametrize("runs", [1, 6])
def test_overlay_shows_theory_and_means_with_their_errors(runs):
    theory, simulation = staged(learned=True), staged(runs=runs, learned=True, noise=0.1)
    axes = panels(drawn(overlay_figure(theory, simulation)))
    assert {"risk $E$", "value", "offset $b_h$", "$Q_{hh}$"} <= set(axes)
    panel = axes["$M_{h2}$"]
    assert sorted(curves(panel)) == [1, 2, 3, 4]
    values = simulation["M"].sel(feature=2)
    for h, container in enumerate(panel.containers):
        points, _, (bars,) = container.lines
        rows = np.searchsorted(simulation["time"].values, points.get_xdata())
        np.testing.assert_array_equal(simulation["time"].values[rows], points.get_xdata())
        mean = values.isel(head=h).mean("run").values[rows]
        np.testing.assert_allclose(points.get_ydata(), mean, atol=1e-13)
        if runs > 1:
            error = values.isel(head=h).std("run", ddof=1).values[rows] / np.sqrt(runs)
            segments = np.array(bars.get_segments())
            np.testing.assert_allclose(np.ptp(segments[:, :, 1], axis=1), 2 * error, rtol=1e-9)


def test_overlay_of_different_times_is_drawn():
    theory, simulation = staged(time=100.0), staged(runs=3, times=np.linspace(0.0, 300.0, 40))
    axes = panels(drawn(overlay_figure(theory, simulation)))
    assert axes["$M_{h1}$"].get_xlim() == (0.0, 300.0)


def test_figures_refuse_what_they_are_not_for():
    with pytest.raises(ArgumentError, match="`dataset` must be an integration"):
        trajectory_figure(staged(runs=2))
    with pytest.raises(ArgumentError, match="`dataset` must be a simulation"):
        simulation_figure(staged())
    with pytest.raises(ArgumentError, match="`theory` must be an integration"):
        overlay_figure(staged(runs=2), staged(runs=2))
    with pytest.raises(ArgumentError, match="`simulation` must be a simulation"):
        overlay_figure(staged(), staged())
    with pytest.raises(ArgumentError, match="the theory's 4 heads and 3 features"):
        overlay_figure(staged(), staged(3, 3, runs=2))
    with pytest.raises(ArgumentError, match="`comparison` must have one of the variables M_z"):
        deviation_figure(staged())


def test_standard_error_leaves_out_runs_that_stopped():
    values = np.random.default_rng(0).standard_normal((5, 4))
    values[2, 1] = np.inf
    values[1:, 2] = np.nan
    values[:, 3] = np.nan
    found = standard_error(values)
    kept = np.delete(values[:, 1], 2)
    expected = [values[:, 0].std(ddof=1) / np.sqrt(5), kept.std(ddof=1) / 2, np.nan, np.nan]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("learned", [False, True])
def test_deviations_are_counted(learned):
    dataset = staged(2, 2, learned=learned, count=20)
    rng = np.random.default_rng(1)
    names = [name for name in ("M", "R", "risk", "m_v", "q_v", "offset") if name in dataset]
    comparison = dataset.drop_vars(list(dataset.data_vars)).drop_attrs()
    for name in names:
        dims, shape = dataset[name].dims, dataset[name].shape
        comparison[f"{name}_z"] = (dims, rng.uniform(-3.9, 3.9, shape))
        comparison[f"{name}_critical"] = (dims, np.full(shape, 4.0))
    comparison["M_z"][3, 0, 1] = 5.0
    comparison["M_z"][4, 0, 1] = -np.inf
    comparison["R_z"][5, 0, 1] = comparison["R_z"][5, 1, 0] = 5.0  # one quantity of a symmetric R
    figure = drawn(deviation_figure(comparison))
    assert len(figure.axes) == len(names)
    quantities = 2 * 2 + 3 + 1 + (1 + 1 + 2 if learned else 0)
    assert figure.get_suptitle() == f"3 of {20 * quantities} deviations too large"
