"""Integrate the order-parameter ODE."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from headode._checks import Array, check_number, check_option, check_seed, plain_data
from headode._floats import own_errstate
from headode.dynamics.packing import Packing
from headode.dynamics.recorder import Recorder
from headode.dynamics.right_hand_side import DIVERGED, LARGEST_OVERLAP, RightHandSide
from headode.errors import Interrupted, NumericalFailure
from headode.expectation.bayes_risk import bayes_floor
from headode.expectation.select import expectation
from headode.expectation.symmetry import Symmetry
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.progress import Progress, ProgressCallback
from headode.training import Training
from headode.trajectory import asked_times

if TYPE_CHECKING:
    import xarray as xr

INTEGRATORS = ("auto", "RK45", "DOP853", "LSODA", "BDF", "Radau")
# The fewest right-hand sides on the packaged examples: see benchmarks/integrators.py.
DEFAULT_INTEGRATOR = "LSODA"

# LSODA multiplies times, and never returns from a span whose square is no number.
SHORTEST_SPAN = 1e-100


@own_errstate
def integrate(
    model: Model,
    state: OrderParameters,
    *,
    time: float | None = None,
    times: Any = None,
    learning_rate: float | None = None,
    value_learning_rate: float = 1.0,
    offset_learning_rate: float = 1.0,
    batch_size: int = 1,
    weight_decay: float = 0.0,
    count: int = 200,
    spacing: str = "log",
    method: str = "auto",
    tolerance: float = 1e-6,
    seed: int = 0,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    integrator: str = "auto",
    progress: ProgressCallback | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Trajectory of the order parameters under SGD as d → ∞ (theory: the ODE).

    Args:
        model: task and student.
        state: initial order parameters, at time 0.
        time: last time, in steps/d (gradient flow: η·steps/d); ``count`` outputs from 0 to it.
        times: instead of ``time``: exactly these output times, increasing.
        learning_rate: η; None is gradient flow.
        value_learning_rate: η_v of a learned value (gradient flow: its ratio to η).
        offset_learning_rate: η_b of learned offsets (gradient flow: its ratio to η).
        batch_size: B fresh sequences per step.
        weight_decay: λ.
        count: number of output times, with ``time``.
        spacing: ``log`` (four decades, and t = 0) or ``linear``, with ``time``.
        method: of the expectations; see :func:`headode.expected_update`.
        tolerance: target absolute error of the expected updates.
        seed: of the scrambles of quasi-Monte-Carlo nodes.
        rtol: relative tolerance of the integrator.
        atol: absolute tolerance of the integrator.
        integrator: ``auto`` or a SciPy method: ``RK45``, ``DOP853``, ``LSODA``, ``BDF``, ``Radau``.
        progress: called after every accepted step.
        configuration: kept in the result instead of one made from the arguments.

    Returns:
        A dataset with M (time, head, feature), Q and R (time, head, head_2), risk,
        expectation_error and, where they are dynamical, m_v, q_v, offset.

    Raises:
        ArgumentError: for an argument out of range, or a state that does not fit the model.
        NumericalFailure: if the integrator fails or the overlaps diverge; its ``partial`` is the
            dataset until then.
        Interrupted: on Ctrl-C; likewise with ``partial``.
    """
    model.check_state(state)
    training = Training(
        learning_rate, value_learning_rate, offset_learning_rate, batch_size, weight_decay
    )
    grid = asked_times(time, times, count, spacing)
    integrator = check_option("integrator", integrator, INTEGRATORS)
    rtol = check_number("rtol", rtol, 0.0, exclusive=True)
    atol = check_number("atol", atol, 0.0, exclusive=True)
    tolerance = check_number("tolerance", tolerance, 0.0, exclusive=True)
    seed = check_seed("seed", seed)
    evaluate = expectation(
        model,
        noise=not training.is_gradient_flow,
        method=method,
        tolerance=tolerance,
        seed=seed,
        smooth=True,
    )
    packing = Packing(model, Symmetry.of(model, state))
    rhs = RightHandSide(evaluate, packing, training)
    recorder = Recorder(grid, packing, evaluate)
    if configuration is None:
        configuration = {
            **model.to_dict(),
            "training": {**training.to_dict(), "time": float(grid[-1])},
            "initial": state.to_dict(),
            "expectation": {"method": str(method), "tolerance": tolerance, "seed": seed},
            "integrator": {"rtol": rtol, "atol": atol, "method": integrator},
        }
    configuration = plain_data("configuration", configuration)
    chosen = DEFAULT_INTEGRATOR if integrator == "auto" else integrator
    run = _Run(rhs, recorder, configuration, chosen, tolerance, model)
    return run.to_the_end(packing.pack(state), float(grid[-1]), rtol, atol, progress)


