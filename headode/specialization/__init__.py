"""Reading trajectories: when heads specialize, and for what."""

from __future__ import annotations

from headode.specialization.heads import redundant_heads
from headode.specialization.reading import read_trajectory
from headode.specialization.times import specialization_times

__all__ = ["read_trajectory", "redundant_heads", "specialization_times"]
