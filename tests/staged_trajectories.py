"""Trajectories with known splits, so that no ODE is needed to test the pictures of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headode.model import Model
from headode.signal import Signal
from headode.training import Training
from headode.trajectory import output_times, trajectory_dataset

MEAN, AMPLITUDE = 2.0, 1.8


def growth(time: Any, half: float, rate: float) -> NDArray[np.float64]:
    """Solution of ẋ = rate x (1 − x²) that is 1/2 at time ``half``."""
    return 1.0 / np.sqrt(1.0 + 3.0 * np.exp(-2.0 * rate * (np.asarray(time) - half)))


def staged(
    heads: int = 4,
    features: int = 3,
    *,
    splits: Mapping[int, float] | None = None,
    times: Any = None,
    time: float = 500.0,
    count: int = 200,
    runs: int = 0,
    bayes_risk: float | None = 0.2,
    activation: str = "bayes_softmax",
    learned: bool = False,
    noise: float = 0.01,
    seed: int = 0,
) -> Any:
    """Heads align with the mean signal along feature 1 and split along others at given times.

    The spread along a split feature is half of its final value exactly at the time given, up to
    initial differences of size ``noise`` that decay. With ``runs`` it is a simulation.
    """
    if splits is None:
        splits = {f: 50.0 * 6.0 ** (f - 2) for f in range(2, features + 1)}
    grid = output_times(time, count) if times is None else np.asarray(times, dtype=float)
    amplitude = np.array([AMPLITUDE / 1.5**i if i + 1 in splits else 0.0 for i in range(features)])
    mean = np.array([MEAN] + [0.0] * (features - 1))
    rng = np.random.default_rng(seed)
    shape = (runs, 1) if runs else (1,)
    M = noise * rng.standard_normal((*shape, heads, features)) * np.exp(-grid / 10)[:, None, None]
    M[..., 0] += mean[0] * growth(grid, 6.0, 0.4)[:, None]
    for order, (feature, date) in enumerate(sorted(splits.items())):
        side = (-1.0) ** (np.arange(heads) // 2 ** (order % max(1, (heads - 1).bit_length())))
        M[..., feature - 1] += amplitude[feature - 1] * np.outer(growth(grid, date, 4 / date), side)
    if runs:
        M += noise * rng.standard_normal(M.shape)
    R = np.broadcast_to(1e-4 * np.eye(heads), (*M.shape[:-1], heads))
    left = ((M.mean(axis=-2) - mean) ** 2).sum(axis=-1) + ((M**2).mean(axis=-2) - amplitude**2)[
        ..., 1:
    ].sum(axis=-1) ** 2
    variables = {"M": M, "R": R, "risk": 0.2 + 0.05 * left + 1e-4}
    if learned:
        m_v = np.broadcast_to(growth(grid, 4.0, 0.7), left.shape)
        squares = (M**2).sum(axis=-1)
        variables |= {"m_v": m_v, "q_v": m_v**2 + 1e-3, "offset": 0.5 * squares}
    model = Model(3, heads, Signal.sign_flips(mean, amplitude), activation, label_noise=0.3)
    training = Training(learning_rate=1.0 if runs else None)
    return trajectory_dataset(
        grid,
        variables,
        kind="simulation" if runs else "integration",
        configuration={**model.to_dict(), "training": training.to_dict()},
        bayes_risk=bayes_risk,
        dimension=1000 if runs else None,
    )


def cut_short(dataset: Any, index: int) -> Any:
    """The same trajectory, not computed from the ``index``-th time on."""
    reached = dataset["time"] < dataset["time"][index]
    return dataset.assign({name: dataset[name].where(reached) for name in dataset.data_vars})
