"""Sums over Gaussian nodes of one exponential clock's race, on a grid of its logarithmic time.

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

LANES = 32
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


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def survival_sums(y, weights, start, step, chains, sums):
    """Add Σ_i w_i (1 − g), Σ_i w_i a g and Σ_i w_i a² g to the rows of ``sums`` (3, points).

    y, weights: nodes, a multiple of LANES of them; x_j = start + j step, step = log 2 / chains.
    """
    points = sums.shape[1]
    a = np.empty(LANES)
    m = np.empty(LANES)
    for base in range(0, y.size, LANES):
        for chain in range(chains):
            doublings = 0
            for j in range(chain, points, chains):
                if doublings % SEGMENT == 0:
                    for i in range(LANES):
                        rate = _exp(min(start + j * step + y[base + i], 30.0))
                        m[i] = _missed(rate)
                        a[i] = rate if rate < LARGEST else 0.0
                doublings += 1
                missed = 0.0
                rung = 0.0
                twice = 0.0
                for i in range(LANES):
                    weight = weights[base + i]
                    missed += weight * m[i]
                    density = weight * a[i] * (1.0 - m[i])
                    rung += density
                    twice += density * a[i]
                    m[i] = m[i] * (2.0 - m[i])
                    a[i] = 2.0 * a[i] if a[i] < 0.5 * LARGEST else 0.0
                sums[0, j] += missed
                sums[1, j] += rung
                sums[2, j] += twice


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def adjoint_sums(y, start, step, chains, coefficients, first, second):
    """Derivatives with respect to y of Ψ(y), given Ψ'(y) = Σ_j (e₁ a + e₂ a² + e₃ a³) g at x_j.

    coefficients: (3, points) e₁, e₂, e₃; first, second: like y, receive Ψ' and Ψ''.
    """
    points = coefficients.shape[1]
    a = np.empty(LANES)
    m = np.empty(LANES)
    slope = np.empty(LANES)
    bend = np.empty(LANES)
    for base in range(0, y.size, LANES):
        for i in range(LANES):
            slope[i] = 0.0
            bend[i] = 0.0
        for chain in range(chains):
            doublings = 0
            for j in range(chain, points, chains):
                if doublings % SEGMENT == 0:
                    for i in range(LANES):
                        rate = _exp(min(start + j * step + y[base + i], 30.0))
                        m[i] = _missed(rate)
                        a[i] = rate if rate < LARGEST else 0.0
                doublings += 1
                e1 = coefficients[0, j]
                e2 = coefficients[1, j]
                e3 = coefficients[2, j]
                for i in range(LANES):
                    s = a[i]
                    density = s * (1.0 - m[i])
                    slope[i] += density * (e1 + s * (e2 + s * e3))
                    bend[i] += density * (
                        e1 + s * (2.0 * e2 - e1 + s * (3.0 * e3 - e2 - s * e3))
                    )
                    m[i] = m[i] * (2.0 - m[i])
                    a[i] = 2.0 * s if s < 0.5 * LARGEST else 0.0
        for i in range(LANES):
            first[base + i] = slope[i]
            second[base + i] = bend[i]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def average_tables(y, slopes, bends, weights, start, step, chains, tables):
    """Averages over J inner nodes of what a clock contributes, for each of M outer nodes.

    y: (M, J) log-rates, a function of a field u; slopes: ∂_u log w; bends: w''/w; weights: (J,).
    Receives in tables (6, points, M): E(1 − g), E ∂_u g, E ∂_u² g, E a g, E ∂_u(a g), E ∂_u²(a g).
    """
    outer, inner = y.shape
    points = tables.shape[1]
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
                tables[0, j, node] = missed
                tables[1, j, node] = missed_1
                tables[2, j, node] = missed_2
                tables[3, j, node] = rung
                tables[4, j, node] = rung_1
                tables[5, j, node] = rung_2
