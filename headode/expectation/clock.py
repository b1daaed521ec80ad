"""The race of exponential clocks: softmax denominators made one-dimensional (theory: tokens).

Token l rings at rate W_l, so that it wins with probability p_l = W_l/(ν + Σ_j W_j), where ν is a
null token's rate. Given the time e^x the tokens are independent: with a = e^x W, g = e^{−a},
n = E g,

    E p_ε    = ∫dx Z r_ε n^{L−1},                                  r = E[a g] = −∂_x n
    E Σ p_l² = ∫dx Z [q_ε n^{L−1} + (L−1) q n_ε n^{L−2}],          q = E[a² g]

with Z = exp(−ν e^x), unmarked tokens without and the marked one with index ε. The first variation
of −α₁ E p_ε + ½ α₂ E Σ p² with respect to the law of a token is the expectation of a function Ψ of
the token's log-rate y alone; its derivatives are the expected slope and bend of the loss along y.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headode._checks import Array
from headode.expectation.threads import run_all
from headode.kernels.generated.clock import LANES, adjoint_sums, survival_sums

# Nodes × grid points below which several threads do not pay, and nodes of one task.
SMALLEST_PARALLEL_WORK = 1 << 18
TASK_NODES = 1 << 11

# Fraction of the tolerance that each cut-off tail may contribute.
TAIL = 1e-2
# Units in the exponent for the powers of the frequency beside its exponential decay.
POWERS = 9.0
HISTOGRAM_BINS = 256


@dataclass(frozen=True)
class LogRates:
    """The law of a token's log-rate: nodes y (N,) with weights (N,), N a multiple of the lanes."""

    y: Array
    weights: Array

    @classmethod
    def padded(cls, y: Array, weights: Array) -> LogRates:
        """Pad with copies of the last node, of weight zero."""
        missing = -len(y) % LANES
        return cls(np.pad(y, (0, missing), mode="edge"), np.pad(weights, (0, missing)))


@dataclass(frozen=True)
class Grid:
    """Points x_j = start + j·step of a clock's logarithmic time, with step = log 2 / chains."""

    start: float
    points: int
    chains: int

    @property
    def step(self) -> float:
        """Distance of neighbors."""
        return math.log(2) / self.chains

    @property
    def times(self) -> Array:
        """e^x, kept finite."""
        times: Array = np.exp(np.minimum(self.start + self.step * np.arange(self.points), 700.0))
        return times

    @classmethod
    def covering(cls, laws: Sequence[LogRates], length: int, tolerance: float) -> Grid:
        """From before any token has rung until none is left, fine enough for the tolerance.

        The Fourier transform of the integrand, a product of Gamma functions, decays like e^{−πk/2};
        the trapezoidal rule's error is its value at k = 2π/step. (Gaussian scores would make it
        decay faster, but their nodes, being discrete, do not.)

        Args:
            laws: of an unmarked token's log-rate, then of the marked one's.
            length: L.
            tolerance: target absolute error.
        """
        cut = TAIL * tolerance
        y, masses = _coarse_laws(laws)
        lowest, highest = -float(y.max()), -float(y.min())

        def has_begun(x: float) -> bool:
            """Whether some token has rung with a probability that matters."""
            rung = (np.exp(np.minimum(x + y, 0.0)) * masses).sum(axis=1)
            return max((length - 1) * float(rung[0]), float(rung[1:].max())) >= cut

        def is_over(x: float) -> bool:
            """Whether no token's not having rung matters any more."""
            n = (np.exp(-np.exp(np.minimum(x + y, 30.0))) * masses).sum(axis=1) + 1e-300
            left = math.log(float(n[1:].max())) + (length - 1) * math.log(float(n[0]))
            return left < math.log(cut / length**2)

        start = _bisect(has_begun, lowest + math.log(cut), highest)
        end = _bisect(is_over, lowest, highest + math.log(math.log(length**2 / cut)) + 1.0)
        digits = math.log(1.0 / tolerance) + POWERS
        chains = math.ceil(digits * math.log(2) / math.pi**2)
        return cls(start, math.ceil(max(end - start, 1.0) * chains / math.log(2)) + 2, chains)


def _bisect(condition: Callable[[float], bool], low: float, high: float) -> float:
    """Where a condition that fails at ``low`` begins to hold, to a thousandth of the interval."""
    for _ in range(10):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if condition(middle) else (middle, high)
    return high if condition(low) else low


def _coarse_laws(laws: Sequence[LogRates]) -> Array:
    """(2, laws, bins): values of y and their weights, many nodes gathered in a histogram."""
    parts = []
    for law in laws:
        y, weights = law.y, law.weights
        if y.size > HISTOGRAM_BINS:
            span = float(y.min()), float(y.max()) + 1e-9
            weights, edges = np.histogram(y, HISTOGRAM_BINS, span, weights=weights)
            y = edges[1:]
        parts.append((y, weights))
    gathered = np.zeros((2, len(laws), max(y.size for y, _ in parts)))
    for index, (y, weights) in enumerate(parts):
        gathered[0, index] = y[-1]  # padding, of weight zero
        gathered[:, index, : y.size] = y, weights
    return gathered


