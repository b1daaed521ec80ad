"""Products and series on symmetric grids, against NumPy and direct sums."""

from __future__ import annotations

import numpy as np
import pytest

from headode.expectation.race.softmax.symmetric_grid import (
    LARGEST_WIDE,
    multiply_wide,
    series_from_grid,
    series_on_grid,
)
from headode.expectation.race.softmax.waves import HalfWaves


@pytest.mark.parametrize("rows", [1, 2, 7, 8])
@pytest.mark.parametrize("terms", [1, 3, 4, 10])
@pytest.mark.parametrize("columns", [1, 31, LARGEST_WIDE // 4])
def test_wide_products(rows, terms, columns):
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(terms, rows)), rng.normal(size=(terms, columns))
    result = np.full((rows, columns), np.nan)
    # Transposed, as cosines and sines are on one of the two ways.
    multiply_wide(one.T, two, result)
    np.testing.assert_allclose(result, one.T @ two, rtol=1e-13, atol=1e-13)


def waves_of(rng, sizes, halves):
    """Cosines and sines at step/2, 3 step/2, …; and those at all points, in their order."""
    waves, whole = [], []
    for size, half in zip(sizes, halves, strict=True):
        x = (np.arange(2 * half) - half + 0.5) * 0.37
        k = rng.uniform(0.5, 1.0) * np.arange(size)
        whole += [np.cos(np.outer(k, x)), np.sin(np.outer(k, x))]
        waves.append(HalfWaves(*(np.ascontiguousarray(each[:, half:]) for each in whole[-2:])))
    return tuple(waves), whole


def test_series_on_a_grid_and_back():
    rng = np.random.default_rng(1)
    waves, (cos_x, sin_x, cos_y, sin_y) = waves_of(rng, (5, 6), (4, 7))
    series = rng.normal(size=(2, 5, 2, 3, 6))
    expected = sum(
        np.einsum("jnm,jx,my->ynx", series[p, :, q], (cos_x, sin_x)[p], (cos_y, sin_y)[q])
        for p in range(2)
        for q in range(2)
    )
    values = series_on_grid(series, *waves)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    # The way back is the transpose.
    factors = rng.normal(size=values.shape)
    response = series_from_grid(factors, *waves)
    assert (response * series).sum() == pytest.approx((factors * values).sum(), rel=1e-12)
