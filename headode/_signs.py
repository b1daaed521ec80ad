"""The sign of an eigenvector, which is anyone's choice."""

from __future__ import annotations

import numpy as np

from headode._checks import Array

# Entries that differ by less, relatively, differ by numerical errors: the first of them leads.
EQUAL = 1e-3


def leading_signs(vectors: Array) -> Array:
    """(...,) signs that make the largest entry of each vector of (..., n) positive."""
    sizes = np.abs(vectors)
    leading = (sizes >= (1.0 - EQUAL) * sizes.max(axis=-1, keepdims=True)).argmax(axis=-1)
    signs: Array = np.sign(np.take_along_axis(vectors, leading[..., None], axis=-1)[..., 0])
    return signs
