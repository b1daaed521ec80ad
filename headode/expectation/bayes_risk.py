"""The Bayes risk: what no attention can beat (theory: statics)."""

from __future__ import annotations

import warnings
from contextlib import suppress

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
from headode.model import Model
from headode.signal import Signal

# Of the floor beside a trajectory or a pruning, which need not be better than a picture shows.
FLOOR_TOLERANCE = 1e-5
# Numbers in the largest temporary array.
CHUNK = 1 << 18


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
    seed = check_seed("seed", seed)
    if model.signal.is_discrete:
        with suppress(TooManyNodes):
            student, state = bayes_student(
                model.signal, model.tokens, label_noise=model.label_noise
            )
            terms = Factorized(student, tolerance=tolerance)(state)
            return terms.risk, terms.error
    else:
        with suppress(TooManyNodes):
            return bayes_risk_by_race(model, tolerance)
    nodes = node_set(model.tokens, model.features, seed)
    totals = np.zeros(REPLICATES)
    error = np.inf
    level = -1
    while error > tolerance and level < nodes.last_level:
        level += 1
        totals += _level_totals(nodes, level, model.signal)
        means = totals / (nodes.total(level) // REPLICATES)
        error = 0.5 * float(CONFIDENCE * means.std(ddof=1) / np.sqrt(REPLICATES))
    noise = 0.5 * model.label_noise**2
    return 0.5 * float(means.mean()) + noise, error


def _level_totals(nodes: NodeSet, level: int, signal: Signal) -> Array:
    """(replicates,) sums of 1 − A_ε over the nodes of one level."""
    roots = symmetric_root(np.eye(signal.features) + signal.covariances)
    totals = np.zeros(REPLICATES)
    chunk = max(CHUNK // (nodes.tokens * nodes.lanes * max(signal.components, nodes.heads)), 1)
    for replicate, blocks in enumerate(nodes.level(level)):
        for start in range(0, len(blocks), chunk):
            fields = blocks[start : start + chunk].transpose(0, 3, 1, 2)
            totals[replicate] += _miss_total(fields.reshape(-1, *fields.shape[2:]), signal, roots)
    return totals


def _miss_total(normal: Array, signal: Signal, roots: Array) -> float:
    """Sum over nodes (nodes, L, F) of 1 − A_ε averaged over components; token 0 is marked."""
    unmarked = log_weight(signal, normal[:, 1:])
    top = unmarked.max(axis=1, initial=-np.inf)
    weights = np.exp(unmarked - top[:, None])
    rest = weights.sum(axis=1)
    total = 0.0
    for probability, root, mean in zip(signal.probabilities, roots, signal.means, strict=True):
        marked = log_weight(signal, normal[:, 0] @ root + mean)
        peak = np.maximum(top, marked)
        own, others = np.exp(marked - peak), np.exp(top - peak)
        total += float(probability * (others * rest / (own + others * rest)).sum())
    return total
