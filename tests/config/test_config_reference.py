"""The reference covers every key, and says what the messages say."""

from __future__ import annotations

import pytest
from pydantic.fields import FieldInfo

from headode.activation import BUILTIN
from headode.config import Config
from headode.config.reference import configuration_reference
from headode.config.schema import SignalSection
from headode.config.words import allowed, field_annotation, unwrap
from headode.signal import SIGNAL_KINDS

FIELDS: dict[str, FieldInfo] = {
    f"{name}.{key}": field
    for name, section in Config.model_fields.items()
    for key, field in unwrap(field_annotation(section))[0].model_fields.items()
}


def test_every_section_has_a_description() -> None:
    assert all(field.description for field in Config.model_fields.values())


@pytest.mark.parametrize("key", FIELDS)
def test_every_key_has_a_description_and_a_row(key: str) -> None:
    field = FIELDS[key]
    assert field.description
    rows = [
        line for line in configuration_reference().splitlines() if line.startswith(f"| `{key}` |")
    ]
    assert len(rows) == 1
    assert field.description.replace("|", "\\|") in rows[0]


def test_rows_have_type_options_and_default() -> None:
    lines = configuration_reference().splitlines()
    assert "| `model.heads` | integer | ≥ 1 and ≤ 10000 | required | H, attention heads |" in lines
    assert "| `output.spacing` | name | `log`, `linear` | `log` | how they are spaced |" in lines
    assert any(line.startswith("| `initial.M` | matrix |") for line in lines)
    assert any(
        line.startswith("| `training.learning_rate` | name or number | `gradient_flow`; > 0 |")
        for line in lines
    )


def test_words_for_annotations() -> None:
    def words(key: str) -> str:
        return allowed(field_annotation(FIELDS[key]))

    assert words("model.heads") == "an integer ≥ 1 and ≤ 10000"
    assert words("training.learning_rate") == "gradient_flow, or a finite number > 0"
    assert words("signal.points") == "a nonempty list of rows of finite numbers"
    assert words("integrator.rtol") == "a finite number ≥ 1e-13 and < 1"


def test_schema_and_model_know_the_same_names() -> None:
    assert SignalSection.model_fields["kind"].annotation.__args__ == SIGNAL_KINDS
    assert all(f"`{name}`" in FIELDS["model.activation"].description for name in BUILTIN)
