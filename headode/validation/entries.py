"""The quantities that are compared, each once, as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.expectation.symmetry import Symmetry
from headode.validation.extrapolation import Sample

if TYPE_CHECKING:
    import xarray as xr

COMPARED = ("risk", "M", "R", "m_v", "q_v", "offset")


def compared_names(ensemble: xr.Dataset) -> list[str]:
    """Names of the compared variables that a dataset has."""
    return [name for name in COMPARED if name in ensemble]


def overlap_names(ensemble: xr.Dataset) -> list[str]:
    """Likewise without the risk, which is estimated by Monte Carlo."""
    return [name for name in compared_names(ensemble) if name != "risk"]


def distinct(variable: xr.DataArray) -> NDArray[np.bool_]:
    """Which entries are quantities of their own: the upper triangle of a symmetric matrix."""
    mask = np.ones(variable.shape, dtype=bool)
    if "head_2" in variable.dims:
        mask &= np.triu(np.ones(variable.shape[-2:], dtype=bool))
    return mask


def sample(name: str, ensemble: xr.Dataset) -> Sample:
    """A variable of an ensemble, with the noise of its measurement if it is the risk."""
    noise = np.array(0.0)
    if name == "risk":
        noise = (ensemble["risk_standard_error"].values ** 2).mean(axis=0)
    return Sample(ensemble[name].values, int(ensemble.attrs["dimension"]), noise)


def overlap_groups(ensembles: Sequence[xr.Dataset]) -> dict[str, list[Sample]]:
    """Samples (n, T, entries) of overlaps that fluctuate alike: M for each feature, R, m_v, ..."""
    groups: dict[str, list[Sample]] = {}
    for name in overlap_names(ensembles[0]):
        samples = [sample(name, each) for each in ensembles]
        if name == "M":
            for f, label in enumerate(ensembles[0]["feature"].values):
                column = [each._replace(values=each.values[..., f]) for each in samples]
                groups[f"M[feature {label}]"] = column
        else:
            groups[name] = [
                each._replace(values=_flat(dataset[name], leading=2))
                for each, dataset in zip(samples, ensembles, strict=True)
            ]
    return groups


def odd_samples(symmetry: Symmetry, ensembles: Sequence[xr.Dataset]) -> list[Sample]:
    """Samples (n, T, entries) of what vanishes as long as the symmetry of the start is kept.

    Overlaps with absent features, and differences of interchangeable heads from their mean.
    """
    samples = []
    for each in ensembles:
        M = each["M"].values
        parts = [M[..., list(symmetry.absent)]]
        parts += [M[:, :, list(group)] for group in symmetry.classes]
        parts[1:] = [part - part.mean(axis=2, keepdims=True) for part in parts[1:]]
        flat = [part.reshape(*M.shape[:2], -1) for part in parts]
        values = np.concatenate(flat, axis=2)
        samples.append(Sample(values, int(each.attrs["dimension"]), np.array(0.0)))
    return samples


def all_overlaps(dataset: xr.Dataset) -> Array:
    """(entries,) or, with runs, (n, entries): all overlaps at all times of a dataset."""
    leading = 1 if "run" in dataset.dims else 0
    parts = [_flat(dataset[name], leading) for name in overlap_names(dataset)]
    return np.concatenate(parts, axis=-1)


def _flat(variable: xr.DataArray, leading: int) -> Array:
    """The distinct entries along the last of ``leading + 1`` axes."""
    values = variable.values
    first = values[(0,) * leading] if leading else values
    mask = distinct(variable)[(0,) * leading] if leading else distinct(variable)
    shape = values.shape[:leading]
    flat: Array = values.reshape(*shape, first.size)[..., mask.reshape(-1)]
    return flat
