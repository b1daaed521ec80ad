"""The Bayes-optimal attention weights (theory: statics)."""

from __future__ import annotations

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal


def bayes_student(
    signal: Signal, tokens: int, *, label_noise: float = 0.0
) -> tuple[Model, OrderParameters]:
    """The student that is Bayes-optimal for a discrete signal, with one head per support point.

    ``M_s = θ^(s)``, ``R = 0`` and ``b_s = |θ^(s)|²/2 − log p_s``.
    """
    heads = signal.components
    model = Model(
        tokens,
        heads,
        signal,
        "bayes_softmax",
        offset=0.5 * (signal.means**2).sum(axis=1) - np.log(signal.probabilities),
        label_noise=label_noise,
    )
    return model, OrderParameters(signal.means, np.zeros((heads, heads)))


def log_weight(signal: Signal, fields: Array) -> Array:
    """``log E_θ exp(θ·χ* − |θ|²/2)``, the log-likelihood ratio of a marked token.

    Args:
        signal: law of θ; over a Gaussian component the exponential is integrated in closed form.
        fields: (..., F) teacher fields of a token.

    Returns:
        (...) log-weights; their softmax over tokens is the Bayes-optimal attention.
    """
    logs = fields @ signal.means.T - 0.5 * (signal.means**2).sum(axis=1)
    if not signal.is_discrete:
        widened = np.eye(signal.features) + signal.covariances
        gains = np.linalg.solve(widened, signal.covariances)
        for s, (mean, gain) in enumerate(zip(signal.means, gains, strict=True)):
            centered = fields - mean
            logs[..., s] += 0.5 * np.einsum("...f,fg,...g->...", centered, gain, centered)
        logs -= 0.5 * np.linalg.slogdet(widened)[1]
    top: Array = logs.max(axis=-1)
    total: Array = top + np.log(np.exp(logs - top[..., None]) @ signal.probabilities)
    return total
