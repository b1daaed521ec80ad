"""Population risk by Monte Carlo over the local fields (theory: model, order parameters)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.simulation._compile import compiled
from headode.simulation.attention import AttentionRule, attend
from headode.simulation.step import Source, draw_signal, rule_of, source_of
from headode.simulation.vectors import Overlaps, square_root

# Standard error of the risk about 2e-3: below the run-to-run fluctuations at d = 10 000.
RISK_SAMPLES = 10_000
# Directions in which the heads differ by less, relative to their norm, tell nothing of the values.
RANK_TOLERANCE = 1e-6


class ValueLaw(NamedTuple):
    """The values z*_l, z_l of a token given what the scores depend on.

    Their means are linear in the token's coordinates along the teachers k* and along the heads'
    residual directions; their covariance is that of what v* and v have beside all of these.

    Attributes:
        along_teachers: (F,), of z; z* has no part along k*.
        along_residual: (H,), of z.
        teacher_along_residual: (H,), of z*.
        variance: of z.
        covariance: of z and z*.
        teacher_variance: of z*.
    """

    along_teachers: Array
    along_residual: Array
    teacher_along_residual: Array
    variance: float
    covariance: float
    teacher_variance: float


def estimate_risk(
    model: Model, overlaps: Overlaps, rng: np.random.Generator, samples: int = RISK_SAMPLES
) -> tuple[float, float]:
    """``E ½ (y − f)²`` at these overlaps and its standard error.

    Draws θ and every token's coordinates along the teachers k* and along the heads, and averages
    over the values exactly. Includes the overlaps that vanish as d → ∞: this is the risk in the
    given dimension. The overlaps of a diverged run have risk NaN.
    """
    with np.errstate(all="ignore"):  # squares of a diverging run may overflow
        if not all(np.isfinite(np.square(part)).all() for part in overlaps):
            return math.nan, math.nan
        root = square_root(overlaps.R)
        losses = _losses(
            rng,
            source_of(model),
            rule_of(model),
            overlaps.M,
            root,
            overlaps.offset,
            _value_law(overlaps, root),
            samples,
        )
        return float(losses.mean()), float(losses.std(ddof=1)) / math.sqrt(samples)


def _value_law(overlaps: Overlaps, root: Array) -> ValueLaw:
    b = overlaps.v_k_star
    beside = np.column_stack([overlaps.k_v - overlaps.M @ b, overlaps.k_v_star])
    c, c_star = np.linalg.lstsq(root, beside, rcond=RANK_TOLERANCE)[0].T
    return ValueLaw(
        along_teachers=b,
        along_residual=np.ascontiguousarray(c),
        teacher_along_residual=np.ascontiguousarray(c_star),
        variance=overlaps.q_v - float(b @ b + c @ c),
        covariance=overlaps.m_v - float(c @ c_star),
        teacher_variance=1.0 - float(c_star @ c_star),
    )


@compiled
def _losses(
    rng: np.random.Generator,
    source: Source,
    rule: AttentionRule,
    M: Array,
    root: Array,
    offset: Array,
    law: ValueLaw,
    samples: int,
) -> Array:
    """(n,) losses ``½ (y − f)²``, each averaged over the values and the label noise."""
    heads, features = M.shape
    theta = np.empty(features)
    teacher, residual = np.empty((source.tokens, features)), np.empty((source.tokens, heads))
    chi, weights = np.empty((source.tokens, heads)), np.empty(source.tokens)
    share, slope = np.empty_like(chi), np.empty_like(chi)
    result = np.empty(samples)
    for n in range(samples):
        marked = draw_signal(rng, source, theta)
        for l in range(source.tokens):
            for f in range(features):
                teacher[l, f] = rng.standard_normal() + (theta[f] if l == marked else 0.0)
            for j in range(heads):
                residual[l, j] = rng.standard_normal()
            for h in range(heads):
                chi[l, h] = _dot(M[h], teacher[l]) + _dot(root[h], residual[l])
        attend(rule, chi, offset, share, slope, weights)
        mean, squares = _dot(law.teacher_along_residual, residual[marked]), 0.0
        for l in range(source.tokens):
            z = _dot(law.along_teachers, teacher[l]) + _dot(law.along_residual, residual[l])
            mean -= weights[l] * z
            squares += weights[l] ** 2
        variance = law.teacher_variance - 2.0 * law.covariance * weights[marked]
        variance += law.variance * squares + source.label_noise**2
        result[n] = 0.5 * (mean**2 + variance)
    return result


@compiled
def _dot(a: Array, b: Array) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total
