"""What the command line says about itself, and that saying it stays cheap."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from headode import __version__

COMMANDS = (
    "integrate",
    "simulate",
    "validate",
    "phase-diagram",
    "risk",
    "stability",
    "prune",
    "plot",
    "example",
)
Invoke = Callable[..., Any]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command: str, invoke: Invoke) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    options = ("--quiet", "--log-level", "--force") if command != "example" else ()
    assert all(option in result.stdout for option in options)


def test_help_lists_the_commands_and_the_exit_statuses(invoke: Invoke) -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert all(f" {command} " in text for command in COMMANDS)
    for status in ("0 success", "1 a negative", "2 bad input", "3 numerical", "130 interrupted"):
        assert status in text


def test_version_and_citation(invoke: Invoke) -> None:
    assert invoke("--version").stdout == f"headode {__version__}\n"
    citation = invoke("--cite").stdout
    assert citation.count("@") == 3
    assert "2603.03993" in citation
    assert "2509.21936" in citation
    assert citation.count("{") == citation.count("}")


def test_module_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "headode", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"headode {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    heavy = ["numpy", "scipy", "numba", "sympy", "pydantic", "ruamel", "xarray", "matplotlib"]
    program = (
        "import sys\n"
        "from headode.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {[*heavy, 'rich']} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"


def test_usage_errors(invoke: Invoke) -> None:
    for arguments in (
        ["integrat"],
        ["integrate"],
        ["integrate", "a.yaml", "--nonsense"],
        ["--log-level", "loud", "example"],
        ["simulate", "a.yaml", "--workers", "0"],
    ):
        assert invoke(*arguments).exit_code == 2, arguments
    assert "integrate" in invoke("integrat").stderr
