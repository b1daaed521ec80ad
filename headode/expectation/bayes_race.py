"""The Bayes risk of Gaussian components by a race of clocks over tensor nodes (theory: tokens).

The Bayes-optimal weights are a softmax over tokens of ``y(χ*) = log E_θ exp(θ·χ* − |θ|²/2)``, with
fields χ* ~ N(0, I) on an unmarked token and N(θ̄_s, I + Σ_s) on the marked one. So one clock per
token gives E A_ε and E Σ_l A_l², whatever the number of tokens, from averages over the directions
in which there is any signal. Calibration makes the two equal: their difference tells of the error.
"""

from __future__ import annotations

import math

import numpy as np

from headode._checks import Array
from headode.expectation.bayes_optimal import log_weight
from headode.expectation.clock import Clock, run_race
from headode.expectation.clock_functions import Lattice
from headode.expectation.common_mode import TokenRule
from headode.expectation.gaussian_rule import GaussianRule, grouped
from headode.expectation.log_rates import Group, LogRates
from headode.expectation.threads import single_threaded_blas
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
    return 0.5 * (model.label_variance - previous), error


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


def _race(signal: Signal, length: int, tolerance: float) -> tuple[float, float]:
    """E A_ε and E Σ_l A_l²."""
    covariances = np.concatenate([np.zeros((1, *signal.covariances.shape[1:])), signal.covariances])
    centers = np.concatenate([np.zeros((1, signal.features)), signal.means])
    rules = grouped(
        covariances,
        lambda covariance: TokenRule.plain(_fields(signal, covariance, tolerance / length)),
    )
    y = [
        np.array([[log_weight(signal, center + rule.fields.nodes.T)] for center in centers[laws]])
        for rule, laws in rules
    ]
    # A marked token above this wins all the same; a Gaussian component's rates know no bounds.
    ceiling = float(y[0][0].max()) + 2 * math.log(length / tolerance)
    nothing = np.empty((0, 1, 1, 0, 0))
    groups = [
        Group(*rule, np.minimum(each, ceiling), nothing)
        for each, rule in zip(y, rules, strict=True)
    ]
    laws = LogRates.holding(groups, Lattice.of(tolerance))
    clock = Clock.covering(laws, length, tolerance)
    race = run_race(laws, clock, signal.probabilities, (length, 0.0))
    return race.marked, race.squared


def _fields(signal: Signal, covariance: Array, tolerance: float) -> GaussianRule:
    """A rule for N(0, I + covariance).

    The step along a direction follows from how fast the log-rate changes in the bulk of the law.
    """
    values, vectors = np.linalg.eigh(np.eye(signal.features) + covariance)
    deviations = np.sqrt(values)
    gains = np.linalg.solve(np.eye(signal.features) + signal.covariances, signal.covariances)
    bends = np.abs(gains @ vectors).max(axis=1)
    slopes = (np.abs(signal.means @ vectors) + BULK * deviations * bends).max(axis=0)
    reaches = deviations * np.maximum(slopes, SMALLEST_SLOPE)
    return GaussianRule.tensor(deviations, vectors, reaches, tolerance, LARGEST_NODES)
