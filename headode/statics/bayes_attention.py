"""The Bayes-optimal attention as an object (theory: statics)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from headode._checks import Array
from headode.errors import ArgumentError
from headode.expectation.bayes_optimal import bayes_student, log_weight
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal


class BayesAttention:
    """Posterior of the marked token, for somebody who knows k* and P_θ but not θ.

    ``A_l ∝ E_θ exp(θ·χ*_l − |θ|²/2)``, with the teacher fields ``χ*_lf = x_l·k*_f/√d``. No
    attention has a lower risk; :func:`headode.bayes_risk` is its risk.

    Args:
        signal: the law P_θ, any mixture of Gaussians.

    Raises:
        ArgumentError: if it is no signal.
    """

    def __init__(self, signal: Signal) -> None:
        if not isinstance(signal, Signal):
            raise ArgumentError("signal", "be a Signal", signal)
        self.signal = signal

    def log_weights(self, fields: ArrayLike) -> Array:
        """``log E_θ exp(θ·χ* − |θ|²/2)``, the log-likelihood ratio of a marked token.

        Args:
            fields: (..., F) teacher fields of tokens.

        Returns:
            (...) log-weights, not normalized.

        Raises:
            ArgumentError: for fields of another last dimension.
        """
        return log_weight(self.signal, self._checked(fields))

    def weights(self, fields: ArrayLike) -> Array:
        """Attention weights of sequences, which sum to 1 over the tokens.

        Args:
            fields: (..., L, F) teacher fields.

        Returns:
            (..., L) weights.

        Raises:
            ArgumentError: for fields of another last dimension, or without one for tokens.
        """
        array = self._checked(fields)
        if array.ndim < 2:
            raise ArgumentError("fields", "have the shape (..., L, F)", array.shape)
        logs = log_weight(self.signal, array)
        weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
        result: Array = weights / weights.sum(axis=-1, keepdims=True)
        return result

    def student(self, tokens: int, *, label_noise: float = 0.0) -> tuple[Model, OrderParameters]:
        """The student that has this attention: ``bayes_softmax`` with one head per support point.

        ``M_h = θ^(h)``, ``R = 0``, ``b_h = |θ^(h)|²/2 − log p_h``.

        Args:
            tokens: L.
            label_noise: Δ.

        Raises:
            ArgumentError: if the signal is not discrete: no finite number of heads is then enough.
        """
        if not self.signal.is_discrete:
            requirement = "be discrete: a Gaussian component would need infinitely many heads"
            raise ArgumentError("signal", requirement, self.signal.to_dict())
        return bayes_student(self.signal, tokens, label_noise=label_noise)

    def _checked(self, fields: ArrayLike) -> Array:
        array = np.asarray(fields, dtype=np.float64)
        if array.ndim < 1 or array.shape[-1] != self.signal.features:
            requirement = f"have a last dimension of F = {self.signal.features}"
            raise ArgumentError("fields", requirement, array.shape)
        return array

    def __repr__(self) -> str:
        return f"BayesAttention({self.signal.to_dict()})"
