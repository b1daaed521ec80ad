"""Output files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# What file systems answer that cannot sync something: there is nothing to be noticed then.
CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)


def final_place(target: Path) -> Path:
    """Where something that is written to a path ends up: links are followed, and stay."""
    return Path(os.path.realpath(target))


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A temporary path in the folder of ``target``, which takes its place if the block succeeds.

    A link stays, and what it points to is written. The permissions of a file that is replaced stay
    as well.

    Raises:
        OSError: also for what only turns out when the data reach the disk, such as a full one.
    """
    place = final_place(target)
    temporary = _new_name(place.parent)
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        if place.exists():
            temporary.chmod(stat.S_IMODE(place.stat().st_mode))
        _sync(temporary)
        temporary.replace(place)
        _sync_folder(place.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """A temporary folder next to ``target``, which takes its place if the block succeeds.

    Args:
        target: the folder; a link stays, and what it points to is replaced.
        replace: whether an existing folder is replaced. It is removed last.
    """
    place = final_place(target)
    workspace = _new_name(place.parent)
    new, old = workspace / "new", workspace / "old"
    try:
        new.mkdir(parents=True)
        yield new
        for path in new.rglob("*"):
            _sync(path)
        if replace and place.exists():
            place.rename(old)
        new.rename(place)
        _sync_folder(place.parent)
    finally:
        if old.exists() and not place.exists():
            old.rename(place)
        shutil.rmtree(workspace, ignore_errors=True)


def _new_name(folder: Path) -> Path:
    """A hidden name that nothing has, and short, however long the final one is."""
    return folder / f".headode-{secrets.token_hex(4)}.part"


def _sync(path: Path) -> None:
    """Wait until the contents of a file are on the disk; else a full one is noticed too late."""
    if not path.is_file():
        return
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk as well, where folders can be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
