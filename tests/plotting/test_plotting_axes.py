"""The axes: scales, ticks and reference levels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from staged_trajectories import staged

from headode.plotting.panels import overlap_panels
from headode.plotting.time_axis import is_logarithmic, set_time_axis, time_label, time_text
from headode.plotting.value_axis import set_log_axis, short_text
from headode.signal import Signal
from headode.trajectory import configuration_of, output_times


@pytest.mark.parametrize(
    ("times", "logarithmic"),
    [
        (output_times(500.0), True),
        (output_times(500.0, spacing="linear"), False),
        ([0.0, 1.0, 10.0, 100.0], True),
        ([0.0, 1.0, 2.0, 3.0], False),
        ([0.0, 100.0], False),
        ([1.0, 3.0, 9.0], False),
        ([5.0], False),
    ],
)
def test_axis_is_logarithmic_for_times_that_are(times, logarithmic):
    assert is_logarithmic(np.asarray(times)) == logarithmic


@pytest.mark.parametrize(
    ("times", "labels"),
    [
        (output_times(500.0), ["0", "1", "10", "100"]),
        (output_times(1000.0), ["0", "1", "10", "100", "1000"]),
        (output_times(1e5), ["0", "100", "1000", "$10^{4}$", "$10^{5}$"]),
        (np.geomspace(1.0, 100.0, 9), ["1", "10", "100"]),
        ([7.0], ["7"]),
    ],
)
def test_labels_of_the_time_axis(times, labels):
    axes = Figure().add_subplot()
    set_time_axis(axes, np.asarray(times))
    FigureCanvasAgg(axes.figure).draw()
    assert [label.get_text() for label in axes.get_xticklabels()] == labels


def test_time_is_in_units_of_steps_over_d():
    assert time_label(staged()) == r"$t = \eta\cdot\mathrm{steps}/d$"
    assert time_label(staged(runs=2)) == r"$t = \mathrm{steps}/d$"


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0.0, "0"),
        (0.01234, "0.0123"),
        (1.0, "1.00"),
        (51.26, "51.3"),
        (299.6, "300"),
        (12345.0, "12300"),
        (1.5e6, r"1.50\times10^{6}"),
        (3e-5, r"3.00\times10^{-5}"),
    ],
)
def test_dates_have_three_digits(time, text):
    assert time_text(time) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.05"), (200.0, "200"), (1e-3, "$10^{-3}$"), (2e-5, r"$2\cdot10^{-5}$")],
)
def test_ordinates_have_short_labels(value, text):
    assert short_text(value) == text


@pytest.mark.parametrize("low", [0.9, 0.4, 0.03, 1e-3, 1e-7, 1e-20])
def test_logarithmic_ordinate_has_two_to_four_labels(low):
    axes = Figure().add_subplot()
    axes.plot([0, 1], [low, 1.0])
    set_log_axis(axes)
    FigureCanvasAgg(axes.figure).draw()
    bottom, top = axes.get_ylim()
    shown = [tick for tick in axes.get_yticks() if bottom <= tick <= top]
    assert 2 <= len(shown) <= 5


def signal_levels(signal):
    """Reference lines of a trajectory along the first feature, by whether they are dotted."""
    dataset = staged(2, signal.features)
    configuration = configuration_of(dataset) | {"signal": signal.to_dict()}
    dataset.attrs["configuration"] = json.dumps(configuration)
    found = overlap_panels(dataset)[0].levels
    return [[level.value for level in found if level.dotted == dotted] for dotted in (False, True)]


def test_gaussian_signal_is_marked_by_one_standard_deviation():
    assert signal_levels(Signal.gaussian([1.0, 0.0], [0.25, 1.0])) == [[0.5, 1.5], [1.0]]


def test_many_support_points_are_marked_by_their_range():
    signal = Signal.discrete(np.linspace(-1.0, 2.0, 40)[:, None])
    exact, average = signal_levels(signal)
    assert exact == [-1.0, 2.0]
    np.testing.assert_allclose(average, [0.5])
