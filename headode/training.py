"""How the student is trained: the parameters that SGD and its ODE share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headode._checks import check_integer, check_number
from headode._limits import LARGEST_BATCH


@dataclass(frozen=True)
class Training:
    """Hyperparameters of one-pass SGD (theory: the ODE).

    Args:
        learning_rate: η > 0, or None for gradient flow (η → 0 at fixed η·steps/d; time is then
            η·steps/d and the learning-rate noise vanishes).
        value_learning_rate: η_v of a learned value; in gradient flow the ratio η_v/η.
        offset_learning_rate: η_b of learned offsets; in gradient flow the ratio η_b/η.
        batch_size: B ≥ 1 fresh sequences per step.
        weight_decay: λ ≥ 0; each step also does k ← k − η λ k/d.

    Raises:
        ArgumentError: for a value out of range.
    """

    learning_rate: float | None = None
    value_learning_rate: float = 1.0
    offset_learning_rate: float = 1.0
    batch_size: int = 1
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        if self.learning_rate is not None:
            rate = check_number("learning_rate", self.learning_rate, 0.0, exclusive=True)
            set_(self, "learning_rate", rate)
        for name in ("value_learning_rate", "offset_learning_rate", "weight_decay"):
            set_(self, name, check_number(name, getattr(self, name), 0.0))
        set_(self, "batch_size", check_integer("batch_size", self.batch_size, 1, LARGEST_BATCH))

    @property
    def is_gradient_flow(self) -> bool:
        """Whether η → 0."""
        return self.learning_rate is None

    def to_dict(self) -> dict[str, Any]:
        """As plain data, in the layout of a configuration file's ``training`` section."""
        rate = "gradient_flow" if self.learning_rate is None else self.learning_rate
        return {
            "learning_rate": rate,
            "value_learning_rate": self.value_learning_rate,
            "offset_learning_rate": self.offset_learning_rate,
            "batch_size": self.batch_size,
            "weight_decay": self.weight_decay,
        }
