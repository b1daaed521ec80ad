"""Population risk by Monte Carlo over the local fields (theory: model, order parameters)."""

from __future__ import annotations

import math

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.simulation._compile import compiled
from headode.simulation.attention import AttentionRule, attend, attention_rule
from headode.simulation.vectors import Overlaps, square_root

# Standard error of the risk about 2e-3: below the run-to-run fluctuations at d = 10 000.
RISK_SAMPLES = 10_000
# Fields held in memory at once, so that long sequences stay within a few MB.
CHUNK_FIELDS = 1 << 19


def estimate_risk(
    model: Model, overlaps: Overlaps, rng: np.random.Generator, samples: int = RISK_SAMPLES
) -> tuple[float, float]:
    """``E ½ (y − f)²`` and its standard error.

    Draws θ, the noise of the teacher fields and that of the residual fields for every token, marks
    the first one (the tokens are exchangeable), and averages over the values exactly: given the
    attention weights A, ``y − f`` is Gaussian with variance ``1 + Δ² − 2 m_v A_ε + q_v Σ_l A_l²``.
    The overlaps of a diverged run have risk NaN.
    """
    if not all(np.isfinite(part).all() for part in overlaps):
        return math.nan, math.nan
    chunk = max(1, CHUNK_FIELDS // (model.tokens * (model.heads + model.features)))
    with np.errstate(all="ignore"):  # squares of a diverging run may overflow
        losses = [
            _sample_losses(model, overlaps, rng, min(chunk, samples - start))
            for start in range(0, samples, chunk)
        ]
        loss = np.concatenate(losses) + 0.5 * model.label_noise**2
        return float(loss.mean()), float(loss.std(ddof=1)) / math.sqrt(samples)


def _sample_losses(model: Model, overlaps: Overlaps, rng: np.random.Generator, size: int) -> Array:
    """(size,) losses without label noise, averaged over the values."""
    teacher = rng.standard_normal((size, model.tokens, model.features))
    teacher[:, 0] += model.signal.sample(rng, size)
    residual = rng.standard_normal((size, model.tokens, model.heads))
    # einsum, unlike BLAS, adds in the same order on every thread.
    chi = np.einsum("nlf,hf->nlh", teacher, overlaps.M)
    chi += np.einsum("nlj,hj->nlh", residual, square_root(overlaps.R))
    rule = attention_rule(model.activation, model.heads, model.prefactor)
    return _losses(rule, chi, overlaps.offset, overlaps.m_v, overlaps.q_v)


@compiled
def _losses(rule: AttentionRule, chi: Array, offset: Array, m_v: float, q_v: float) -> Array:
    """``½ (1 − 2 m_v A_1 + q_v Σ_l A_l²)`` for fields χ (n, L, H); returns (n,)."""
    samples, tokens, heads = chi.shape
    share, slope = np.empty((tokens, heads)), np.empty((tokens, heads))
    weights, result = np.empty(tokens), np.empty(samples)
    for n in range(samples):
        attend(rule, chi[n], offset, share, slope, weights)
        squares = 0.0
        for l in range(tokens):
            squares += weights[l] ** 2
        result[n] = 0.5 * (1.0 - 2.0 * m_v * weights[0] + q_v * squares)
    return result
