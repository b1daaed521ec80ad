"""What a configuration builds, and that it survives being written down."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from headode.config import Config, config_from_dict, load_config

BASE: dict[str, Any] = {
    "model": {"tokens": 3, "heads": 2},
    "signal": {"kind": "sign_flips", "mean": [2.0, 0.0], "amplitude": [0.0, 1.8]},
    "training": {"time": 50.0},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "fixed offsets": {"model": {"tokens": 3, "heads": 2, "offset": [0.5, 1]}},
    "one offset": {"model": {"tokens": 3, "heads": 2, "activation": "softmax1", "offset": 0.5}},
    "linear": {"model": {"tokens": 3, "heads": 2, "activation": "linear", "prefactor": 0.3}},
    "learned value": {
        "model": {"tokens": 3, "heads": 2, "activation": "softmax", "value": "learned"},
        "training": {"time": 50.0, "learning_rate": 0.5, "value_learning_rate": 2.0},
    },
    "explicit state": {
        "model": {"tokens": 3, "heads": 2, "offset": "learned", "value": "learned"},
        "initial": {
            "M": [[1, 0], [0, 1]],
            "R": [[1, 0.5], [0.5, 1]],
            "m_v": 0.5,
            "q_v": 1.0,
            "offset": [0.1, 0.2],
        },
    },
    "explicit times": {"training": {}, "output": {"times": [0, 1, 10]}},
    "gaussian": {"signal": {"kind": "gaussian", "mean": [1, 0], "covariance": [1.0, 0.5]}},
    "mixture": {
        "signal": {
            "kind": "mixture",
            "means": [[1, 0], [0, 1]],
            "covariances": [0.5, [[1, 0.2], [0.2, 1]]],
            "probabilities": [0.25, 0.75],
        }
    },
    "discrete": {"signal": {"kind": "discrete", "points": [[1.0], [-1.0]]}},
    "phase diagram": {
        "phase_diagram": {
            "axes": {
                "signal.amplitude.1": {"start": 0.5, "stop": 3.0, "count": 20},
                "model.heads": [1, 2, 4, 8],
                "model.activation": ["softmax", "bayes_softmax"],
            },
            "measures": ["final_risk", "excess_risk", "phase"],
            "seeds": 3,
        }
    },
}
EXAMPLES = sorted(
    file.name for file in (files("headode") / "examples").iterdir() if file.name.endswith(".yaml")
)


def assert_round_trip(config: Config, folder: Path) -> None:
    complete = config.to_dict()
    assert config_from_dict(complete).to_dict() == complete
    written = folder / "complete.yaml"
    written.write_text(json.dumps(complete), encoding="utf-8")  # JSON is YAML
    assert load_config(written).to_dict() == complete


def is_within(part: Any, whole: Any) -> bool:
    """Whether a mapping is part of another one, in which defaults are filled in."""
    if isinstance(part, dict):
        return all(key in whole and is_within(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_round_trip_of_the_complete_configuration(changes: dict[str, Any], tmp_path: Path) -> None:
    config = config_from_dict(BASE | changes)
    assert_round_trip(config, tmp_path)
    again = config_from_dict(config.to_dict())
    np.testing.assert_array_equal(config.build_state().M, again.build_state().M)
    np.testing.assert_array_equal(config.build_state().Q, again.build_state().Q)
    assert config.build_state().m_v == again.build_state().m_v
    assert config.build_training() == again.build_training()
    np.testing.assert_array_equal(config.output_times(), again.output_times())


def test_defaults_are_those_of_the_documentation() -> None:
    config = config_from_dict(BASE)
    assert config.to_dict() == {
        "model": {
            "tokens": 3,
            "heads": 2,
            "activation": "bayes_softmax",
            "offset": "nishimori",
            "value": "known",
            "label_noise": 0.0,
        },
        "signal": {"kind": "sign_flips", "mean": [2.0, 0.0], "amplitude": [0.0, 1.8]},
        "training": {
            "learning_rate": "gradient_flow",
            "batch_size": 1,
            "weight_decay": 0.0,
            "time": 50.0,
        },
        "initial": {"scale": 0.01, "seed": 0},
        "expectation": {"method": "auto", "tolerance": 1e-6, "seed": 0},
        "integrator": {"rtol": 1e-6, "atol": 1e-9, "method": "auto"},
        "output": {"count": 200, "spacing": "log"},
        "simulation": {"dimension": 10_000, "runs": 8, "method": "overlaps", "seed": 0},
    }


def test_model_objects_have_the_values_of_the_file() -> None:
    config = config_from_dict(BASE | VARIANTS["explicit state"])
    model, state = config.build_model(), config.build_state()
    assert (model.tokens, model.heads, model.features) == (3, 2, 2)
    assert model.learns_offset
    assert model.learns_value
    np.testing.assert_array_equal(config.signal_law.mean, [2.0, 0.0])
    np.testing.assert_array_equal(state.R, [[1, 0.5], [0.5, 1]])
    np.testing.assert_array_equal(state.offset, [0.1, 0.2])
    assert (state.m_v, state.q_v) == (0.5, 1.0)
    model.check_state(state)
    assert config.build_training().is_gradient_flow


def test_random_state_is_that_of_the_seed() -> None:
    one, two = (
        config_from_dict(BASE | {"initial": {"seed": seed, "scale": 0.5}}).build_state()
        for seed in (1, 2)
    )
    assert not np.array_equal(one.M, two.M)
    np.testing.assert_array_equal(one.R, 0.25 * np.eye(2))


def test_output_times() -> None:
    linear = config_from_dict(BASE | {"output": {"count": 6, "spacing": "linear"}})
    np.testing.assert_allclose(linear.output_times(), [0, 10, 20, 30, 40, 50], rtol=1e-15)
    explicit = config_from_dict(BASE | VARIANTS["explicit times"])
    np.testing.assert_array_equal(explicit.output_times(), [0, 1, 10])
    assert explicit.to_dict()["training"]["time"] == 10.0


def test_numpy_values_are_taken() -> None:
    signal = {"kind": "one_hot", "amplitude": np.array([1.0, 2.0])}
    config = config_from_dict(
        BASE | {"signal": signal, "model": {"tokens": np.int64(3), "heads": 2}}
    )
    assert config.signal.amplitude == [1.0, 2.0]
    assert config.model.tokens == 3


def test_numbers_of_yaml_1_2(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "model: {tokens: 3, heads: 2}\n"
        "signal: {kind: one_hot, amplitude: [1, 2]}\n"
        "training: {time: 1e2}\n"
        "expectation: {tolerance: 1e-6}\n"
        "initial: {seed: 017}\n",
        encoding="utf-8",
    )
    config = load_config(path)
    assert config.expectation.tolerance == 1e-6
    assert config.training.time == 100.0
    assert config.initial.seed == 17  # no octal numbers with a leading zero


def test_configurations_are_frozen() -> None:
    config = config_from_dict(BASE)
    with pytest.raises(ValueError, match="frozen"):
        config.model.heads = 3  # type: ignore[misc]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_load_build_and_survive(name: str, tmp_path: Path) -> None:
    source = tmp_path / name
    source.write_text((files("headode") / "examples" / name).read_text("utf-8"), encoding="utf-8")
    config = load_config(source)
    config.build_model().check_state(config.build_state())
    config.build_training()
    assert config.output_times()[0] == 0.0
    assert_round_trip(config, tmp_path)
    given = YAML(typ="safe", pure=True).load(source)
    for section, keys in given.items():
        assert is_within(keys, config.to_dict()[section])
