"""Sums over the nodes of a token's law by way of a lattice of log-rates.

Everything a race of clocks needs of a node is a smooth function of its log-rate y. So nodes are
first deposited on a lattice, by the transpose of Lagrange interpolation with WIDTH points, which is
all that a node costs; clocks then meet the few hundred points of the lattice instead of the nodes.
What comes back is interpolated with the same weights, so that derivatives are those of the sums.

The functions of a clock, tabulated on the lattice of s = x + y, are 1 − g, a g, a² g, a³ g, a⁴ g
with a = e^s and g = e^{−a}.

Inner loops run over slices that begin at zero: with an index that is a sum LLVM does not vectorize
them, because it might be negative and count from the end (3 to 6 times slower, measured).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.kernels._compile import compiled

WIDTH = 16
BEFORE = WIDTH // 2 - 1  # lattice points to the left of the cell that holds a node
LANES = 32

_PLACES = np.arange(WIDTH) - float(BEFORE)
# The constant factors 1 / Π_{i≠j} (j − i) of Lagrange's polynomials.
_FACTORS = np.array(
    [
        (-1.0) ** (WIDTH - 1 - j) / (math.factorial(j) * math.factorial(WIDTH - 1 - j))
        for j in range(WIDTH)
    ]
)


@compiled
def _spread(
    y: Array, weights: Array, first: float, step: float, cell: NDArray[np.int64], share: Array
) -> None:
    """For LANES nodes the first lattice point that each touches, and its parts (WIDTH, LANES).

    A part is the product of the distances to the points before, times those to the points after.
    Two points at a time: between loops the products are kept in memory.
    """
    place, product = np.empty(LANES), np.empty(LANES)
    for i in range(LANES):
        at = y[i] / step - first
        left = math.floor(at)
        cell[i] = int(left) - BEFORE
        place[i] = at - left
        product[i] = weights[i]
    for j in range(0, WIDTH, 2):
        one, two, at = share[j], share[j + 1], _PLACES[j]
        for i in range(LANES):
            distance = place[i] - at
            one[i] = product[i]
            two[i] = product[i] * distance
            product[i] = two[i] * (distance - 1.0)
    for i in range(LANES):
        product[i] = 1.0
    for j in range(WIDTH - 2, -1, -2):
        one, two, at = share[j], share[j + 1], _PLACES[j]
        for i in range(LANES):
            distance = place[i] - at
            after = product[i] * (distance - 1.0)
            two[i] *= product[i] * _FACTORS[j + 1]
            one[i] *= after * _FACTORS[j]
            product[i] = after * distance


@compiled
def deposit(
    y: Array, weights: Array, begin: int, end: int, first: float, step: float, mass: Array
) -> None:
    """Add nodes of log-rates y (laws, channels, N) to ``mass`` (laws, channels, B).

    Point b is at (first + b) step. Nodes from ``begin`` to ``end``, a multiple of LANES; a node
    needs BEFORE points below its cell and as many above.
    """
    cell, share = np.empty(LANES, dtype=np.int64), np.empty((WIDTH, LANES))
    for row in range(y.shape[0] * y.shape[1]):
        law, c = row // y.shape[1], row % y.shape[1]
        rates, masses = y[law, c], mass[law, c]
        for base in range(begin, end, LANES):
            last = base + LANES
            _spread(rates[base:last], weights[base:last], first, step, cell, share)
            for i in range(LANES):
                touched = masses[cell[i] : cell[i] + WIDTH]
                for j in range(WIDTH):
                    touched[j] += share[j, i]


@compiled
def collect(
    y: Array,
    weights: Array,
    begin: int,
    end: int,
    first: float,
    step: float,
    potential: Array,
    shares: Array,
    gradient: Array,
    curvature: Array,
) -> None:
    """Expected derivatives, with respect to the fields, of a function of the log-rate.

    y, weights, begin, end: as of :func:`deposit`; potential: (laws, channels, 2, B) the function's
    first and second derivative on the lattice; shares: (laws, channels, 1 or 2, H, N) ∂y/∂u_h and
    w_h''/Σw, or once what they both are. Adds to gradient (laws, H) and curvature (laws, H, H).
    """
    cell, share = np.empty(LANES, dtype=np.int64), np.empty((WIDTH, LANES))
    slope, rest = np.empty(LANES), np.empty(LANES)
    for row in range(y.shape[0] * y.shape[1]):
        law, c = row // y.shape[1], row % y.shape[1]
        rates, slopes_at, bends_at = y[law, c], potential[law, c, 0], potential[law, c, 1]
        raised, lowered = shares[law, c, 0], shares[law, c, shares.shape[2] - 1]
        for base in range(begin, end, LANES):
            last = base + LANES
            _spread(rates[base:last], weights[base:last], first, step, cell, share)
            for i in range(LANES):
                slopes = slopes_at[cell[i] : cell[i] + WIDTH]
                bends = bends_at[cell[i] : cell[i] + WIDTH]
                first_sum = 0.0
                second_sum = 0.0
                for j in range(WIDTH):
                    first_sum += share[j, i] * slopes[j]
                    second_sum += share[j, i] * bends[j]
                slope[i] = first_sum
                rest[i] = second_sum - first_sum
            shared = raised[:, base:last], lowered[:, base:last]
            _add_derivatives(*shared, slope, rest, gradient[law], curvature[law])


@compiled
def _add_derivatives(
    shares: Array, lowered: Array, slope: Array, rest: Array, gradient: Array, curvature: Array
) -> None:
    """Add what LANES nodes give; shares, lowered: (H, LANES) ∂y/∂u_h and w_h''/Σw."""
    # Sums in scalars: into the arrays, their order would depend on where these are in memory.
    for h in range(shares.shape[0]):
        one, bend = shares[h], lowered[h]
        total = 0.0
        bent = 0.0
        for i in range(LANES):
            total += one[i] * slope[i]
            bent += bend[i] * slope[i]
        gradient[h] += total
        curvature[h, h] += bent
        for k in range(h + 1):
            two = shares[k]
            total = 0.0
            for i in range(LANES):
                total += one[i] * two[i] * rest[i]
            curvature[h, k] += total
            if k < h:
                curvature[k, h] += total


@compiled
def ring(
    mass: Array,
    functions: Array,
    offset: int,
    stride: int,
    laws: NDArray[np.int64],
    sums: Array,
) -> None:
    """Add Σ_b mass_b f_k(x_j + y_b) to ``sums`` (all laws, 3, points), for three functions.

    mass: (n, channels, B) of these laws; functions: (channels, 5, offset + stride points + B − 1 or
    more), x_0 + y_0 at ``offset``; x advances by ``stride`` points.
    """
    size = mass.shape[2]
    for row in range(mass.shape[0] * mass.shape[1]):
        m, c = row // mass.shape[1], row % mass.shape[1]
        masses, total = mass[m, c], sums[laws[m]]
        for j in range(total.shape[1]):
            at = offset + j * stride
            f0 = functions[c, 0, at : at + size]
            f1 = functions[c, 1, at : at + size]
            f2 = functions[c, 2, at : at + size]
            missed = 0.0
            rung = 0.0
            twice = 0.0
            for b in range(size):
                missed += masses[b] * f0[b]
                rung += masses[b] * f1[b]
                twice += masses[b] * f2[b]
            total[0, j] += missed
            total[1, j] += rung
            total[2, j] += twice


@compiled
def answer(
    coefficients: Array,
    functions: Array,
    offset: int,
    stride: int,
    laws: NDArray[np.int64],
    potential: Array,
) -> None:
    """Add Ψ'(y_b) = Σ_j (e₁ a + e₂ a² + e₃ a³) g at x_j + y_b, and Ψ'', to ``potential``.

    coefficients: (2, 3, points) e₁, e₂, e₃ of law 0, and of all others; potential: (n, channels, 2,
    B) of these laws; functions, offset and stride as in :func:`ring`.
    """
    size = potential.shape[3]
    for row in range(potential.shape[0] * potential.shape[1]):
        m, c = row // potential.shape[1], row % potential.shape[1]
        slope, bend, weights = potential[m, c, 0], potential[m, c, 1], coefficients[min(laws[m], 1)]
        for j in range(weights.shape[1]):
            at = offset + j * stride
            f1 = functions[c, 1, at : at + size]
            f2 = functions[c, 2, at : at + size]
            f3 = functions[c, 3, at : at + size]
            f4 = functions[c, 4, at : at + size]
            e1 = weights[0, j]
            e2 = weights[1, j]
            e3 = weights[2, j]
            two, three = 2.0 * e2 - e1, 3.0 * e3 - e2
            for b in range(size):
                slope[b] += e1 * f1[b] + e2 * f2[b] + e3 * f3[b]
                bend[b] += e1 * f1[b] + two * f2[b] + three * f3[b] - e3 * f4[b]


@compiled
def race_window(sums: Array, tokens: int, cut: float) -> tuple[int, int]:
    """The last look before any token has rung, and the first one when none is left.

    sums: (laws, 3, looks), as of :func:`ring`; cut: what may be cut off.
    """
    laws, _, looks = sums.shape
    before, over = 0, looks - 1
    for j in range(looks):
        rung = (tokens - 1.0) * sums[0, 0, j]
        for s in range(1, laws):
            rung = max(rung, sums[s, 0, j])
        if rung >= cut:
            before = max(j - 1, 0)
            break
    for j in range(looks):
        log_n = -np.inf
        for s in range(1, laws):
            log_n = max(log_n, math.log(max(1.0 - sums[s, 0, j], 1e-300)))
        log_n += (tokens - 1.0) * math.log(max(1.0 - sums[0, 0, j], 1e-300))
        if log_n < math.log(cut / tokens**2):
            over = j
            break
    return before, over


@compiled
def moments(mass: Array, functions: Array, offset: int, stride: int, sums: Array) -> None:
    """Add Σ_b mass_b f_k(x_j + y_b) to ``sums`` (K, points); otherwise as :func:`ring`."""
    for k in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            at = offset + j * stride
            row = functions[k, at : at + mass.size]
            total = 0.0
            for b in range(mass.size):
                total += mass[b] * row[b]
            sums[k, j] += total


@compiled
def respond(
    coefficients: Array, functions: Array, offset: int, stride: int, potential: Array
) -> None:
    """Add Σ_jk c_k(x_j) f_k(x_j + y_b) to ``potential`` (B,); c and f are (K, …)."""
    for k in range(coefficients.shape[0]):
        for j in range(coefficients.shape[1]):
            at = offset + j * stride
            row = functions[k, at : at + potential.size]
            factor = coefficients[k, j]
            for b in range(potential.size):
                potential[b] += factor * row[b]


@compiled
def race_sums(
    sums: Array,
    weights: Array,
    probabilities: Array,
    tokens: int,
    alpha: tuple[float, float],
    coefficients: Array,
) -> tuple[float, float]:
    """E p_ε and E Σ_l p_l², and what Ψ' is made of (see ``headode.expectation.clock``).

    sums: (laws, 3, points) 1 − n, r and q; weights: (points,) Z times the grid's spacing; alpha:
    α₁, α₂. Receives in ``coefficients`` (2, 3, points) e₁, e₂, e₃ of the unmarked law, summed over
    L − 1 tokens, and of the marked one: Ψ = ∫dx (c₀ g + c₁ a g + c₂ a² g), and ∂_y a = a.
    """
    others, half = tokens - 1.0, 0.5 * alpha[1]
    marked, squared = 0.0, 0.0
    for i in range(weights.size):
        missed, r_marked, q_marked = 0.0, 0.0, 0.0
        for s in range(probabilities.size):
            missed += probabilities[s] * sums[s + 1, 0, i]
            r_marked += probabilities[s] * sums[s + 1, 1, i]
            q_marked += probabilities[s] * sums[s + 1, 2, i]
        n_marked, q = 1.0 - missed, sums[0, 2, i]
        # Z n^{L−1}, Z n^{L−2}, Z n^{L−3}; one below zero is never used.
        log_n = math.log1p(-min(sums[0, 0, i], 1.0))
        whole = weights[i] * math.exp(others * log_n) if tokens > 1 else weights[i]
        one = weights[i] * math.exp((others - 1.0) * log_n) if tokens > 2 else weights[i]
        two = weights[i] * math.exp((others - 2.0) * log_n) if tokens > 3 else weights[i]
        marked += r_marked * whole
        squared += q_marked * whole + others * q * n_marked * one
        c0 = one * (half * q_marked - alpha[0] * r_marked)
        if tokens > 2:
            c0 += (others - 1.0) * half * q * n_marked * two
        c2 = others * half * n_marked * one
        coefficients[0, 0, i] = -others * c0
        coefficients[0, 1, i], coefficients[0, 2, i] = 2.0 * c2, -c2
        c0, c1, c2 = others * half * q * one, -alpha[0] * whole, half * whole
        coefficients[1, 0, i] = c1 - c0
        coefficients[1, 1, i], coefficients[1, 2, i] = 2.0 * c2 - c1, -c2
    return marked, squared


@compiled
def lagrange(values: Array, at: Array) -> Array:
    """(n, points) Lagrange's polynomials of n values."""
    polynomials = np.ones((values.size, at.size))
    for i in range(values.size):
        for j in range(values.size):
            if j != i:
                scale = 1.0 / (values[i] - values[j])
                for m in range(at.size):
                    polynomials[i, m] *= (at[m] - values[j]) * scale
    return polynomials


