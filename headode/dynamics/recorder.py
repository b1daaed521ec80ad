"""Collect a trajectory at exactly the asked times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from headode._checks import Array
from headode.dynamics.packing import Packing
from headode.expectation.select import Expectation
from headode.trajectory import trajectory_dataset

if TYPE_CHECKING:
    import xarray as xr


class Recorder:
    """Keeps the states at the output times and evaluates their risk.

    Args:
        times: the asked output times.
        packing: reads the integrator's vectors.
        expectation: evaluates the risk, on the same nodes as the right-hand side.
    """

    def __init__(self, times: Array, packing: Packing, expectation: Expectation) -> None:
        self._times = times
        self._packing = packing
        self._expectation = expectation
        self._recorded: list[float] = []
        self._rows: dict[str, list[Any]] = {}

    def advance(self, until: float, interpolate: Callable[[float], Array]) -> None:
        """Record all output times up to ``until`` that are not yet recorded."""
        while self._pending and self._times[len(self._recorded)] <= until:
            time = float(self._times[len(self._recorded)])
            self.record(time, interpolate(time))

    @property
    def _pending(self) -> bool:
        return len(self._recorded) < len(self._times)

    def record(self, time: float, vector: Array) -> None:
        """Record one state."""
        state = self._packing.physical(vector)
        terms = self._expectation(state)
        row: dict[str, Any] = {
            "M": state.M,
            "R": state.R,
            "risk": terms.risk,
            "expectation_error": terms.error,
        }
        if self._packing.learns_value:
            row |= {"m_v": state.m_v, "q_v": state.q_v}
        if state.offset is not None:
            row["offset"] = state.offset
        for name, value in row.items():
            self._rows.setdefault(name, []).append(value)
        self._recorded.append(time)

    def close(self, time: float, vector: Array) -> None:
        """Record the state at which an unfinished integration stopped."""
        if not self._recorded or time > self._recorded[-1]:
            self.record(time, vector)

    def dataset(self, **attributes: Any) -> xr.Dataset:
        """What was recorded so far."""
        rows = {name: np.array(values) for name, values in self._rows.items()}
        return trajectory_dataset(self._recorded, rows, kind="integration", **attributes)
