"""Tables of text on the terminal, and rows that several of them have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from headode._checks import Array

# Larger overlap matrices are cut off in a table; the file has all of it.
MOST_HEADS = 16
MOST_FEATURES = 8
# Characters; longer lines are cut off.
LONGEST_LINE = 10_000

Row = tuple[str, ...]


def print_table(title: str, rows: Sequence[Row], header: Row | None = None) -> None:
    """Print rows of text under a title, with the names of the columns if these are given.

    Lines are as long as they must be: cut off at the width of a terminal, 1824 may read 182.
    """
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
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(width=LONGEST_LINE, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        typer.echo(line.rstrip())


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
