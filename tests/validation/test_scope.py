"""Warnings about comparisons that do not mean what they seem to mean."""

import numpy as np

from headode import Model, OrderParameters, Signal
from headode.expectation.symmetry import Symmetry
from headode.validation.scaling import Departure, Reach
from headode.validation.scope import reach_notes, symmetry_warnings

TIMES = np.array([1.0, 2.0, 3.0, 4.0])


def test_what_is_not_judged_is_dated():
    end = Departure(2, "M[feature 1]", 400, 100, 3.4)
    third = Departure(1, "R", 400, 50, 0.2)
    first, second = reach_notes(Reach(2, 1, end, third), TIMES)
    assert first.startswith("from t = 3 on the variance of M[feature 1] at d = 400 becomes 3.4")
    assert "fluctuations are not small" in first
    assert second.startswith("from t = 2 on the variance of R at d = 400 becomes 0.2 times")
    assert second.endswith("d = 50 is not used there")


def test_a_full_reach_has_no_notes():
    assert reach_notes(Reach(4, 4, None, None), TIMES) == []


def test_a_symmetric_start_has_a_warning_for_each_symmetry():
    model = Model(3, 2, Signal.sign_flips(mean=[0.0, 1.0], amplitude=[1.0, 1.0]))
    even = Symmetry.of(model, OrderParameters([[0.0, 0.5], [0.0, 0.5]], 0.1 * np.eye(2)))
    heads, feature = symmetry_warnings(even)
    assert heads.startswith("heads 1, 2 start interchangeable")
    assert feature.startswith("no head overlaps with feature 1")
    assert symmetry_warnings(Symmetry.of(model, OrderParameters.random(2, 2))) == []
