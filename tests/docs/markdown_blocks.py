"""The fenced code blocks of README and of the documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

# Directives such as ```{figure} are no code.
FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<source>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        language: what stands after the fence.
        source: its text.
        line: number of its first line of text in the file.
        output: the ``text`` block that follows with nothing but blank lines between; or None.
    """

    language: str
    source: str
    line: int
    output: str | None


def blocks_of(page: Path, language: str) -> list[Block]:
    """The blocks of one language in a page, in order."""
    text = page.read_text(encoding="utf-8")
    fences = list(FENCE.finditer(text))
    blocks: list[Block] = []
    for fence, following in pairwise([*fences, None]):
        if fence is None or fence["language"] != language:
            continue
        adjacent = following is not None and not text[fence.end() : following.start()].strip()
        output = following["source"] if adjacent and following["language"] == "text" else None
        line = text.count("\n", 0, fence.start("source")) + 1
        blocks.append(Block(language, fence["source"], line, output))
    return blocks
