"""What README and the documentation show works as shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import typer
from markdown_blocks import PAGES, Block, blocks_of

from headode.activation import _registered
from headode.cli.main import app
from headode.config import load_config
from headode.errors import ConfigError

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
# Units in the last digit that is shown: roundoff may move a number over the border between two.
UNITS = 1.01


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if blocks_of(page, language)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder with the example that the tutorial has written by then."""
    monkeypatch.chdir(tmp_path)
    example = files("headode") / "examples" / "staged_specialization.yaml"
    Path("staged.yaml").write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    before = dict(_registered)
    yield tmp_path
    _registered.clear()
    _registered.update(before)


def last_digit(number: str) -> float:
    """One unit in the last digit of a number as it is printed: 0.01 of 2.50, 1e-6 of 1.3e-5."""
    mantissa, _, exponent = number.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals)


def stale_numbers(printed: str, shown: str) -> list[tuple[str, str]]:
    """Numbers that differ in the digits that are shown, as printed now and as shown."""
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True)
    return [
        (now, then)
        for now, then in pairs
        if abs(float(now) - float(then)) > UNITS * last_digit(then)
    ]


def words_in(text: str) -> list[str]:
    return NUMBER.sub("#", text).replace("[", " [ ").replace("]", " ] ").split()


@pytest.mark.parametrize("page", pages_with("python"), ids=lambda page: page.stem)
def test_python_blocks_print_what_stands_below_them(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(page, "python"):
        # Blank lines before it, so that a traceback shows the line of the page.
        code = compile("\n" * (block.line - 1) + block.source, str(page), "exec")
        exec(code, namespace)
        printed = capsys.readouterr().out
        where = f"{page.name}:{block.line}"
        assert words_in(printed) == words_in(block.output or ""), where
        assert stale_numbers(printed, block.output or "") == [], where


def test_a_stale_digit_is_seen() -> None:
    assert stale_numbers("drift [ 0.206 -0.004]", "drift [ 0.206 -0.006]") == [("-0.004", "-0.006")]
    assert stale_numbers("1.34e-05 in 7 s", "1.35e-05 in 7 s") == []
    assert stale_numbers("1.34e-05 in 7 s", "1.37e-05 in 9 s") == [
        ("1.34e-05", "1.37e-05"),
        ("7", "9"),
    ]


def commands_in(block: Block) -> list[list[str]]:
    """The ``headode`` commands of a block of shell commands, without redirections."""
    lines = re.split(r"\n|&&", block.source)
    words = [shlex.split(line.split(" > ")[0]) for line in lines]
    return [line[1:] for line in words if line and line[0].endswith("headode")]


@pytest.mark.parametrize("page", pages_with("sh"), ids=lambda page: page.stem)
def test_shell_blocks_use_commands_and_options_that_exist(page: Path) -> None:
    group = typer.main.get_command(app)
    for block in blocks_of(page, "sh"):
        for name, *arguments in commands_in(block):
            command = group.commands[name]
            # Raises a usage error for an unknown option or a missing argument.
            command.make_context(name, arguments)


def test_commands_are_found() -> None:
    found = [
        command
        for page in PAGES
        for block in blocks_of(page, "sh")
        for command in commands_in(block)
    ]
    expected = {"example", "integrate", "phase-diagram", "simulate", "validate"}
    assert expected <= {command[0] for command in found}


@pytest.mark.parametrize("page", pages_with("yaml"), ids=lambda page: page.stem)
def test_configurations_are_valid_or_refused_as_shown(page: Path, folder: Path) -> None:
    for block in blocks_of(page, "yaml"):
        Path("bad.yaml").write_text(block.source, encoding="utf-8")
        assert "\n".join(faults_of("bad.yaml")).split() == (block.output or "").split()


def faults_of(path: str) -> tuple[str, ...]:
    try:
        load_config(path)
    except ConfigError as error:
        return error.faults
    return ()
