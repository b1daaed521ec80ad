"""Every fault of a configuration file is one line: where, which key, what is allowed and given."""

from __future__ import annotations

from pathlib import Path

import pytest

from headode.config import config_from_dict, load_config
from headode.errors import ConfigError

SOUND = {
    "model": "{tokens: 3, heads: 2}",
    "signal": "{kind: one_hot, amplitude: [1.0, 2.0]}",
    "training": "{time: 10.0}",
}
LINE = {"model": 1, "signal": 2, "training": 3}
SIGN_FLIPS = "kind: sign_flips, mean: [2.0, 0.0], amplitude: [0.0, 1.8]"
R = "R: [[1, 0], [0, 1]]"
M = "M: [[1, 0], [0, 1]]"

# (section, its text, key at fault, what the message must say)
ONE_FAULT = [
    # sizes and types
    (
        "model",
        "{tokens: 0, heads: 2}",
        "model.tokens",
        ["an integer ≥ 1 and ≤ 1000000000, but is 0"],
    ),
    ("model", "{tokens: 3, heads: 2.0}", "model.heads", ["an integer ≥ 1 and ≤ 10000, but is 2.0"]),
    (
        "model",
        "{tokens: 3, heads: true}",
        "model.heads",
        ["an integer ≥ 1 and ≤ 10000, but is true"],
    ),
    (
        "model",
        "{tokens: 3, heads: four}",
        "model.heads",
        ["an integer ≥ 1 and ≤ 10000, but is 'four'"],
    ),
    ("model", "{tokens: 3, heads: }", "model.heads", ["an integer ≥ 1 and ≤ 10000, but is empty"]),
    ("model", "{tokens: 3, heads: [2]}", "model.heads", ["an integer ≥ 1 and ≤ 10000, but is [2]"]),
    ("model", "{tokens: 3}", "model.heads", ["is missing", "an integer ≥ 1"]),
    ("model", "3", "model", ["section with tokens, heads", "but is 3"]),
    ("model", "", "model", ["section with tokens, heads", "but is empty"]),
    (
        "model",
        "{tokens: 3, heads: 2, label_noise: -0.3}",
        "model.label_noise",
        ["a finite number ≥ 0, but is -0.3"],
    ),
    (
        "model",
        "{tokens: 3, heads: 2, label_noise: .inf}",
        "model.label_noise",
        ["a finite number ≥ 0, but is inf"],
    ),
    (
        "model",
        "{tokens: 3, heads: 2, offset: }",
        "model.offset",
        ["zero, nishimori, learned, or a finite number", "but is empty"],
    ),
    # names
    (
        "model",
        "{tokens: 3, heads: 2, activation: sofmax}",
        "model.activation",
        ["softmax, softmax1, bayes_softmax", "did you mean softmax?", "'sofmax'"],
    ),
    (
        "model",
        "{tokens: 3, heads: 2, offset: nishimry}",
        "model.offset",
        ["zero, nishimori, learned", "did you mean nishimori?", "'nishimry'"],
    ),
    (
        "model",
        "{tokens: 3, heads: 2, value: lerned}",
        "model.value",
        ["one of known, learned (did you mean learned?), but is 'lerned'"],
    ),
    (
        "signal",
        "{kind: signflips, mean: [1], amplitude: [1]}",
        "signal.kind",
        ["sign_flips, one_hot, flipped_one_hot", "did you mean sign_flips?", "'signflips'"],
    ),
    # unknown keys
    (
        "model",
        "{tokens: 3, haeds: 2}",
        "model.haeds",
        ["not a known key (did you mean model.heads?)", "tokens, heads, activation"],
    ),
    (
        "model",
        "{tokens: 3, heads: 2, time: 5.0}",
        "model.time",
        ["not a known key (did you mean training.time?)"],
    ),
    ("training", "{time: 10.0, zzz: 1}", "training.zzz", ["not a known key; known here: learn"]),
    ("optput", "{count: 3}", "optput", ["did you mean output?", "model, signal, training"]),
    # the signal
    (
        "signal",
        "{kind: sign_flips, mean: [2.0], amplitude: [0.0, 1.8]}",
        "signal.amplitude",
        ["have the 1 entries of mean, but is [0.0, 1.8]"],
    ),
    (
        "signal",
        "{kind: one_hot, amplitude: [1.0, x]}",
        "signal.amplitude.1",
        ["a finite number, but is 'x'"],
    ),
    ("signal", "{kind: one_hot, amplitude: []}", "signal.amplitude", ["nonempty list", "[]"]),
    ("signal", "{kind: one_hot}", "signal.amplitude", ["is missing", "kind one_hot"]),
    (
        "signal",
        f"{{{SIGN_FLIPS}, covariance: 1.0}}",
        "signal.covariance",
        ["left out for kind sign_flips", "belongs to gaussian", "but is 1.0"],
    ),
    (
        "signal",
        "{kind: one_hot, amplitude: [1, 2], probabilities: [0.5, 0.6]}",
        "signal.probabilities",
        ["nonnegative and sum to 1, but is [0.5, 0.6]"],
    ),
    (
        "signal",
        "{kind: gaussian, mean: [0, 0], covariance: [[1, 2], [2, 1]]}",
        "signal.covariance",
        ["positive semidefinite (its smallest eigenvalue is -1)", "[[1, 2], [2, 1]]"],
    ),
    (
        "signal",
        "{kind: gaussian, mean: [0, 0], covariance: [[1, 2], [0, 1]]}",
        "signal.covariance",
        ["symmetric", "[[1, 2], [0, 1]]"],
    ),
    (
        "signal",
        "{kind: gaussian, means: [0, 0], covariance: 1.0}",
        "signal.means",
        ["left out for kind gaussian (did you mean mean?)", "belongs to mixture", "[0, 0]"],
    ),
    (
        "signal",
        "{kind: discrete, points: [0, 1, 2]}",
        "signal.points",
        ["nonempty list of rows of finite numbers, but is [0, 1, 2]"],
    ),
    (
        "signal",
        "{kind: discrete, points: [[1, 2], [3]]}",
        "signal.points",
        ["shape (any, any), but is [[1, 2], [3]]"],
    ),
    (
        "signal",
        "{kind: mixture, means: [[0], [1]], covariances: [1.0]}",
        "signal.covariances",
        ["a number or 2 covariances, but is [1.0]"],
    ),
    # what goes together
    (
        "model",
        "{tokens: 3, heads: 2, prefactor: 0.5}",
        "model.prefactor",
        ["left out for the normalized activation bayes_softmax, but is 0.5"],
    ),
    (
        "model",
        "{tokens: 3, heads: 2, activation: linear, prefactor: 0}",
        "model.prefactor",
        ["a finite number > 0, but is 0"],
    ),
    (
        "model",
        "{tokens: 3, heads: 2, offset: [1.0, 2.0, 3.0]}",
        "model.offset",
        ["shape (2), but is [1.0, 2.0, 3.0]"],
    ),
    (
        "training",
        "{time: 10.0, value_learning_rate: 2.0}",
        "training.value_learning_rate",
        ["left out unless model.value is learned, but is 2.0"],
    ),
    (
        "training",
        "{time: 10.0, offset_learning_rate: 2.0}",
        "training.offset_learning_rate",
        ["left out unless model.offset is learned, but is 2.0"],
    ),
    ("training", "{}", "training.time", ["is missing", "output.times"]),
    (
        "training",
        "{time: 10.0, learning_rate: gradientflow}",
        "training.learning_rate",
        ["gradient_flow, or a finite number > 0, but is 'gradientflow'"],
    ),
    (
        "training",
        "{time: 1.0, batch_size: 0}",
        "training.batch_size",
        ["an integer ≥ 1 and ≤ 1000000000, but is 0"],
    ),
    ("training", "{time: -5}", "training.time", ["a finite number > 0, but is -5"]),
    ("training", "{time: 1.0, weight_decay: -1}", "training.weight_decay", ["≥ 0, but is -1"]),
    # the initial state
    ("initial", f"{{{M}}}", "initial.R", ["is missing", "together with M"]),
    ("initial", f"{{{R}}}", "initial.M", ["is missing", "together with R"]),
    ("initial", f"{{{M}, {R}, scale: 0.1}}", "initial.scale", ["left out when M and R", "0.1"]),
    ("initial", f"{{{M}, {R}, seed: 1}}", "initial.seed", ["left out when M and R", "but is 1"]),
    (
        "initial",
        f"{{M: [[1, 0], [0, 1], [0, 0]], {R}}}",
        "initial.M",
        ["shape (2, 2), but is [[1, 0], [0, 1], [0, 0]]"],
    ),
    ("initial", f"{{M: [[1], [0]], {R}}}", "initial.M", ["shape (2, 2), but is [[1], [0]]"]),
    ("initial", f"{{{M}, R: [[1]]}}", "initial.R", ["shape (2, 2), but is [[1]]"]),
    (
        "initial",
        f"{{{M}, R: [[1, 2], [2, 1]]}}",
        "initial.R",
        ["positive semidefinite (its smallest eigenvalue is -1)", "[[1, 2], [2, 1]]"],
    ),
    (
        "initial",
        f"{{{M}, {R}, q_v: 2.0}}",
        "initial.q_v",
        ["left out unless model.value is learned, but is 2.0"],
    ),
    (
        "initial",
        f"{{{M}, {R}, offset: [1.0, 1.0]}}",
        "initial.offset",
        ["left out unless model.offset is learned, but is [1.0, 1.0]"],
    ),
    ("initial", "{scale: -0.01}", "initial.scale", ["a finite number ≥ 0, but is -0.01"]),
    (
        "initial",
        "{seed: -1}",
        "initial.seed",
        ["an integer ≥ 0 and ≤ 9223372036854775807, but is -1"],
    ),
    # numerics
    ("expectation", "{tolerance: -1.0e-6}", "expectation.tolerance", ["> 0, but is -1e-06"]),
    (
        "expectation",
        "{method: factorised}",
        "expectation.method",
        ["auto, closed_form, factorized", "did you mean factorized?", "'factorised'"],
    ),
    ("integrator", "{rtol: 0}", "integrator.rtol", ["≥ 1e-13 and < 1, but is 0"]),
    ("integrator", "{rtol: 1e-6, rtol: 1e-7}", "integrator.rtol", ["given twice", "on line 4"]),
    ("integrator", "{method: rk45}", "integrator.method", ["auto, RK45, DOP853", "'rk45'"]),
    ("output", "{count: 1}", "output.count", ["an integer ≥ 2 and ≤ 10000000, but is 1"]),
    ("output", "{spacing: logarithmic}", "output.spacing", ["log, linear", "'logarithmic'"]),
    ("output", "{times: [0, 2, 1, 10]}", "output.times", ["strictly increasing", "[0, 2, 1, 10]"]),
    ("output", "{times: [0, 10], count: 5}", "output.count", ["left out when output.times", "5"]),
    ("output", "[1, 2]", "output", ["a section with count, spacing, times, but is [1, 2]"]),
    # the simulation
    ("simulation", "{dimension: 5}", "simulation.dimension", ["larger than", "= 5, but is 5"]),
    ("simulation", "{method: weight}", "simulation.method", ["overlaps, weights", "'weight'"]),
    ("simulation", "{method: overlap}", "simulation.method", ["did you mean overlaps?"]),
    ("simulation", "{runs: 0}", "simulation.runs", ["an integer ≥ 1 and ≤ 1000000, but is 0"]),
    # the phase diagram
    ("phase_diagram", "{measures: [final_risk]}", "phase_diagram.axes", ["is missing"]),
    ("phase_diagram", "{axes: {}}", "phase_diagram.axes", ["but is {}"]),
    (
        "phase_diagram",
        "{axes: {model.heads: [1, 2]}, measures: [final_risk, exces_risk]}",
        "phase_diagram.measures.1",
        ["bayes_risk, optimal_risk", "did you mean excess_risk?", "'exces_risk'"],
    ),
    (
        "phase_diagram",
        "{axes: {model.haeds: [1, 2]}}",
        "phase_diagram.axes.model.haeds",
        ["did you mean model.heads?"],
    ),
    (
        "phase_diagram",
        "{axes: {signal.amplitude.2: [1.0]}}",
        "phase_diagram.axes.signal.amplitude.2",
        ["no entry 2", "signal.amplitude has 2"],
    ),
    (
        "phase_diagram",
        "{axes: {model.heads.0: [1.0]}}",
        "phase_diagram.axes.model.heads.0",
        ["model.heads, which has no such entries"],
    ),
    (
        "phase_diagram",
        "{axes: {signal.amplitude.x: [1.0]}}",
        "phase_diagram.axes.signal.amplitude.x",
        ["a number, counted from 0, after signal.amplitude"],
    ),
    (
        "phase_diagram",
        "{axes: {model.label_noise: {start: 0.0, stop: 1.0}}}",
        "phase_diagram.axes.model.label_noise.count",
        ["is missing", "an integer ≥ 1"],
    ),
    (
        "phase_diagram",
        "{axes: {model.label_noise: {start: 0.0, stop: 1.0, count: 3, spacing: log}}}",
        "phase_diagram.axes.model.label_noise.start",
        ["> 0 with spacing log, but is 0.0"],
    ),
    (
        "phase_diagram",
        "{axes: {model.heads: [1, 2, 0]}}",
        "phase_diagram.axes.model.heads.2",
        ["cannot be 0: model.heads must be an integer ≥ 1 and ≤ 10000, but is 0"],
    ),
    (
        "phase_diagram",
        "{axes: {model.heads: [1, 2.5]}}",
        "phase_diagram.axes.model.heads",
        ["integers only, but is 2.5"],
    ),
    (
        "phase_diagram",
        "{axes: {model.label_noise: [0.1, 0.1]}}",
        "phase_diagram.axes.model.label_noise",
        ["no value twice"],
    ),
    (
        "phase_diagram",
        "{axes: {model.activation: [softmax, sofmtax]}}",
        "phase_diagram.axes.model.activation.1",
        ["cannot be sofmtax: model.activation must be one of softmax"],
    ),
    (
        "phase_diagram",
        "{axes: {model.label_noise: {start: -1.0, stop: 1.0, count: 3}}}",
        "phase_diagram.axes.model.label_noise",
        ["cannot be -1.0: model.label_noise must be a finite number ≥ 0"],
    ),
    (
        "phase_diagram",
        "{axes: {model.heads: [1, 40], simulation.dimension: [50, 43]}}",
        "phase_diagram.axes",
        ["cannot have the point model.heads = 40, simulation.dimension = 43: simulation.dimension"],
    ),
    (
        "phase_diagram",
        "{axes: {model.heads: [1], model.tokens: [1], model.label_noise: [1], initial.seed: [1], "
        "initial.scale: [1]}}",
        "phase_diagram.axes",
        ["at most 4 axes"],
    ),
    ("phase_diagram", "{axes: {model.heads: [1]}, seeds: 0}", "phase_diagram.seeds", ["≥ 1"]),
    (
        "phase_diagram",
        "{axes: {model.heads: [1]}, measures: [phase, phase]}",
        "phase_diagram.measures",
        ["none twice"],
    ),
    (
        "phase_diagram",
        "{axes: {model.heads: [1], model.tokens: [2]}, refine: {measure: phase}}",
        "phase_diagram.refine.measure",
        ["one of the measures (final_risk), but is 'phase'"],
    ),
    (
        "phase_diagram",
        "{axes: {model.heads: [1]}, refine: {measure: final_risk}}",
        "phase_diagram.refine",
        ["left out unless there are two axes of numbers"],
    ),
    # what YAML has and a configuration does not
    ("model", "{tokens: 3, heads: !!python/object:os.x 2}", "model.heads", ["has the tag"]),
    ("model", "{tokens: &n 3, heads: *n}", "model.heads", ["an alias"]),
    ("model", "{tokens: 3, heads: 2, 7: 1}", "model.7", ["not a valid key"]),
    ("initial", "{seed: 1" + "0" * 100 + "}", "initial.seed", ["more than 100 digits"]),
]


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def document(**changes: str) -> str:
    """A configuration with one section on each line, sound but for the changes."""
    return "\n".join(f"{key}: {value}" for key, value in (SOUND | changes).items())


