"""The staged specialization of the packaged example, from several random starts."""

from __future__ import annotations

import numpy as np
import pytest

import headode as ho

SIGNAL = ho.Signal.sign_flips([2, 0, 0], [0, 1.8, 1.2])
MODEL = ho.Model(3, 4, SIGNAL, "bayes_softmax")


def split_time(run, feature):
    """When the spread of the heads along a feature last crosses half of its final value."""
    spread = run.M.values[:, :, feature].std(axis=1)
    below = np.flatnonzero(spread < 0.5 * spread[-1])
    return float(run.time[below[-1] + 1])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_heads_move_together_then_split_feature_by_feature(seed):
    state = ho.OrderParameters.random(4, 3, scale=0.01, seed=seed)
    run = ho.integrate(MODEL, state, time=2000.0, tolerance=1e-4)
    M = run.M.values

    # Feature 2, of variance 3.24, splits first; at M ≈ 1.2 to 1.4, long before M = 2.
    second, third = split_time(run, 1), split_time(run, 2)
    assert second < third
    at_split = int(np.searchsorted(run.time, second))
    assert 1.0 < M[at_split, :, 0].mean() < 1.5
    assert 50 < second < 150
    assert 150 < third < 700

    # Unspecialized phase: half-way to where they will split, the heads differ little against the
    # mean signal that they have learned.
    mean = M[:, :, 0].mean(axis=1)
    half_way = int(np.argmax(mean > 0.5 * mean[at_split]))
    assert M[half_way].std(axis=0).max() < 0.1 * mean[half_way]

    # In the end there is one head at each support point.
    distances = np.linalg.norm(M[-1][:, None] - SIGNAL.means, axis=2)
    assert sorted(distances.argmin(axis=1)) == [0, 1, 2, 3]
    assert float(run.risk[-1]) < 1.01 * run.attrs["bayes_risk"]
    assert np.diff(run.risk).max() <= run.expectation_error.max()
