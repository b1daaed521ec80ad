"""Triangular factors: products stay, and Gaussian ones have the law of Wishart's."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from headode.simulation.factors import (
    SMALLEST_NORM,
    draw_gaussian_factor,
    make_lower_triangular,
)


@st.composite
def matrices(draw):
    rows = draw(st.integers(1, 5))
    columns = draw(st.integers(rows, 12))
    A = draw(hnp.arrays(float, (rows, columns), elements=st.floats(-10, 10)))
    if rows > 1 and draw(st.booleans()):
        A[-1] = draw(st.floats(-2, 2)) * A[0]
    return A * 10.0 ** draw(st.integers(-140, 140))


@settings(deadline=None)
@given(A=matrices())
@example(A=1e140 * np.array([[1.0, 2.0, 0.0], [3e-291, 1e-291, 1e-291]]))
def test_products_of_rows_stay(A):
    factor = A.copy()
    make_lower_triangular(factor)
    np.testing.assert_array_equal(np.triu(factor, 1), 0.0)
    norms = np.linalg.norm(A, axis=1)
    # Householder reflections are stable row by row: errors are relative to the rows' norms, beside
    # what is lost with a part of a row that counts as zero.
    error = np.abs(factor @ factor.T - A @ A.T)
    lost = SMALLEST_NORM * np.add.outer(norms, norms)
    assert (error <= 1e-14 * A.shape[1] * np.outer(norms, norms) + lost + 1e-290).all()


@pytest.mark.parametrize("size", [1e-170, 1e-310])
def test_rows_whose_squares_underflow_count_as_zero(size):
    A = size * np.array([[1.0, 2.0, 3.0], [3.0, -1.0, 2.0]])
    A[1, 0] += 1.0
    make_lower_triangular(A)
    np.testing.assert_allclose(A @ A.T, np.diag([0.0, 1.0]), rtol=1e-15)


@pytest.mark.parametrize("columns", [0, 1, 2, 3, 40])
def test_gaussian_factors_have_the_law_of_explicit_products(columns):
    rng, draws, size = np.random.default_rng(0), 2000, 3
    factors = np.empty((draws, size, size))
    for factor in factors:
        draw_gaussian_factor(rng, columns, factor)
    normals = rng.standard_normal((draws, size, columns))
    ours = np.einsum("nik,njk->nij", factors, factors).reshape(draws, -1)
    theirs = np.einsum("nik,njk->nij", normals, normals).reshape(draws, -1)
    # Products of entries see the joint law.
    ours, theirs = (
        np.column_stack([x, x[:, 1] * x[:, 5], x[:, 0] * x[:, 8]]) for x in (ours, theirs)
    )
    for a, b in zip(ours.T, theirs.T, strict=True):
        # 55 comparisons; singular products repeat the values 0 exactly.
        assert ks_2samp(a, b, method="asymp").pvalue > 1e-3 / 55
    rank = np.linalg.matrix_rank(factors[0])
    assert rank == min(columns, size)