class _Run:
    """One integration: steps the solver and keeps what it has computed, whatever happens."""

    def __init__(
        self,
        rhs: RightHandSide,
        recorder: Recorder,
        configuration: Mapping[str, Any],
        integrator: str,
        tolerance: float,
        model: Model,
    ) -> None:
        self._rhs, self._recorder = rhs, recorder
        self._configuration, self._integrator = configuration, integrator
        self._tolerance, self._model = tolerance, model
        self._started = clock.perf_counter()

    def to_the_end(
        self, start: Array, end: float, rtol: float, atol: float, progress: ProgressCallback | None
    ) -> xr.Dataset:
        import scipy.integrate

        solver_class = getattr(scipy.integrate, self._integrator)
        reached, vector = 0.0, start
        try:
            self._recorder.advance(0.0, lambda _: start)
            # The solver's unit of time: 1, unless the span is hardly any.
            unit = end if end < SHORTEST_SPAN else 1.0

            def rates(time: float, vector: Array) -> Array:
                return self._rhs(time, vector) * unit

            solver = solver_class(rates, 0.0, start, end / unit, rtol=rtol, atol=atol)
            while solver.status == "running":
                message = solver.step()
                fault = _fault(solver, message)
                if fault:
                    raise NumericalFailure(f"{fault} at time {reached:.6g} of {end:g}")
                curve = solver.dense_output()
                now = end if solver.status == "finished" else unit * float(solver.t)
                self._recorder.advance(now, _in_unit(curve, unit))
                reached, vector = now, solver.y
                if progress is not None and self._rhs.last is not None:
                    progress(Progress(reached, end, self._rhs.last.risk))
        except KeyboardInterrupt:
            partial = self._dataset("interrupted", reached, vector)
            raise Interrupted(f"interrupted at time {reached:.6g} of {end:g}", partial) from None
        except NumericalFailure as failure:
            partial = self._dataset("failed", reached, vector)
            text = str(failure)
            if text == DIVERGED:
                text = f"{text} at time {reached:.6g} of {end:g}"
            raise NumericalFailure(text, partial) from None
        return self._dataset("success", reached, vector)

    def _dataset(self, status: str, reached: float, vector: Array) -> xr.Dataset:
        if status != "success":
            self._recorder.close(reached, vector)
        last = self._rhs.last
        floor = bayes_floor(self._model, tolerance=self._tolerance)
        return self._recorder.dataset(
            configuration=self._configuration,
            status=status,
            bayes_risk=None if floor is None else floor[0],
            bayes_risk_error=None if floor is None else floor[1],
            wall_time=clock.perf_counter() - self._started,
            right_hand_side_evaluations=self._rhs.evaluations,
            integrator=self._integrator,
            expectation_method=None if last is None else last.method,
            expectation_nodes=None if last is None else last.nodes,
        )


def _in_unit(curve: Callable[[float], Array], unit: float) -> Callable[[float], Array]:
    """A function of the time, from one of the time in another unit."""
    return lambda time: curve(time / unit)


def _fault(solver: Any, message: str | None) -> str | None:
    """What is wrong after a step, and what to try; None if nothing is."""
    if solver.status == "failed":
        advice = "try a looser rtol, a tighter expectation tolerance or another integrator"
        return f"the integrator failed ({message}; {advice})"
    largest = float(np.abs(solver.y).max())
    if not largest < LARGEST_OVERLAP:
        return DIVERGED
    return None
