"""Quasi-Monte-Carlo sums of the expected updates for `linear` attention.

Generated from headode.symbolic; do not edit.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from headode._kernel_cache import cached

@intrinsic
def _bits(typing_context, value):
    """The 64 bits of a float as an integer."""

    def emit(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), emit


@intrinsic
def _from_bits(typing_context, value):
    """The float with these 64 bits."""

    def emit(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), emit


@njit(fastmath={"contract"}, error_model="numpy")
def _exp(value):
    """The exponential to one unit in the last place, without a call or a branch.

    A call to the library's exponential would keep every loop around it scalar. value = k log 2 + r;
    adding 1.5·2⁵² leaves k in the low bits, from where it is shifted into the exponent. Clamped to
    [-708, 709]: no overflow, and no subnormal results.
    """
    value = min(max(value, -708.0), 709.0)
    shifted = value * 1.4426950408889634 + 6755399441055744.0
    k = shifted - 6755399441055744.0
    r = value - k * 0.6931471803691238 - k * 1.9082149292705877e-10
    y = 1.6059043836821613e-10
    y = y * r + 2.08767569878681e-09
    y = y * r + 2.505210838544172e-08
    y = y * r + 2.755731922398589e-07
    y = y * r + 2.7557319223985893e-06
    y = y * r + 2.48015873015873e-05
    y = y * r + 0.0001984126984126984
    y = y * r + 0.001388888888888889
    y = y * r + 0.008333333333333333
    y = y * r + 0.041666666666666664
    y = y * r + 0.16666666666666666
    y = y * r + 0.5
    y = y * r + 1.0
    y = y * r + 1.0
    return y * _from_bits((_bits(shifted) + 1023) << 52)


@njit(fastmath={"reassoc", "contract", "nsz"}, error_model="numpy", forceinline=True)
def _score(nodes, root, means, field, score):
    """Fields of a token at its nodes, and what the activation makes of them.

    nodes: (H, lanes); root: (H, H); means: (H,); the others receive (H, lanes).
    """
    heads, lanes = nodes.shape
    for h in range(heads):
        for i in range(lanes):
            field[h, i] = means[h]
        for k in range(heads):
            factor = root[h, k]
            for i in range(lanes):
                field[h, i] += factor * nodes[k, i]
        for i in range(lanes):
            s = field[h, i]
            score[h, i] = s + 1.0


@cached(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def accumulate(
    nodes,
    root,
    shift,
    marked_roots,
    marked_means,
    probabilities,
    m_v,
    q_v,
    unit,
    prefactor,
    noise,
    sums,
):
    """Add the integrands over all nodes to ``sums``.

    nodes: (blocks, L, H, lanes) standard normals; root: (H, H) with root·rootᵀ = Q; shift: (H,)
    minus the offsets; marked_roots: (1 or S, H, H) and marked_means: (S, H) of the marked token,
    which is token 0; probabilities: (S,); unit: 1 + Δ²; noise: whether to sum N.

    Layout of sums: A_ε, ΣA², 2ℓΣA², ∂ℓ/∂χ_ε (S, H), ∂²ℓ/∂χ_ε² (S, H, H), Σ_l ∂²ℓ/∂χ_l² over
    l ≠ ε (H, H), Σ_l ∂ℓ/∂χ_l (H), N (H, H); of symmetric matrices only the lower triangle. The
    first two blocks over S are conditional on the component, all others averaged over it.
    """
    blocks, tokens, heads, lanes = nodes.shape
    components = len(probabilities)
    scale = prefactor
    at = 3
    first_sum = sums[at : at + components * heads].reshape((components, heads))
    at += components * heads
    marked_sum = sums[at : at + components * heads * heads].reshape((components, heads, heads))
    at += components * heads * heads
    other_sum = sums[at : at + heads * heads].reshape((heads, heads))
    at += heads * heads
    shift_sum = sums[at : at + heads]
    at += heads
    noise_sum = sums[at : at + heads * heads].reshape((heads, heads))

    score = np.empty((tokens, heads, lanes))
    field = np.empty((heads, lanes))
    A = np.empty((tokens, lanes))
    g = np.empty((tokens, lanes))
    S2 = np.empty(lanes)
    loss2 = np.empty(lanes)
    first = np.empty((heads, lanes))

    for block in range(blocks):
        # The unmarked tokens' scores: the same for every component of the signal.
        for l in range(1, tokens):
            _score(nodes[block, l], root, shift, field, score[l])

        for c in range(components):
            probability = probabilities[c]
            marked_root = marked_roots[min(c, len(marked_roots) - 1)]
            _score(nodes[block, 0], marked_root, marked_means[c], field, score[0])

            for i in range(lanes):
                S2[i] = 0.0
            for l in range(tokens):
                for i in range(lanes):
                    A[l, i] = 0.0
                for h in range(heads):
                    for i in range(lanes):
                        A[l, i] += score[l, h, i]
                aligned = m_v if l == 0 else 0.0
                for i in range(lanes):
                    A[l, i] *= scale
                    S2[i] += A[l, i] * A[l, i]
                    g[l, i] = q_v * A[l, i] - aligned
            marked_total = 0.0
            squared_total = 0.0
            value_total = 0.0
            for i in range(lanes):
                loss2[i] = unit - 2.0 * m_v * A[0, i] + q_v * S2[i]
                marked_total += A[0, i]
                squared_total += S2[i]
                value_total += loss2[i] * S2[i]
            sums[0] += probability * marked_total
            sums[1] += probability * squared_total
            sums[2] += probability * value_total

            for l in range(tokens):
                for h in range(heads):
                    total = 0.0
                    for i in range(lanes):
                        first[h, i] = scale*g[l, i]
                        total += first[h, i]
                    shift_sum[h] += probability * total
                    if l == 0:
                        first_sum[c, h] += total
                for h in range(heads):
                    for k in range(h + 1):
                        total = 0.0
                        if noise:
                            both = 0.0
                            for i in range(lanes):
                                gram = ((scale) * (scale))
                                total += gram*q_v
                                both += loss2[i] * q_v * gram + 2.0 * first[h, i] * first[k, i]
                            noise_sum[h, k] += probability * both
                        else:
                            for i in range(lanes):
                                gram = ((scale) * (scale))
                                total += gram*q_v
                        if h == k:
                            for i in range(lanes):
                                total += 0.0
                        if l == 0:
                            marked_sum[c, h, k] += total
                        else:
                            other_sum[h, k] += probability * total
