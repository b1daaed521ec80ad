"""Signs of eigenvectors."""

from __future__ import annotations

import numpy as np
import pytest

from headode._signs import leading_signs


def test_the_largest_entry_becomes_positive():
    vectors = np.array([[0.1, -0.9, 0.2], [0.8, 0.1, -0.5]])
    np.testing.assert_array_equal(leading_signs(vectors), [-1.0, 1.0])


@pytest.mark.parametrize("error", [-1e-6, 0.0, 1e-6])
def test_of_equal_entries_the_first_leads_whatever_the_roundoff(error):
    vector = np.array([0.2, -0.7, 0.7 + error])
    assert leading_signs(vector) == -1.0
    assert leading_signs(-vector) == 1.0
