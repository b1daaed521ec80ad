"""Series of one head's ring time: P(T < x), its density r and q = r − r', tilted by e^{−αx}."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from headode._checks import Array
from headode.expectation.field_laws import FieldLaws
from headode.expectation.race.softmax.ring_times import Complex, RingTimes
from headode.expectation.race.softmax.symmetric_grid import fold, multiply, unfold
from headode.expectation.race.softmax.waves import ROTATIONS, HalfWaves
from headode.kernels._compile import compiled

# Rows of functions of one head's ring time, of an unmarked token and then of the marked one. The
# series of the first row of each is that of P(T < x); on a grid it becomes n = P(T > x).
SURVIVAL, DENSITY, SQUARED_RATE = 0, 1, 2
OF_MARKED, ROWS = 3, 6


class HeadFrame(NamedTuple):
    """Tilt α, smallest frequency k₁ and the center from which times are counted."""

    tilt: float
    base: float
    center: float


class HeadSeries(NamedTuple):
    """All that makes the series of one head.

    Attributes:
        frame: tilt, frequency and center.
        repeat: what P(T < x) has of its repetitions, see :class:`~.boxes.Boxes`.
        moduli: (K + 1,) of Γ(1 − α + ik).
        phases: (K + 1,) likewise.
        means: (S + 1,) of the score's laws.
        variances: (S + 1,).
        factors: (S + 1,) 1/B, times the component's probability.
    """

    frame: HeadFrame
    repeat: float
    moduli: Array
    phases: Complex
    means: Array
    variances: Array
    factors: Array


class Coefficients(NamedTuple):
    """(6, K + 1) coefficients of cosines and of sines."""

    cosines: Array
    sines: Array


@compiled
def head_series(times: RingTimes, laws: FieldLaws, h: int, center: float) -> HeadSeries:
    """The series of head h, from this center on."""
    boxes = times.boxes
    base, size = boxes.bases[h], boxes.sizes[h, h] + 1
    factors = np.empty(laws.means.shape[0])
    factors[0] = base / (2.0 * math.pi)
    for s in range(laws.probabilities.size):
        factors[s + 1] = laws.probabilities[s] * factors[0]
    return HeadSeries(
        HeadFrame(boxes.tilts[h], base, center),
        boxes.repeats[h],
        times.moduli[h, :size],
        times.phases[h, :size],
        laws.means[:, h].copy(),
        laws.covariances[:, h, h].copy(),
        factors,
    )


@compiled
def _fill_law(head: HeadSeries, s: int, factor: float, law: Complex) -> None:
    """Coefficients e^{αc} φ(k) e^{−ikc} of law s with the center c, times ``factor``."""
    tilt, base, center = head.frame
    mean, variance = head.means[s], head.variances[s]
    # A tilted Gaussian has its mean shifted.
    angle = -base * (mean + tilt * variance + center)
    size = factor * math.exp(tilt * (mean + 0.5 * tilt * variance + center))
    step = complex(math.cos(angle), math.sin(angle))
    wave = 1.0 + 0.0j
    for j in range(law.size):
        if j % ROTATIONS == 0:
            wave = complex(math.cos(j * angle), math.sin(j * angle))
        k = j * base
        gaussian = math.exp(-0.5 * variance * k * k)
        law[j] = size * head.moduli[j] * gaussian * wave * head.phases[j]
        wave *= step


@compiled
def _sum_of_laws(head: HeadSeries) -> Complex:
    """(2, K + 1): the density's coefficients of an unmarked token, and of the marked one on
    average."""
    total = np.zeros((2, head.moduli.size), dtype=np.complex128)
    law = np.empty(head.moduli.size, dtype=np.complex128)
    for s in range(head.means.size):
        _fill_law(head, s, head.factors[s], law)
        token = min(s, 1)
        for j in range(law.size):
            total[token, j] += law[j]
    return total


@compiled
def coefficients_of(head: HeadSeries) -> Coefficients:
    """Coefficients of P(T < x), r and q, of an unmarked token and of the marked one on average."""
    tilt, base, _ = head.frame
    laws = _sum_of_laws(head)
    cosines, sines = np.empty((ROWS, laws.shape[1])), np.empty((ROWS, laws.shape[1]))
    for j in range(laws.shape[1]):
        slope = complex(tilt, -j * base)
        double = 2.0 if j else 1.0
        for token in range(2):
            at = OF_MARKED * token
            density = double * laws[token, j]
            distribution, squared = density / slope, (1.0 - slope) * density
            cosines[at + SURVIVAL, j] = distribution.real
            sines[at + SURVIVAL, j] = distribution.imag
            cosines[at + DENSITY, j], sines[at + DENSITY, j] = density.real, density.imag
            cosines[at + SQUARED_RATE, j] = squared.real
            sines[at + SQUARED_RATE, j] = squared.imag
    return Coefficients(cosines, sines)


@compiled
def on_grid(head: HeadSeries, coefficients: Coefficients, waves: HalfWaves, growth: Array) -> Array:
    """(6, points) n, r and q at the points in their order, of an unmarked and of the marked token.

    growth: (points,) e^{αx}.
    """
    half = growth.size // 2
    even, odd = np.empty((ROWS, half)), np.empty((ROWS, half))
    multiply(coefficients.cosines, waves.cosines, even)
    multiply(coefficients.sines, waves.sines, odd)
    values = np.empty((ROWS, 2 * half))
    unfold(even, odd, values)
    for row in range(ROWS):
        for i in range(growth.size):
            values[row, i] *= growth[i]
    # From P(T < x) and its repetitions to n.
    for token in range(2):
        at = OF_MARKED * token + SURVIVAL
        for i in range(growth.size):
            values[at, i] = 1.0 + head.repeat - values[at, i]
    return values


@compiled
def from_grid(factors: Array, waves: HalfWaves, growth: Array) -> Coefficients:
    """Derivatives, with respect to the coefficients, of Σ factors · the series' values.

    The transpose of :func:`on_grid` but for its last step; factors: (6, points).
    """
    half = growth.size // 2
    tilted = np.empty(factors.shape)
    for row in range(ROWS):
        for i in range(growth.size):
            tilted[row, i] = factors[row, i] * growth[i]
    even, odd = np.empty((ROWS, half)), np.empty((ROWS, half))
    fold(tilted, even, odd)
    size = waves.cosines.shape[0]
    cosines, sines = np.empty((ROWS, size)), np.empty((ROWS, size))
    multiply(even, waves.cosines.T, cosines)
    multiply(odd, waves.sines.T, sines)
    return Coefficients(cosines, sines)


@compiled
def _response(head: HeadSeries, by_coefficients: Coefficients) -> Complex:
    """(2, K + 1) the transpose of :func:`coefficients_of`.

    Derivatives with respect to the real parts of the density's coefficients and, times −i, to the
    imaginary ones.
    """
    tilt, base, _ = head.frame
    cosines, sines = by_coefficients
    response = np.empty((2, cosines.shape[1]), dtype=np.complex128)
    for j in range(cosines.shape[1]):
        slope = complex(tilt, -j * base)
        double = 2.0 if j else 1.0
        for token in range(2):
            at = OF_MARKED * token
            distribution = complex(cosines[at + SURVIVAL, j], -sines[at + SURVIVAL, j])
            density = complex(cosines[at + DENSITY, j], -sines[at + DENSITY, j])
            squared = complex(cosines[at + SQUARED_RATE, j], -sines[at + SQUARED_RATE, j])
            response[token, j] = double * (distribution / slope + density + (1.0 - slope) * squared)
    return response


@compiled
def add_law_derivatives(
    head: HeadSeries,
    by_coefficients: Coefficients,
    scale: float,
    first: Array,
    second: Array,
) -> None:
    """Add first and second derivatives with respect to every law's mean.

    A derivative with respect to a mean is a factor α − ik. Of a component it is that over its
    probability.

    Args:
        head: the series.
        by_coefficients: derivatives with respect to the coefficients.
        scale: of what is added.
        first: (S + 1,) is added to.
        second: (S + 1,) is added to.
    """
    tilt, base, _ = head.frame
    response = _response(head, by_coefficients)
    law = np.empty(response.shape[1], dtype=np.complex128)
    for s in range(head.means.size):
        _fill_law(head, s, head.factors[0], law)
        gradient, curvature = 0.0, 0.0
        for j in range(law.size):
            slope = complex(tilt, -j * base)
            each = slope * law[j] * response[min(s, 1), j]
            gradient += each.real
            curvature += (slope * each).real
        first[s] += scale * gradient
        second[s] += scale * curvature
