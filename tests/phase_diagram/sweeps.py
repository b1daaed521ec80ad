"""Sweeps whose points cost almost nothing: their measures are functions of the initial overlaps."""

from __future__ import annotations

import copy
import os
import time
from pathlib import Path
from typing import Any

SECTIONS: dict[str, Any] = {
    "model": {"tokens": 3, "heads": 2, "activation": "linear"},
    "signal": {"kind": "sign_flips", "mean": [2.0, 0.0], "amplitude": [0.0, 1.8]},
    "training": {"time": 1.0},
    "initial": {"scale": 0.1},
    "output": {"count": 3},
    "expectation": {"tolerance": 1e-3},
}
AXES: dict[str, Any] = {
    "signal.amplitude.1": {"start": 0.5, "stop": 3.0, "count": 20},
    "initial.scale": {"start": 0.01, "stop": 1.0, "count": 20, "spacing": "log"},
}


def sections(**changes: Any) -> dict[str, Any]:
    """The sections above with some keys changed, as ``training={"time": 2.0}``."""
    changed = copy.deepcopy(SECTIONS)
    for name, section in changes.items():
        changed.setdefault(name, {}).update(section)
    return changed


def overlap(point: Any) -> float:
    """Product of the largest overlap and the signal strength."""
    return float(point.state.M.max() * point.model.signal.means.max())


def slow_overlap(point: Any) -> float:
    """Overlap, after four milliseconds."""
    time.sleep(0.004)
    return overlap(point)


def failing_once(point: Any) -> float:
    """Overlap, but not at one point of the axes above."""
    if point.parameters["initial.scale"] == 1.0 and point.parameters["signal.amplitude.1"] == 3.0:
        raise ArithmeticError("it overflows here")
    return overlap(point)


def tree(folder: str | os.PathLike[str]) -> dict[str, bytes]:
    """The content of every file below a folder."""
    root = Path(folder)
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def continue_sweep(path: str, workers: int) -> None:
    """Start or continue a sweep of 400 points and two seconds, for a process of its own."""
    from headode.phase_diagrams import store, sweep
    from headode.phase_diagrams.api import make_plan, run_plan

    sweep.TASK_SECONDS = 0.02
    store.CHUNK = 64
    plan = make_plan(sections(), axes=AXES, measures=[slow_overlap])
    run_plan(plan, workers=workers, store=path, resume=True)
