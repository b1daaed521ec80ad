"""Pages that the code writes itself at every build: configuration keys and ``--help`` texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from typer.testing import CliRunner

from headode.cli.main import app as command_line
from headode.config.reference import configuration_reference


def write_pages(app: Sphinx) -> None:
    """Write the Markdown that configuration.md and command-line.md include."""
    folder = Path(app.srcdir) / "_generated"
    folder.mkdir(exist_ok=True)
    (folder / "configuration.md").write_text(configuration_reference(), encoding="utf-8")
    (folder / "commands.md").write_text(commands(), encoding="utf-8")


def commands() -> str:
    """The help texts, one section a command."""
    names = [command.name for command in command_line.registered_commands]
    sections = [f"## `headode {name}`\n\n{_help(name)}" for name in names]
    return "\n".join([f"## `headode`\n\n{_help()}", *sections])


def _help(*command: str) -> str:
    result = CliRunner().invoke(
        command_line, [*command, "--help"], prog_name="headode", env={"COLUMNS": "80"}
    )
    return f"```text\n{result.output.strip()}\n```\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before any source is read."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