@compiled
def smooth(functions: Array, offset: int, spacing: int, kernels: Array, smoothed: Array) -> None:
    """Add Σ_m kernel_m functions[:, offset + m spacing + i] to ``smoothed`` (channels, K, n).

    kernels: (channels, terms). Four terms at a time: what is loaded and stored is less.
    """
    size, terms = smoothed.shape[2], kernels.shape[1]
    fours = terms - terms % 4
    for c in range(smoothed.shape[0]):
        kernel = kernels[c]
        for k in range(smoothed.shape[1]):
            total = smoothed[c, k]
            for m in range(0, fours, 4):
                at = offset + m * spacing
                f0 = functions[k, at : at + size]
                f1 = functions[k, at + spacing : at + spacing + size]
                f2 = functions[k, at + 2 * spacing : at + 2 * spacing + size]
                f3 = functions[k, at + 3 * spacing : at + 3 * spacing + size]
                w0, w1, w2, w3 = kernel[m], kernel[m + 1], kernel[m + 2], kernel[m + 3]
                for i in range(size):
                    total[i] += w0 * f0[i] + w1 * f1[i] + w2 * f2[i] + w3 * f3[i]
            for m in range(fours, terms):
                at = offset + m * spacing
                row = functions[k, at : at + size]
                factor = kernel[m]
                for i in range(size):
                    total[i] += factor * row[i]
