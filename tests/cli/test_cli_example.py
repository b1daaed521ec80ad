"""``headode example``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headode.cli.example import description, packaged_examples
from headode.config import load_config

Invoke = Callable[..., Any]


def test_list_has_a_sentence_for_each(invoke: Invoke) -> None:
    result = invoke("example")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(packaged_examples())
    assert all(line.endswith(".") and len(line.split()) > 5 for line in lines)


@pytest.mark.parametrize("name", packaged_examples())
def test_printed_example_is_a_configuration(name: str, invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("example", name.replace("_", "-"))
    assert result.exit_code == 0
    assert invoke("example", name).stdout == result.stdout
    file = tmp_path / f"{name}.yaml"
    file.write_text(result.stdout, encoding="utf-8")
    load_config(file)


def test_unknown_name(invoke: Invoke) -> None:
    result = invoke("example", "staged-specialisation")
    assert result.exit_code == 2
    assert "did you mean staged_specialization?" in result.stderr


def test_description_is_the_comment_below_the_title() -> None:
    assert description("# Title\n# One\n# sentence.\n\nmodel: 1\n# no\n") == "One sentence."
