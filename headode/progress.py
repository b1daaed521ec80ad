"""What a long computation tells its caller while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A report of progress.

    Attributes:
        done: how far it is, in units of ``total``: time t of the ODE, or steps of a simulation.
        total: where it will end.
        risk: the population risk at this point; None where it is not known cheaply.
    """

    done: float
    total: float
    risk: float | None = None


# Called often (every accepted step): whoever draws decides how often to draw.
ProgressCallback = Callable[[Progress], None]
