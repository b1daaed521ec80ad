"""Averages over Gaussian nodes of what an exponential clock contributes, on a grid of its time.

Generated from headode.symbolic; do not edit.

A token of log-rate y has not rung by log-time x with probability g = exp(−a), a = e^{x + y}. On a grid
of step log 2 / chains every chains-th a is the double of the one before, and m = 1 − g obeys
m ← m (2 − m): no exponential is needed, and small m, which sequences of 1/m tokens feel, keep all
their digits.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from headode._kernel_cache import cached

# Recompute after so many doublings: a start far below the smallest number would stay zero.
SEGMENT = 64
# Beyond, g is below half an ulp of 1, and a g counts as zero.
LARGEST = 40.0


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
def _missed(a):
    """1 − e^{−a} without cancellation for small a."""
    series = a * (1.0 - a * (0.5 - a * (1.0 / 6.0 - a * (1.0 / 24.0 - a * (1.0 / 120.0)))))
    return series if a < 2e-3 else 1.0 - _exp(-a)


@cached(nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def average_tables(y, slopes, bends, weights, start, step, chains, tables):
    """Averages over J inner nodes of what a clock contributes, for each of M outer nodes.

    y: (M, J) log-rates, a function of a field u; slopes: ∂_u log w; bends: w''/w; weights: (J,).
    Receives in tables (6, M, points): E(1 − g), E ∂_u g, E ∂_u² g, E a g, E ∂_u(a g), E ∂_u²(a g).
    """
    outer, inner = y.shape
    points = tables.shape[2]
    a = np.empty(inner)
    m = np.empty(inner)
    for node in range(outer):
        for chain in range(chains):
            doublings = 0
            for j in range(chain, points, chains):
                if doublings % SEGMENT == 0:
                    for i in range(inner):
                        rate = _exp(min(start + j * step + y[node, i], 30.0))
                        m[i] = _missed(rate)
                        a[i] = rate if rate < LARGEST else 0.0
                doublings += 1
                missed = 0.0
                missed_1 = 0.0
                missed_2 = 0.0
                rung = 0.0
                rung_1 = 0.0
                rung_2 = 0.0
                for i in range(inner):
                    s = a[i]
                    slope = slopes[node, i]
                    bend = bends[node, i]
                    density = weights[i] * s * (1.0 - m[i])
                    missed += weights[i] * m[i]
                    missed_1 -= density * slope
                    missed_2 += density * (slope * slope * s - bend)
                    rung += density
                    rung_1 += density * slope * (1.0 - s)
                    rung_2 += density * (bend * (1.0 - s) + slope * slope * s * (s - 2.0))
                    m[i] = m[i] * (2.0 - m[i])
                    a[i] = 2.0 * s if s < 0.5 * LARGEST else 0.0
                tables[0, node, j] = missed
                tables[1, node, j] = missed_1
                tables[2, node, j] = missed_2
                tables[3, node, j] = rung
                tables[4, node, j] = rung_1
                tables[5, node, j] = rung_2
