"""The files that a command reads and writes, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from headode._output_paths import check_apart, check_output, check_room
from headode.errors import ArgumentError

# (path, force=..., argument=...): refuses a path where a result of some kind cannot be written.
Check = Callable[..., object]


@dataclass(frozen=True)
class Paths:
    """The files of one command.

    Attributes:
        argument: name of the argument that is read.
        source: the file that is read; default names of results are made from its name.
        force: whether existing results may be overwritten.
    """

    argument: str
    source: Path
    force: bool
    _written: dict[str, Path] = field(default_factory=dict)

    def result(self, given: Path | None, ending: str, check: Check = check_output) -> Path:
        """Return where the result goes: the given path, or the source's name with an ending.

        Raises:
            ArgumentError: for a path that cannot be written, or is another file of the command.
        """
        if given is not None:
            return self.output("--output", given, check)
        default = Path(f"{self.source.stem}{ending}")
        try:
            return self.output("--output", default, check)
        except ArgumentError as error:
            # The name that is wrong is not what was typed.
            requirement = (
                f"come with an --output, as its default {default} must {error.requirement}"
            )
            raise ArgumentError(self.argument, requirement, str(self.source)) from None

    def output(
        self, option: str, path: Path, check: Check = check_output, *, force: bool = False
    ) -> Path:
        """Return the path that was given with an option; ``force`` if it may exist in any case.

        Raises:
            ArgumentError: likewise.
        """
        check_apart({self.argument: self.source, **self._written, option: path})
        check(path, force=force or self.force, argument=option)
        check_room(path, argument=option)
        self._written[option] = path
        return path


def check_figure(path: Path, *, force: bool, argument: str) -> None:
    """Refuse a path where a figure cannot be written, or whose format is unknown."""
    from headode.plotting.save import check_figure_path

    check_output(check_figure_path(path, argument=argument), force=force, argument=argument)


def check_store(path: Path, *, force: bool, argument: str) -> None:
    """Refuse a path where a new phase diagram cannot be made."""
    from headode.phase_diagrams.store import check_replaceable

    if path.is_dir() and not force:
        requirement = "not exist yet (--resume continues it, --force replaces it)"
        raise ArgumentError(argument, requirement, str(path))
    check_output(path, force=force, argument=argument, folder=True)
    if path.exists():
        check_replaceable(path, argument=argument)


def check_resumed_store(path: Path, *, argument: str, **_: object) -> None:
    """Refuse a path that is no folder that can be written; what is in it is checked later."""
    check_output(path, force=True, argument=argument, folder=True)