def faults_of(path: Path | str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == "\n".join(caught.value.faults)
    return caught.value.faults


def test_the_base_of_all_cases_is_sound(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, document())).model.heads == 2


@pytest.mark.parametrize(("section", "text", "key", "parts"), ONE_FAULT)
def test_one_fault_is_one_line(
    tmp_path: Path, section: str, text: str, key: str, parts: list[str]
) -> None:
    path = write(tmp_path, document(**{section: text}))
    faults = faults_of(path)
    assert len(faults) == 1, faults
    assert faults[0].startswith(f"{path}:{LINE.get(section, 4)}: {key}: ")
    assert all(part in faults[0] for part in parts), faults[0]
    assert "\n" not in faults[0]


@pytest.mark.parametrize(
    ("content", "line", "part"),
    [
        ("", 1, "is empty"),
        ("# only a comment\n", 1, "is empty"),
        ("- model\n- signal\n", 1, "mapping of sections"),
        ("just text", 1, "mapping of sections"),
        ("model:\n  tokens: 3\n  heads: [1, 2\n", 4, "not valid YAML"),
        ("model:\n  tokens: 3\n\theads: 2\n", 3, "not valid YAML"),
        ("model: {tokens: 3}\n---\nmodel: {tokens: 3}\n", 2, "not valid YAML"),
        ("model:\n  tokens: 3\n  heads: 'two\n", 4, "not valid YAML"),
        ("model: *nowhere\n", 1, "not valid YAML"),
        ("model:\n  tokens: \x01\n", 2, "not valid YAML"),
        ("a: " + "[" * 1000, 1, "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read_on(tmp_path: Path, content: str, line: int, part: str) -> None:
    path = write(tmp_path, content)
    (fault,) = faults_of(path)
    assert fault.startswith(f"{path}:{line}: ")
    assert part in fault
    assert "\n" not in fault


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("model:\n  tokens: 3  # größer\n".encode("latin-1"))
    assert faults_of(path) == (f"{path}:2: is not UTF-8 text (byte 0xf6)",)


def test_a_byte_order_mark_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + document().replace("\n", "\r\n").encode())
    assert load_config(path).training.time == 10.0


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert faults_of(tmp_path / "no.yaml") == (
        f"{tmp_path}/no.yaml: cannot be read: No such file or directory",
    )
    assert faults_of(tmp_path) == (f"{tmp_path}: cannot be read: Is a directory",)


def test_lines_of_block_style_lists_and_duplicate_keys(tmp_path: Path) -> None:
    text = """\
# a comment moves the lines
model:
  tokens: 3
  heads: 2

  heads: 3
signal:
  kind: sign_flips
  mean:
    - 2.0
    - nought
  amplitude: [0.0,
    x]
training:
  time: 10.0
"""
    path = write(tmp_path, text)
    assert faults_of(path) == (
        f"{path}:6: model.heads: is given twice, first on line 4",
        f"{path}:11: signal.mean.1: must be a finite number, but is 'nought'",
        f"{path}:13: signal.amplitude.1: must be a finite number, but is 'x'",
    )


def test_all_faults_come_together_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
simulation: {dimension: 10, runs: 0}
modle:
  tokens: 3
  haeds: 2
  activation: softmaxx
  prefactor: 2.0
signal:
  kind: gaussian
  mean: [0, 0]
  covariance: [[1, 2], [2, 1]]
training:
  learning_rate: 0
  value_learning_rate: 1.0
initial:
  M: [[1, 0]]
  R: [[-1, 0], [0, 1]]
  q_v: -1
"""
    path = write(tmp_path, text)
    places = [fault.split(": ")[:2] for fault in faults_of(path)]
    assert places == [
        [f"{path}:1", "simulation.runs"],
        [f"{path}:2", "modle"],
        [f"{path}:4", "model.haeds"],
        [f"{path}:5", "model.activation"],
        [f"{path}:10", "signal.covariance"],
        [f"{path}:11", "training.time"],
        [f"{path}:12", "training.learning_rate"],
        [f"{path}:13", "training.value_learning_rate"],
        [f"{path}:15", "initial.M"],
        [f"{path}:16", "initial.R"],
        [f"{path}:17", "initial.q_v"],
    ]


def test_several_faults_of_one_constructor_come_together(tmp_path: Path) -> None:
    signal = "{kind: mixture, means: [[0.0], [1.0]], covariances: -1.0, probabilities: [1, 1]}"
    faults = faults_of(write(tmp_path, document(signal=signal)))
    assert [fault.split(": ")[1] for fault in faults] == [
        "signal.covariances",
        "signal.probabilities",
    ]


def test_missing_sections(tmp_path: Path) -> None:
    path = write(tmp_path, "output: {count: 10}\n")
    faults = faults_of(path)
    assert [fault.split(": ")[1] for fault in faults] == ["model", "signal", "training.time"]
    assert all(fault.startswith(f"{path}:1: ") for fault in faults)


def test_times_and_duration_have_to_agree(tmp_path: Path) -> None:
    path = write(tmp_path, document(output="{times: [0, 1, 20]}"))
    assert faults_of(path) == (
        f"{path}:3: training.time: must be left out or end output.times, 20, but is 10.0",
    )


def test_a_mapping_gets_the_same_messages_without_file_and_line(tmp_path: Path) -> None:
    mapping = {
        "model": {"tokens": 0, "heads": 2},
        "signal": {"kind": "sign_flips", "mean": (2.0,), "amplitude": [0.0, 1.8]},
        "training": {"time": 10.0, 5: 1},
    }
    with pytest.raises(ConfigError) as caught:
        config_from_dict(mapping)
    assert set(caught.value.faults) == {
        "model.tokens: must be an integer ≥ 1 and ≤ 1000000000, but is 0",
        "signal.amplitude: must have the 1 entries of mean, but is [0.0, 1.8]",
        "training.5: is not a valid key: keys are plain text",
    }


def test_a_sound_key_can_be_refused_later_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, document())
    config = load_config(path)
    error = config.refusal("training.learning_rate", "be a number", "gradient_flow")
    assert error.faults == (
        f"{path}:3: training.learning_rate: must be a number, but is 'gradient_flow'",
    )
