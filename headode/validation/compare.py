"""Compare an ODE's trajectory with ensembles of SGD runs: one statistical verdict.

A quantity agrees when the ensembles' mean, extrapolated to d → ∞, is within its critical number of
standard errors of the theory; Student's t at half of ``level / comparisons`` (Bonferroni, which
holds however the quantities are correlated), so that a correct theory is rejected with a
probability of at most ``level``. Where fluctuations are not small, a deviation decides nothing:
see :mod:`headode.validation.scaling`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array, check_number
from headode.errors import ArgumentError
from headode.expectation.symmetry import Symmetry
from headode.validation.allowance import numerical_allowance
from headode.validation.entries import (
    all_overlaps,
    distinct,
    odd_samples,
    overlap_groups,
    sample,
)
from headode.validation.exponents import Exponent, bias_exponent, fluctuation_exponent
from headode.validation.extrapolation import Estimate, Sample, extrapolate
from headode.validation.report import Report
from headode.validation.scaling import Reach, reach
from headode.validation.scope import allowance_notes, reach_notes

if TYPE_CHECKING:
    import xarray as xr

# The sum of the first few steps is far from Gaussian: earlier records of the second ensemble, from
# which variances are taken, are not compared.
FEWEST_STEPS = 64

# Student's t is exact for Gaussian runs. Half of the level is kept for their tails in finite
# dimension: without that, 3 of 200 validations at d = 512 rejected a correct theory.
SHARE_OF_LEVEL = 0.5

Columns = dict[str, Array]


def compare(
    theory: xr.Dataset,
    ensembles: Sequence[xr.Dataset],
    *,
    looser: xr.Dataset | None = None,
    level: float = 0.01,
    symmetry: Symmetry | None = None,
    warnings: Iterable[str] = (),
) -> Report:
    """Judge a theory by two or three ensembles that start from its initial overlaps.

    Compares M, R, the risk and, where they are learned, m_v, q_v and the offsets, at all times of
    the ensembles after 64 steps of the second one.

    Args:
        theory: trajectory of the ODE, recorded at all times of the ensembles (and others).
        ensembles: two or more runs at each of two or three dimensions, the largest one first, at
            the same times.
        looser: the theory once more, at the same times but computed less accurately, to measure
            its numerical error; None: that is estimated from the tolerances.
        level: largest probability with which a correct theory is said to disagree.
        symmetry: of the start, which the ODE keeps for ever and runs may break.
        warnings: kept in the report.

    Raises:
        ArgumentError: if these do not have the same times, or none of them is late enough.
    """
    level = check_number("level", level, 0.0, exclusive=True)
    predicted, used = _aligned(theory, ensembles)
    odd = odd_samples(symmetry, used) if symmetry else None
    limits = reach(overlap_groups(used), level, odd)
    times = predicted["time"].values
    rows = _rows_at("theory", theory, times)
    allowance = {n: each[rows] for n, each in numerical_allowance(theory, looser).items()}
    comparisons = sum(int(distinct(predicted[name]).sum()) for name in allowance)
    data = _compared(predicted, used, allowance, limits, SHARE_OF_LEVEL * level / comparisons)
    fluctuations, bias = _exponents(predicted, used, allowance, limits, level)
    results: dict[str, Any] = {
        "level": level,
        "horizon": _horizon(times, limits),
        "fluctuation_exponent": fluctuations,
        "bias_exponent": bias,
    }
    # Pictures are drawn from the data alone.
    data = data.assign_attrs({name: each for name, each in results.items() if each is not None})
    return Report(
        **results,
        comparisons=comparisons,
        warnings=(*warnings, *reach_notes(limits, times), *allowance_notes(data, list(allowance))),
        data=data,
        theory=theory,
        ensembles=tuple(ensembles),
    )


def _compared(
    predicted: xr.Dataset,
    ensembles: Sequence[xr.Dataset],
    allowance: dict[str, Array],
    limits: Reach,
    level: float,
) -> xr.Dataset:
    """Everything that is compared, each quantity at ``level``; as :class:`Report` describes it."""
    data: dict[str, tuple[tuple[Hashable, ...], Array]] = {}
    usable = np.arange(predicted.sizes["time"]) < limits.third
    for name, allowed in allowance.items():
        samples, expected = [sample(name, each) for each in ensembles], predicted[name].values
        judged = _judge(expected, extrapolate(samples, usable), allowed, level)
        dims = predicted[name].dims
        data[f"{name}_allowance"] = (("time",), allowed)
        data |= {f"{name}_{part}": (dims, values) for part, values in judged.items()}
        data |= {
            f"{name}_{part}": (("dimension", *dims), values)
            for part, values in _by_dimension(samples, expected).items()
        }
    coordinates = {
        "dimension": [each.attrs["dimension"] for each in ensembles],
        "runs": ("dimension", [each.sizes["run"] for each in ensembles]),
    }
    empty = predicted.drop_vars(list(predicted.data_vars)).drop_attrs()
    return empty.assign_coords(coordinates).assign(data)


def _aligned(
    theory: xr.Dataset, ensembles: Sequence[xr.Dataset]
) -> tuple[xr.Dataset, list[xr.Dataset]]:
    """The theory and the ensembles at the times to compare."""
    if len(ensembles) not in (2, 3):
        raise ArgumentError("ensembles", "be two or three", len(ensembles))
    for ensemble in ensembles:
        if ensemble.sizes["run"] < 2:
            raise ArgumentError("ensembles", "have at least 2 runs each", ensemble.sizes["run"])
    dimensions = [int(each.attrs["dimension"]) for each in ensembles]
    if sorted(set(dimensions), reverse=True) != dimensions:
        raise ArgumentError("ensembles", "have decreasing dimensions", dimensions)
    times = ensembles[0]["time"].values
    steps = ensembles[1]["step"].values[_rows_at("ensembles", ensembles[1], times)]
    late = times[steps >= FEWEST_STEPS]
    if late.size == 0:
        earliest = FEWEST_STEPS / dimensions[1]
        raise ArgumentError("time", f"be at least {earliest:g}", float(times[-1]))
    used = [each.isel(time=_rows_at("ensembles", each, late)) for each in ensembles]
    return theory.isel(time=_rows_at("theory", theory, late)), used


def _judge(theory: Array, estimate: Estimate, allowance: Array, level: float) -> Columns:
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


def _by_dimension(samples: Sequence[Sample], theory: Array) -> Columns:
    """Columns bias, bias_error, scatter; each (dimension, T, ...)."""
    scatter = np.array([each.values.std(axis=0, ddof=1) for each in samples])
    roots = np.sqrt([each.runs for each in samples]).reshape(-1, *(1,) * theory.ndim)
    return {
        "bias": np.array([each.values.mean(axis=0) for each in samples]) - theory,
        "bias_error": scatter / roots,
        "scatter": scatter,
    }


def _exponents(
    predicted: xr.Dataset,
    ensembles: Sequence[xr.Dataset],
    allowance: dict[str, Array],
    limits: Reach,
    level: float,
) -> tuple[Exponent | None, Exponent | None]:
    """Of all overlaps together, at the times when all ensembles fluctuate little."""
    import xarray as xr

    rows = slice(min(limits.horizon, limits.third))
    expected = all_overlaps(predicted.isel(time=rows))
    if not expected.size:
        return None, None
    nothing = np.array(0.0)
    samples = [
        Sample(all_overlaps(each.isel(time=rows)), int(each.attrs["dimension"]), nothing)
        for each in ensembles
    ]
    errors = [0 * predicted[n] + predicted["time"].copy(data=allowance[n]) for n in allowance]
    allowed = all_overlaps(xr.Dataset(dict(zip(allowance, errors, strict=True))).isel(time=rows))
    return fluctuation_exponent(samples), bias_exponent(samples, expected, allowed, level)


def _horizon(times: Array, limits: Reach) -> float | None:
    """The last time at which fluctuations are small (0 if there is none); None: the end."""
    if limits.departure is None:
        return None
    return float(times[limits.horizon - 1]) if limits.horizon else 0.0


def _rows_at(name: str, dataset: xr.Dataset, times: Array) -> NDArray[np.intp]:
    """Indices of ``times`` among a dataset's times."""
    recorded = dataset["time"].values
    rows: NDArray[np.intp] = np.abs(recorded[:, None] - times).argmin(axis=0)
    if not np.allclose(recorded[rows], times, rtol=1e-12, atol=1e-12):
        raise ArgumentError(name, "be recorded at the same times", recorded)
    return rows
