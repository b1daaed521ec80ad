"""Element-wise erf attention: all but one expectation in closed form (theory: the ODE).

With ``A_l = c Σ_h (1 + erf φ_lh)``, ``φ = χ − b``, three facts about Gaussian ``φ`` suffice.

- ``erf φ`` is the mean of ``sign(φ + n/√2)`` over a standard normal ``n``, so that
  ``E erf φ_h erf φ_k`` is a bivariate orthant probability, with a correlation below 1 even
  for identical heads.
- ``erf' = (2/√π) exp(−φ²)`` tilts a Gaussian into another one, so that products with one
  (in G and C) or two (in N) derivatives are again expectations of erf, or of two.
- ``erf'' = −2φ erf'``, the mean of ``φ`` under the tilted law.

The exception is ``E[2ℓ Σ_l A_l²]``: its ``E A_l⁴`` is a four-dimensional orthant probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, owens_t

from headode._checks import Array
from headode.expectation.assembly import Assembly
from headode.expectation.field_laws import state_laws
from headode.expectation.moments import Moments
from headode.expectation.terms import ExpectedUpdate
from headode.model import Model
from headode.order_parameters import OrderParameters

# E[2ℓ Σ_l A_l²], the learning-rate noise of a learned value, has no closed form: the caller
# takes it from quasi-Monte-Carlo.
HAS_VALUE_NOISE = False

# A few dozen terms of order one, in units of the last place.
ROUNDOFF = 32 * float(np.finfo(float).eps)

Index = NDArray[np.intp]


@dataclass(frozen=True)
class _Laws:
    """Gaussian laws of φ on one token: (…, H) means and (…, H, H) covariances."""

    mean: Array
    covariance: Array

    @property
    def variance(self) -> Array:
        """(…, H); clipped because tilting subtracts."""
        diagonal = np.diagonal(self.covariance, axis1=-2, axis2=-1)
        clipped: Array = np.maximum(diagonal, 0.0)
        return clipped


def expected_update(model: Model, state: OrderParameters, *, noise: bool) -> ExpectedUpdate:
    """The expected updates of an ``erf`` model, exact up to roundoff.

    Args:
        model: a model with the activation ``erf``.
        state: order parameters that fit the model.
        noise: whether to compute the learning-rate noise N.

    Returns:
        The terms, with ``method="closed_form"`` and ``nodes=0``. ``value_noise`` is always None
        (see :data:`HAS_VALUE_NOISE`).
    """
    probabilities, others = model.signal.probabilities, model.tokens - 1
    laws = _Laws(*state_laws(model, state)[:2])
    mean, square = _attention_moments(laws, model.prefactor)
    slope, curvature = _loss_derivatives(laws, model.prefactor, state)
    slope[0] *= others
    curvature[0] *= others
    moments = Moments(
        marked=float(probabilities @ mean[1:]),
        squared=float(probabilities @ square[1:] + others * square[0]),
        first=slope,
        second=curvature,
        noise=_noise(model, state, laws, mean, square) if noise else None,
    )
    # Tilting subtracts covariances of the size of Q.
    error = ROUNDOFF * (1.0 + float(np.diag(state.Q).max())) * max(1.0, moments.squared)
    return Assembly.of(model, state).terms(moments, method="closed_form", error=error)


def _attention_moments(laws: _Laws, c: float) -> tuple[Array, Array]:
    """``E A`` and ``E A²`` under each law."""
    heads = laws.mean.shape[-1]
    h, k = np.triu_indices(heads)
    single = _mean_erf(laws.mean, laws.variance).sum(axis=-1)
    # Pairs h < k count twice in the sum over (h, k).
    double = _mean_erf_erf(laws, h, k) @ np.where(h == k, 1.0, 2.0)
    return c * (heads + single), c * c * (heads**2 + 2.0 * heads * single + double)


def _mean_erf(mean: Array, variance: Array) -> Array:
    result: Array = erf(mean / np.sqrt(1.0 + 2.0 * variance))
    return result


def _mean_erf_erf(laws: _Laws, h: Index, k: Index) -> Array:
    """``E erf φ_h erf φ_k = E sign X sign Y``, one entry for each pair of heads.

    With x, y the means of X, Y in units of their standard deviations, this is
    ``sign(x y) − 4 T(x, a) − 4 T(y, a')`` with Owen's function T.
    """
    # A mean this small changes nothing, and its quotients could overflow.
    mean = np.where(np.abs(laws.mean) < 1e-100, 0.0, laws.mean)
    (mean_h, mean_k), variance = (mean[..., h], mean[..., k]), laws.variance + 0.5
    (var_h, var_k), cov = (variance[..., h], variance[..., k]), laws.covariance[..., h, k]
    rest = np.sqrt(np.maximum(var_h * var_k - cov**2, 0.25))
    owen_h = _owen(mean_h, var_h, mean_k * var_h - cov * mean_h, rest)
    owen_k = _owen(mean_k, var_k, mean_h * var_k - cov * mean_k, rest)
    # A mean of zero is taken as its limit from above, here and in _owen.
    sign = np.where((mean_h >= 0) == (mean_k >= 0), 1.0, -1.0)
    both_zero = (mean_h == 0) & (mean_k == 0)
    centered = 2 / np.pi * np.arctan2(cov, rest)
    result: Array = np.where(both_zero, centered, sign - 4.0 * (owen_h + owen_k))
    return result


def _owen(mean: Array, variance: Array, across: Array, rest: Array) -> Array:
    """``T(mean/√variance, across/(mean rest))``."""
    zero = mean == 0
    slope = np.where(zero, np.copysign(np.inf, across), across / np.where(zero, 1.0, mean * rest))
    result: Array = owens_t(mean / np.sqrt(variance), slope)
    return result


def _loss_derivatives(laws: _Laws, c: float, state: OrderParameters) -> tuple[Array, Array]:
    """``E ∂ℓ/∂χ_h`` (…, H) and ``E ∂²ℓ/∂χ_h∂χ_k`` (…, H, H) on the token of each law."""
    mean, covariance, variance = laws.mean, laws.covariance, laws.variance
    heads = mean.shape[-1]
    h, k = np.indices((heads, heads))
    shrink = 1.0 / (1.0 + 2.0 * variance)
    tilted_mean = mean * shrink
    slope = 2 / np.sqrt(np.pi) * np.sqrt(shrink) * np.exp(-mean * tilted_mean)
    slope_slope = _mean_slope_slope(laws, h, k)

    # The law of φ_k tilted by erf'(φ_h), at [..., h, k].
    tilted_covariance = covariance * shrink[..., :, None]
    other_mean = mean[..., None, :] - 2.0 * tilted_mean[..., :, None] * covariance
    other_variance = variance[..., None, :] - 2.0 * covariance * tilted_covariance
    others_erf = _mean_erf(other_mean, np.maximum(other_variance, 0.0)).sum(axis=-1)

    marked = np.ones(len(mean))
    marked[0] = 0.0
    mean_attention = c * (heads + others_erf)
    first = c * slope * (state.q_v * mean_attention - state.m_v * marked[:, None])
    second = c * c * state.q_v * slope_slope
    # erf'' = −2 φ erf': the tilted mean of φ_h, and its covariance with A.
    with_attention = (tilted_covariance * second).sum(axis=-1)
    diagonal = np.arange(heads)
    second[..., diagonal, diagonal] -= 2.0 * (tilted_mean * first + with_attention)
    return first, second


def _mean_slope_slope(laws: _Laws, h: Index, k: Index) -> Array:
    """``E erf'(φ_h) erf'(φ_k)``, one entry for each pair of heads."""
    x, y = laws.mean[..., h], laws.mean[..., k]
    p, q, r = laws.variance[..., h] + 0.5, laws.variance[..., k] + 0.5, laws.covariance[..., h, k]
    determinant = np.maximum(p * q - r * r, 0.25)
    exponent = (q * x * x - 2.0 * r * x * y + p * y * y) / determinant
    result: Array = 2 / np.pi * np.exp(-0.5 * np.maximum(exponent, 0.0)) / np.sqrt(determinant)
    return result


def _tilted_by_slopes(laws: _Laws, h: Index, k: Index) -> _Laws:
    """The laws of φ tilted by ``erf'(φ_h) erf'(φ_k)``, with one axis more for the pairs."""
    x, y = laws.mean[..., h, None], laws.mean[..., k, None]
    p, q = laws.variance[..., h, None] + 0.5, laws.variance[..., k, None] + 0.5
    r = laws.covariance[..., h, k][..., None]
    determinant = np.maximum(p * q - r * r, 0.25)
    to_h, to_k = laws.covariance[..., h, :], laws.covariance[..., k, :]
    # Rows of the inverse of [[p, r], [r, q]] times the covariances with (φ_h, φ_k).
    from_h, from_k = (q * to_h - r * to_k) / determinant, (p * to_k - r * to_h) / determinant
    mean = laws.mean[..., None, :] - x * from_h - y * from_k
    removed = to_h[..., :, None] * from_h[..., None, :] + to_k[..., :, None] * from_k[..., None, :]
    return _Laws(mean, laws.covariance[..., None, :, :] - removed)


def _noise(model: Model, state: OrderParameters, laws: _Laws, mean: Array, square: Array) -> Array:
    """N, from ``E erf'_h erf'_k A^n`` (n = 0, 1, 2) on the token that carries the derivatives."""
    c, m_v, q_v, others = model.prefactor, state.m_v, state.q_v, model.tokens - 1
    heads, probabilities = model.heads, model.signal.probabilities
    h, k = np.triu_indices(heads)
    order_0 = c * c * _mean_slope_slope(laws, h, k)
    tilted_mean, tilted_square = _attention_moments(_tilted_by_slopes(laws, h, k), c)
    order_1, order_2 = order_0 * tilted_mean, order_0 * tilted_square
    constant = model.label_variance

    # 2ℓ q_v b·b + 2 (∂ℓ)², first with the derivatives on the marked token, then on another.
    rest = constant + q_v * others * square[0]
    marked = q_v * (rest * order_0[1:] - 2.0 * m_v * order_1[1:] + q_v * order_2[1:])
    marked += 2.0 * (q_v**2 * order_2[1:] - 2.0 * q_v * m_v * order_1[1:] + m_v**2 * order_0[1:])
    pairs = probabilities @ marked
    if others:
        marked_part = float(probabilities @ (q_v * square[1:] - 2.0 * m_v * mean[1:]))
        rest = constant + marked_part + q_v * (others - 1) * square[0]
        pairs += others * (q_v * rest * order_0[0] + 3.0 * q_v**2 * order_2[0])
    N = np.empty((heads, heads))
    N[h, k] = N[k, h] = pairs
    return N
