"""How fast a score function varies, compared with an exponential.

Rules for a token's fields are made for integrands that are analytic in the strip |Im u| < π/2, as
those of exponential scores are. A score w has a strip of its own, which ends at the zeros and
singularities of w in the complex plane; its derivatives relative to it, w'/w and w''/w, tell how
near these are. (x² + c has zeros at ±i√c, and w''/w = 2/c at 0.)
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from headode._checks import Array
from headode.activation import Activation
from headode.expectation.field_laws import FieldLaws
from headode.kernels.load import Kernel, load_token_law

# Standard deviations of the scores, and points, between which the derivatives are looked at.
REACH, POINTS = 8.0, 4096
# Beyond that, a rule would need thousands of nodes along a line.
LARGEST = 1e4


def score_sharpness(activation: Activation, laws: FieldLaws) -> float:
    """The largest of |w'/w| and √|w''/w| over the fields of these laws, at least 1."""
    if activation.is_exponential:
        return 1.0
    deviations = np.sqrt(np.diagonal(laws.covariances, axis1=1, axis2=2))
    largest = float((np.abs(laws.means) + REACH * deviations).max())
    # Rounded up, so that it changes a few times at most along a trajectory.
    return _within(activation, math.ceil(math.log2(max(largest, 1e-3))))


@lru_cache(maxsize=256)
def _within(activation: Activation, exponent: int) -> float:
    """The sharpness for |fields| up to 2^exponent; finer near zero, where scores have kinks."""
    radius = 2.0**exponent
    positive = np.geomspace(1e-6 * radius, radius, POINTS)
    fields = np.concatenate([-positive, [0.0], positive, np.linspace(-radius, radius, POINTS)])
    _, slope, bend = relative_derivatives(load_token_law(activation), fields)
    found = np.maximum(np.abs(slope), np.sqrt(np.abs(bend)))
    # Scores that overflow far out weigh nothing there.
    largest = float(np.max(found, where=np.isfinite(found), initial=1.0))
    return min(largest, LARGEST)


def relative_derivatives(law_of: Kernel, fields: Array) -> tuple[Array, Array, Array]:
    """log w, w'/w and w''/w at the fields, each of their shape."""
    y, derivatives = np.empty((1, 1, fields.size)), np.empty((1, 1, 2, 1, fields.size))
    nothing = np.zeros(1), np.zeros(1), np.zeros((1, 1))
    law_of(fields.reshape(1, -1), *nothing, 0, fields.size, y, derivatives)
    slope, bend = derivatives.reshape(2, *fields.shape)
    return y.reshape(fields.shape), slope, bend
