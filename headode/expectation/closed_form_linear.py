"""Linear attention: every expectation in closed form (theory: the ODE).

Each weight ``A_l = c Σ_h (1 + χ_lh − b_h)`` is one Gaussian number, independent across tokens given
the signal's component, so that everything follows from its first four moments. All heads enter
through their sum alone: C and N are multiples of the all-ones matrix.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headode._checks import Array
from headode.expectation.assembly import Assembly, population_risk
from headode.expectation.moments import Moments
from headode.expectation.terms import ExpectedUpdate
from headode.model import Model
from headode.order_parameters import OrderParameters

# E[2ℓ Σ_l A_l²], the learning-rate noise of a learned value, is among the closed forms.
HAS_VALUE_NOISE = True

# Sums of about ten products each: their roundoff in units of the last place, generously.
ROUNDOFF = 32 * float(np.finfo(float).eps)


def expected_update(model: Model, state: OrderParameters, *, noise: bool) -> ExpectedUpdate:
    """The expected updates of a ``linear`` model, exact up to roundoff.

    Args:
        model: a model with the activation ``linear``.
        state: order parameters that fit the model.
        noise: whether to compute the learning-rate noises N and ``value_noise``.

    Returns:
        The terms, with ``method="closed_form"`` and ``nodes=0``.
    """
    M, c, m_v, q_v = state.M, model.prefactor, state.m_v, state.q_v
    heads, others = model.heads, model.tokens - 1
    probabilities, theta = model.signal.probabilities, model.signal.means
    aligned = c * M.sum(axis=0)

    # Mean and variance of A_l on the other tokens, and of A_ε for each component of the signal.
    mean_0 = c * (heads - float(model.offsets(state).sum()))
    variance_0 = float(aligned @ aligned) + c * c * float(state.R.sum())
    variance_s = variance_0 + (aligned @ model.signal.covariances) @ aligned
    mean_s = mean_0 + theta @ aligned
    square_0, square_s = mean_0**2 + variance_0, mean_s**2 + variance_s

    marked = float(probabilities @ mean_s)
    squared = float(probabilities @ square_s) + others * square_0
    # ∂ℓ/∂χ = c (q_v A − m_v δ_lε) on every token, ∂²ℓ/∂χ∂χ = c² q_v.
    slopes = c * np.append(q_v * others * mean_0, q_v * mean_s - m_v)
    curvatures = c * c * q_v * np.append(others, np.ones(len(theta)))
    moments = Moments(
        marked,
        squared,
        first=np.tile(slopes[:, None], (1, heads)),
        second=np.tile(curvatures[:, None, None], (1, heads, heads)),
    )
    assembly = Assembly.of(model, state)
    if noise:
        risk = population_risk(model, m_v, q_v, marked, squared)
        slope_squared = m_v**2 - 2.0 * m_v * q_v * marked + q_v**2 * squared
        entry = 2.0 * c * c * (q_v * model.tokens * risk + slope_squared)
        moments.noise = np.full((heads, heads), entry)
        cube, fourth = _cube_and_fourth(mean_s, variance_s)
        fourth_0 = float(_cube_and_fourth(np.array(mean_0), np.array(variance_0))[1])
        marked_times_squared = float(probabilities @ (cube + others * square_0 * mean_s))
        squared_squared = float(probabilities @ (fourth + 2.0 * others * square_0 * square_s))
        squared_squared += others * (fourth_0 + (others - 1) * square_0**2)
        moments.value_noise = model.label_variance * squared
        moments.value_noise += q_v * squared_squared - 2.0 * m_v * marked_times_squared
    terms = assembly.terms(moments, method="closed_form")
    largest = max(1.0, float(np.abs(terms.entries()).max()))
    return replace(terms, error=ROUNDOFF * largest)


def _cube_and_fourth(mean: Array, variance: Array) -> tuple[Array, Array]:
    """Third and fourth moment of Gaussian numbers."""
    cube: Array = mean**3 + 3.0 * mean * variance
    fourth: Array = mean**4 + 6.0 * mean**2 * variance + 3.0 * variance**2
    return cube, fourth
