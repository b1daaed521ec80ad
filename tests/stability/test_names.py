"""Names of modes."""

from __future__ import annotations

import numpy as np
import pytest

from headode.stability.names import name_of


@pytest.mark.parametrize(
    ("direction", "name"),
    [
        ([0.0, 0.97, 0.2431], "0.97 e2 + 0.24 e3"),
        ([0.1, 0.975, -0.1984], "0.10 e1 + 0.98 e2 − 0.20 e3"),
        ([0.0, 0.98, 0.199], "0.98 e2 + 0.20 e3"),
        ([0.0, 1.0, 0.03], "feature 2"),
    ],
)
def test_every_component_of_a_direction_is_told(direction, name):
    parts = {"M": np.array([direction])}
    assert name_of(parts, (), True) == f"the head along {name}"
