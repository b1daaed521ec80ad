"""Nothing that can be written in a file or a mapping causes anything but a ConfigError."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headode.config import Config, config_from_dict, load_config
from headode.config.schema import SignalSection
from headode.errors import ConfigError

SECTIONS = list(Config.model_fields)
KEYS = sorted(
    {
        key
        for field in Config.model_fields.values()
        for key in getattr(field.annotation, "model_fields", {})
    }
)
NAMES = ["softmax", "linear", "learned", "zero", "log", "auto", "model.heads", "signal.amplitude.0"]
KINDS = list(SignalSection.model_fields["kind"].annotation.__args__)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.integers(),
    st.floats(),
    st.sampled_from(NAMES + KINDS),
    st.text(max_size=5),
    st.binary(max_size=3),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS + NAMES), scalars), inner, max_size=3),
    ),
    max_leaves=6,
)
sections = st.dictionaries(
    st.one_of(st.sampled_from(KEYS), st.text(max_size=6)), values, max_size=6
)
mappings = st.dictionaries(
    st.one_of(st.sampled_from(SECTIONS), st.text(max_size=8)), st.one_of(sections, values)
)


def check_faults(error: ConfigError) -> None:
    assert error.faults
    for fault in error.faults:
        assert fault
        assert len(fault.splitlines()) == 1


@settings(max_examples=150, deadline=None)
@given(mappings)
def test_garbage_mappings(mapping: dict[Any, Any]) -> None:
    with contextlib.suppress(ConfigError):
        try:
            config_from_dict(mapping)
        except ConfigError as error:
            check_faults(error)
            raise


@settings(max_examples=150, deadline=None)
@given(
    st.fixed_dictionaries(
        {"tokens": st.integers(0, 3), "heads": st.integers(0, 3)},
        optional={
            "activation": st.sampled_from(["softmax", "linear", "nonsense"]),
            "offset": values,
            "value": st.sampled_from(["known", "learned", "other"]),
            "prefactor": st.floats(),
        },
    ),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(KINDS)},
        optional={
            key: st.one_of(
                st.floats(-3, 3),
                st.lists(st.floats(-3, 3), max_size=3),
                st.lists(st.lists(st.floats(-3, 3), max_size=3), max_size=3),
            )
            for key in SignalSection.model_fields
            if key != "kind"
        },
    ),
    sections,
    sections,
)
def test_nearly_sound_mappings_load_and_build_or_are_refused(
    model: dict[str, Any], signal: dict[str, Any], initial: dict[str, Any], output: dict[str, Any]
) -> None:
    mapping = {
        "model": model,
        "signal": signal,
        "training": {"time": 1.0},
        "initial": initial,
        "output": output,
    }
    try:
        config = config_from_dict(mapping)
    except ConfigError as error:
        check_faults(error)
        return
    # What is accepted can be built, and is accepted again.
    config.build_model().check_state(config.build_state())
    assert config_from_dict(config.to_dict()).to_dict() == config.to_dict()


FRAGMENTS = (
    *("model", "signal", "tokens", "1e-6", "2020-01-01", "~", "0x1F", ".nan", "<<", "&a", "*a"),
    *(": ", ":\n", "\n", "\r\n", "\t", "  ", "- ", "[", "]", "{", "}", ", ", "? ", "|", ">"),
    *("'", '"', "#", "!!int ", "!!python/object:os.system ", "%YAML 1.1\n", "---\n", "...\n"),
    *("\x00", "\ufeff"),
)
fragments = st.sampled_from(FRAGMENTS)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.lists(fragments, max_size=12).map("".join), st.text(max_size=30)))
def test_garbage_files(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            load_config(path)
        except ConfigError as error:
            check_faults(error)
        else:
            raise AssertionError("random text is no configuration")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_encodings_with_a_mark_are_read(encoding, tmp_path):
    path = tmp_path / "config.yaml"
    text = "model: {tokens: 010, heads: 2}\nsignal: {kind: one_hot, amplitude: [1]}\n"
    text += "training: {time: 1}\n"
    path.write_bytes(text.encode(encoding))
    # YAML 1.2: no octal numbers.
    assert load_config(path).model.tokens == 10


def test_another_version_of_yaml_is_refused(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("%YAML 1.1\n---\nmodel: {tokens: 010, heads: 2}\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:1: must be YAML 1\.2.*%YAML 1\.1"):
        load_config(path)
