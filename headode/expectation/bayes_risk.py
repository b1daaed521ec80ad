"""The Bayes risk: what no attention can beat (theory: statics)."""

from __future__ import annotations

import math
import warnings
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from headode._checks import Array, check_number, check_seed
from headode._floats import own_errstate
from headode.errors import ToleranceWarning
from headode.expectation.bayes_optimal import bayes_student, log_weight
from headode.expectation.bayes_race import bayes_risk_by_race
from headode.expectation.factorized import Factorized
from headode.expectation.gaussian_rule import TooManyNodes
from headode.expectation.nodes import REPLICATES, NodeSet, node_set
from headode.expectation.quasi_monte_carlo import CONFIDENCE
from headode.expectation.root import symmetric_root
from headode.kernels.lattice import LANES
from headode.model import Model
from headode.signal import Signal

# Tolerance of the Bayes risk that is stored with another result: no picture shows more.
FLOOR_TOLERANCE = 1e-5
# Numbers in the largest temporary array.
CHUNK = 1 << 18
# With more components than this, each node has one of them instead of all.
MANY_COMPONENTS = 32


class Budget(NamedTuple):
    """What a Bayes risk may take.

    Attributes:
        numbers: in the tables of a race, each of 8 bytes.
        weights: log-weights of a support point at a token's fields, some 10 ns each.
        error: largest error of a result that is worth having.
    """

    numbers: int
    weights: int
    error: float


WHOLE = Budget(1 << 26, 1 << 32, math.inf)
# Of a floor, about a second and 200 MB at most.
FLOOR = Budget(1 << 22, 1 << 25, 1e-2)


@own_errstate
def bayes_risk(model: Model, *, tolerance: float = FLOOR_TOLERANCE, seed: int = 0) -> float:
    """The smallest population risk of any attention, ``½(1 + Δ² − E Σ_l A_l²)``.

    The Bayes-optimal weights are ``A_l ∝ E_θ exp(θ·χ*_l − |θ|²/2)``. Heads, activation and offset
    of the model do not matter, only its task.

    Args:
        model: any model.
        tolerance: target absolute error.
        seed: of the scrambles of quasi-Monte-Carlo nodes.

    Warns:
        ToleranceWarning: if the tolerance was not reached.
    """
    risk, error = bayes_risk_and_error(model, tolerance=tolerance, seed=seed)
    if error > tolerance:
        text = f"The Bayes risk has an error of {error:.1e}; the tolerance is {tolerance:.1e}."
        warnings.warn(text, ToleranceWarning, stacklevel=2)
    return risk


@own_errstate
def bayes_floor(model: Model, *, tolerance: float = FLOOR_TOLERANCE) -> tuple[float, float] | None:
    """The Bayes risk to be stored with another result, and its error.

    None where it would take more than a few seconds: what is only a line in a picture must not cost
    more than the result. With many support points its error is that of few nodes.
    """
    risk, error = _risk_and_error(model, max(tolerance, FLOOR_TOLERANCE), 0, FLOOR)
    return (risk, error) if error <= FLOOR.error else None


@own_errstate
def bayes_risk_and_error(
    model: Model, *, tolerance: float = FLOOR_TOLERANCE, seed: int = 0
) -> tuple[float, float]:
    """The Bayes risk and an estimate of its error.

    For a discrete signal the Bayes-optimal attention is ``bayes_softmax`` with one head at each
    support point, and token factorization gives its risk. Else, or where that takes too many nodes,
    quasi-Monte-Carlo nodes over the teacher fields do, with a 95 % confidence half-width.
    For calibrated weights E A_ε = E Σ_l A_l² (Nishimori), so the risk is also ½(1 + Δ² − E A_ε);
    on the staged example that estimator's error is a quarter of the other one's.
    """
    tolerance = check_number("tolerance", tolerance, 0.0, exclusive=True)
    return _risk_and_error(model, tolerance, check_seed("seed", seed), WHOLE)


