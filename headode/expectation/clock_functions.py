"""The functions of a clock on the lattice of log-rates, averaged over a motion of all heads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from headode._checks import Array
from headode.expectation.threads import single_threaded_blas
from headode.kernels.lattice import WIDTH, lagrange, smooth
from headode.kernels.token_rule import Precision, hermite_nodes, line_size

# Of the lattice at a tolerance of 1e-10; WIDTH points interpolate with that power of it.
STEP, STEP_TOLERANCE = 0.1, 1e-10
# The highest power of a that a race and its slopes take.
SLOPES = 4
# Units in the exponent for the powers of the frequency beside its exponential decay.
POWERS = 9.0
# Tables of a clock's functions begin and end at multiples of so many lattice points.
BLOCK = 1 << 10


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
    tokens: int = 1,
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
        tokens: L. That many reach further out, as far as a law's tails weigh 1/L of the tolerance.
            But their steps are not smaller: where 1 − n ~ 1/L matters, errors are small like 1 − g.
    """
    if deviation < lattice.smallest_deviation:
        # So many more nodes as Lagrange's polynomials need by themselves.
        nodes, weights = hermite_nodes(
            min(line_size(deviation, Precision(tolerance)), 12) + zeta.size
        )
        shifted = low + deviation * nodes / lattice.step
        functions = clock_functions(lattice, shifted, count, powers)
        with single_threaded_blas():
            return np.tensordot(weights * lagrange(zeta, nodes), functions, 1)
    spacing, reach = _smoothing(lattice, deviation, zeta.size, tolerance, tokens)
    line = np.arange(-reach, reach + 1, dtype=np.float64) * (spacing * lattice.step / deviation)
    density = np.exp(-0.5 * line**2)
    density /= density.sum()
    begin, end = low - reach * spacing, low + count + reach * spacing
    from_block, to_block = begin // BLOCK, -(-end // BLOCK)
    table = _table(lattice, from_block, to_block, powers)
    averaged = np.zeros((zeta.size, powers + 1, count))
    offset = begin - from_block * BLOCK
    smooth(table, offset, spacing, density * lagrange(zeta, line), averaged)
    return averaged


@lru_cache(maxsize=8)
def _table(lattice: Lattice, from_block: int, to_block: int, powers: int) -> Array:
    """(powers + 1, points): :func:`clock_functions`, the same ones all along a trajectory."""
    return clock_functions(lattice, from_block * BLOCK, (to_block - from_block) * BLOCK, powers)


def _smoothing(
    lattice: Lattice, deviation: float, channels: int, tolerance: float, tokens: int
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
    furthest = math.sqrt(2 * (digits + math.log(tokens))) + 0.5 * (channels - 1)
    return spacing, math.ceil(furthest * deviation / (spacing * lattice.step))
