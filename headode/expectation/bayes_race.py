"""The Bayes risk of Gaussian components by a race of clocks over tensor nodes (theory: tokens).

The Bayes-optimal weights are a softmax over tokens of ``y(χ*) = log E_θ exp(θ·χ* − |θ|²/2)``, with
fields χ* ~ N(0, I) on an unmarked token and N(θ̄_s, I + Σ_s) on the marked one. So one clock per
token gives E A_ε and E Σ_l A_l², whatever the number of tokens, from averages over the directions
in which there is any signal. Calibration makes the two equal: their difference tells of the error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.expectation.clock import survivors
from headode.expectation.gaussian_rule import TooManyNodes, line_rule
from headode.expectation.log_rates import Lattice
from headode.expectation.threads import single_threaded_blas
from headode.kernels.lattice import BEFORE, LANES, WIDTH, deposit
from headode.model import Model
from headode.signal import Signal

# Gaussian nodes of one law: about a second.
LARGEST_NODES = 1 << 21
# Nominal tolerances of the rules, the first and the ratio of two; the result's error is SAFETY
# times what the last refinement has changed.
FIRST, RATIO, SAFETY = 1e-3, 0.03, 2.0
SMALLEST_TOLERANCE = 1e-11
# Standard deviations within which the slope of the log-rate is taken to be that of the bulk.
BULK = 2.0
SMALLEST_SLOPE = 0.25


def bayes_risk_by_race(model: Model, tolerance: float) -> tuple[float, float]:
    """The Bayes risk and an estimate of its error.

    Raises:
        TooManyNodes: if the signal varies in too many directions for the tolerance.
    """
    signal = _reduced(model.signal)
    nominal, previous, error = FIRST, math.inf, math.inf
    while error > tolerance and nominal > SMALLEST_TOLERANCE:
        with single_threaded_blas():
            marked, squared = _race(signal, model.tokens, nominal)
        change = abs(marked - previous)
        error = 0.5 * max(SAFETY * max(change, abs(marked - squared)), SMALLEST_TOLERANCE)
        nominal, previous = nominal * RATIO, marked
    return 0.5 * (1.0 + model.label_noise**2 - previous), error


def _reduced(signal: Signal) -> Signal:
    """The signal in the principal directions in which it is not always zero."""
    second = np.einsum("s,sf,sg->fg", signal.probabilities, signal.means, signal.means)
    second += np.einsum("s,sfg->fg", signal.probabilities, signal.covariances)
    values, vectors = np.linalg.eigh(second)
    basis = vectors[:, values > 1e-14 * max(float(values[-1]), 1e-300)]
    if not basis.size:
        basis = vectors[:, -1:]
    covariances = basis.T @ signal.covariances @ basis
    return Signal("mixture", {}, signal.probabilities, signal.means @ basis, covariances)


@dataclass(frozen=True)
class _Law:
    """The law of a token's log-rate, as masses on the lattice points (first + b) step."""

    first: int
    mass: Array

    @classmethod
    def of(cls, y: Array, weights: Array, lattice: Lattice) -> _Law:
        missing = -y.size % LANES  # filled with copies of weight zero
        y, weights = np.pad(y, (0, missing), mode="edge"), np.pad(weights, (0, missing))
        first = math.floor(float(y.min()) / lattice.step) - BEFORE
        size = math.floor(float(y.max()) / lattice.step) + WIDTH - first
        mass = np.zeros(size)
        deposit(y, weights, float(first), lattice.step, mass)
        return cls(first, mass)

    def rings(self, lattice: Lattice, first: int, points: int) -> Array:
        """(3, points): 1 − n, r and q at the points x = (first + j) clock_step."""
        clock = first * lattice.stride + lattice.stride * np.arange(points)
        places = clock[:, None] + (self.first + np.arange(self.mass.size))
        a = np.exp(np.minimum(lattice.step * places, 6.0))  # beyond, e^{−a} is zero to the last bit
        missed = -np.expm1(-a)
        rung = a * np.exp(-a)
        return np.array([missed @ self.mass, rung @ self.mass, (a * rung) @ self.mass])


def _race(signal: Signal, length: int, tolerance: float) -> tuple[float, float]:
    """E A_ε and E Σ_l A_l²."""
    lattice, cut = Lattice.of(tolerance), 1e-2 * tolerance
    laws = _laws(signal, length, tolerance, lattice)
    lowest = lattice.step * min(law.first for law in laws)
    highest = lattice.step * max(law.first + law.mass.size for law in laws)
    spacing = lattice.clock_step
    first = math.floor((math.log(cut / length) - highest) / spacing)
    last = math.ceil((math.log(math.log(length**2 / cut)) + 1.0 - lowest) / spacing)
    unmarked, *components = (law.rings(lattice, first, last - first + 1) for law in laws)
    marked = np.tensordot(signal.probabilities, components, 1)
    whole, one, _ = survivors(unmarked[0], length, np.ones(unmarked.shape[1]))
    others = (length - 1) * float((unmarked[2] * (1.0 - marked[0])) @ one)
    return spacing * float(marked[1] @ whole), spacing * (float(marked[2] @ whole) + others)


def _laws(signal: Signal, length: int, tolerance: float, lattice: Lattice) -> list[_Law]:
    """Of an unmarked token, then of the marked one under each component."""
    from headode.expectation.bayes_risk import log_weight

    unmarked, weights = _fields(signal, np.zeros((signal.features,) * 2), tolerance / length)
    y = log_weight(signal, unmarked)
    # A marked token above this wins all the same; a Gaussian component's rates know no bounds.
    ceiling = float(y.max()) + 2 * math.log(length / tolerance)
    laws = [_Law.of(y, weights, lattice)]
    for center, covariance in zip(signal.means, signal.covariances, strict=True):
        fields, weights = _fields(signal, covariance, tolerance / length)
        y = np.minimum(log_weight(signal, center + fields), ceiling)
        laws.append(_Law.of(y, weights, lattice))
    return laws


def _fields(signal: Signal, covariance: Array, tolerance: float) -> tuple[Array, Array]:
    """Nodes (N, F) and weights (N,) of N(0, I + covariance), by a tensor rule.

    The step along a direction follows from how fast the log-rate changes in the bulk of the law.
    """
    features = signal.features
    values, vectors = np.linalg.eigh(np.eye(features) + covariance)
    gains = np.linalg.solve(np.eye(features) + signal.covariances, signal.covariances)
    nodes: Array = np.zeros((1, features))
    weights: Array = np.ones(1)
    for value, vector in zip(values, vectors.T, strict=True):
        deviation = math.sqrt(float(value))
        bends = np.abs(gains @ vector).max(axis=1)
        slope = float((np.abs(signal.means @ vector) + BULK * deviation * bends).max())
        z, line = line_rule(deviation * max(slope, SMALLEST_SLOPE), tolerance)
        if z.size * weights.size > LARGEST_NODES:
            raise TooManyNodes("the signal varies in too many directions for a tensor rule")
        nodes = (nodes[:, None, :] + deviation * z[:, None] * vector).reshape(-1, features)
        weights = np.multiply.outer(weights, line).ravel()
    return nodes, weights
