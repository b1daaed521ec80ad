"""Compare an ODE's trajectory with ensembles of SGD runs: one statistical verdict.

A quantity agrees when the ensemble's mean, extrapolated to d → ∞, is within its critical number of
standard errors of the theory; Student's t at the level ``level / comparisons`` (Bonferroni), so
that a correct theory is rejected with a probability of at most about ``level``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array, check_number
from headode.errors import ArgumentError
from headode.validation.allowance import numerical_allowance
from headode.validation.extrapolation import Estimate, extrapolate
from headode.validation.report import Deviation, Report
from headode.validation.scope import scaling_warnings

if TYPE_CHECKING:
    import xarray as xr

COMPARED = ("risk", "M", "R", "m_v", "q_v", "offset")
# The sum of the first few steps is far from Gaussian: earlier records are not compared.
FEWEST_STEPS = 64


def compare(
    theory: xr.Dataset,
    simulation: xr.Dataset,
    coarse: xr.Dataset,
    *,
    level: float = 0.01,
    warnings: Iterable[str] = (),
) -> Report:
    """Judge a theory by two ensembles that start from its initial overlaps.

    Compares M, R, the risk and, where they are learned, m_v, q_v and the offsets, at all times of
    the simulation after 64 steps of the coarse ensemble.

    Args:
        theory: trajectory of the ODE, recorded at all times of the simulation (and others).
        simulation: two or more runs at dimension d.
        coarse: two or more runs at a smaller dimension, at the same times.
        level: largest probability with which a correct theory is said to disagree.
        warnings: kept in the report.

    Raises:
        ArgumentError: if the three do not have the same times, or none of them is late enough.
    """
    level = check_number("level", level, 0.0, exclusive=True)
    for name, ensemble in (("simulation", simulation), ("coarse", coarse)):
        if ensemble.sizes["run"] < 2:
            raise ArgumentError(name, "have at least 2 runs", ensemble.sizes["run"])
    times = simulation["time"].values
    late = np.flatnonzero(coarse["step"].values >= FEWEST_STEPS)
    if late.size == 0:
        earliest = FEWEST_STEPS / coarse.attrs["dimension"]
        raise ArgumentError("time", f"be at least {earliest:g}", float(times[-1]))
    rows = _rows_at("theory", theory, times)[late]
    predicted, fine = theory.isel(time=rows), simulation.isel(time=late)
    small = coarse.isel(time=_rows_at("coarse", coarse, times)[late])
    allowance = numerical_allowance(theory)[rows]
    names = [name for name in COMPARED if name in simulation]
    comparisons = sum(int(_distinct(predicted[name]).sum()) for name in names)
    data: dict[str, tuple[tuple[Hashable, ...], Array]] = {"allowance": (("time",), allowance)}
    deviations: list[Deviation] = []
    notes = list(warnings)
    for name in names:
        estimate = _estimate(name, fine, small)
        notes += scaling_warnings(name, predicted["time"].values, estimate.scaling, fine, small)
        columns = _judge(predicted[name].values, estimate, allowance, level / comparisons)
        deviations.append(_largest(predicted[name], columns))
        columns["mean"] = fine[name].values.mean(axis=0)
        dims = predicted[name].dims
        data |= {f"{name}_{part}": (dims, values) for part, values in columns.items()}
    deviations.sort(key=lambda each: abs(each.z) / each.critical, reverse=True)
    return Report(
        agrees=abs(deviations[0].z) <= deviations[0].critical,
        level=level,
        comparisons=comparisons,
        deviations=tuple(deviations),
        warnings=tuple(notes),
        data=predicted.drop_vars(list(predicted.data_vars)).drop_attrs().assign(data),
        theory=theory,
        simulation=simulation,
        coarse=coarse,
    )


def _estimate(name: str, fine: xr.Dataset, coarse: xr.Dataset) -> Estimate:
    """The ensembles' mean of a variable, extrapolated; Monte Carlo noise of the risk known."""
    noise = [
        (each["risk_standard_error"].values ** 2).mean(axis=0) if name == "risk" else np.array(0.0)
        for each in (fine, coarse)
    ]
    ratio = fine.attrs["dimension"] / coarse.attrs["dimension"]
    return extrapolate(fine[name].values, coarse[name].values, ratio, *noise)


def _judge(theory: Array, estimate: Estimate, allowance: Array, level: float) -> dict[str, Array]:
    """Columns theory, simulation, standard_error, z, critical; each (T, ...)."""
    from scipy.stats import t as student_t

    deviation = estimate.mean - theory
    allowed = allowance.reshape(-1, *(1,) * (theory.ndim - 1))
    excess = np.maximum(np.abs(deviation) - allowed, 0.0)
    # Without scatter a quantity agrees within the allowance (z = 0), or it does not (infinity).
    z = np.where(excess > 0, np.inf, 0.0)
    error = estimate.standard_error
    np.divide(excess, error, out=z, where=error > 0)
    return {
        "theory": theory,
        "simulation": estimate.mean,
        "standard_error": error,
        "z": np.copysign(z, deviation),
        "critical": student_t.isf(0.5 * level, estimate.degrees_of_freedom),
    }


def _largest(variable: xr.DataArray, columns: dict[str, Array]) -> Deviation:
    """Where |z| is largest relative to its critical value."""
    relative = np.abs(columns["z"]) / columns["critical"]
    relative[~_distinct(variable)] = -1.0
    where = np.unravel_index(int(relative.argmax()), relative.shape)
    indices = [
        f"{str(dim).removesuffix('_2')} {int(variable[dim].values[i])}"
        for dim, i in zip(variable.dims[1:], where[1:], strict=True)
    ]
    values = {part: float(column[where]) for part, column in columns.items()}
    what = f"{variable.name}[{', '.join(indices)}]" if indices else str(variable.name)
    return Deviation(what, float(variable["time"].values[where[0]]), **values)


def _distinct(variable: xr.DataArray) -> NDArray[np.bool_]:
    """Which entries are quantities of their own: the upper triangle of a symmetric matrix."""
    distinct = np.ones(variable.shape, dtype=bool)
    if "head_2" in variable.dims:
        distinct &= np.triu(np.ones(variable.shape[-2:], dtype=bool))
    return distinct


def _rows_at(name: str, dataset: xr.Dataset, times: Array) -> NDArray[np.intp]:
    """Indices of ``times`` among a dataset's times."""
    recorded = dataset["time"].values
    rows: NDArray[np.intp] = np.abs(recorded[:, None] - times).argmin(axis=0)
    if not np.allclose(recorded[rows], times, rtol=1e-12, atol=1e-12):
        raise ArgumentError(name, "be recorded at the times of the simulation", recorded)
    return rows
