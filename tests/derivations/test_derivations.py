"""Every derivation runs as a script, and every one is found."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "derivations"
# Shared helpers start with an underscore; regenerate.py emits code and derives nothing.
FILES = sorted(
    path for path in FOLDER.glob("*.py") if path.name[0] != "_" and path.name != "regenerate.py"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_derivation_holds(path, monkeypatch, capsys):
    """As ``python derivations/NAME.py``: states the result, then each check that passed."""
    monkeypatch.syspath_prepend(str(FOLDER))
    runpy.run_path(str(path), run_name="__main__")
    printed = capsys.readouterr().out
    assert printed.startswith(ast.get_docstring(ast.parse(path.read_text()), clean=False))
    lines = [line for line in printed.splitlines() if line.startswith("checked: ")]
    assert len(lines) >= 2
    assert _yields_of_check(path) >= 2, "check() must be a generator"
    # As many lines as `yield`s, or more where one of them stands in a loop: none is skipped.
    assert len(lines) >= _yields_of_check(path)


def _yields_of_check(path: Path) -> int:
    """Number of ``yield`` statements in the file's ``check()``."""
    functions = [node for node in ast.parse(path.read_text()).body if _is_check(node)]
    assert len(functions) == 1, f"{path.name} has no function check()"
    return sum(isinstance(node, ast.Yield) for node in ast.walk(functions[0]))


def _is_check(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "check"


def test_no_derivation_escapes():
    """Each file of the folder is run above, and has its line in the table of the README."""
    assert FILES
    readme = (FOLDER / "README.md").read_text()
    for path in FILES:
        assert f"[`{path.name}`]({path.name})" in readme
    helpers = {"_gaussian.py", "_vectors.py", "regenerate.py"}
    assert {path.name for path in FOLDER.glob("*.py")} <= {p.name for p in FILES} | helpers


def test_derivations_do_not_silence_their_own_checks():
    """A check that asserts nothing would print its line all the same."""
    for path in FILES:
        tree = ast.parse(path.read_text())
        asserts = sum(isinstance(node, ast.Assert) for node in ast.walk(tree))
        (check,) = (node for node in tree.body if _is_check(node))
        yields = sum(isinstance(node, ast.Yield) for node in ast.walk(check))
        assert asserts >= yields, path.name
