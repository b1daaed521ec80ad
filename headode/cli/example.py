"""``headode example``: the packaged example configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from headode.cli.exits import exit_statuses
from headode.cli.session import Session
from headode.cli.streams import print_result

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def example(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Example to print; without it, all are listed.")
    ] = None,
) -> None:
    """List the packaged example configurations, or print one."""
    session = Session.of(context)
    with exit_statuses(session):
        examples = packaged_examples()
        if name is None:
            print_result(lambda: _list(examples))
            return
        from headode._checks import check_option

        chosen = check_option("name", name.replace("-", "_"), examples)
        text = examples[chosen].read_text(encoding="utf-8")
        print_result(lambda: typer.echo(text, nl=False))


def _list(examples: dict[str, Traversable]) -> None:
    width = max(map(len, examples))
    for key, file in examples.items():
        typer.echo(f"{key:{width}}  {description(file.read_text(encoding='utf-8'))}")


def packaged_examples() -> dict[str, Traversable]:
    """The packaged configuration files by name."""
    from importlib.resources import files

    folder = files("headode") / "examples"
    found = {file.name.removesuffix(".yaml"): file for file in folder.iterdir()}
    return {name: found[name] for name in sorted(found) if found[name].name.endswith(".yaml")}


def description(text: str) -> str:
    """The sentence in the header of an example: the comment lines below its title."""
    header = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        header.append(line.removeprefix("#").strip())
    return " ".join(header[1:])
