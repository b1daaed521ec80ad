"""What a simulation needs beside the model and the training parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from headode._checks import check_integer, check_option, check_seed
from headode._limits import LARGEST_DIMENSION, LARGEST_RUNS, LARGEST_STEPS
from headode.errors import ArgumentError

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
        set_ = object.__setattr__
        set_(self, "dimension", check_integer("dimension", self.dimension, 1, LARGEST_DIMENSION))
        set_(self, "runs", check_integer("runs", self.runs, 1, LARGEST_RUNS))
        set_(self, "seed", check_seed("seed", self.seed))
        set_(self, "method", check_option("method", self.method, METHODS))

    def to_dict(self) -> dict[str, Any]:
        """As plain data, in the layout of a configuration file's ``simulation`` section."""
        return {
            "dimension": self.dimension,
            "runs": self.runs,
            "method": self.method,
            "seed": self.seed,
        }


def check_steps(time: float, dimension: int, argument: str = "time") -> None:
    """Refuse a last time that takes more steps than a simulation can count.

    Raises:
        ArgumentError: naming the argument that gave the time.
    """
    if time * dimension > LARGEST_STEPS:
        requirement = f"take at most {LARGEST_STEPS:.0e} steps of 1/d with d = {dimension}"
        raise ArgumentError(argument, requirement, float(time))
