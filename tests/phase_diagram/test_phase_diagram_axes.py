"""Which axes there are, and how a point gets its configuration from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sweeps import overlap, sections

from headode.config.schema import (
    ExpectationSection,
    InitialSection,
    IntegratorSection,
    ModelSection,
    OutputSection,
    SignalSection,
    SimulationSection,
    TrainingSection,
)
from headode.errors import ArgumentError
from headode.experiment import INTEGER_KEYS, SECTIONS
from headode.model import Model
from headode.phase_diagrams.api import make_plan, phase_diagram
from headode.phase_diagrams.axes import axis_values, corner_points, make_axes
from headode.signal import Signal

SCHEMA = {
    "model": ModelSection,
    "signal": SignalSection,
    "training": TrainingSection,
    "initial": InitialSection,
    "expectation": ExpectationSection,
    "integrator": IntegratorSection,
    "output": OutputSection,
    "simulation": SimulationSection,
}


def test_sections_are_those_of_configuration_files() -> None:
    assert {name: tuple(schema.model_fields) for name, schema in SCHEMA.items()} == SECTIONS
    integers = {
        f"{name}.{key}"
        for name, schema in SCHEMA.items()
        for key, field in schema.model_fields.items()
        if field.annotation is int
    }
    assert integers == INTEGER_KEYS


def test_values_of_an_axis() -> None:
    linear = axis_values("model.label_noise", {"start": 0.0, "stop": 1.0, "count": 11})
    assert linear[3] == 0.3
    log = {"start": 3, "stop": 3000, "count": 4, "spacing": "log"}
    assert axis_values("training.learning_rate", log) == (3.0, 30.0, 300.0, 3000.0)
    assert axis_values("model.tokens", log) == (3, 30, 300, 3000)
    assert all(isinstance(value, int) for value in axis_values("model.tokens", log))
    crowded = {"start": 1, "stop": 4, "count": 10}
    assert axis_values("model.heads", crowded) == (1, 2, 3, 4)
    assert axis_values("model.heads", np.array([1.0, 4.0])) == (1, 4)
    assert axis_values("model.activation", ["softmax", "erf"]) == ("softmax", "erf")
    mixed = axis_values("training.learning_rate", ["gradient_flow", 0.5])
    assert mixed == ("gradient_flow", 0.5)


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({}, "mapping of 1 to 4 keys"),
        ({f"signal.mean.{i}": [1.0] for i in range(5)}, "mapping of 1 to 4 keys"),
        ({"model.haeds": [1]}, "did you mean model.heads"),
        ({"modle.heads": [1]}, "did you mean model"),
        ({"output.count": [1]}, "be one of model"),
        ({"signal.amplitude.x": [1]}, "numbers, counted from 0"),
        ({"model.heads": []}, "nonempty list"),
        ({"model.heads": "two"}, "nonempty list"),
        ({"model.heads": [1, 1.0]}, "no value twice"),
        ({"model.heads": [1.5]}, "integers only"),
        ({"model.label_noise": [True]}, "finite number"),
        ({"model.label_noise": {"start": 0, "stop": 1}}, "count"),
        ({"model.label_noise": {"start": 0, "stop": 1, "cuont": 2}}, "did you mean count"),
        ({"model.label_noise": {"start": 0, "stop": 0, "count": 2}}, "differ from start"),
        (
            {"model.label_noise": {"start": 0, "stop": 1, "count": 2, "spacing": "log"}},
            "> 0 with spacing log",
        ),
    ],
)
def test_axes_that_are_refused(axes: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        make_axes(axes)


def test_corners_have_all_names_and_the_ends_of_numbers() -> None:
    axes = make_axes(
        {"model.heads": [1, 2, 4], "model.activation": ["softmax", "erf", "linear"]},
    )
    assert corner_points(axes) == [(i, j) for i in (0, 2) for j in (0, 1, 2)]


def test_a_point_is_the_configuration_with_its_keys_set() -> None:
    plan = make_plan(
        sections(),
        axes={"signal.amplitude.1": [0.5, 1.5], "model.heads": [1, 3]},
        measures=[overlap],
        seeds=2,
        derived={"initial.scale": lambda p: p["signal.amplitude.1"] / 10},
    )
    experiment, parameters = plan.experiment((1, 0, 1))
    assert parameters == {
        "signal.amplitude.1": 1.5,
        "model.heads": 1,
        "initial.scale": pytest.approx(0.15),
    }
    assert experiment.model().heads == 1
    np.testing.assert_array_equal(experiment.signal().parameters["amplitude"], [0.0, 1.5])
    assert experiment.sections["initial"] == {"scale": pytest.approx(0.15), "seed": 1}
    assert plan.sections == sections()


def test_derived_parameters_may_use_axes_of_their_own() -> None:
    diagram = phase_diagram(
        sections(),
        axes={"ratio": [1.0, 2.0], "strength": [1.0, 3.0]},
        derived={
            "signal.amplitude.1": lambda p: p["strength"] * p["ratio"],
            "signal.mean.0": lambda p: p["strength"],
        },
        measures={"largest": lambda point: point.model.signal.means.max()},
        workers=1,
    )
    assert diagram["largest"].dims == ("ratio", "strength")
    np.testing.assert_array_equal(diagram["largest"], [[1.0, 3.0], [2.0, 6.0]])


def test_a_model_is_swept_as_if_it_had_been_written() -> None:
    """What a model has by default follows the keys that it depends on."""
    signal = Signal.sign_flips(mean=[2.0, 0.0], amplitude=[0.0, 1.8])
    plan = make_plan(
        Model(3, 2, signal, "linear"),
        axes={"model.heads": [2, 5], "model.activation": ["linear", "bayes_softmax"]},
        measures=[overlap],
        replaced={"training": {"time": 1.0}, "initial": {"scale": 0.1}},
    )
    assert (
        plan.experiment((1, 0, 0))[0].model().prefactor == Model(3, 5, signal, "linear").prefactor
    )
    assert plan.experiment((0, 1, 0))[0].model().is_nishimori
    fixed = make_plan(
        Model(3, 2, signal, "linear", prefactor=0.3),
        axes={"model.heads": [2, 5]},
        measures=[overlap],
        replaced={"training": {"time": 1.0}},
    )
    assert fixed.experiment((1, 0))[0].model().prefactor == 0.3


@pytest.mark.parametrize(
    ("axes", "changes", "said"),
    [
        (
            {"model.heads": [1, 0]},
            {},
            "`heads` must be an integer ≥ 1 and ≤ 10000 .at model.heads = 0.",
        ),
        ({"signal.amplitude.7": [1.0]}, {}, "entry of a list .there are 2"),
        ({"model.label_noise.0": [1.0]}, {}, "entry of a list"),
        (
            {"signal.kind": ["sign_flips", "one_hot"]},
            {},
            "(signal.mean|signal).* must .*(kind|mean)",
        ),
        ({"model.heads": [1, 2]}, {"initial": {"M": [[1.0, 0.0]], "R": [[1.0]]}}, "heads = 2"),
        ({"initial.scale": [0.1]}, {"training": {"time": None}}, "training.time"),
        ({"initial.scale": [0.1]}, {"training": {"tiem": 1.0}}, "did you mean time"),
    ],
)
def test_invalid_points_are_refused_before_anything_is_computed(
    axes: Any, changes: Any, said: str
) -> None:
    with pytest.raises(ArgumentError, match=said):
        make_plan(sections(**changes), axes=axes, measures=[overlap])


def test_configurations_that_are_refused() -> None:
    with pytest.raises(ArgumentError, match="`axes` must be given"):
        make_plan(sections())
    with pytest.raises(ArgumentError, match="a mapping of sections or a Model"):
        make_plan(7, axes={"model.heads": [1]})
    with pytest.raises(ArgumentError, match="sections model, signal"):
        make_plan({**sections(), "trainnig": {}}, axes={"model.heads": [1]})
    explicit = {"initial": {"scale": None, "M": [[1.0, 0.0]], "R": [[1.0]]}}
    with pytest.raises(ArgumentError, match="be 1 when M and R are given"):
        make_plan(
            sections(model={"heads": 1}, **explicit), axes={"model.label_noise": [0.1]}, seeds=2
        )
