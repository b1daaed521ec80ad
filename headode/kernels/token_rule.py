"""Nodes for a token's fields: tensor products of line rules, the common motion of heads taken out.

See ``headode.expectation.common_mode`` for the idea and ``headode.expectation.gaussian_rule`` for
the tolerances.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.kernels._compile import compiled

# A race's survival probability, as a function of a log-rate, is analytic and bounded in the strip
# |Im| < π/2; Gauss-Hermite rules see half a unit less.
_STRIP, _HERMITE_RADIUS = math.pi / 2, 1.5
# Reaches up to which a few Gauss-Hermite nodes beat the trapezoidal rule, and the most of them.
_WEAK, _MOST_HERMITE = 0.25, 11
# Fraction of the tolerance that dropped nodes may weigh together, and halvings of the range of
# logarithms of weights in which the largest one to be dropped is looked for.
_DROPPED, _HALVINGS = 0.1, 20
# The most values of a common motion between which is interpolated.
_MOST_CHANNELS = 12


class Precision(NamedTuple):
    """How precise a rule along a line is.

    Attributes:
        tolerance: target absolute error.
        tokens: L; so many of them reach further out: √L times what is beyond is negligible.
        sharpness: how much faster an integrand may vary than with exponential scores.
        shifted: take the other rule of the same order, whose error is of the same size and another
            sign: with points between those of the trapezoidal rule, with one node more by
            Gauss-Hermite.
    """

    tolerance: float
    tokens: int = 1
    sharpness: float = 1.0
    shifted: bool = False


@lru_cache(maxsize=64)
def hermite_nodes(count: int) -> tuple[Array, Array]:
    """Gauss-Hermite nodes and weights for a standard normal."""
    z, w = np.polynomial.hermite_e.hermegauss(count)
    return np.asarray(z, dtype=float), np.asarray(w) / float(w.sum())


def _hermite_table() -> Array:
    """(2, counts, nodes): :func:`hermite_nodes` for each number of them."""
    # One more, for shifted rules.
    table = np.zeros((2, _MOST_HERMITE + 2, _MOST_HERMITE + 1))
    for count in range(1, _MOST_HERMITE + 2):
        table[:, count, :count] = hermite_nodes(count)
    return table


_HERMITE = _hermite_table()


@compiled
def _hermite_count(reach: float, tolerance: float) -> int:
    """Number of Gauss-Hermite nodes for a small reach, 0 for a larger one."""
    if reach < _WEAK:
        ratio, term = (reach / _HERMITE_RADIUS) ** 2, 1.0
        for count in range(1, _MOST_HERMITE + 1):
            term *= count * ratio
            if term < tolerance:
                return count
    return 0


@compiled
def _trapezoid(reach: float, tolerance: float, tokens: int) -> tuple[float, int]:
    """Step of the trapezoidal rule, and the number of steps on each side."""
    digits = math.log(1.0 / tolerance)
    # The error e^{−2πs/h} of the strip s = STRIP/reach, and e^{−2π²/h²} of the Gaussian itself.
    step = math.pi * math.sqrt(2.0 / digits)
    if reach > 0.0:
        step = min(step, 2.0 * math.pi * _STRIP / (reach * digits))
    return step, math.ceil(math.sqrt(2.0 * digits + math.log(tokens)) / step)


@compiled
def line_size(reach: float, precision: Precision) -> int:
    """The number of nodes of :func:`line_rule`."""
    sharp, extra = reach * precision.sharpness, 1 if precision.shifted else 0
    count = _hermite_count(sharp, precision.tolerance)
    if count:
        return count + extra
    return 2 * _trapezoid(sharp, precision.tolerance, precision.tokens)[1] + 1 + extra


@compiled
def line_rule(reach: float, precision: Precision) -> Array:
    """(2, n): nodes and weights for a standard normal z, to integrate functions of ``reach · z``.

    They go so far out that √tokens times what is beyond is negligible.
    """
    sharp, extra = reach * precision.sharpness, 1 if precision.shifted else 0
    count = _hermite_count(sharp, precision.tolerance)
    if count:
        count += extra
        return _HERMITE[:, count, :count].copy()
    step, half = _trapezoid(sharp, precision.tolerance, precision.tokens)
    rule, total = np.empty((2, 2 * half + 1 + extra)), 0.0
    first = half + 0.5 * extra
    for i in range(rule.shape[1]):
        rule[0, i] = (i - first) * step
        rule[1, i] = math.exp(-0.5 * rule[0, i] ** 2)
        total += rule[1, i]
    for i in range(rule.shape[1]):
        rule[1, i] /= total
    return rule


@compiled
def tensor_rule(
    deviations: Array,
    directions: Array,
    reaches: Array,
    precision: Precision,
    limit: int,
    negligible: float,
    lanes: int,
) -> tuple[Array, Array]:
    """Nodes (H, N) and weights (N,) of a tensor-product rule; none if the product is too large.

    The rule along a component is Gauss-Hermite for a small reach and trapezoidal, which converges
    geometrically, else.

    Args:
        deviations: (n,) standard deviations of the components, the strongest last.
        directions: (H, n) of the components.
        reaches: (n,) standard deviations of what an integrand sees of them; they set the steps.
        precision: of the rule along a component.
        limit: largest number of nodes of the product.
        negligible: the lightest nodes are left out, as long as they weigh less than this together.
        lanes: N is filled up to a multiple of it, with nodes of weight zero.
    """
    heads, components = directions.shape
    nodes, weights = np.zeros((heads, 1)), np.ones(1)
    for component in range(components):
        count, size = weights.size, line_size(reaches[component], precision)
        if count * size > limit:
            return np.zeros((heads, 0)), np.zeros(0)
        line, along = line_rule(reaches[component], precision), np.empty(heads)
        for h in range(heads):
            along[h] = deviations[component] * directions[h, component]
        # The whole product is never made: it may be three times what is kept of it.
        last = component == components - 1
        lightest = _lightest(weights, line[1], negligible) if last and negligible > 0.0 else 0.0
        nodes, weights = _product(nodes, weights, line, along, lightest, lanes if last else 1)
    return nodes, weights


@compiled
def _product(
    nodes: Array, weights: Array, line: Array, along: Array, lightest: float, lanes: int
) -> tuple[Array, Array]:
    """Nodes and weights times those of a line along (H,), the ones below ``lightest`` left out."""
    heads, kept = nodes.shape[0], 0
    for a in range(weights.size):
        for b in range(line.shape[1]):
            kept += weights[a] * line[1, b] >= lightest
    size, at = -(-kept // lanes) * lanes, 0
    more, heavier = np.empty((heads, size)), np.zeros(size)
    for a in range(weights.size):
        for b in range(line.shape[1]):
            weight = weights[a] * line[1, b]
            if weight >= lightest:
                heavier[at] = weight
                for h in range(heads):
                    more[h, at] = nodes[h, a] + along[h] * line[0, b]
                at += 1
    for i in range(kept, size):
        for h in range(heads):
            more[h, i] = more[h, kept - 1]
    return more, heavier


@compiled
def _lightest(weights: Array, line: Array, negligible: float) -> float:
    """A weight below which all products together weigh less than this, and not much less."""
    ordered = np.sort(line)
    below = np.zeros(line.size + 1)
    for b in range(line.size):
        below[b + 1] = below[b] + ordered[b]
    low, high = np.inf, 0.0
    for a in range(weights.size):
        low, high = min(low, weights[a]), max(high, weights[a])
    # What may be dropped is below a cut; equal weights are dropped together.
    cut, least = 0.0, math.log(max(low * ordered[0], 1e-300))
    most = math.log(high * ordered[line.size - 1])
    for _ in range(_HALVINGS):
        middle, total = math.exp(0.5 * (least + most)), 0.0
        for a in range(weights.size):
            total += weights[a] * below[_number_below(ordered, weights[a], middle)]
        if total < negligible:
            cut, least = middle, math.log(middle)
        else:
            most = math.log(middle)
    return cut


@compiled
def _number_below(ordered: Array, factor: float, limit: float) -> int:
    """How many of the ordered values, times a factor, are below a limit."""
    low, high = 0, ordered.size
    while low < high:
        middle = (low + high) // 2
        if factor * ordered[middle] < limit:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _channels(deviation: float, rest: float, tolerance: float) -> int:
    """How many values of ζ the dependence on e ζ takes, e at most ``rest`` in size.

    Of e^{i k e ζ}, interpolated at the zeros of He_n, the terms (i k e)^m/m! He_m(ζ) with m ≥ n are
    missing, about; their averages with e^{i k α ζ} are (k e)^m (k α)^m e^{−k²α²/2}/m!. A clock's
    functions have frequencies k of weight |Γ(2 + ik)|, and Laplace's method does the integral over
    k. Without those weights the terms go as (2e/α)^m: from α/2 on no number of values suffices.
    """
    if rest == 0.0:
        return 1
    if rest >= 0.5 * deviation:
        return _MOST_CHANNELS + 1
    variance, error, enough = deviation**2, 0.0, _MOST_CHANNELS + 1
    for m in range(2 * _MOST_CHANNELS - 1, 0, -1):
        k = 4.0 * m / (math.pi / 2 + math.sqrt(math.pi**2 / 4 + 8.0 * m * variance))
        term = m * math.log(k * k * deviation * rest) - math.lgamma(m + 1.0)
        term -= 0.5 * k * k * variance + 0.5 * math.pi * k
        weight = 2.0 * math.sqrt(k * (1.0 + k * k) / (2.0 * m / (k * k) + variance))
        error += weight * math.exp(term)
        if m <= _MOST_CHANNELS and error < tolerance:
            enough = m
    return enough


@compiled
def _splits(covariance: Array, tolerance: float) -> tuple[Array, Array, NDArray[np.int64], Array]:
    """Ways to take out a common mode, the first one not to: α, e, numbers of values of ζ, and what
    covariances remain.

    Those for w in the span of the r strongest directions of the fields, r = 1, 2, …
    """
    heads = covariance.shape[0]
    deviations, rests = np.zeros(heads + 1), np.zeros((heads + 1, heads))
    channels, remaining = np.ones(heads + 1, dtype=np.int64), np.empty((heads + 1, heads, heads))
    values, vectors = np.linalg.eigh(covariance)
    smallest = heads * np.finfo(np.float64).eps * values[heads - 1]
    nearest, precision, count = np.zeros(heads), 0.0, 1
    for h in range(heads):
        for k in range(heads):
            remaining[0, h, k] = covariance[h, k]
    for r in range(heads - 1, -1, -1):
        if values[r] <= smallest:
            break
        along = 0.0
        for h in range(heads):
            along += vectors[h, r]
        precision += along * along / values[r]
        for h in range(heads):
            nearest[h] += along * vectors[h, r]
        if precision == 0.0:
            continue
        deviation, furthest = 1.0 / math.sqrt(precision), 0.0
        for h in range(heads):
            rests[count, h] = deviation * (nearest[h] - 1.0)
            furthest = max(furthest, abs(rests[count, h]))
        if furthest < np.finfo(np.float64).eps * heads * deviation:
            furthest = 0.0
            for h in range(heads):
                rests[count, h] = 0.0
        deviations[count] = deviation
        channels[count] = _channels(deviation, furthest, tolerance)
        for h in range(heads):
            for k in range(heads):
                common = deviation * nearest[h] * (deviation * nearest[k])
                remaining[count, h, k] = covariance[h, k] - common
        count += channels[count] <= _MOST_CHANNELS
    return deviations[:count], rests[:count], channels[:count], remaining[:count]


@compiled
def token_rule(
    covariance: Array, precision: Precision, limit: int, shifts: bool, lanes: int
) -> tuple[float, Array, int, Array, Array]:
    """The cheapest rule among the ways to take out a common mode, or not to.

    Args:
        covariance: (H, H) of the fields.
        precision: of expectations of a clock's functions.
        limit: largest number of nodes.
        shifts: whether scores are exponential, so that common motion is a shift.
        lanes: of which the number of nodes is a multiple.

    Returns:
        α, e (H,), the number of values of ζ, and nodes (H, N) and weights (N,) of what remains; no
        nodes if they are above ``limit``.
    """
    heads = covariance.shape[0]
    deviations, rests, channels, remaining = _splits(covariance, precision.tolerance)
    best, fewest = 0, np.inf
    spread, reaches, directions = np.empty(heads), np.empty(heads), np.empty((heads, heads))
    for split in range(deviations.size if shifts else 1):
        values, vectors = np.linalg.eigh(remaining[split])
        size, each, reach = float(channels[split]), np.empty(heads), np.empty(heads)
        for r in range(heads):
            each[r], furthest = math.sqrt(max(values[r], 0.0)), 0.0
            for h in range(heads):
                furthest = max(furthest, abs(vectors[h, r]))
            reach[r] = each[r] * furthest
            size *= line_size(reach[r], precision)
        if size < fewest:
            best, fewest, spread, reaches = split, size, each, reach
            for h in range(heads):
                for r in range(heads):
                    directions[h, r] = vectors[h, r]
    count = channels[best]
    negligible = _DROPPED * precision.tolerance / math.sqrt(precision.tokens)
    nodes, weights = tensor_rule(
        spread, directions, reaches, precision, limit // count, negligible, lanes
    )
    return deviations[best], rests[best].copy(), count, nodes, weights
