"""Tables of text on the terminal, and rows that several of them have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headode._checks import Array

# Larger overlap matrices are cut off in a table; the file has all of it.
MOST_HEADS = 16
MOST_FEATURES = 8

Row = tuple[str, ...]


def print_table(title: str, rows: Sequence[Row], header: Row | None = None) -> None:
    """Print rows of text under a title, with the names of the columns if these are given."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=title or None,
        title_justify="left",
        box=SIMPLE_HEAD,
        show_header=header is not None,
        min_width=len(title),
    )
    for name in header or ("",) * len(rows[0]):
        table.add_column(name, no_wrap=True, overflow="ignore")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


def overlap_rows(M: Array) -> list[tuple[str, str]]:
    """A row for each head with its overlaps with the features."""
    more = " ..." if M.shape[1] > MOST_FEATURES else ""
    rows = [
        (f"M of head {h}", "".join(f"{entry:9.4f}" for entry in row[:MOST_FEATURES]) + more)
        for h, row in enumerate(M[:MOST_HEADS], start=1)
    ]
    if len(M) > MOST_HEADS:
        rows.append(("...", f"{len(M) - MOST_HEADS} more heads"))
    return rows
