"""A background state and small differences about it, as one ordinary differential equation."""

from __future__ import annotations

import numpy as np

from headode._checks import Array
from headode.dynamics.packing import Packing
from headode.expectation.symmetry import Symmetry
from headode.expectation.terms import ExpectedUpdate
from headode.stability.differences import largest_signal
from headode.stability.flow import Flow

# Score by which the differences displace the background where they are differentiated.
STEP = 0.02
HALVINGS = 12


class DifferencesFlow:
    """Right-hand side of (background, differences): the ODE, and its linearization about it.

    Only the derivative along the differences is needed, which takes two more evaluations of the
    expected updates, whatever the number of order parameters.

    Args:
        flow: the vector field.
        background: packed state whose symmetries the background keeps.
    """

    def __init__(self, flow: Flow, background: Array) -> None:
        self._flow = flow
        symmetry = Symmetry.of(flow.model, flow.packing.unpack(background))
        self._packing = Packing(flow.model, symmetry)
        self._imposing = flow.imposing(symmetry)
        self._step = STEP / largest_signal(flow.model)

    def __call__(self, _time: float, both: Array) -> Array:
        """Rates of change of the two packed states, one after the other."""
        flow, size = self._flow, len(both) // 2
        background = flow.pack(self._packing.physical(both[:size]))
        terms = flow.terms(background)
        own = self._imposing.derivative(flow.packing.unpack(background), terms)
        return np.concatenate([own, self._growth(background, both[size:], terms)])

    def _growth(self, background: Array, differences: Array, terms: ExpectedUpdate) -> Array:
        """The linearized rates along the differences; exact but for those of the updates."""
        flow = self._flow
        largest = float(np.abs(differences).max())
        if largest == 0.0:
            return np.zeros_like(differences)
        direct = flow.rate(background + differences, terms) - flow.rate(background, terms)
        direction = differences / largest
        step = self._admissible(background, direction)
        ahead, behind = (
            flow.rate(background, flow.terms(background + sign * step * direction))
            for sign in (1.0, -1.0)
        )
        result: Array = direct + (ahead - behind) * (largest / (2 * step))
        return result

    def _admissible(self, background: Array, direction: Array) -> float:
        """A step to both sides that leaves R positive semidefinite, or nearly so."""
        R = self._flow.packing.unpack(background).R
        dR = self._flow.packing.unpack(direction).R
        step = self._step
        if not dR.any():
            return step
        for _ in range(HALVINGS):
            if min(np.linalg.eigvalsh(R + sign * step * dR)[0] for sign in (1, -1)) >= 0:
                break
            step *= 0.5
        return step
