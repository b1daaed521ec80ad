"""Expected updates for any score function, by code that shares nothing with the package.

Weights and their derivatives are written by hand in NumPy from the model's definition, the values
are averaged over (theory: the ODE), and the fields of all tokens are on a dense grid or on
scrambled Sobol nodes. Used only as an oracle.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

import headode as ho

Array = NDArray[np.float64]

x = sp.Symbol("x", real=True)
# Points along a field on a dense grid; nodes and scrambles of sampled references.
GRID = {1: 40_000, 2: 1500}
NODES, SCRAMBLES = 1 << 13, 16


@dataclass
class Sums:
    """Terms of the order-parameter ODE; same attributes as an expected update."""

    risk: float
    G: Array
    C: Array
    N: Array
    offset_gradient: Array


def entries(terms: Any, *, noise: bool = False) -> Array:
    """All entries of sums, or of an expected update, in one vector."""
    parts = [np.array([terms.risk]), terms.G, terms.C, terms.offset_gradient]
    return np.concatenate([np.ravel(part) for part in [*parts, *([terms.N] if noise else [])]])


def score_functions(activation: Any) -> list[Any]:
    """w, w' and w'' as NumPy functions."""
    named = {"exp": sp.exp(x), "softplus": sp.log(1 + sp.exp(x)), "affine": 1 + x}
    named["erf"] = 1 + sp.erf(x)
    given = activation.score
    expression = named[given] if isinstance(given, str) else given
    (symbol,) = expression.free_symbols
    return [
        sp.lambdify(symbol, sp.diff(expression, symbol, order), ["scipy", "numpy"])
        for order in range(3)
    ]


def sample_terms(model: ho.Model, state: ho.OrderParameters, chi: Array) -> dict[str, Array]:
    """ℓ and its derivatives at shifted scores chi (n, L, H), with token 0 marked.

    Written from the model's definition: A_l as a function of the scores w and their sums.
    """
    activation = model.activation
    w, first_w, second_w = (
        np.broadcast_to(np.asarray(f(chi), dtype=float), chi.shape)
        for f in score_functions(activation)
    )
    n, L, H = chi.shape
    scale = 1.0 / H if activation.average else 1.0
    if activation.normalization == "none":
        A = model.prefactor * w.sum(axis=2)
        total = np.ones((n, 1, H))
        scale = model.prefactor
        share = np.zeros((n, L, H))
    elif activation.normalization == "pooled":
        total = np.broadcast_to(activation.null + w.sum(axis=(1, 2), keepdims=True), (n, 1, H))
        A = w.sum(axis=2) / total[..., 0]
        share = np.repeat(A[:, :, None], H, axis=2)
    else:
        total = activation.null + w.sum(axis=1, keepdims=True)
        A = scale * (w / total).sum(axis=2)
        share = w / total
    rho, tau = scale * first_w / total, scale * second_w / total
    g = state.q_v * A
    g[:, 0] -= state.m_v
    loss = 0.5 * (
        1 + model.label_noise**2 - 2 * state.m_v * A[:, 0] + state.q_v * (A**2).sum(axis=1)
    )
    # ∂A_j/∂χ_lh = ρ_lh (δ_jl − s_jh), with s the share that token j loses: s = 0 without a sum.
    weighted = (g[:, :, None] * share).sum(axis=1, keepdims=True)
    first = rho * (g[:, :, None] - weighted)
    second = np.zeros((n, L, H, H))
    noise = np.zeros((n, L, H, H))
    for h, k in itertools.product(range(H), repeat=2):
        # Σ_j (δ_jl − s_jh)(δ_jl − s_jk)
        gram = 1 - share[..., h] - share[..., k] + (share[..., h] * share[..., k]).sum(1)[:, None]
        products = rho[..., h] * rho[..., k] * gram
        second[..., h, k] = state.q_v * products
        if h == k:
            second[..., h, h] += tau[..., h] * (g - weighted[..., h])
        if activation.normalization == "pooled" or (
            activation.normalization == "per_head" and h == k
        ):
            # The sum in the denominator moves with either score; ρ carries the scale once.
            bend = -2 * rho[..., h] * rho[..., k] / scale
            second[..., h, k] += bend * (g - weighted[..., h])
        noise[..., h, k] = 2 * loss[:, None] * state.q_v * products
        noise[..., h, k] += 2 * first[..., h] * first[..., k]
    return {"loss": loss, "first": first, "second": second, "noise": noise}


def averages(model: ho.Model, state: ho.OrderParameters, z: Array, weights: Array) -> Sums:
    """The terms from nodes z (n, L, H) of standard normals."""
    signal = model.signal
    b, M = model.offsets(state), state.M
    risk, G = 0.0, np.zeros(M.shape)
    C, N, offset = np.zeros(state.Q.shape), np.zeros(state.Q.shape), np.zeros(len(M))
    for p, mean, covariance in zip(
        signal.probabilities, signal.means, signal.covariances, strict=True
    ):
        u = np.array(z)
        u[:, 1:] = z[:, 1:] @ _root(state.Q)
        u[:, 0] = z[:, 0] @ _root(state.Q + M @ covariance @ M.T) + M @ mean
        terms = sample_terms(model, state, u - b)
        first = np.tensordot(weights, terms["first"], 1)
        second = np.tensordot(weights, terms["second"], 1)
        risk += p * float(weights @ terms["loss"])
        G += p * (np.outer(first[0], mean) + second[0] @ M @ covariance)
        C += p * second.sum(axis=0)
        N += p * np.tensordot(weights, terms["noise"].sum(axis=1), 1)
        offset -= p * first.sum(axis=0)
    if model.is_nishimori:
        C += np.diag(offset)
    return Sums(risk, G, C, N, offset)


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def reference(
    model: ho.Model, state: ho.OrderParameters, *, noise: bool = False, points: int | None = None
) -> tuple[Array, Array]:
    """Entries, and their standard errors: 0 on a dense grid, for one or two fields in all."""
    L, H = model.tokens, model.heads
    if L * H <= 2:
        line = np.linspace(-9.0, 9.0, points or GRID[L * H])
        weight = np.exp(-0.5 * line**2)
        grid = np.stack(np.meshgrid(*[line] * (L * H), indexing="ij"), axis=-1)
        weights = np.ones(grid.shape[:-1])
        for axis in range(L * H):
            shape = [1] * (L * H)
            shape[axis] = -1
            weights = weights * (weight / weight.sum()).reshape(shape)
        sums = averages(model, state, grid.reshape(-1, L, H), weights.ravel())
        found = entries(sums, noise=noise)
        return found, np.zeros_like(found)
    rows = []
    for scramble in range(SCRAMBLES):
        points = qmc.Sobol(L * H, scramble=True, rng=np.random.default_rng(scramble)).random(NODES)
        z = ndtri(np.clip(points, 1e-16, 1 - 1e-16)).reshape(NODES, L, H)
        sums = averages(model, state, z, np.full(NODES, 1.0 / NODES))
        rows.append(entries(sums, noise=noise))
    return np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1) / np.sqrt(SCRAMBLES)
