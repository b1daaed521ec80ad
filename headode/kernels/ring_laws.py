"""The laws of the logarithmic ring times of exponential scores (theory: tokens).

A token with the score u rings at a time e^T, T = log E − u with E a standard exponential. If the
scores of the heads are Gaussian with means a and covariance Q,

    E exp(i Σ_h k_h T_h) = Π_h Γ(1 + i k_h) exp(−i k·a − k·Qk/2).

On boxes that hold nearly all of it, the law is a Fourier series with these coefficients.
"""

from __future__ import annotations

import cmath
import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from headode._checks import Array
from headode.kernels._compile import compiled

# Exponents of Chernoff's bounds, and log Γ(1 ∓ s).
_BELOW = np.append(np.arange(0.05, 0.95, 0.1), 0.97)
_ABOVE = np.geomspace(0.05, 50.0, 24)
_LOG_BELOW: Array = gammaln(1.0 - _BELOW)
_LOG_ABOVE: Array = gammaln(1.0 + _ABOVE)
# Of Stirling's series, and where it is used, 1 + SHIFT on.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_SHIFT = 9


@compiled
def _reach(variance: float, digits: float, side: int) -> float:
    """How far T − (−a) gets on one side, −1 or +1, but for a probability of e^{−digits}.

    Chernoff: P(T < x) ≤ e^{sx} E e^{−sT}, and likewise above, with E e^{−sT} = Γ(1 − s) e^{s²Q/2}.
    """
    exponents = _ABOVE if side > 0 else _BELOW
    logarithms = _LOG_ABOVE if side > 0 else _LOG_BELOW
    reach = np.inf
    for i in range(exponents.size):
        s = exponents[i]
        reach = min(reach, (digits + logarithms[i]) / s + 0.5 * s * variance)
    if variance > 0.0:  # the best exponent for a wide Gaussian
        s = min(math.sqrt(2.0 * digits / variance), exponents[-1])
        reach = min(reach, (digits + math.lgamma(1.0 + side * s)) / s + 0.5 * s * variance)
    return reach


@compiled
def _phase(k: float) -> float:
    """arg Γ(1 + ik), by Stirling's series."""
    z = complex(1.0 + _SHIFT, k)
    inverse = 1.0 / z
    square = inverse * inverse
    total = (z - 0.5) * cmath.log(z) - z
    for coefficient in _STIRLING:
        total += coefficient * inverse
        inverse *= square
    phase = total.imag
    for n in range(1, _SHIFT + 1):
        phase -= math.atan2(k, n)
    return phase


@compiled
def _frequencies(base: float, own: float, ratio: float, other: float, tolerance: float) -> int:
    """Number of multiples of ``base`` at which the characteristic function is not negligible.

    For a pair of heads the function of k is the largest one over the other head's frequencies l:
    own is the variance of the field given the other one's, other the variance of that one, and
    ratio Q_hk/Q_kk; for a single head, ratio is 0. |Γ(1 + ik)| is below √(1 + 2πk) e^{−πk/2}.
    Second derivatives take k² times as much, of which integrals of the density leave k.
    """
    count = 0
    exponent = 0.0
    least = math.log(tolerance)
    while exponent > least:
        count += 1
        k = count * base
        l = ratio * k
        exponent = (
            0.5 * math.log1p(2.0 * math.pi * k)
            + math.log1p(k)
            - 0.5 * math.pi * k
            - 0.5 * own * k * k
        )
        if 2.0 * l * other > math.pi:
            exponent -= 0.5 * math.pi * l - math.pi**2 / (8.0 * other)
        else:
            exponent -= 0.5 * other * l * l
    return count


@compiled
def ring_laws(
    means: Array, covariances: Array, tolerance: float
) -> tuple[Array, Array, NDArray[np.int64], Array, Array]:
    """The series of each head's ring times.

    Args:
        means: (S + 1, H) of the shifted fields, of an unmarked token and of the marked one under
            each component of the signal.
        covariances: (S + 1, H, H).
        tolerance: probability to be outside a box on either side, and size of the largest
            coefficient left out.

    Returns:
        starts (H,) and smallest frequencies k₁ (H,) of the boxes; sizes (H, H): the number of
        frequencies of h that the pair with k takes, and of h alone on the diagonal; moduli
        (H, K + 1) of Γ(1 + ik); phases (H, S + 1, 2, K + 1): cosines and sines of the phases of the
        characteristic functions, with times from the start of the box.
    """
    laws, heads = means.shape
    digits = -math.log(tolerance)
    starts, bases = np.full(heads, np.inf), np.empty(heads)
    for h in range(heads):
        end = -np.inf
        for s in range(laws):
            variance = covariances[s, h, h]
            starts[h] = min(starts[h], -means[s, h] - _reach(variance, digits, -1))
            # Above, n = E e^{−a} falls so fast that its second derivative is a² times as large.
            end = max(end, -means[s, h] + _reach(variance, digits + 2.0 * math.log(digits), 1))
        bases[h] = 2.0 * math.pi / (end - starts[h])
    sizes = np.zeros((heads, heads), dtype=np.int64)
    for s in range(laws):
        if s > 0 and (covariances[s] == covariances[s - 1]).all():
            continue
        for h in range(heads):
            for k in range(heads):
                own, other = covariances[s, h, h], covariances[s, k, k]
                ratio = abs(covariances[s, h, k]) / other if h != k and other > 0.0 else 0.0
                own = max(own - ratio**2 * other, 0.0)
                other = other if h != k else 0.0
                size = _frequencies(bases[h], own, ratio, other, tolerance)
                sizes[h, k] = max(sizes[h, k], size)
    largest = sizes.max()
    moduli = np.empty((heads, largest + 1))
    phases = np.empty((heads, laws, 2, largest + 1))
    for h in range(heads):
        for j in range(largest + 1):
            k = j * bases[h]
            argument = _phase(k)
            moduli[h, j] = math.sqrt(math.pi * k / math.sinh(math.pi * k)) if j else 1.0
            for s in range(laws):
                angle = argument - k * (means[s, h] + starts[h])
                phases[h, s, 0, j] = math.cos(angle)
                phases[h, s, 1, j] = math.sin(angle)
    return starts, bases, sizes, moduli, phases
