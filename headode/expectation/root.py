"""The square root of a covariance that moves continuously with it."""

from __future__ import annotations

import numpy as np

from headode._checks import Array


def symmetric_root(covariance: Array) -> Array:
    """The symmetric positive semidefinite S with S S = covariance; stacks are allowed.

    It depends continuously on the covariance, does not depend on the choice of eigenvectors, and
    commutes with head permutations, so quadrature nodes neither jump nor rotate as Q moves, and
    identical heads get identical fields. Eigenvalues at roundoff level count as zero: their roots,
    of order 1e-8, would tear identical heads apart.
    """
    values, vectors = np.linalg.eigh(covariance)
    floor = values.shape[-1] * np.finfo(float).eps * values[..., -1:]
    kept = np.where(values > floor, values, 0.0)
    root: Array = (vectors * np.sqrt(kept)[..., None, :]) @ vectors.swapaxes(-1, -2)
    return root
