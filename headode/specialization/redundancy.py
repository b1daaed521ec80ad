"""Redundant heads: alike, silent, or without weight.

*Alike* are heads that serve the same points and whose ``M_h`` are within a tenth of the natural
length ``(E |θ|²)^(1/2)`` of each other (and those alike to one of them). *Silent* is a head with
``Q_hh ≤ (0.1)² E |θ|²``: it does not look at the tokens. *Negligible* is a head whose mean share of
the weight of a token is below 1/1000, for marked and for unmarked tokens, because of its offset.
This can only be where heads compete: with each other (pooled activations) or with a null token.

The share of head h is bounded without quadrature: it is at most ``E min(1, w_h/w_k)`` for every
competitor k, and ``log w_h − log w_k`` is Gaussian.
"""

from __future__ import annotations

import numpy as np

from headode._checks import Array
from headode.model import Model
from headode.specialization.assignment import Flags, Numbers

# Distance in M of heads that are alike, and norm of a silent one, in units of (E |θ|²)^(1/2).
ALIKE = 0.1
# Largest share of the weight of a negligible head.
NEGLIGIBLE = 1e-3


def alike_heads(M: Array, serves: Flags | None, length: float) -> Numbers:
    """(H,) for each head the first one of its group, from 0; itself if there is no other.

    Args:
        M: (H, F) overlaps.
        serves: (H, S) which points a head serves; None: not asked.
        length: the natural length, the strength of the signal.
    """
    distance = np.sqrt(((M[:, None, :] - M[None, :, :]) ** 2).sum(axis=-1))
    linked = distance <= ALIKE * length
    if serves is not None:
        linked &= (serves[:, None, :] == serves[None, :, :]).all(axis=-1)
    group = np.arange(len(M))
    while True:
        smallest = np.where(linked, group[None, :], len(M)).min(axis=1)
        if (smallest == group).all():
            return group
        group = smallest


def silent_heads(Q: Array, length: float) -> Flags:
    """(H,) whether a head is silent."""
    silent: Flags = np.diag(Q) <= (ALIKE * length) ** 2
    return silent


def negligible_heads(model: Model, M: Array, Q: Array, offsets: Array) -> Flags:
    """(H,) whether a head has no weight; none where heads do not compete."""
    activation, signal, heads = model.activation, model.signal, len(M)
    rivals = list(range(heads)) if activation.normalization == "pooled" else []
    if activation.null > 0:
        # The null token competes like a head that does not look at the tokens.
        M, Q = np.pad(M, [(0, 1), (0, 0)]), np.pad(Q, [(0, 1), (0, 1)])
        offsets = np.append(offsets, -np.log(activation.null))
        rivals.append(heads)
    if not activation.is_exponential or not rivals:
        return np.zeros(heads, dtype=bool)
    norms = np.diag(Q)
    variance = (norms[:, None] + norms[None, :] - 2 * Q)[:heads, rivals]
    lead = (offsets[None, :] - offsets[:, None])[:heads, rivals]
    apart = (M[:, None, :] - M[None, :, :])[:heads, rivals]
    unmarked = _largest_share(lead, variance).min(axis=1)
    marked = np.zeros(heads)
    for s, odds in enumerate(signal.probabilities):
        widened = variance + np.einsum("hkf,fg,hkg->hk", apart, signal.covariances[s], apart)
        marked += odds * _largest_share(lead + apart @ signal.means[s], widened).min(axis=1)
    negligible: Flags = np.maximum(marked, unmarked) < NEGLIGIBLE
    return negligible


def _largest_share(lead: Array, variance: Array) -> Array:
    """``E min(1, e^x)`` for x ~ N(lead, variance), entry by entry."""
    from scipy.special import log_ndtr

    deviation = np.sqrt(np.maximum(variance, np.finfo(float).eps))
    standard = lead / deviation
    tilted = lead + 0.5 * deviation**2 + log_ndtr(-standard - deviation)
    share: Array = np.exp(log_ndtr(standard)) + np.exp(tilted)
    return share
