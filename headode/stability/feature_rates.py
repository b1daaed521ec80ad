"""Growth rates of head differences along single features, where all heads are alike."""

from __future__ import annotations

import numpy as np

from headode._checks import Array
from headode.stability.differences import Linearization
from headode.stability.flow import Flow


def feature_rates(flow: Flow, vector: Array) -> Array:
    """(F,) growth rates of differences along each feature, at a state of identical heads.

    The F modes of the overlaps are assigned to the features that they overlap with most; what
    residuals add at finite learning rates is of higher order in them, and left out.
    NaN for a single head.
    """
    import scipy.optimize

    H, F = flow.model.heads, flow.model.features
    if H == 1:
        return np.full(F, np.nan)
    near = Linearization(flow, vector)
    slopes = np.empty((F, F))
    for f in range(F):
        direction = np.zeros_like(vector)
        direction[f] = 1.0
        found = near.along(direction)[0][: H * F].reshape(H, F)
        # Of a change of head 1, the part that heads apart see.
        slopes[:, f] = found[0] - found[1]
    values, vectors = np.linalg.eig(slopes)
    modes, features = scipy.optimize.linear_sum_assignment(-(np.abs(vectors.T) ** 2))
    result = np.empty(F)
    result[features] = values.real[modes]
    return result
