"""The laws of a token's fields, and G and C from derivatives with respect to their means.

Heads that are alike must stay so: what is summed for one head is summed in the same order for
another one, which the products of the linear algebra library do not promise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from headode._checks import Array
from headode.kernels._compile import compiled_in_order
from headode.model import Model
from headode.order_parameters import OrderParameters


class FieldLaws(NamedTuple):
    """Gaussian laws of a token's fields χ − b.

    Law 0 is an unmarked token's; law s + 1 is the marked token's, given component s of the signal.

    Attributes:
        means: (S + 1, H).
        covariances: (S + 1, H, H).
        probabilities: (S,) of the components.
    """

    means: Array
    covariances: Array
    probabilities: Array

    def of_heads(self, heads: list[int]) -> FieldLaws:
        """The laws of some heads' fields."""
        covariances = self.covariances[:, heads][:, :, heads]
        return FieldLaws(
            np.ascontiguousarray(self.means[:, heads]),
            np.ascontiguousarray(covariances),
            self.probabilities,
        )


def state_laws(model: Model, state: OrderParameters) -> FieldLaws:
    """The laws of the fields at a state (theory: order parameters)."""
    signal = model.signal
    # Copies are writable and contiguous whoever made the state: for each kind of array, kernels are
    # compiled anew.
    means, covariances = field_laws(
        state.M.copy(),
        state.R.copy(),
        model.offsets(state).copy(),
        signal.means,
        signal.covariances,
    )
    return FieldLaws(means, covariances, signal.probabilities)


@compiled_in_order
def _carried(M: Array, covariance: Array) -> Array:
    """(H, F): M Σ, the covariances of the heads' fields with a component of the signal."""
    result = np.zeros(M.shape)
    for h in range(M.shape[0]):
        for f in range(M.shape[1]):
            for e in range(M.shape[1]):
                result[h, e] += M[h, f] * covariance[f, e]
    return result


@compiled_in_order
def field_laws(
    M: Array, R: Array, offsets: Array, signal_means: Array, signal_covariances: Array
) -> tuple[Array, Array]:
    """Means (S + 1, H) and covariances (S + 1, H, H) of a token's shifted fields.

    Row 0 is an unmarked token's, row s + 1 the marked one's under component s.

    Args:
        M: (H, F).
        R: (H, H).
        offsets: (H,).
        signal_means: (S, F).
        signal_covariances: (S, F, F).
    """
    heads, features = M.shape
    count = signal_means.shape[0]
    means, covariances = np.zeros((count + 1, heads)), np.empty((count + 1, heads, heads))
    for h in range(heads):
        means[0, h] = -offsets[h]
        for s in range(count):
            for f in range(features):
                means[s + 1, h] += signal_means[s, f] * M[h, f]
            means[s + 1, h] -= offsets[h]
        for k in range(heads):
            covariances[0, h, k] = 0.0
            for f in range(features):
                covariances[0, h, k] += M[h, f] * M[k, f]
            covariances[0, h, k] += R[h, k]
    for s in range(count):
        for h in range(heads):
            for k in range(heads):
                covariances[s + 1, h, k] = covariances[0, h, k]
        if not signal_covariances[s].any():
            continue
        carried = _carried(M, signal_covariances[s])
        for h in range(heads):
            for k in range(heads):
                one, two = 0.0, 0.0
                for f in range(features):
                    one += carried[h, f] * M[k, f]
                    two += carried[k, f] * M[h, f]
                covariances[s + 1, h, k] += 0.5 * (one + two)
    return means, covariances


@compiled_in_order
def overlap_gradients(
    first: Array,
    second: Array,
    M: Array,
    probabilities: Array,
    signal_means: Array,
    signal_covariances: Array,
) -> tuple[Array, Array, Array]:
    """G (H, F), C (H, H) and the offset gradient (H,), of offsets that do not depend on Q.

    Args:
        first: (S + 1, H) derivatives of the risk with respect to the means of the fields' laws, of
            a component over its probability.
        second: (S + 1, H, H) likewise the second ones.
        M: (H, F).
        probabilities: (S,).
        signal_means: (S, F).
        signal_covariances: (S, F, F).
    """
    heads, features = M.shape
    G, C, offset_gradient = np.zeros((heads, features)), second[0].copy(), -first[0]
    for s in range(probabilities.size):
        weight = probabilities[s]
        slopes, curvatures = first[s + 1], second[s + 1]
        spread = signal_covariances[s].any()
        carried = _carried(M, signal_covariances[s]) if spread else np.empty((0, 0))
        for h in range(heads):
            offset_gradient[h] -= weight * slopes[h]
            for f in range(features):
                G[h, f] += weight * slopes[h] * signal_means[s, f]
            for k in range(heads):
                C[h, k] += weight * curvatures[h, k]
                if spread:
                    for f in range(features):
                        G[h, f] += weight * curvatures[h, k] * carried[k, f]
    for h in range(heads):
        for k in range(h):
            C[h, k] = C[k, h] = 0.5 * (C[h, k] + C[k, h])
    return G, C, offset_gradient
