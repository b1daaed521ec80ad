"""Pages agree with the code that they are about."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from markdown_blocks import PAGES, ROOT, blocks_of
from ruamel.yaml import YAML

import headode as ho
from headode.activation import BUILTIN
from headode.cli.citation import CITATION
from headode.cli.main import app
from headode.signal import SIGNAL_KINDS

README = (ROOT / "README.md").read_text(encoding="utf-8")
THEORY = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")


def test_readme_has_two_commands_of_one_line() -> None:
    quick_start = README.split("## Quick start", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```sh\n(.*?)```", quick_start, re.DOTALL)
    assert [block.count("\n") for block in blocks] == [1, 1]
    assert "'.[test]'" in blocks[1]
    assert " -m pytest" in blocks[1]


@pytest.mark.parametrize("page", ["README.md", "docs/command-line.md"])
def test_every_command_is_listed(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    listed = re.findall(r"^\| `headode ([\w-]+)", text, re.MULTILINE)
    assert listed == [command.name for command in app.registered_commands]


def test_docstrings_refer_to_sections_of_the_theory_page() -> None:
    titles = [title.lower() for title in re.findall(r"^## (.+)$", THEORY, re.MULTILINE)]
    references: set[str] = set()
    for path in (ROOT / "headode").rglob("*.py"):
        for found in re.findall(r"[(\n]theory: ([^).]+)", docstrings_of(path).lower()):
            references |= set(re.split(r", | and ", " ".join(found.split())))
    assert len(references) > 5
    for reference in references:
        assert any(title.startswith(reference) for title in titles), reference


def docstrings_of(path: Path) -> str:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]
    return "\n".join(ast.get_docstring(node) or "" for node in nodes)


def test_theory_cites_every_derivation() -> None:
    cited = set(re.findall(r"\(\.\./derivations/(\w+\.py)\)", THEORY))
    derivations = {path.name for path in (ROOT / "derivations").glob("[a-z]*.py")}
    assert cited == derivations - {"regenerate.py"}


def test_theory_names_every_activation_and_signal() -> None:
    for name in (*BUILTIN, *SIGNAL_KINDS):
        assert f"| `{name}` |" in THEORY


def test_growth_rates_of_the_theory_page() -> None:
    """κ by quadrature over the three scores, and from differences of the expected updates."""
    z, w = np.polynomial.hermite_e.hermegauss(60)
    scores = 2.0 * np.stack(np.meshgrid(z, z, z, indexing="ij"), axis=-1) + [4.0, 0.0, 0.0]
    weights = np.einsum("i,j,k->ijk", w, w, w) / w.sum() ** 3
    p = np.exp(scores - scores.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    marked = p[..., 0]
    brier = (1 - marked) ** 2 + p[..., 1] ** 2 + p[..., 2] ** 2
    softmax = float((weights * marked * (1 - 2 * marked) * brier).sum()) / 4
    bayes = float((weights * marked * brier).sum()) / 4
    # As printed, to half a unit of the last digit.
    assert softmax == pytest.approx(7.54e-4, abs=0.5e-6)
    assert bayes == pytest.approx(1.418e-2, abs=0.5e-5)
    # Central differences: an error of order (1e-2)², and that of the expectations over 1e-2.
    assert _growth_rate("softmax") == pytest.approx(softmax, abs=2e-5)
    assert _growth_rate("bayes_softmax") == pytest.approx(bayes, rel=2e-3)


def _growth_rate(activation: str) -> float:
    """Of differences between heads along feature 2, divided by its variance."""
    signal = ho.Signal.sign_flips(mean=[2.0, 0.0], amplitude=[0.0, 1.8])
    model = ho.Model(tokens=3, heads=4, signal=signal, activation=activation)
    pattern = np.array([1.0, -1.0, 1.0, -1.0])
    drift = []
    for step in (1e-2, -1e-2):
        M = np.column_stack([np.full(4, 2.0), step * pattern])
        terms = ho.expected_update(model, ho.OrderParameters(M, np.zeros((4, 4))), tolerance=1e-7)
        drift.append(-(terms.G + terms.C @ M)[:, 1] @ pattern / 4)
    return float(drift[0] - drift[1]) / 2e-2 / 1.8**2


def test_citation_file_says_what_the_command_says() -> None:
    cited = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == ho.__version__
    assert [author["name"] for author in cited["authors"]] == ["The headode developers"]
    command = " ".join(CITATION.replace("\\'a", "á").replace("{", "").replace("}", "").split())
    assert len(cited["references"]) == command.count("@misc") == 2
    for reference in cited["references"]:
        assert reference["title"] in command
        assert reference["url"].removeprefix("https://arxiv.org/abs/") in command
        names = [f"{a['family-names']}, {a['given-names']}" for a in reference["authors"]]
        assert " and ".join(names) in command


def test_changelog_has_the_version() -> None:
    assert f"## [{ho.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_is_not_wider_than_a_page(page: Path) -> None:
    for language in ("python", "yaml", "text"):
        for block in blocks_of(page, language):
            assert max(map(len, block.source.splitlines())) <= 95, block.line
