"""The law of a token's log-rate, held as masses on a lattice, and what clocks make of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headode._checks import Array
from headode.expectation.common_mode import TokenRule
from headode.expectation.threads import run_all, scratch
from headode.kernels.lattice import BEFORE, LANES, WIDTH, collect, deposit, lagrange, smooth
from headode.kernels.load import Kernel
from headode.kernels.token_rule import hermite_nodes, line_size

# Of the lattice at a tolerance of 1e-10; WIDTH points interpolate with that power of it.
STEP, STEP_TOLERANCE = 0.1, 1e-10
# The highest power of a that a race and its slopes take.
SLOPES = 4
# Units in the exponent for the powers of the frequency beside its exponential decay.
POWERS = 9.0
# Nodes in all above which several threads pay, and of one task.
PARALLEL_NODES = 1 << 13
TASK_NODES = 1 << 12


def clock_step(tolerance: float) -> float:
    """Step of a clock's logarithmic time for a target absolute error.

    The Fourier transform of a clock's integrand, a product of Gamma functions, decays like
    e^{−πk/2}; the trapezoidal rule's error is its value at k = 2π/step.
    """
    return math.pi**2 / (math.log(1.0 / tolerance) + POWERS)


def clock_times(start: float, step: float, points: int) -> Array:
    """e^x at ``points`` logarithmic times x from ``start`` on, kept finite."""
    times: Array = np.exp(np.minimum(start + step * np.arange(points), 700.0))
    return times


@dataclass(frozen=True)
class Lattice:
    """Multiples of ``step`` for log-rates; a clock's logarithmic time takes every stride-th."""

    step: float
    stride: int

    @classmethod
    def of(cls, tolerance: float) -> Lattice:
        """Fine enough for a target absolute error."""
        spacing = clock_step(tolerance)
        step = STEP * (tolerance / STEP_TOLERANCE) ** (1 / WIDTH)
        stride = math.ceil(spacing / step)
        return cls(spacing / stride, stride)

    @property
    def clock_step(self) -> float:
        """Distance of neighbors on a clock's grid."""
        return self.stride * self.step

    @property
    def smallest_deviation(self) -> float:
        """Smallest standard deviation of a Gaussian that the lattice resolves to roundoff."""
        return self.step * math.sqrt(2 * math.log(1 / np.finfo(float).eps)) / math.pi


def clock_functions(
    lattice: Lattice, low: float | Array, count: int, powers: int = SLOPES
) -> Array:
    """(…, powers + 1, count): 1 − g, a g, a² g, … with g = e^{−a}, a = e^s, s = (low + i) step."""
    s = lattice.step * (np.expand_dims(low, -1) + np.arange(count))
    a = np.exp(np.minimum(s, 6.0))  # beyond, g is zero to the last bit whatever a
    functions = np.empty((*s.shape[:-1], powers + 1, count))
    np.negative(np.expm1(-a), out=functions[..., 0, :])
    density = np.exp(-a)
    for k in range(1, powers + 1):
        density *= a
        functions[..., k, :] = density
    return functions


def averaged_functions(
    lattice: Lattice,
    deviation: float,
    zeta: Array,
    tolerance: float,
    low: int,
    count: int,
    powers: int = SLOPES,
) -> Array:
    """(channels, powers + 1, count) clock functions averaged over a Gaussian motion.

    Channel i carries Lagrange's polynomial ℓ_i of the values ``zeta``: ∫dζ φ(ζ) ℓ_i(ζ) f(s + α ζ);
    with a single value ℓ is 1.

    Args:
        lattice: of s.
        deviation: α.
        zeta: (channels,).
        tolerance: target absolute error.
        low: index of the first lattice point.
        count: number of lattice points.
        powers: the highest power of a.
    """
    if deviation < lattice.smallest_deviation:
        # So many more nodes as Lagrange's polynomials need by themselves.
        nodes, weights = hermite_nodes(min(line_size(deviation, tolerance, 1), 12) + zeta.size)
        shifted = low + deviation * nodes / lattice.step
        functions = clock_functions(lattice, shifted, count, powers)
        return np.tensordot(weights * lagrange(zeta, nodes), functions, 1)
    spacing, reach = _smoothing(lattice, deviation, zeta.size, tolerance)
    end = reach * spacing * lattice.step / deviation
    line = np.linspace(-end, end, 2 * reach + 1)
    density = np.exp(-0.5 * line**2)
    density /= density.sum()
    wide = clock_functions(lattice, low - reach * spacing, count + 2 * reach * spacing, powers)
    averaged = np.zeros((zeta.size, powers + 1, count))
    smooth(wide, density * lagrange(zeta, line), spacing, averaged)
    return averaged


def _smoothing(
    lattice: Lattice, deviation: float, channels: int, tolerance: float
) -> tuple[int, int]:
    """Spacing of the sum over ζ in lattice steps, and the number of terms on each side.

    For a strip of half-width v the trapezoidal rule's error is e^{−2πv/s + v²/2α²}.
    """
    digits = math.log(1.0 / tolerance) + POWERS
    spacing = 1
    for candidate in range(2, lattice.stride + 1):
        s = candidate * lattice.step
        v = min(2 * math.pi * deviation**2 / s, math.pi / 2)
        if 2 * math.pi * v / s - 0.5 * (v / deviation) ** 2 < digits:
            break
        spacing = candidate
    furthest = math.sqrt(2 * digits) + 0.5 * (channels - 1)
    return spacing, math.ceil(furthest * deviation / (spacing * lattice.step))


