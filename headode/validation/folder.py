"""Output folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headode.errors import ArgumentError
from headode.trajectory import check_writable


def check_folder(path: str | os.PathLike[str], *, marker: str, force: bool = False) -> Path:
    """Return the path if a folder may be written there; called before anything is computed.

    Args:
        path: the folder.
        marker: a file that every earlier result has; a folder without it is never replaced.
        force: replace an earlier result.

    Raises:
        ArgumentError: if the folder exists (with ``force``: if it is no earlier result), or its
            parent does not.
    """
    target = check_writable(path, force=force)
    if target.exists() and not (target / marker).is_file():
        raise ArgumentError("output", f"be a new folder, or one with a {marker}", str(target))
    return target


@contextmanager
def whole_folder(
    path: str | os.PathLike[str], *, marker: str, force: bool = False
) -> Iterator[tuple[Path, Path]]:
    """A temporary folder beside ``path``, which takes its place if the block succeeds.

    Yields:
        The folder to write into, and the one that it becomes.
    """
    target = check_folder(path, marker=marker, force=force)
    prefix = f".{target.name}."
    workspace = Path(tempfile.mkdtemp(dir=target.parent, prefix=prefix, suffix=".part"))
    temporary, replaced = workspace / "new", workspace / "replaced"
    try:
        temporary.mkdir()
        yield temporary, target
        if target.exists():
            target.rename(replaced)
        temporary.rename(target)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
