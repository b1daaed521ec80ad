"""What is said of the heads at the last computed time of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headode._checks import Array
from headode.errors import ArgumentError
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal
from headode.specialization.assignment import (
    MOST_POINTS,
    Flags,
    Numbers,
    has_points,
    heads_of_points,
    points_of,
    served_points,
    squared_distances,
)
from headode.specialization.computed import ComputedRun, computed_runs, signal_of
from headode.specialization.redundancy import (
    alike_heads,
    negligible_heads,
    silent_heads,
)
from headode.split_rule import SIGNIFICANT
from headode.trajectory import configuration_of

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Heads:
    """The heads at one time; where nothing was computed they serve nothing and none is redundant.

    Attributes:
        M: (H, F) overlaps with the features.
        distance: (H, S) from the points; None if there are none, or too many.
        serves: (H, S) which points they serve, or None.
        head_of_point: (S,) the head that each point has to itself, from 0, −1 for none; or None.
        alike: (H,) first head of the group, from 0.
        silent: (H,) whether a head does not look at the tokens.
        negligible: (H,) whether a head has no weight.
    """

    M: Array
    distance: Array | None
    serves: Flags | None
    head_of_point: Numbers | None
    alike: Numbers
    silent: Flags
    negligible: Flags

    @property
    def redundant(self) -> int:
        """How many are silent, negligible or like another one that is neither."""
        useless = self.silent | self.negligible
        return len(self.M) - int(np.unique(self.alike[~useless]).size)

    def sides(self, specialized: Flags) -> Numbers:
        """(H, F) sides of the mean over heads along specialized features, 0 for one between."""
        deviation = self.M - self.M.mean(axis=0)
        decided = (np.abs(deviation) >= SIGNIFICANT * self.M.std(axis=0)) & specialized
        return np.where(decided, np.sign(deviation), 0).astype(np.int64)


def final_heads(run: ComputedRun, signal: Signal, model: Model | None) -> Heads:
    """The heads of a run at its last computed time.

    Args:
        run: a run.
        signal: what it learns.
        model: what learns it; None if it is not known: then no head is called negligible.
    """
    if not run.time.size:
        return _unknown_heads(run, signal)
    M, Q = run.M[-1], run.Q[-1]
    R = Q - M @ M.T
    distance, serves, head_of_point = None, None, None
    if _are_assigned(signal):
        points, _ = points_of(signal)
        squares = squared_distances(M, R, points)
        serves = served_points(squares, points)
        head_of_point = heads_of_points(serves, squares)
        distance = np.sqrt(np.maximum(squares, 0.0))
    length = signal.strength
    negligible = np.zeros(len(M), dtype=bool)
    if model is not None:
        learned = None if run.offset is None else run.offset[-1]
        offsets = model.offsets(OrderParameters.unchecked(M, R, 1.0, 1.0, learned))
        negligible = negligible_heads(model, M, Q, offsets)
    alike, silent = alike_heads(M, serves, length), silent_heads(Q, length)
    return Heads(M, distance, serves, head_of_point, alike, silent, negligible)


def redundant_heads(run: xr.Dataset, model: Model | None = None) -> Any:
    """How many heads are redundant at the end: silent, negligible or like another one.

    Args:
        run: a trajectory; it may have stopped early.
        model: what is learned; None: that of the run's configuration.

    Returns:
        An int; for simulations an array over the runs.

    Raises:
        ArgumentError: if ``run`` is no trajectory, or not one of the model.
    """
    signal = signal_of(run, model)
    if model is None:
        model = configured_model(run, signal)
    counts = [final_heads(each, signal, model).redundant for each in computed_runs(run)]
    return np.array(counts) if "run" in run.dims else counts[0]


def configured_model(run: xr.Dataset, signal: Signal) -> Model | None:
    """The model of the run's configuration; None if its activation is not registered here."""
    try:
        return Model(signal=signal, **configuration_of(run)["model"])
    except (ArgumentError, KeyError):
        return None


def _are_assigned(signal: Signal) -> bool:
    return has_points(signal) and signal.components <= MOST_POINTS


def _unknown_heads(run: ComputedRun, signal: Signal) -> Heads:
    heads, features = run.M.shape[1:]
    none = np.zeros(heads, dtype=bool)
    distance, serves, head_of_point = None, None, None
    if _are_assigned(signal):
        count = len(points_of(signal)[0])
        distance = np.full((heads, count), np.nan)
        serves, head_of_point = np.zeros((heads, count), dtype=bool), np.full(count, -1)
    M = np.full((heads, features), np.nan)
    return Heads(M, distance, serves, head_of_point, np.arange(heads), none, none)
