"""The model: task, student architecture and what is learned (theory: model)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headode._checks import Array, check_array, check_integer, check_number, check_option
from headode._limits import LARGEST_HEADS, LARGEST_TOKENS
from headode.activation import Activation, get_activation
from headode.errors import ArgumentError, one_of
from headode.order_parameters import OrderParameters
from headode.signal import Signal

OFFSET_MODES = ("zero", "nishimori", "learned")
VALUE_MODES = ("known", "learned")


@dataclass(frozen=True, eq=False)
class Model:
    """Multi-head attention on the single-location task.

    Args:
        tokens: L ≥ 1, tokens in a sequence.
        heads: H ≥ 1.
        signal: law of θ; F is its number of features.
        activation: an :class:`Activation` or a name.
        offset: ``zero``, ``nishimori`` (b_h = Q_hh/2), ``learned``, a number or H numbers.
            None: ``nishimori`` for ``bayes_softmax``, else ``zero``.
        value: ``known`` (v = v*) or ``learned``.
        label_noise: Δ ≥ 0, standard deviation of the noise on the label.
        prefactor: c of the element-wise activations; None: ``1/(L H)``, so that the weights
            sum to one when all scores vanish. Refused for normalized activations.

    Raises:
        ArgumentError: naming the argument, what it must be and what was given.
    """

    tokens: int
    heads: int
    signal: Signal
    activation: Activation
    offset: str | Array
    value: str
    label_noise: float
    prefactor: float

    def __init__(
        self,
        tokens: int,
        heads: int,
        signal: Signal,
        activation: Activation | str = "bayes_softmax",
        offset: Any = None,
        value: str = "known",
        label_noise: float = 0.0,
        prefactor: float | None = None,
    ) -> None:
        if not isinstance(signal, Signal):
            raise ArgumentError("signal", "be a Signal", signal)
        tokens = check_integer("tokens", tokens, 1, LARGEST_TOKENS)
        heads = check_integer("heads", heads, 1, LARGEST_HEADS)
        if not isinstance(activation, Activation):
            activation = get_activation(activation)
        if prefactor is None:
            prefactor = 1.0 / (tokens * heads) if activation.takes_prefactor else 1.0
        elif not activation.takes_prefactor:
            requirement = f"be left out for the normalized activation {activation.name}"
            raise ArgumentError("prefactor", requirement, prefactor)
        if offset is None:
            offset = "nishimori" if activation.name == "bayes_softmax" else "zero"
        set_ = object.__setattr__
        set_(self, "tokens", tokens)
        set_(self, "heads", heads)
        set_(self, "signal", signal)
        set_(self, "activation", activation)
        set_(self, "offset", _check_offset(offset, heads))
        set_(self, "value", check_option("value", value, VALUE_MODES))
        set_(self, "label_noise", check_number("label_noise", label_noise, 0.0))
        set_(self, "prefactor", check_number("prefactor", prefactor, 0.0, exclusive=True))

    @property
    def features(self) -> int:
        """F."""
        return self.signal.features

    @property
    def learns_value(self) -> bool:
        """Whether m_v and q_v are dynamical."""
        return self.value == "learned"

    @property
    def learns_offset(self) -> bool:
        """Whether the offsets b_h are dynamical."""
        return isinstance(self.offset, str) and self.offset == "learned"

    @property
    def is_nishimori(self) -> bool:
        """Whether b_h = Q_hh/2, which SGD differentiates through."""
        return isinstance(self.offset, str) and self.offset == "nishimori"

    @property
    def label_variance(self) -> float:
        """E y² = 1 + Δ²."""
        return 1.0 + self.label_noise**2

    def offsets(self, state: OrderParameters) -> Array:
        """(H,) offsets b_h at this state."""
        if not isinstance(self.offset, str):
            return self.offset
        if self.offset == "nishimori":
            half: Array = 0.5 * np.diag(state.Q)
            return half
        if self.offset == "learned" and state.offset is not None:
            return state.offset
        return np.zeros(self.heads)

    def to_dict(self) -> dict[str, Any]:
        """The model as plain data, in the layout of a configuration file's first two sections."""
        offset = self.offset if isinstance(self.offset, str) else self.offset.tolist()
        section = {
            "tokens": self.tokens,
            "heads": self.heads,
            "activation": self.activation.name,
            "offset": offset,
            "value": self.value,
            "label_noise": self.label_noise,
        }
        if self.activation.takes_prefactor:
            section["prefactor"] = self.prefactor
        return {"model": section, "signal": self.signal.to_dict()}

    def check_state(self, state: OrderParameters) -> OrderParameters:
        """Return the state when it fits this model.

        Raises:
            ArgumentError: for the wrong number of heads or features, a value other than v* when
                it is known, or offsets in the state of a model that does not learn them.
        """
        if not isinstance(state, OrderParameters):
            raise ArgumentError("state", "be OrderParameters", state)
        shape = (self.heads, self.features)
        if state.M.shape != shape:
            raise ArgumentError("state", f"have M of shape {shape}", state.M.shape)
        if not self.learns_value and not state.m_v == state.q_v == 1.0:
            requirement = "have m_v = q_v = 1 because the model's value is known"
            raise ArgumentError("state", requirement, (state.m_v, state.q_v))
        if state.offset is not None and not self.learns_offset:
            requirement = "have no offset because the model does not learn it"
            raise ArgumentError("state", requirement, state.offset)
        return state


def _check_offset(offset: Any, heads: int) -> str | Array:
    if isinstance(offset, str):
        if offset not in OFFSET_MODES:
            requirement = one_of(OFFSET_MODES, offset) + f", or a number, or {heads} numbers"
            raise ArgumentError("offset", requirement, offset)
        return str(offset)
    if not isinstance(offset, list | tuple) and getattr(offset, "ndim", 0) == 0:
        offset = np.full(heads, check_number("offset", offset))
    return check_array("offset", offset, (heads,))
