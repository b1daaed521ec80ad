"""How long does a step of SGD take: overlaps, full vectors, and a plain NumPy loop?

    python benchmarks/simulators.py

One core, pooled softmax with nishimori offsets, three tokens and three features. The plain loop is
what one writes in an afternoon; it draws the same numbers as the compiled full vectors, and its
overlaps are compared with theirs before anything is timed. Times are the best of several
repetitions, taken in turn, so that a busy machine disturbs all of them alike.
"""

from __future__ import annotations

import os

# One core for NumPy's matrix products too; read when they are loaded.
os.environ.update(OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_NUM_THREADS="1")

import time
from collections.abc import Callable

import numpy as np

import headode as ho
from headode.simulation.overlaps import OverlapsRun
from headode.simulation.weights import WeightsRun
from headode.training import Training

TOKENS, RATE, NOISE = 3, 0.5, 0.3
SIGNAL = ho.Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, 1.8, 1.2])
REPETITIONS, SECONDS = 7, 0.15
# (heads, dimension)
CASES = ((2, 1_000), (2, 10_000), (2, 1_000_000), (4, 1_000), (4, 10_000), (4, 1_000_000))
# Full vectors in a larger dimension take what they take in 10 000, times the ratio.
LARGEST_FULL = 10_000


def new_run(kind: type, heads: int, dimension: int) -> OverlapsRun | WeightsRun:
    """A run from small random overlaps."""
    model = ho.Model(TOKENS, heads, SIGNAL, "bayes_softmax", label_noise=NOISE)
    state = ho.OrderParameters.random(heads, SIGNAL.features, scale=0.1)
    return kind(model, state, Training(RATE), dimension, np.random.SeedSequence(0))


class PlainRun:
    """The same SGD, step by step in NumPy, from the weights of a run on full vectors."""

    def __init__(self, run: WeightsRun) -> None:
        self.features, self.value = (part.copy() for part in run._teacher)
        self.heads = run._student.heads.copy()
        self.rng = np.random.Generator(np.random.PCG64())
        self.rng.bit_generator.state = run._rng.bit_generator.state

    def advance(self, steps: int) -> None:
        """Take SGD steps."""
        for _ in range(steps):
            self._step()

    def _step(self) -> None:
        rng, heads, d = self.rng, self.heads, self.value.size
        theta = SIGNAL.means[int(SIGNAL.components * rng.random())]
        marked = int(TOKENS * rng.random())
        x = rng.standard_normal((TOKENS, d))
        x[marked] += theta @ self.features / np.sqrt(d)
        z = x @ self.value / np.sqrt(d)
        label = z[marked] + NOISE * rng.standard_normal()
        scores = x @ heads.T / np.sqrt(d) - np.sum(heads**2, axis=1) / (2 * d)
        weights = np.exp(scores - scores.max())
        weights /= weights.sum()
        prediction = weights.sum(axis=1) @ z
        slope = (prediction - label) * weights * (z[:, None] - prediction)
        gradient = slope.T @ x / np.sqrt(d) - slope.sum(axis=0)[:, None] * heads / d
        heads -= RATE * gradient


def check_plain_loop() -> None:
    """Both draw the same tokens: after 20 steps the weights differ by roundoff."""
    full = new_run(WeightsRun, 2, 1_000)
    assert isinstance(full, WeightsRun)
    plain = PlainRun(full)
    plain.advance(20)
    full.advance(20)
    np.testing.assert_allclose(plain.heads, full._student.heads, rtol=1e-9, atol=1e-9)


def microseconds(advances: list[Callable[[int], None]]) -> list[float]:
    """Time per step of each, in turn."""
    counts = []
    for advance in advances:
        advance(10)
        started = time.perf_counter()
        advance(10)
        counts.append(max(10, int(10 * SECONDS / (time.perf_counter() - started))))
    best = [np.inf] * len(advances)
    for _ in range(REPETITIONS):
        for index, (advance, count) in enumerate(zip(advances, counts, strict=True)):
            started = time.perf_counter()
            advance(count)
            best[index] = min(best[index], (time.perf_counter() - started) / count)
    return [1e6 * seconds for seconds in best]


def main() -> None:
    """Print the table."""
    check_plain_loop()
    print(f"microseconds a step, L = {TOKENS}, F = {SIGNAL.features}")
    print(f"{'H':>2}{'d':>10}{'overlaps':>12}{'weights':>12}{'plain NumPy':>14}")
    for heads, dimension in CASES:
        advances = [new_run(OverlapsRun, heads, dimension).advance]
        if dimension <= LARGEST_FULL:
            full = new_run(WeightsRun, heads, dimension)
            assert isinstance(full, WeightsRun)
            advances += [full.advance, PlainRun(full).advance]
        times = microseconds(advances)
        columns = "".join(
            f"{value:{width}.2f}" for value, width in zip(times, (12, 12, 14), strict=False)
        )
        print(f"{heads:2d}{dimension:10d}{columns}", flush=True)


if __name__ == "__main__":
    main()