def _risk_and_error(
    model: Model, tolerance: float, seed: int, budget: Budget
) -> tuple[float, float]:
    """The Bayes risk and its error, which is infinite where the budget allows no estimate."""
    with suppress(TooManyNodes):
        if not model.signal.is_discrete:
            return bayes_risk_by_race(model, tolerance)
        # The student has a head for each component, and a law of all heads' fields for each.
        points = model.signal.components
        nodes = budget.numbers // points**2
        if points**3 <= budget.numbers and nodes >= LANES:
            student, state = bayes_student(
                model.signal, model.tokens, label_noise=model.label_noise
            )
            terms = Factorized(student, tolerance=tolerance, largest_nodes=nodes)(state)
            return terms.risk, terms.error
    return _sampled(model, tolerance, seed, budget)


def _sampled(model: Model, tolerance: float, seed: int, budget: Budget) -> tuple[float, float]:
    """By quasi-Monte-Carlo nodes over the teacher fields of all tokens."""
    signal, noise = model.signal, 0.5 * model.label_noise**2
    nodes = node_set(model.tokens, model.features, seed)
    own = signal.components if signal.components <= MANY_COMPONENTS else 1
    weights = (model.tokens - 1 + own) * signal.components
    totals, risk, error = np.zeros(REPLICATES), 0.5 + noise, np.inf
    for level in range(nodes.last_level + 1):
        if weights * nodes.total(level) > budget.weights or error <= tolerance:
            break
        totals += _level_totals(nodes, level, signal, seed)
        means = totals / (nodes.total(level) // REPLICATES)
        risk = 0.5 * float(means.mean()) + noise
        error = 0.5 * float(CONFIDENCE * means.std(ddof=1) / np.sqrt(REPLICATES))
    return risk, error


def _level_totals(nodes: NodeSet, level: int, signal: Signal, seed: int) -> Array:
    """(replicates,) sums of 1 − A_ε over the nodes of one level."""
    totals = np.zeros(REPLICATES)
    chunk = max(CHUNK // (nodes.tokens * nodes.lanes * max(signal.components, nodes.heads)), 1)
    for replicate, blocks in enumerate(nodes.level(level)):
        rng = np.random.default_rng([seed, level, replicate])
        for start in range(0, len(blocks), chunk):
            fields = blocks[start : start + chunk].transpose(0, 3, 1, 2)
            normal = fields.reshape(-1, *fields.shape[2:])
            if signal.components <= MANY_COMPONENTS:
                totals[replicate] += _miss_total(normal, signal)
            else:
                totals[replicate] += _miss_total_of_drawn(normal, signal, rng)
    return totals


def _miss_total(normal: Array, signal: Signal) -> float:
    """Sum over nodes (nodes, L, F) of 1 − A_ε averaged over components; token 0 is marked."""
    roots = symmetric_root(np.eye(signal.features) + signal.covariances)
    unmarked = log_weight(signal, normal[:, 1:])
    total = 0.0
    for probability, root, mean in zip(signal.probabilities, roots, signal.means, strict=True):
        marked = log_weight(signal, normal[:, 0] @ root + mean)
        total += float(probability * _missed(marked, unmarked).sum())
    return total


def _miss_total_of_drawn(normal: Array, signal: Signal, rng: np.random.Generator) -> float:
    """The same with one component for each node, all of them as often as is probable."""
    count = len(normal)
    levels = rng.permutation((np.arange(count) + rng.random()) / count)
    drawn = np.searchsorted(np.cumsum(signal.probabilities)[:-1], levels, side="right")
    fields = normal[:, 0].copy()
    if not signal.is_discrete:
        roots = symmetric_root(np.eye(signal.features) + signal.covariances[drawn])
        fields = np.einsum("nf,nfg->ng", fields, roots)
    marked = log_weight(signal, fields + signal.means[drawn])
    return float(_missed(marked, log_weight(signal, normal[:, 1:])).sum())


def _missed(marked: Array, unmarked: Array) -> Array:
    """(nodes,) 1 − A_ε from log-weights (nodes,) and (nodes, L − 1)."""
    top = unmarked.max(axis=1, initial=-np.inf)
    peak = np.maximum(top, marked)
    # Without other tokens there is no largest one.
    others = np.exp(unmarked - peak[:, None]).sum(axis=1)
    missed: Array = others / (np.exp(marked - peak) + others)
    return missed
