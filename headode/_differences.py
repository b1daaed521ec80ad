"""In what two descriptions of a computation differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headode.errors import describe

# Differences named in a message.
MOST_DIFFERENCES = 3


def differences(kept: Any, asked: Any, key: str = "") -> Iterator[str]:
    """Lines such as ``training.learning_rate: 1.0 there, 0.5 here``."""
    if isinstance(kept, dict) and isinstance(asked, dict):
        for name in dict.fromkeys([*kept, *asked]):
            inner = f"{key}.{name}" if key else name
            yield from differences(kept.get(name), asked.get(name), inner)
    elif kept != asked:
        yield f"{key}: {describe(kept)} there, {describe(asked)} here"


def shown_differences(kept: Any, asked: Any) -> str:
    """The first differences in one line; empty if there are none."""
    lines = list(differences(kept, asked))
    shown = "; ".join(lines[:MOST_DIFFERENCES])
    more = len(lines) - MOST_DIFFERENCES
    return shown + (f"; and {more} more" if more > 0 else "")
