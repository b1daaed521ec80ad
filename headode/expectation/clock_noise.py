"""The learning-rate noise of pooled heads by a race of one clock (theory: tokens).

With A_l = W_l/S and ∂A_j/∂χ_lh = ∂_h y_l A_l (δ_jl − A_j), y = log W, the noise is

    N_hk = E Σ_l ∂_h y_l ∂_k y_l A_l² B_l,
    B_l = q_v 2ℓ (1 − 2A_l + Σ₂) + 2 (m_v (δ_lε − A_ε) − q_v (A_l − Σ₂))²,   Σ₂ = Σ_j A_j²,

a polynomial in the weights. A product of M of them is, since 1/S^M = ∫ds s^{M−1} e^{−sS}/(M − 1)!,

    E Π A = ∫dx E[Π a · Π_j g_j]/(M − 1)!

with a = e^x W and g = e^{−a}: given the time, the tokens are independent. Powers of a of token l
and of the marked one are needed, and of all others together U = Σ a² and U².
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from headode._checks import Array
from headode.expectation.clock import Clock
from headode.expectation.log_rates import LogRates
from headode.kernels.lattice import moments, respond

# Polynomials in A_ε, A_l and Σ₂: coefficients by their exponents.
Polynomial = dict[tuple[int, int, int], float]

# The highest power of a: A_l² times Σ₂² of token l itself.
HIGHEST = 6


def race_noise(
    laws: LogRates,
    clock: Clock,
    probabilities: Array,
    race: tuple[int, float],
    value: tuple[float, float],
    label_noise: float,
) -> tuple[Array, float]:
    """(H, H) learning-rate noise N, and that of the value, E[2ℓ Σ₂].

    Args:
        laws: of an unmarked token, then of the marked one under each component of the signal.
        clock: that covers their race, with powers up to ``HIGHEST``.
        probabilities: (S,) of the components.
        race: L and ν.
        value: m_v and q_v.
        label_noise: Δ.
    """
    length, null = race
    lattice = laws.lattice
    steps = clock.offset, lattice.stride
    sums = np.zeros((laws.count, HIGHEST + 1, clock.points))
    for group, masses, functions in zip(laws.groups, laws.mass, clock.functions, strict=True):
        for index, mass in zip(group.laws, masses, strict=True):
            for channel, of_channel in zip(mass, functions, strict=True):
                moments(channel, of_channel, *steps, sums[index])
    sums[:, 0] = 1.0 - sums[:, 0]  # from 1 − g to g
    marked = np.tensordot(probabilities, sums[1:], 1)
    weight = lattice.clock_step * np.exp(-null * clock.times)
    level = 1.0 + label_noise**2
    others = _of_others(sums[0], marked, length, _bracket(*value, level, marked=False))
    own = _of_marked(sums[0], length, _bracket(*value, level, marked=True))
    potentials = []
    for group, functions in zip(laws.groups, clock.functions, strict=True):
        # What is averaged with ∂_h y ∂_k y is what stands at the place of a second derivative.
        potential = np.zeros((*group.y.shape[:2], 2, laws.size))
        for index, received in zip(group.laws, potential, strict=True):
            factors = weight * (own if index else others)
            for channel, of_channel in zip(received[:, 1], functions, strict=True):
                respond(factors, of_channel[2:], *steps, channel)
        potentials.append(potential)
    _, products = laws.gradients(potentials)
    noise = products[0] + np.tensordot(probabilities, products[1:], 1)
    value_noise = weight @ _squared_times_loss(sums[0], marked, length, *value, level)
    return noise, float(value_noise)


def _bracket(m_v: float, q_v: float, level: float, *, marked: bool) -> Polynomial:
    """B_l for the marked token or another one; 2ℓ = level − 2m_v A_ε + q_v Σ₂."""
    loss = {(0, 0, 0): level, (1, 0, 0): -2.0 * m_v, (0, 0, 1): q_v}
    spread = {(0, 0, 0): q_v, (0, 1, 0): -2.0 * q_v, (0, 0, 1): q_v}
    slope = {(0, 0, 0): m_v * marked, (1, 0, 0): -m_v, (0, 1, 0): -q_v, (0, 0, 1): q_v}
    result = _product(loss, spread)
    for exponents, coefficient in _product(slope, slope).items():
        result[exponents] = result.get(exponents, 0.0) + 2.0 * coefficient
    return result


def _product(one: Polynomial, two: Polynomial) -> Polynomial:
    result: Polynomial = {}
    for (a, b, c), first in one.items():
        for (d, e, f), second in two.items():
            exponents = a + d, b + e, c + f
            result[exponents] = result.get(exponents, 0.0) + first * second
    return result


def _others(sums: Array, count: int) -> tuple[Array, Array, Array]:
    """E[U^r Π g] of ``count`` unmarked tokens, r = 0, 1, 2; at most as many as there are."""
    n = np.maximum(sums[0], 0.0)
    one = count * sums[2] * n ** max(count - 1, 0) if count > 0 else np.zeros_like(n)
    two = np.zeros_like(n)
    if count > 0:
        two += count * sums[4] * n ** max(count - 1, 0)
    if count > 1:
        two += count * (count - 1) * sums[2] ** 2 * n ** (count - 2)
    return n ** max(count, 0), one, two


def _powers_of_sum(exponent: int, parts: int) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Multinomial coefficients and exponents of (t_1 + … + t_parts)^exponent."""
    if parts == 1:
        yield 1.0, (exponent,)
        return
    for first in range(exponent + 1):
        for factor, rest in _powers_of_sum(exponent - first, parts - 1):
            yield math.comb(exponent, first) * factor, (first, *rest)


def _of_marked(sums: Array, length: int, bracket: Polynomial) -> Array:
    """(5, points): what multiplies a^{2 + i} g of the marked token."""
    others = _others(sums, length - 1)
    factors = np.zeros((HIGHEST - 1, sums.shape[1]))
    for (a, b, c), coefficient in bracket.items():
        scale = coefficient / math.factorial(1 + a + b + 2 * c)
        for count, (own, rest) in _powers_of_sum(c, 2):
            factors[a + b + 2 * own] += scale * count * others[rest]
    return factors


def _of_others(sums: Array, marked: Array, length: int, bracket: Polynomial) -> Array:
    """(5, points): what multiplies a^{2 + i} g of an unmarked token, for L − 1 of them."""
    factors = np.zeros((HIGHEST - 1, sums.shape[1]))
    if length == 1:
        return factors
    others = _others(sums, length - 2)
    for (a, b, c), coefficient in bracket.items():
        scale = (length - 1) * coefficient / math.factorial(1 + a + b + 2 * c)
        for count, (own, of_marked, rest) in _powers_of_sum(c, 3):
            term = scale * count * marked[a + 2 * of_marked]
            factors[b + 2 * own] += term * others[rest]
    return factors


def _squared_times_loss(
    sums: Array, marked: Array, length: int, m_v: float, q_v: float, level: float
) -> Array:
    """(points,) of E[(level − 2m_v A_ε + q_v Σ₂) Σ₂]."""
    others = _others(sums, length - 1)
    total = np.zeros(sums.shape[1])
    for a, c, coefficient in ((0, 1, level), (1, 1, -2.0 * m_v), (0, 2, q_v)):
        scale = coefficient / math.factorial(a + 2 * c - 1)
        for count, (of_marked, rest) in _powers_of_sum(c, 2):
            total += scale * count * marked[a + 2 * of_marked] * others[rest]
    return total
