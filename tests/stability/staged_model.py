"""The model whose numbers are known, and an independent quadrature of its growth rates."""

from __future__ import annotations

from typing import Any

import numpy as np

import headode as ho

MEAN, AMPLITUDE = [2.0, 0.0, 0.0], [0.0, 1.8, 1.2]
# At the unspecialized state of L = 3, H = 4 and a mean of length 2.
KAPPA = {"bayes_softmax": 0.014182445, "softmax": 7.5355e-4}


def staged(activation: str = "bayes_softmax", heads: int = 4, **changes: Any) -> ho.Model:
    """The packaged staged example, with label noise."""
    signal = changes.pop("signal", ho.Signal.sign_flips(mean=MEAN, amplitude=AMPLITUDE))
    return ho.Model(3, heads, signal, activation, label_noise=0.3, **changes)


def alike(model: ho.Model, overlaps: Any = None) -> ho.OrderParameters:
    """All heads with the same overlaps, by default the mean signal, and no residual."""
    row = model.signal.mean if overlaps is None else np.asarray(overlaps, dtype=float)
    H = model.heads
    return ho.OrderParameters(np.tile(row, (H, 1)), np.zeros((H, H)))


def growth_constants(activation: str, overlap: float, heads: int) -> tuple[float, float]:
    """κ and λ_0 at M_h = (overlap, 0), R = 0, mean (2, 0), L = 3: Gauss–Hermite over the scores."""
    z, w = np.polynomial.hermite_e.hermegauss(70)
    fields = np.stack(np.meshgrid(z, z, z, indexing="ij"), axis=-1)
    fields = fields + np.array([2.0, 0.0, 0.0])
    weights = np.einsum("i,j,k->ijk", w, w, w) / w.sum() ** 3
    p = np.exp(overlap * (fields - fields.max(axis=-1, keepdims=True)))
    p /= p.sum(axis=-1, keepdims=True)
    a = np.array([1.0, 0.0, 0.0]) - p
    marked, brier, square = p[..., 0], (a**2).sum(axis=-1), (p**2).sum(axis=-1)
    if activation == "bayes_softmax":
        return float((weights * marked * brier).sum()) / heads, 0.0
    kappa = float((weights * marked * (1 - 2 * marked) * brier).sum()) / heads
    inner = (a * p * (square[..., None] - p)).sum(axis=-1)
    return kappa, 2 * float((weights * inner).sum()) / heads
