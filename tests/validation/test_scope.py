"""Warnings about comparisons that do not mean what they seem to mean."""

import numpy as np
import pytest
import xarray as xr

from headode import Model, OrderParameters, Signal
from headode.validation.scope import scaling_warnings, symmetry_warnings


def ensemble(dimension, runs):
    return xr.Dataset(coords={"run": np.arange(runs)}, attrs={"dimension": dimension})


@pytest.mark.parametrize("factor", [30.0, 0.01])
def test_variances_that_do_not_scale_are_dated(factor):
    times = np.array([1.0, 2.0, 3.0, 4.0])
    scaling = np.array([1.0, factor, 1.2 * factor, 0.8])
    (text,) = scaling_warnings("M", times, scaling, ensemble(400, 8), ensemble(100, 32))
    assert text.startswith("between t = 2 and 3 the variance of M at d = 400 is")
    assert "d = 100 predicts" in text


def test_variances_within_chance_are_not_mentioned():
    scaling = np.array([0.3, 1.0, 4.0])
    fine, coarse = ensemble(400, 8), ensemble(100, 32)
    assert scaling_warnings("M", np.arange(3.0), scaling, fine, coarse) == []


def test_a_generic_start_has_no_warning():
    model = Model(3, 2, Signal.sign_flips(mean=[0.0, 1.0], amplitude=[1.0, 1.0]))
    assert symmetry_warnings(model, OrderParameters.random(2, 2)) == []
