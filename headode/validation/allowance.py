"""How far the numerical solution of the ODE may be from its exact one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.integrate import cumulative_trapezoid

from headode._checks import Array
from headode.training import Training
from headode.trajectory import configuration_of
from headode.validation.entries import compared_names

if TYPE_CHECKING:
    import xarray as xr

# An integrator controls the error of a step; that of a trajectory is larger, usually within this.
GLOBAL_ERROR_FACTOR = 10.0


def numerical_allowance(theory: xr.Dataset, looser: xr.Dataset | None) -> dict[str, Array]:
    """(T,) numerical error to expect in each compared variable of the theory.

    Args:
        theory: trajectory of the ODE.
        looser: the same trajectory, computed less accurately and with other quadrature nodes. The
            largest difference of any entry until then is what is allowed: it has all that the
            dynamics makes of errors, and is larger than the error of the better solution. None:
            the error is estimated from the tolerances.
    """
    names = compared_names(theory)
    if looser is None:
        return dict.fromkeys(names, _from_tolerances(theory))
    differences = {name: np.abs(theory[name].values - looser[name].values) for name in names}
    return {
        name: np.maximum.accumulate(values.reshape(len(values), -1).max(axis=1))
        for name, values in differences.items()
    }


def _from_tolerances(theory: xr.Dataset) -> Array:
    """(T,) integrator's and expectations' errors, added over time at worst.

    The integrator's is ``GLOBAL_ERROR_FACTOR (atol + rtol · size of the overlaps)``. If the entries
    of G, C and N are off by ``e`` independently of each other, ``dM/dt`` is by
    ``η (1 + |M_f|) e`` and ``dR/dt`` by ``(2 η |R_h| + η²/B) e``, with the norms of a column of M
    and a row of R. What an unstable trajectory makes of these errors is not included.
    """
    configuration = configuration_of(theory)
    tolerances = configuration.get("integrator", {})
    training = {**Training(learning_rate=1.0).to_dict(), **configuration.get("training", {})}
    rates = [training["learning_rate"]]
    rates += [training["value_learning_rate"]] if "m_v" in theory else []
    rates += [training["offset_learning_rate"]] if "offset" in theory else []
    columns = np.linalg.norm(theory["M"].values, axis=1).max(axis=1)
    norms = np.maximum(columns, np.linalg.norm(theory["R"].values, axis=1).max(axis=1))
    integrator = tolerances.get("atol", 1e-9) + tolerances.get("rtol", 1e-6) * norms
    result: Array = GLOBAL_ERROR_FACTOR * integrator
    if "expectation_error" in theory:
        rate = max(rates) * (1 + 2 * norms) + max(rates) ** 2 / training["batch_size"]
        error = theory["expectation_error"].values
        result = result + error  # that of the risk itself
        result += cumulative_trapezoid(rate * error, theory["time"].values, initial=0.0)
    return result
