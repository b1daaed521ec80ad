"""The law of the logarithmic ring times of exponential scores (theory: tokens).

A token with the score u rings at a time e^T, T = log E − u with E a standard exponential. If the
scores of the heads are Gaussian with means a and covariance Q,

    E exp(z·T) = Π_h Γ(1 + z_h) exp(−z·a + z·Qz/2).

At z = ik − α these are the coefficients of Fourier series for e^{−α·x} times the joint density and,
divided by α − ik, for e^{−α·x} P(T < x). The tilt α > 0 makes the early times, at which one of
many tokens rings first, as large as any other.
"""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.expectation.field_laws import FieldLaws
from headode.expectation.race.setting import Race
from headode.expectation.race.softmax.boxes import Boxes, choose_boxes
from headode.kernels._compile import compiled

Complex = NDArray[np.complex128]

# Coefficients of Stirling's series for log Γ, which is used at arguments beyond this shift.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_SHIFT = 9


class RingTimes(NamedTuple):
    """What all laws of all heads share.

    Attributes:
        boxes: frames and numbers of frequencies.
        moduli: (H, K + 1) |Γ(1 − α + ik)| at the multiples of a head's smallest frequency.
        phases: (H, K + 1) Γ/|Γ| there.
    """

    boxes: Boxes
    moduli: Array
    phases: Complex


@compiled
def _gamma(z: complex) -> tuple[float, complex]:
    """|Γ(z)| and Γ(z)/|Γ(z)|, by Stirling's series.

    The library's takes no longer for an argument, but its arrays 50 µs for a call: a tenth of an
    expected update.
    """
    shifted = z + _SHIFT
    inverse = 1.0 / shifted
    square = inverse * inverse
    logarithm = (shifted - 0.5) * cmath.log(shifted) - shifted + 0.5 * math.log(2.0 * math.pi)
    for coefficient in _STIRLING:
        logarithm += coefficient * inverse
        inverse *= square
    product = 1.0 + 0.0j
    for n in range(_SHIFT):
        product *= z + n
    modulus = abs(product)
    phase = complex(math.cos(logarithm.imag), math.sin(logarithm.imag))
    return math.exp(logarithm.real) / modulus, phase * (product.conjugate() / modulus)


@compiled
def ring_times(laws: FieldLaws, race: Race, tolerance: float) -> RingTimes:
    """Boxes and Gamma functions of the ring times; the tolerance is that of the boxes."""
    boxes = choose_boxes(laws, race, tolerance)
    sizes = boxes.sizes
    heads = sizes.shape[0]
    moduli = np.empty((heads, sizes.max() + 1))
    phases = np.empty((heads, sizes.max() + 1), dtype=np.complex128)
    for h in range(heads):
        for j in range(sizes[h].max() + 1):
            z = complex(1.0 - boxes.tilts[h], j * boxes.bases[h])
            moduli[h, j], phases[h, j] = _gamma(z)
    return RingTimes(boxes, moduli, phases)
