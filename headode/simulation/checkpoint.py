"""A folder that keeps the finished runs of a simulation, so that it can be continued."""

from __future__ import annotations

import json
import os
import shutil
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from headode._differences import shown_differences
from headode._files import whole_file
from headode.errors import ArgumentError
from headode.simulation.ensemble import Measurement, RunRecords
from headode.simulation.vectors import Overlaps

IDENTITY_FILE = "simulation.json"


class Checkpoint:
    """Finished runs of one simulation, a file for each.

    Args:
        folder: made if it does not exist; its parent must exist.
        identity: everything that determines the runs, as plain data.

    Raises:
        ArgumentError: if the folder is something else, or belongs to another simulation (the
            message says in what they differ), or cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str], identity: Mapping[str, Any]) -> None:
        self._folder = Path(folder)
        # Runs finish in threads, and files get their permissions through the process's umask.
        self._writing = threading.Lock()
        described = json.loads(json.dumps(identity))
        if not is_checkpoint(self._folder):
            _create(self._folder, described)
        try:
            kept = json.loads((self._folder / IDENTITY_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            requirement = f"have a readable {IDENTITY_FILE} ({error})"
            raise ArgumentError("checkpoint", requirement, str(self._folder)) from error
        shown = shown_differences(kept, described)
        if shown:
            requirement = f"belong to the same simulation ({shown})"
            raise ArgumentError("checkpoint", requirement, str(self._folder))

    def load(self, number: int) -> RunRecords | None:
        """What a run left, or None if it is not finished."""
        path = self._path(number)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                columns = dict(archive)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, BadZipFile) as error:
            requirement = f"have readable files (not {path.name}: {error})"
            raise ArgumentError("checkpoint", requirement, str(self._folder)) from error
        try:
            advanced, seconds, diverged = columns.pop("run")
            rows = [
                _measurement({name: column[index] for name, column in columns.items()})
                for index in range(len(columns["risk"]))
            ]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            requirement = f"have whole files (not {path.name}: {error})"
            raise ArgumentError("checkpoint", requirement, str(self._folder)) from error
        return RunRecords(rows, int(advanced), float(seconds), bool(diverged))

    def save(self, number: int, records: RunRecords) -> None:
        """Keep a finished run; a warning if that fails, since the run itself is not lost by it."""
        run = np.array([records.advanced, records.seconds, records.diverged], dtype=np.float64)
        path = self._path(number)
        try:
            with self._writing, whole_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, run=run, **records.columns())  # type: ignore[arg-type]
        except OSError as error:
            warnings.warn(f"could not keep run {number} in {path}: {error}", stacklevel=2)

    def _path(self, number: int) -> Path:
        return self._folder / f"run-{number}.npz"


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder is one of these."""
    return (folder / IDENTITY_FILE).is_file()


def discard_checkpoint(folder: Path) -> None:
    """Remove the folder of a simulation whose result is safe; nothing happens if there is none."""
    if is_checkpoint(folder):
        shutil.rmtree(folder)


def _create(folder: Path, identity: Mapping[str, Any]) -> None:
    try:
        folder.mkdir(exist_ok=True)
        # Hidden files are what is left of a process that was killed while it wrote.
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            requirement = "be a new folder, or that of an unfinished simulation"
            raise ArgumentError("checkpoint", requirement, str(folder))
        with whole_file(folder / IDENTITY_FILE) as temporary:
            temporary.write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        requirement = f"be a folder that can be made ({error.strerror})"
        raise ArgumentError("checkpoint", requirement, str(folder)) from error


def _measurement(values: Mapping[str, Any]) -> Measurement:
    overlaps = {name: values[name] for name in Overlaps._fields}
    overlaps |= {name: float(overlaps[name]) for name in ("m_v", "q_v")}
    return Measurement(
        Overlaps(**overlaps), float(values["risk"]), float(values["risk_standard_error"])
    )
