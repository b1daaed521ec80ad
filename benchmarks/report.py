"""Tables on the screen, and the same numbers in a JSON file with the machine they come from."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    *("headode", "numpy", "scipy", "numba"),
    *("jax", "jaxlib", "diffrax"),
    *("loky", "distributed", "zarr"),
)


@dataclass
class Table:
    """Rows of text and numbers under a title."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, *row: Any) -> None:
        """Append a row, one entry for every column."""
        if len(row) != len(self.columns):
            raise ValueError(f"{len(row)} entries for {len(self.columns)} columns")
        self.rows.append(row)

    def markdown(self) -> str:
        """As a Markdown table, aligned for reading as it is."""
        texts = [self.columns, *(tuple(map(_text, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        numeric = [
            all(not isinstance(row[i], str) for row in self.rows) for i in range(len(self.columns))
        ]
        rule = [
            "-" * (width - 1) + ":" if right else "-" * width
            for width, right in zip(widths, numeric, strict=True)
        ]
        lines = [
            [
                text.rjust(width) if right else text.ljust(width)
                for text, width, right in zip(row, widths, numeric, strict=True)
            ]
            for row in texts
        ]
        lines.insert(1, rule)
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


class Section:
    """The tables and further numbers of one section."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tables: list[Table] = []
        self.numbers: dict[str, Any] = {}

    def show(self, table: Table) -> None:
        """Print a table and keep it."""
        print(f"\n{table.title}\n\n{table.markdown()}", flush=True)
        self.tables.append(table)

    def save(self, folder: Path, *, quick: bool, seconds: float) -> Path:
        """Write everything to ``folder/name.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        tables = [
            {"title": t.title, "columns": t.columns, "rows": [list(map(_plain, r)) for r in t.rows]}
            for t in self.tables
        ]
        content = {
            "section": self.name,
            "quick": quick,
            "seconds": round(seconds, 1),
            "measured": datetime.now(UTC).isoformat(timespec="minutes"),
            "machine": machine(),
            "versions": versions(),
            "tables": tables,
            **self.numbers,
        }
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        return path


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, and how busy they are."""
    names: list[str] = []
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    processor = names[0] if names else platform.processor()
    return {
        "processor": processor,
        "cores": cores,
        "load": load,
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Of the packages that the sections use."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | str):
        return str(value)
    if value != 0 and (abs(value) < 1e-2 or abs(value) >= 1e5):
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
