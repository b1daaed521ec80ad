"""What a simulation needs beside the model and the training parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headode._checks import check_integer, check_option

METHODS = ("overlaps", "weights")


@dataclass(frozen=True)
class SimulationOptions:
    """An ensemble of finite-d runs.

    Args:
        dimension: d ≥ 1 (the model may need more).
        runs: number of independent runs, ≥ 1.
        method: ``overlaps``, the Markov chain of the overlaps, exact in law at a cost independent
            of d; or ``weights``, full weight vectors in R^d.
        seed: ≥ 0; determines every random number.

    Raises:
        ArgumentError: for a value out of range.
    """

    dimension: int = 10_000
    runs: int = 8
    method: str = "overlaps"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, minimum in (("dimension", 1), ("runs", 1), ("seed", 0)):
            object.__setattr__(self, name, check_integer(name, getattr(self, name), minimum))
        check_option("method", self.method, METHODS)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, in the layout of a configuration file's ``simulation`` section."""
        return {
            "dimension": self.dimension,
            "runs": self.runs,
            "method": self.method,
            "seed": self.seed,
        }
