"""The unspecialized state: all heads alike, at rest."""

from __future__ import annotations

import warnings

import numpy as np

from headode._checks import Array, check_number
from headode._floats import own_errstate
from headode.errors import NumericalFailure, ToleranceWarning
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.stability.differences import Linearization
from headode.stability.flow import Flow
from headode.stability.identical_heads import IdenticalHeads
from headode.training import Training

# Overlaps at the start, as a fraction of the mean signal.
START = 0.01
# Newton's method is tried at these times, in units of 1/η, each a factor after the one before.
FIRST_TIME, FACTOR, ATTEMPTS = 100.0, 4.0, 6
NEWTON_STEPS = 12
# Expectations while the flow is followed; Newton's method corrects their error.
COARSE = 1e-2
LARGEST = 1e6
# Part of the residuals' trace beyond which they are apart.
APART = 1e-9
# How far from the flow, in units of its own size, Newton's method may end.
NEAR = 0.75


@own_errstate
def unspecialized_state(
    model: Model,
    *,
    learning_rate: float | None = None,
    value_learning_rate: float = 1.0,
    offset_learning_rate: float = 1.0,
    batch_size: int = 1,
    weight_decay: float = 0.0,
    tolerance: float = 1e-6,
    method: str = "auto",
    seed: int = 0,
    start: OrderParameters | None = None,
) -> OrderParameters:
    """The fixed point that all heads reach together (theory: specialization).

    The flow of identical heads, M = 1 mᵀ, R = b 1 1ᵀ and equal offsets, is followed from small
    overlaps with the mean signal (the value starts at v*, its optimum there), and Newton's method
    goes the rest of the way. In gradient flow b = 0. A signal without a mean leaves M = 0, where
    attention does not depend on the scores.

    Identical heads receive identical noise, so that they stay identical at any learning rate. There
    can be a second fixed point at a finite one, R = a I + b 1 1ᵀ, with heads that are alike in all
    overlaps and differ in their residuals; it is found from a ``start`` with a > 0.

    Args:
        model: any model.
        learning_rate: η; None is gradient flow.
        value_learning_rate: η_v of a learned value.
        offset_learning_rate: η_b of learned offsets.
        batch_size: B.
        weight_decay: λ.
        tolerance: target error of the order parameters.
        method: of the expectations; see :func:`headode.expected_update`.
        seed: of quasi-Monte-Carlo nodes.
        start: where to start instead; its average over permutations of heads is taken.

    Raises:
        ArgumentError: for an argument out of range.
        NumericalFailure: if the flow reaches no fixed point.
    """
    tolerance = check_number("tolerance", tolerance, 0.0, exclusive=True)
    training = Training(
        learning_rate, value_learning_rate, offset_learning_rate, batch_size, weight_decay
    )
    flow = Flow(model, training, tolerance=tolerance, method=method, seed=seed)
    if start is None:
        mean = np.tile(START * model.signal.mean, (model.heads, 1))
        given = OrderParameters(mean, np.zeros((model.heads, model.heads)))
    else:
        given = model.check_state(start)
    apart = np.trace(given.R) * model.heads > given.R.sum() * (1 + APART)
    alike = IdenticalHeads.of(flow, apart=bool(apart))
    y = alike.read(flow.pack(given))
    # A state near the fixed point needs no flow; one that was made up is not near it.
    found = None if start is None else _newton(flow, alike, y, tolerance)
    if found is None:
        coarse = Flow(model, training, tolerance=max(tolerance, COARSE), method=method, seed=seed)
        found = _follow(coarse, flow, alike, y, tolerance)
    return flow.state(alike.vector(found))


def _follow(coarse: Flow, flow: Flow, alike: IdenticalHeads, y: Array, tolerance: float) -> Array:
    """The numbers of the fixed point that the flow from y reaches."""
    import scipy.integrate

    if not y.size:
        return y  # nothing that the symmetries of the signal allow to change

    def rate(_time: float, y: Array) -> Array:
        return alike.read_rate(coarse.rate(alike.vector(y)))

    unit = 1.0 / (flow.training.learning_rate or 1.0)
    reached, until = 0.0, FIRST_TIME * unit
    for _ in range(ATTEMPTS):
        solver = scipy.integrate.LSODA(rate, reached, y, until, rtol=1e-5, atol=1e-8)
        while solver.status == "running":
            solver.step()
            if solver.status == "failed" or not np.abs(solver.y).max() < LARGEST:
                raise NumericalFailure(
                    "no unspecialized state: the order parameters of identical heads diverge at "
                    f"time {solver.t:.6g} (try a smaller learning rate)"
                )
        y, reached = solver.y, until
        found = _newton(flow, alike, y, tolerance)
        if found is not None:
            return found
        until *= FACTOR
    raise NumericalFailure(
        "no unspecialized state: identical heads are not at rest at time "
        f"{reached:.6g}, with a drift of {np.abs(rate(0.0, y)).max():.1e} (there may be none, as "
        "where an offset goes to infinity; else try a larger tolerance or a start near it)"
    )


def _newton(flow: Flow, alike: IdenticalHeads, start: Array, tolerance: float) -> Array | None:
    """The fixed point near a state, attracting within identical heads; None if there is none."""
    y, last = start, np.inf
    if not y.size:
        return y
    for _ in range(NEWTON_STEPS):
        near = Linearization(flow, alike.vector(y))
        slopes = np.array(
            [
                alike.read_rate(near.along(direction, one_sided=sided)[0])
                for direction, sided in zip(alike.directions.T, alike.one_sided, strict=True)
            ]
        ).T
        # Least squares: element-wise activations can leave R's diagonal part marginal.
        step = np.linalg.lstsq(slopes, -alike.read_rate(near.rate), rcond=1e-12)[0]
        change = np.where(alike.one_sided, np.maximum(y + step, 0.0), y + step) - y
        y = np.asarray(y + change)
        size = float(np.abs(change).max())
        if not np.abs(y - start).max() <= NEAR * (1.0 + np.abs(start).max()) or size > last:
            return None
        if size <= 1e-3 * tolerance:
            if np.linalg.eigvals(slopes).real.max() > tolerance:
                return None
            _warn_of_sampling(near.sampling, slopes, tolerance)
            return y
        last = max(size, tolerance)
    return None


def _warn_of_sampling(sampling: float, slopes: Array, tolerance: float) -> None:
    """Say when sampled expectations leave a larger error than asked for."""
    slowest = float(np.linalg.svd(slopes, compute_uv=False).min(initial=np.inf))
    error = sampling / slowest if sampling else 0.0
    if error > tolerance:
        text = (
            f"The unspecialized state has an error of up to {error:.0e} from sampled expectations; "
            f"the tolerance is {tolerance:.0e}."
        )
        warnings.warn(text, ToleranceWarning, stacklevel=5)
