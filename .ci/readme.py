"""The commands of README's quick start, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def command(number: int) -> str:
    """The first (1) or second (2) shell command of the section "Quick start"."""
    text = README.read_text(encoding="utf-8")
    section = text.split("## Quick start", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```(?:console|bash|sh)\n(.*?)```", section, flags=re.DOTALL)
    if len(blocks) != 2:
        raise SystemExit(f"README's quick start must have two shell blocks, not {len(blocks)}")
    return blocks[number - 1].strip()
