"""Files that later processes find again, in folders that nobody else can write code into.

The folder is that of ``HEADODE_CACHE_DIR``, else one in that of ``NUMBA_CACHE_DIR``, else the
user's cache folder; where it cannot be used, a private one among the temporary files. Nothing here
raises: what cannot be kept is made again.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from headode._files import whole_file

# Files of one kind that are kept: versions, processors and argument types, several of each.
KEPT = 32

# Folders in which something could not be written: they are not tried again.
_failed: set[Path] = set()


class Folder(NamedTuple):
    """A place for files.

    Attributes:
        path: absolute.
        chosen: whether the user named it, and so trusts whoever can write there.
    """

    path: Path
    chosen: bool

    def make(self) -> None:
        """Make it, for this user alone.

        Raises:
            OSError: if that fails, or as :meth:`check`.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            self.path.mkdir(mode=0o777 if self.chosen else 0o700)
        self.check()

    def check(self) -> None:
        """Refuse a folder into which somebody else may have put code.

        Raises:
            OSError: then, or if it is no folder.
        """
        found = self.path.stat() if self.chosen else self.path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self.path))
        if self.chosen or not hasattr(os, "geteuid"):  # Windows has them below the user's folder
            return
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(errno.EPERM, "others can write there", str(self.path))


def cache_folders() -> Iterator[Folder]:
    """Folders to look into and to write to, the best one first."""
    import platformdirs
    from numba import config

    numba_folder = getattr(config, "CACHE_DIR", "")
    chosen = os.environ.get("HEADODE_CACHE_DIR")
    if chosen:
        yield Folder(Path(chosen).absolute(), chosen=True)
    elif numba_folder:
        yield Folder(Path(numba_folder).absolute() / "headode", chosen=True)
    else:
        folder = Path(platformdirs.user_cache_dir("headode")) / "kernels"
        if folder.is_absolute():  # without a home it begins with "~"
            yield Folder(folder, chosen=False)
    with suppress(OSError):  # no folder for temporary files at all
        user = os.geteuid() if hasattr(os, "geteuid") else "user"
        yield Folder(Path(tempfile.gettempdir()) / f"headode-{user}", chosen=False)


def find_file(name: str) -> bytes | None:
    """The contents of a file that was kept, or None."""
    for folder in cache_folders():
        with suppress(OSError):
            folder.check()
            return (folder.path / name).read_bytes()
    return None


def keep_file(name: str, contents: bytes) -> Path | None:
    """Write a file, whole or not at all; where it is now, or None, and one line that says so.

    Of files whose names agree up to the last hyphen the latest ones are kept.
    """
    reasons = []
    for folder in cache_folders():
        if folder.path in _failed:
            continue
        path = folder.path / name
        try:
            folder.make()
            with whole_file(path) as temporary:
                temporary.write_bytes(contents)
        except OSError as error:
            _failed.add(folder.path)
            reasons.append(f"{folder.path}: {error.strerror or error}")
        else:
            _forget_old_ones(path)
            return path
    if reasons:
        logging.getLogger("headode").warning(
            "compiled code cannot be kept (%s), so each process compiles it again; "
            "set HEADODE_CACHE_DIR to a folder that can be written",
            "; ".join(reasons),
        )
    return None


def _forget_old_ones(path: Path) -> None:
    kind = path.name.rpartition("-")[0]
    if not kind:
        return
    with suppress(OSError):  # another process does the same
        files = [each for each in path.parent.iterdir() if each.name.rpartition("-")[0] == kind]
        for old in sorted(files, key=lambda each: each.stat().st_mtime)[:-KEPT]:
            old.unlink()
