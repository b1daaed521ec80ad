"""The competitor's trajectories: the JAX program's right-hand side in diffrax."""

from __future__ import annotations

from functools import partial

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax_program import Problem, expected_update
from numpy.typing import NDArray

import headode as ho
from headode.trajectory import trajectory_dataset

MAX_STEPS = 100_000


@partial(jax.jit, static_argnames=("problem", "rtol", "atol"))
def _solve(
    problem: Problem,
    M: jax.Array,
    R: jax.Array,
    nodes: jax.Array,
    times: jax.Array,
    rtol: float,
    atol: float,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    def field(
        _time: jax.Array, state: tuple[jax.Array, jax.Array], nodes: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        M, R = state
        _, G, C = expected_update(problem, M, R, nodes)
        CR = C @ R
        return -(G + C @ M), -(CR + CR.T)

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        diffrax.Tsit5(),
        t0=times[0],
        t1=times[-1],
        dt0=None,
        y0=(M, R),
        args=nodes,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
        max_steps=MAX_STEPS,
    )
    Ms, Rs = solution.ys
    # The risk at every output, as headode records it.
    risks = jax.lax.map(lambda state: expected_update(problem, *state, nodes).risk, (Ms, Rs))
    return Ms, Rs, risks, solution.stats["num_steps"]


def integrate(
    model: ho.Model,
    start: ho.OrderParameters,
    times: NDArray[np.float64],
    nodes: jax.Array,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-9,
) -> xr.Dataset:
    """Gradient flow with Tsit5, as a dataset like that of :func:`headode.integrate`.

    Kvaerno5 and other implicit methods would need the Jacobian, 28 directional derivatives of the
    expected updates through the root of Q at every stage; the flow is not that stiff.
    """
    problem = Problem.of(model)
    M, R, risk, steps = _solve(
        problem, jnp.asarray(start.M), jnp.asarray(start.R), nodes, jnp.asarray(times), rtol, atol
    )
    return trajectory_dataset(
        np.asarray(times),
        {"M": np.asarray(M), "R": np.asarray(R), "risk": np.asarray(risk)},
        kind="integration",
        configuration=model.to_dict(),
        # Tsit5 reuses its last stage: six evaluations a step.
        right_hand_side_evaluations=6 * int(steps),
    )
