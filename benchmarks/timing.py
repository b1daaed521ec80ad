"""Wall times of several programs, in turn, so that a busy machine disturbs all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

# Rounds of a measurement: so many at least, then as many as fit into the time.
FEWEST, MOST, SECONDS = 5, 50, 1.5


def milliseconds(
    programs: Mapping[str, Callable[[], object]], calls: Mapping[str, int] | None = None
) -> dict[str, float]:
    """Median time of a call of each program, after one that warms it up.

    Args:
        programs: functions without arguments.
        calls: how often a program is called in a round (once if not given); the time is the mean
            over them, so that work done at every few calls counts.
    """
    calls = calls or {}
    for program in programs.values():
        program()
    found: dict[str, list[float]] = {name: [] for name in programs}
    started, rounds = time.perf_counter(), 0
    while rounds < FEWEST or (rounds < MOST and time.perf_counter() - started < SECONDS):
        for name, program in programs.items():
            count = calls.get(name, 1)
            before = time.perf_counter()
            for _ in range(count):
                program()
            found[name].append(1e3 * (time.perf_counter() - before) / count)
        rounds += 1
    return {name: median(values) for name, values in found.items()}
