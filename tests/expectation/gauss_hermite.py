"""Tensor Gauss–Hermite quadrature of an element-wise activation, jointly over all tokens.

An oracle for the closed forms: every local field of the sequence and every Gaussian direction of
the signal is one dimension of the grid. Only the values and the label noise are averaged by hand.
Geometric convergence in ``order`` for erf, exact for linear attention.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from headode.model import Model
from headode.order_parameters import OrderParameters

Array = NDArray[np.float64]


def gauss_hermite_update(model: Model, state: OrderParameters, order: int) -> dict[str, Array]:
    """Terms of the ODE by name; ``drift_Q`` is ``E[Σ_l ∂ℓ/∂χ_lh χ_lk] = G Mᵀ + C Q``."""
    root = _thin_root(state.Q)
    terms: dict[str, Array] = {}
    signal = model.signal
    for p, mean, covariance in zip(
        signal.probabilities, signal.means, signal.covariances, strict=True
    ):
        spread = _thin_root(covariance)
        nodes, weights = _grid(model.tokens * root.shape[1] + spread.shape[1], order)
        fields = nodes[:, : model.tokens * root.shape[1]]
        theta = mean + nodes[:, fields.shape[1] :] @ spread.T
        chi = fields.reshape(len(nodes), model.tokens, -1) @ root.T
        chi[:, 0] += theta @ state.M.T
        for name, values in _integrands(model, state, theta, chi).items():
            terms[name] = terms.get(name, 0.0) + p * np.tensordot(weights, values, 1)
    return terms


def _integrands(model: Model, state: OrderParameters, theta: Array, chi: Array) -> dict[str, Array]:
    """The first token is the marked one."""
    s, c = chi - model.offsets(state), model.prefactor
    if model.activation.name == "linear":
        attention, b = c * (1 + s).sum(axis=2), np.full_like(s, c)
    else:
        attention, b = c * (1 + erf(s)).sum(axis=2), c * 2 / np.sqrt(np.pi) * np.exp(-(s**2))
    squared = (attention**2).sum(axis=1)
    twice_loss = 1 + model.label_noise**2 - 2 * state.m_v * attention[:, 0] + state.q_v * squared
    target = np.zeros(model.tokens)
    target[0] = state.m_v
    gradient = b * (state.q_v * attention - target)[:, :, None]
    noise = state.q_v * np.einsum("n,nlh,nlk->nhk", twice_loss, b, b)
    return {
        "risk": 0.5 * twice_loss,
        "marked_attention": attention[:, 0],
        "squared_attention": squared,
        "value_noise": twice_loss * squared,
        "G": np.einsum("nh,nf->nhf", gradient[:, 0], theta),
        "drift_Q": np.einsum("nlh,nlk->nhk", gradient, chi),
        "N": noise + 2 * np.einsum("nlh,nlk->nhk", gradient, gradient),
        "offset_gradient": -gradient.sum(axis=1),
    }


def _thin_root(matrix: Array) -> Array:
    """``S`` with ``S Sᵀ`` the matrix and as many columns as its rank."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-12 * max(values.max(), 1e-300)
    return vectors[:, kept] * np.sqrt(values[kept])


def _grid(dimensions: int, order: int) -> tuple[Array, Array]:
    """Nodes (n, dimensions) and weights (n,) for a standard normal vector."""
    x, w = np.polynomial.hermite_e.hermegauss(order)
    nodes = np.stack(np.meshgrid(*[x] * dimensions, indexing="ij"), axis=-1)
    weights = np.ones(1)
    for _ in range(dimensions):
        weights = np.multiply.outer(weights, w / w.sum()).ravel()
    return nodes.reshape(len(weights), dimensions), weights
