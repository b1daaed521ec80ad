"""Whether results can be written where they are wanted, found out before anything is computed."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from headode._files import final_place
from headode.errors import ArgumentError

# Bytes for what is added to a name: ``.partial-999.nc``, or ``.`` and ``.lock`` of a store.
RESERVED = len(".partial-999.nc")
# What POSIX systems usually allow, for those that do not say.
LONGEST_NAME, LONGEST_PATH = 255, 4096


def check_output(
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    argument: str = "output",
    folder: bool = False,
) -> Path:
    """Return the path if a result may be written there; called before anything is computed.

    Links are followed: what counts is the place to which they lead.

    Args:
        path: the file, or the folder, to be written.
        force: whether it may exist.
        argument: its name in messages.
        folder: whether a folder is wanted.

    Raises:
        ArgumentError: if it exists (unless ``force``); is a device, pipe or socket, a folder
            instead of a file or the other way round; cannot be written; has a name or path that the
            file system does not take; or if its folder does not exist or cannot be written.
    """
    target = Path(path)
    requirement = _violated(target, force=force, folder=folder)
    if requirement is not None:
        raise ArgumentError(argument, requirement, str(target))
    return target


def check_room(path: Path, *, argument: str) -> None:
    """Refuse a name that is too long for those that are made from it, as of partial results.

    Raises:
        ArgumentError: naming the argument.
    """
    requirement = _too_long(path, final_place(path), RESERVED)
    if requirement is not None:
        raise ArgumentError(argument, requirement, str(path))


def check_apart(paths: Mapping[str, Path]) -> None:
    """Refuse an output that is also another output, or an input.

    Args:
        paths: by name, as in messages; the last one is compared with the others.

    Raises:
        ArgumentError: if it is the same file as one of them, or a folder with one of them in it.
    """
    *others, (name, path) = paths.items()
    for other, known in others:
        if _same(path, known):
            raise ArgumentError(name, f"be another file than {other}", str(path))
        if final_place(path) in final_place(known).parents and path.is_dir():
            raise ArgumentError(name, f"be a folder without {other} in it", str(path))


def _same(one: Path, two: Path) -> bool:
    """Whether two paths are one file, or would be where upper and lower case are one."""
    try:
        return os.path.samefile(one, two)
    except (OSError, ValueError):
        first, second = (str(final_place(path)).casefold() for path in (one, two))
        return first == second


def _violated(target: Path, *, force: bool, folder: bool) -> str | None:
    """What a path must be to be written, if it is not; else None."""
    if any(unicodedata.category(character) == "Cc" for character in str(target)):
        return "have a name without control characters"
    try:
        place = final_place(target)
        status = _status(place)
    except OSError as error:
        return f"be a path that can be used ({error.strerror})"
    if status is not None:
        violated = _violated_by(place, status, force=force, folder=folder)
        if violated is not None:
            return violated
    if not place.parent.is_dir():
        return "be in an existing folder"
    if not os.access(place.parent, os.W_OK | os.X_OK):
        return "be in a folder that can be written"
    return _too_long(target, place, 0)


def _status(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _violated_by(place: Path, status: os.stat_result, *, force: bool, folder: bool) -> str | None:
    """What something that exists must be to be replaced, if it is not."""
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        return "be a plain file, not a device, a pipe or a socket"
    if is_folder and not folder:
        return "be a file, not a folder"
    if folder and not is_folder:
        return "be a folder, not a file"
    if not force:
        return "not exist yet (use --force to overwrite it)"
    if not os.access(place, os.W_OK) or _kept_by_others(place, status):
        return f"be a {'folder' if folder else 'file'} that can be replaced"
    return None


def _kept_by_others(place: Path, status: os.stat_result) -> bool:
    """Whether only others may replace it, as in the folder for temporary files."""
    parent = place.parent.stat()
    if not parent.st_mode & stat.S_ISVTX or not hasattr(os, "geteuid"):
        return False
    return os.geteuid() not in (0, parent.st_uid, status.st_uid)


def _too_long(target: Path, place: Path, reserved: int) -> str | None:
    """A requirement on the length in bytes, with room for so many more."""
    longest = _limit(place.parent, "PC_NAME_MAX", LONGEST_NAME) - reserved
    if max(len(os.fsencode(path.name)) for path in (target, place)) > longest:
        return f"have a name of at most {longest} bytes"
    longest = _limit(place.parent, "PC_PATH_MAX", LONGEST_PATH) - reserved
    if len(os.fsencode(place)) > longest:
        return f"be a path of at most {longest} bytes"
    return None


def _limit(folder: Path, name: str, default: int) -> int:
    try:
        return os.pathconf(folder, name)
    except (AttributeError, OSError, ValueError):
        return default
