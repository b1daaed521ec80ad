"""Growth rates and modes of the dynamics near a state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from headode._checks import Array, check_number
from headode._floats import own_errstate
from headode._version import __version__
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.stability.coordinates import Coordinates
from headode.stability.flow import Flow
from headode.stability.jacobian import Jacobian, jacobian
from headode.stability.modes import Mode, modes_of
from headode.stability.sectors import exchangeable_heads
from headode.training import Training

if TYPE_CHECKING:
    import xarray as xr

# Heads whose order parameters differ by less than this are exchangeable.
ALIKE = 1e-9


@own_errstate
def linear_stability(
    model: Model,
    state: OrderParameters,
    *,
    learning_rate: float | None = None,
    value_learning_rate: float = 1.0,
    offset_learning_rate: float = 1.0,
    batch_size: int = 1,
    weight_decay: float = 0.0,
    tolerance: float = 1e-6,
    method: str = "auto",
    seed: int = 0,
) -> xr.Dataset:
    """Growth rates of small perturbations of a state, with named modes (theory: specialization).

    A perturbation of the order parameters along a mode grows like exp(λ t), with λ in units of
    1/time. Modes are permuted by permutations of exchangeable heads; one of each set is given, with
    the number of independent ones. In gradient flow at R = 0 the residual's modes are those of
    dR/dt = −(C R + R C), and what they induce in the overlaps is not shown.

    Args:
        model: any model.
        state: a fixed point. At any other state the rates are those of differences between nearby
            trajectories at that instant; ``drift`` says how far from rest it is.
        learning_rate: η; None is gradient flow.
        value_learning_rate: η_v of a learned value.
        offset_learning_rate: η_b of learned offsets.
        batch_size: B.
        weight_decay: λ.
        tolerance: target error of the derivatives.
        method: of the expectations; see :func:`headode.expected_update`.
        seed: of quasi-Monte-Carlo nodes.

    Returns:
        A dataset over ``mode``, the fastest growing one first: ``growth_rate``, ``frequency``
        (angular, of a pair of complex modes), ``error`` (of the rate), ``multiplicity``, ``name``,
        the modes ``mode_M`` (mode, head, feature), ``mode_R`` (mode, head, head_2) and, where they
        are learned, ``mode_m_v``, ``mode_r_v`` (r_v = q_v − m_v²), ``mode_offset``; the state as
        ``M``, ``R`` and so on. Attributes: ``drift`` (norm of the rates of change at the state),
        ``verdict`` (stable, unstable or marginal within the errors) and ``configuration``.

    Raises:
        ArgumentError: for a state that does not fit the model, or an argument out of range.
    """
    tolerance = check_number("tolerance", tolerance, 0.0, exclusive=True)
    training = Training(
        learning_rate, value_learning_rate, offset_learning_rate, batch_size, weight_decay
    )
    flow = Flow(model, training, tolerance=tolerance, method=method, seed=seed)
    vector = flow.pack(model.check_state(state))
    found, modes = modes_at(flow, vector, tolerance)
    return _dataset(flow, vector, found, modes)


def modes_at(flow: Flow, vector: Array, tolerance: float) -> tuple[Jacobian, list[Mode]]:
    """The Jacobian at a packed state, and its modes."""
    classes = exchangeable_heads(Coordinates.of(flow.model), vector, ALIKE)
    found = jacobian(flow, vector, classes, tolerance=1e-3 * tolerance)
    return found, modes_of(found, classes)


def verdict_of(modes: list[Mode]) -> str:
    """Whether some perturbation grows, all decay, or the errors do not tell."""
    if any(mode.rate.real > mode.error for mode in modes):
        return "unstable"
    if all(mode.rate.real < -mode.error for mode in modes):
        return "stable"
    return "marginal"


def _dataset(flow: Flow, vector: Array, found: Jacobian, modes: list[Mode]) -> xr.Dataset:
    import xarray as xr

    H, F = flow.model.heads, flow.model.features
    names = {"M": ("head", "feature"), "R": ("head", "head_2"), "offset": ("head",)}
    data: dict[str, Any] = {
        "growth_rate": ("mode", [mode.rate.real for mode in modes], {"long_name": "growth rate λ"}),
        "frequency": ("mode", [mode.rate.imag for mode in modes], {"long_name": "frequency"}),
        "error": ("mode", [mode.error for mode in modes], {"long_name": "error of the rate"}),
        "multiplicity": ("mode", [mode.multiplicity for mode in modes]),
        "name": ("mode", [mode.name for mode in modes]),
    }
    for part in ("growth_rate", "frequency", "error"):
        data[part][2]["units"] = "d/steps"
    parts = [found.coordinates.split(mode.vector) for mode in modes]
    for kind in parts[0]:
        values = np.array([each[kind] for each in parts])
        data[f"mode_{kind}"] = (("mode", *names.get(kind, ())), values)
    for kind, value in found.coordinates.split(vector).items():
        data[kind] = (names.get(kind, ()), value)
    coordinates = {
        "head": np.arange(1, H + 1),
        "head_2": np.arange(1, H + 1),
        "feature": np.arange(1, F + 1),
    }
    configuration = {**flow.model.to_dict(), "training": flow.training.to_dict()}
    return xr.Dataset(
        data,
        coords=coordinates,
        attrs={
            "kind": "stability",
            "verdict": verdict_of(modes),
            "drift": float(np.linalg.norm(found.rate)),
            "configuration": json.dumps(configuration),
            "headode_version": __version__,
        },
    )
