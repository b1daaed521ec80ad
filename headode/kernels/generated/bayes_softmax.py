"""Quasi-Monte-Carlo sums of the expected updates for `bayes_softmax` attention.

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


@njit(fastmath={"contract"}, error_model="numpy")
def _log(value):
    """The logarithm of a positive normal number, without a call or a branch.

    value = 2ᵏ m with m in [√½, √2), and log m = 2 artanh f with f = (m − 1)/(m + 1).
    """
    bits = _bits(value)
    # k + 1023, which is positive, and as a float by way of the low bits of 2⁵²: on most processors
    # neither signed shifts nor conversions from integers are vectorized.
    biased = (np.uint64(bits) + np.uint64(2638147582215219)) >> np.uint64(52)
    k = _from_bits(np.int64(biased | np.uint64(4841369599423283200))) - 4503599627371519.0
    m = _from_bits(bits - np.int64((biased - np.uint64(1023)) << np.uint64(52)))
    f = (m - 1.0) / (m + 1.0)
    r = f * f
    y = 0.047619047619047616
    y = y * r + 0.05263157894736842
    y = y * r + 0.058823529411764705
    y = y * r + 0.06666666666666667
    y = y * r + 0.07692307692307693
    y = y * r + 0.09090909090909091
    y = y * r + 0.1111111111111111
    y = y * r + 0.14285714285714285
    y = y * r + 0.2
    y = y * r + 0.3333333333333333
    return k * 0.6931471803691238 + (2.0 * f + (2.0 * f * r * y + k * 1.9082149292705877e-10))


@njit(fastmath={"contract"}, error_model="numpy")
def _log1p(value):
    """log(1 + value) for value ≥ 0, correcting the rounding of 1 + value."""
    u = 1.0 + value
    return _log(u) + (value - (u - 1.0)) / u


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
            score[h, i] = s


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
    scale = 1.0
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
    p = np.empty((tokens, heads, lanes))
    top = np.empty(lanes)
    rest = np.empty(lanes)
    d = np.empty(lanes)
    A = np.empty((tokens, lanes))
    g = np.empty((tokens, lanes))
    S2 = np.empty(lanes)
    loss2 = np.empty(lanes)
    first = np.empty((heads, lanes))

    for block in range(blocks):
        # The unmarked tokens' scores: the same for every component of the signal.
        for l in range(1, tokens):
            _score(nodes[block, l], root, shift, field, score[l])
        # Weights relative to the largest one of all heads, and their sum.
        for i in range(lanes):
            top[i] = -1e300
        for l in range(1, tokens):
            for h in range(heads):
                for i in range(lanes):
                    top[i] = max(top[i], score[l, h, i])
        for i in range(lanes):
            rest[i] = 0.0
        for l in range(1, tokens):
            for h in range(heads):
                for i in range(lanes):
                    score[l, h, i] = _exp(score[l, h, i] - top[i])
                    rest[i] += score[l, h, i]

        for c in range(components):
            probability = probabilities[c]
            marked_root = marked_roots[min(c, len(marked_roots) - 1)]
            _score(nodes[block, 0], marked_root, marked_means[c], field, score[0])
            # Shares relative to the larger of the marked weights and the largest other one.
            for i in range(lanes):
                d[i] = score[0, 0, i]
            for h in range(1, heads):
                for i in range(lanes):
                    d[i] = max(d[i], score[0, h, i])
            for i in range(lanes):
                gap = d[i] - top[i]
                d[i] = max(d[i], top[i])
                first[0, i] = 1.0 if gap < 0.0 else _exp(-abs(gap))
                S2[i] = rest[i] * first[0, i]
            for h in range(heads):
                for i in range(lanes):
                    p[0, h, i] = _exp(score[0, h, i] - d[i])
                    S2[i] += p[0, h, i]
            for i in range(lanes):
                S2[i] = 1.0 / S2[i]
                first[0, i] *= S2[i]
            for h in range(heads):
                for i in range(lanes):
                    p[0, h, i] *= S2[i]
            for l in range(1, tokens):
                for h in range(heads):
                    for i in range(lanes):
                        p[l, h, i] = score[l, h, i] * first[0, i]

            for i in range(lanes):
                S2[i] = 0.0
            for l in range(tokens):
                for i in range(lanes):
                    A[l, i] = 0.0
                for h in range(heads):
                    for i in range(lanes):
                        A[l, i] += p[l, h, i]
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

            for i in range(lanes):
                d[i] = 0.0
            for l in range(tokens):
                for i in range(lanes):
                    d[i] += g[l, i] * A[l, i]

            for l in range(tokens):
                for h in range(heads):
                    total = 0.0
                    for i in range(lanes):
                        first[h, i] = -p[l, h, i]*(d[i] - g[l, i])
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
                                gram = -p[l, h, i]*p[l, k, i]*(2.0*A[l, i] - S2[i] - 1.0)
                                total += gram*q_v + 2.0*p[l, h, i]*p[l, k, i]*(d[i] - g[l, i])
                                both += loss2[i] * q_v * gram + 2.0 * first[h, i] * first[k, i]
                            noise_sum[h, k] += probability * both
                        else:
                            for i in range(lanes):
                                gram = -p[l, h, i]*p[l, k, i]*(2.0*A[l, i] - S2[i] - 1.0)
                                total += gram*q_v + 2.0*p[l, h, i]*p[l, k, i]*(d[i] - g[l, i])
                        if h == k:
                            for i in range(lanes):
                                total += -p[l, h, i]*(d[i] - g[l, i])
                        if l == 0:
                            marked_sum[c, h, k] += total
                        else:
                            other_sum[h, k] += probability * total


@cached(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def token_law(nodes, rest, zeta, means, begin, end, y, shares):
    """The pooled log-rate of a token at Gaussian nodes from ``begin`` to ``end``, and derivatives.

    The fields at node n are nodes (H, N) + rest (H,) ζ + means (H,), for each of means (laws, H) and
    each ζ of zeta (channels,). Receives y = log Σ_h w_h (laws, channels, N) and in shares
    (laws, channels, 1 or 2, H, N) ∂_h y and w_h''/Σ_k w_k, or once what they both are.
    """
    heads = nodes.shape[0]
    lanes = 64
    mean = np.empty(heads)
    score = np.empty((heads, lanes))
    top = np.empty(lanes)
    total = np.empty(lanes)
    for both in range(means.shape[0] * zeta.size):
        law, c = both // zeta.size, both % zeta.size
        first, second = shares[law, c, 0], shares[law, c, shares.shape[2] - 1]
        for h in range(heads):
            mean[h] = means[law, h] + rest[h] * zeta[c]
        for base in range(begin, end, lanes):
            size = min(lanes, end - base)
            for i in range(size):
                top[i] = -1e300
                total[i] = 0.0
            for h in range(heads):
                deviation = nodes[h, base : base + size]
                for i in range(size):
                    s = deviation[i] + mean[h]
                    score[h, i] = s
                    top[i] = max(top[i], score[h, i])
            for h in range(heads):
                for i in range(size):
                    score[h, i] = _exp(score[h, i] - top[i])
                    total[i] += score[h, i]
            for h in range(heads):
                ratio = first[h, base : base + size]
                bend = second[h, base : base + size]
                for i in range(size):
                    share = score[h, i] / total[i]
                    ratio[i] = share
                    bend[i] = share
            rate = y[law, c, base : base + size]
            for i in range(size):
                rate[i] = top[i] + _log(total[i])