@dataclass(frozen=True)
class LogRates:
    """The laws of a token's log-rate: an unmarked one's, then the marked one's per component.

    Attributes:
        lattice: holds the masses.
        rules: of the fields, one for each law (often the same one).
        y: for each law (channels, N) log-rates at the nodes, the common mode left out.
        shares: for each law (channels, 2, H, N) ∂_h y and w_h''/Σw; exponential scores, for which
            they are equal, have them once, (channels, 1, H, N).
        first: index of the first lattice point.
        mass: for each law (channels, B).
    """

    lattice: Lattice
    rules: Sequence[TokenRule]
    y: list[Array]
    shares: list[Array]
    first: int
    mass: list[Array]

    @classmethod
    def of(
        cls,
        law_of: Kernel,
        means: Array,
        rules: Sequence[TokenRule],
        lattice: Lattice,
        *,
        shifts: bool,
    ) -> LogRates:
        """Evaluate the log-rates at the nodes and put their weights on the lattice.

        They are kept in scratch memory: valid until this thread asks for other laws.

        Args:
            law_of: the activation's ``token_law`` kernel.
            means: (laws, H) of the shifted fields.
            rules: for each law.
            lattice: to put them on.
            shifts: whether scores are exponential.
        """
        y, shares = [], []
        for s, rule in enumerate(rules):
            channels, (heads, count) = rule.zeta.size, rule.fields.nodes.shape
            y.append(scratch(("log-rates", s), (channels, count)))
            shares.append(scratch(("shares", s), (channels, 1 if shifts else 2, heads, count)))
        tasks: list[tuple[Any, ...]] = []
        for s, rule in enumerate(rules):
            given = rule.fields.nodes, rule.rest, rule.zeta, means[s]
            tasks += [(*given, *cut, y[s], shares[s]) for cut in _cuts(y[s])]
        run_all(law_of, tasks, _pays(y))
        return cls.holding(rules, y, shares, lattice)

    @classmethod
    def holding(
        cls, rules: Sequence[TokenRule], y: list[Array], shares: list[Array], lattice: Lattice
    ) -> LogRates:
        """Put the weights of nodes whose log-rates are known on the lattice."""
        lowest = min(float(each.min()) for each in y)
        highest = max(float(each.max()) for each in y)
        first = math.floor(lowest / lattice.step) - BEFORE
        size = math.floor(highest / lattice.step) + WIDTH - first
        mass = _deposit(y, [rule.fields.weights for rule in rules], first, size, lattice)
        return cls(lattice, rules, y, shares, first, mass)

    def span(self, tolerance: float) -> tuple[float, float]:
        """Between which a token's log-rate is, the common mode included."""
        step, size = self.lattice.step, self.mass[0].shape[1]
        reach = math.sqrt(2 * math.log(1 / tolerance)) * max(r.deviation for r in self.rules)
        return self.first * step - reach, (self.first + size) * step + reach

    def gradients(self, potentials: list[Array]) -> tuple[Array, Array]:
        """(laws, H) and (laws, H, H) expected derivatives of functions of the log-rate.

        Args:
            potentials: for each law (channels, 2, B) first and second derivative on the lattice.
        """
        laws, heads = len(self.y), self.shares[0].shape[2]
        tasks: list[tuple[Any, ...]] = []
        owners = []
        for s, (y, shares) in enumerate(zip(self.y, self.shares, strict=True)):
            weights = self.rules[s].fields.weights
            for cut in _cuts(y):
                nodes = y, weights, *cut, float(self.first), self.lattice.step
                received = np.zeros(heads), np.zeros((heads, heads))
                tasks.append((*nodes, potentials[s], shares, *received))
                owners.append(s)
        run_all(collect, tasks, _pays(self.y))
        first, second = np.zeros((laws, heads)), np.zeros((laws, heads, heads))
        for s, task in zip(owners, tasks, strict=True):
            first[s] += task[-2]
            second[s] += task[-1]
        # Only lower triangles were added to.
        return first, second + np.tril(second, -1).swapaxes(1, 2)


def _pays(y: list[Array]) -> bool:
    """Whether a second thread does."""
    return sum(each.size for each in y) >= PARALLEL_NODES


def _cuts(y: Array) -> list[tuple[int, int]]:
    """Ranges of nodes (channels, N) of one task each."""
    channels, count = y.shape
    step = max(TASK_NODES // channels // LANES, 1) * LANES
    return [(at, min(at + step, count)) for at in range(0, count, step)]


def _deposit(
    y: list[Array], weights: list[Array], first: int, size: int, lattice: Lattice
) -> list[Array]:
    tasks: list[tuple[Any, ...]] = []
    owners = []
    for s, each in enumerate(y):
        for cut in _cuts(each):
            part = np.zeros((len(each), size))
            tasks.append((each, weights[s], *cut, float(first), lattice.step, part))
            owners.append(s)
    run_all(deposit, tasks, _pays(y))
    mass = [np.zeros((len(each), size)) for each in y]
    for s, task in zip(owners, tasks, strict=True):
        mass[s] += task[-1]
    return mass