@dataclass(frozen=True)
class Race:
    """What a race gives.

    Attributes:
        marked: E p_ε.
        squared: E Σ_l p_l².
        slopes: Ψ' at the nodes of each law; the unmarked one's is summed over the L − 1 tokens.
        bends: Ψ'' at the nodes of each law.
    """

    marked: float
    squared: float
    slopes: list[Array]
    bends: list[Array]


def run_race(
    laws: Sequence[LogRates],
    probabilities: Array,
    length: int,
    null: float,
    alpha: tuple[float, float],
    tolerance: float,
) -> Race:
    """Evaluate a race and its first variation.

    Args:
        laws: of an unmarked token, then of the marked one under each component of the signal.
        probabilities: (S,) of the components.
        length: L.
        null: ν.
        alpha: α₁, α₂.
        tolerance: target absolute error.
    """
    grid = Grid.covering(laws, length, tolerance)
    parallel = sum(law.y.size for law in laws) * grid.points >= SMALLEST_PARALLEL_WORK
    table = _Table.of(_survival(laws, grid, parallel), probabilities, length, null, grid)
    slopes, bends = ([np.empty_like(law.y) for law in laws] for _ in range(2))
    tasks: list[tuple[Any, ...]] = []
    for index, law in enumerate(laws):
        weights = grid.step * table.slope_coefficients(alpha, unmarked=index == 0)
        # Sum over the part of the grid that matters to this law.
        used = np.flatnonzero(np.abs(weights).max(axis=0) > TAIL * tolerance)
        low, high = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
        start, part = grid.start + low * grid.step, np.ascontiguousarray(weights[:, low:high])
        for at in range(0, law.y.size, TASK_NODES):
            cut = slice(at, at + TASK_NODES)
            received = slopes[index][cut], bends[index][cut]
            tasks.append((law.y[cut], start, grid.step, grid.chains, part, *received))
    run_all(adjoint_sums, tasks, parallel)
    return Race(*table.integrals(), slopes, bends)


def _survival(laws: Sequence[LogRates], grid: Grid, parallel: bool) -> Array:
    """(laws, 3, points): 1 − n, r and q of every law."""
    tasks: list[tuple[Any, ...]] = []
    owners = []
    for index, law in enumerate(laws):
        for at in range(0, law.y.size, TASK_NODES):
            cut = slice(at, at + TASK_NODES)
            part = np.zeros((3, grid.points))
            nodes = law.y[cut], law.weights[cut]
            tasks.append((*nodes, grid.start, grid.step, grid.chains, part))
            owners.append(index)
    run_all(survival_sums, tasks, parallel)
    total = np.zeros((len(laws), 3, grid.points))
    for index, task in zip(owners, tasks, strict=True):
        total[index] += task[-1]
    return total


def survivors(missed: Array, length: int, null: Array) -> tuple[Array, Array, Array]:
    """Z n^{L−1}, Z n^{L−2} and Z n^{L−3} from 1 − n; a power below zero is never used, and 1."""
    with np.errstate(divide="ignore"):
        log_n = np.log1p(-np.minimum(missed, 1.0))
    exponents = (length - 1, length - 2, length - 3)
    one, two, three = (null * np.exp(e * log_n) if e > 0 else null for e in exponents)
    return one, two, three


@dataclass(frozen=True)
class _Table:
    """The functions of x in the integrals; powers[k] = Z n^{L−1−k}."""

    length: int
    step: float
    r_marked: Array
    q_marked: Array
    n_marked: Array
    q: Array
    powers: tuple[Array, Array, Array]

    @classmethod
    def of(cls, sums: Array, probabilities: Array, length: int, null: float, grid: Grid) -> _Table:
        missed, r_marked, q_marked = np.tensordot(probabilities, sums[1:], 1)
        powers = survivors(sums[0, 0], length, np.exp(-null * grid.times))
        return cls(length, grid.step, r_marked, q_marked, 1.0 - missed, sums[0, 2], powers)

    def integrals(self) -> tuple[float, float]:
        """E p_ε and E Σ p²."""
        others = (self.length - 1) * float(self.q * self.n_marked @ self.powers[1])
        marked = float(self.r_marked @ self.powers[0])
        return self.step * marked, self.step * (float(self.q_marked @ self.powers[0]) + others)

    def slope_coefficients(self, alpha: tuple[float, float], *, unmarked: bool) -> Array:
        """(3, points): Ψ' = ∫dx (e₁ a + e₂ a² + e₃ a³) g.

        Ψ = ∫dx (c₀ g + c₁ a g + c₂ a² g), and ∂_y a = a.
        """
        L, (whole, one, two) = self.length, self.powers
        half = 0.5 * alpha[1]
        if unmarked:
            c0 = one * (-alpha[0] * self.r_marked + half * self.q_marked)
            if L > 2:
                c0 = c0 + (L - 2) * half * self.q * self.n_marked * two
            c0, c1 = (L - 1) * c0, np.zeros_like(c0)
            c2 = (L - 1) * half * self.n_marked * one
        else:
            c0, c1, c2 = (L - 1) * half * self.q * one, -alpha[0] * whole, half * whole
        return np.stack([c1 - c0, 2 * c2 - c1, -c2])
