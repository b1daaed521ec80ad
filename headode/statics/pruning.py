"""How the risk rises as heads are removed."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headode._checks import check_number, plain_data
from headode._floats import own_errstate
from headode._version import __version__
from headode.errors import ArgumentError, Interrupted, ToleranceWarning
from headode.expectation.assembly import population_risk
from headode.expectation.bayes_risk import bayes_floor
from headode.expectation.threads import single_threaded_blas
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.progress import Progress, ProgressCallback
from headode.statics.subset_risks import SubsetAttention

if TYPE_CHECKING:
    import xarray as xr

# All subsets up to so many heads: 4095 of them.
MOST_HEADS_EXACT = 12
# Pooled subsets are compared at this tolerance, and the best ones, up to so many of a size that
# their errors cannot tell apart, again at the asked one.
COMPARING, MOST_COMPARED = 1e-3, 4

Heads = tuple[int, ...]


@own_errstate
def prune(
    model: Model,
    state: OrderParameters,
    *,
    renormalize: bool | None = None,
    refit_value: bool = False,
    largest_loss: float = 1e-3,
    method: str = "auto",
    tolerance: float = 1e-6,
    progress: ProgressCallback | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Risk of the best H, H − 1, …, 1 heads, the others being removed without retraining.

    Up to 12 heads the best subset of each size is exact, over all subsets; beyond, heads are
    removed greedily, each time the one whose loss raises the risk least. Where heads add, all
    subsets together cost H (H + 1)/2 evaluations of one or two heads. Pooled heads compete, so that
    each subset is evaluated, 2^H − 1 of them; those that differ by identical heads are one.

    Args:
        model: any model.
        state: what it has learned.
        renormalize: whether the weights of the n heads that are kept make up for the others. None:
            what a model with these n heads does. Averaged heads (``softmax``, ``softplus``) are
            averaged over n; False goes on dividing by H. Summed heads (``softmax1``, ``linear``,
            ``erf`` with its c) are left as they are; True multiplies them by H/n. Pooled heads
            always share all the weight.
        refit_value: whether m_v is set to its best value for the heads that are kept, which needs a
            model that learns it.
        largest_loss: rise of the risk up to which heads count as removable.
        method: of expectation; see :func:`headode.expected_update`.
        tolerance: target absolute error of each evaluation.
        progress: called after every number of heads.
        configuration: kept in the result instead of one made from the arguments.

    Returns:
        A dataset over ``kept``, the number of heads that are kept (1 to H): ``risk``, ``loss`` (its
        rise above that of all heads), ``risk_error``, ``keeps`` (kept, head), which heads these
        are, and with a learned value ``m_v``. Attributes: ``removable``, the largest number of
        heads that can be removed with a loss of at most ``largest_loss``; ``search`` (``all
        subsets`` or ``greedy``), ``renormalized``, ``bayes_risk``, ``evaluations``.

    Raises:
        ArgumentError: for a state that does not fit the model, or an option that makes no sense for
            it.
        Interrupted: on Ctrl-C; ``partial`` has the numbers of heads that are finished, and all
            heads, to which losses refer. More heads than its ``removable`` may turn out to be so.

    Warns:
        ToleranceWarning: if the tolerance was not reached.
    """
    model.check_state(state)
    largest_loss = check_number("largest_loss", largest_loss, 0.0)
    tolerance = check_number("tolerance", tolerance, 0.0, exclusive=True)
    if refit_value and not model.learns_value:
        raise ArgumentError("refit_value", "be False for a model with a known value", refit_value)
    if configuration is not None:
        configuration = plain_data("configuration", configuration)
    renormalized = _renormalized(model, renormalize)

    def risks(tolerance: float) -> _Risks:
        return _Risks(model, state, renormalized, refit_value, method, tolerance)

    asked = risks(tolerance)
    pooled = model.activation.normalization == "pooled"
    comparing = risks(COMPARING) if pooled and tolerance < COMPARING else asked
    exact = model.heads <= MOST_HEADS_EXACT
    search = _best_subsets if exact else _greedy_subsets
    best: list[_Pruned] = []

    def result(**attributes: Any) -> xr.Dataset:
        return _dataset(
            model,
            sorted(best, key=lambda each: len(each.heads)),
            largest_loss,
            state=state,
            configuration=configuration,
            search="all subsets" if exact else "greedy",
            renormalized=int(renormalized),
            evaluations=asked.evaluations + (0 if comparing is asked else comparing.evaluations),
            **attributes,
        )

    with single_threaded_blas(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ToleranceWarning)
        try:
            search(model.heads, comparing, asked, best, progress)
        except KeyboardInterrupt:
            if not best:
                raise
            finished = f"{len(best)} of {model.heads} numbers of heads are finished"
            if len(best[-1].heads) < model.heads and exact:
                best.append(asked(tuple(range(model.heads))))  # what losses refer to
            raise Interrupted(f"interrupted: {finished}", result(status="interrupted")) from None
    if asked.missed:
        text = (
            f"{asked.missed} evaluations missed the tolerance {tolerance:.1e}; the largest error "
            f"of a risk is {max(each.error for each in best):.1e}."
        )
        warnings.warn(text, ToleranceWarning, stacklevel=2)
    return result()


@dataclass(frozen=True)
class _Pruned:
    """Some heads, and the risk of the student that has no others."""

    heads: Heads
    risk: float
    error: float
    m_v: float


class _Risks:
    """Risks of subsets of heads, under the rules of one pruning."""

    def __init__(
        self,
        model: Model,
        state: OrderParameters,
        renormalized: bool,
        refit_value: bool,
        method: str,
        tolerance: float,
    ) -> None:
        self._attention = SubsetAttention(model, state, method=method, tolerance=tolerance)
        self._model, self._state, self._refit = model, state, refit_value
        self._power = int(renormalized) - int(_is_natural(model))

    @property
    def evaluations(self) -> int:
        """Expected updates so far."""
        return self._attention.evaluations

    @property
    def missed(self) -> int:
        """How many of them did not reach the tolerance."""
        return self._attention.missed

    def __call__(self, heads: Heads) -> _Pruned:
        """The student that keeps these heads (numbered from 0)."""
        factor = (self._model.heads / len(heads)) ** self._power
        attention = self._attention.of(heads).scaled(factor)
        m_v, q_v = self._state.m_v, self._state.q_v
        if self._refit:
            m_v = attention.marked / attention.squared
            q_v = m_v**2
        risk = population_risk(self._model, m_v, q_v, attention.marked, attention.squared)
        error = (abs(m_v) + 0.5 * q_v) * attention.error
        return _Pruned(heads, risk, error, m_v)


def _is_natural(model: Model) -> bool:
    """Whether a model with fewer heads has their weights renormalized."""
    return model.activation.average or model.activation.normalization == "pooled"


def _renormalized(model: Model, asked: bool | None) -> bool:
    if asked is None:
        return _is_natural(model)
    if not asked and model.activation.normalization == "pooled":
        requirement = (
            f"be True or left out for {model.activation.name}: its heads share all the weight, so "
            "that a head without weight is a head that is not there"
        )
        raise ArgumentError("renormalize", requirement, asked)
    return bool(asked)


def _best_subsets(
    heads: int,
    comparing: _Risks,
    asked: _Risks,
    best: list[_Pruned],
    progress: ProgressCallback | None,
) -> None:
    """Append the best subset of each size, from 1 head to all."""
    for size in range(1, heads + 1):
        rated = sorted(
            (comparing(subset) for subset in itertools.combinations(range(heads), size)),
            key=lambda each: each.risk,
        )
        close = [
            each
            for each in rated[:MOST_COMPARED]
            if each.risk - each.error <= rated[0].risk + rated[0].error
        ]
        best.append(min((_asked(asked, each) for each in close), key=lambda each: each.risk))
        _report(progress, size, heads, best[-1])


def _greedy_subsets(
    heads: int,
    comparing: _Risks,
    asked: _Risks,
    best: list[_Pruned],
    progress: ProgressCallback | None,
) -> None:
    """Append nested subsets: from all heads down, without the least missed one."""
    kept = tuple(range(heads))
    best.append(asked(kept))
    while len(kept) > 1:
        smaller = [kept[:i] + kept[i + 1 :] for i in range(len(kept))]
        least_missed = min(map(comparing, smaller), key=lambda each: each.risk)
        best.append(_asked(asked, least_missed))
        kept = least_missed.heads
        _report(progress, len(best), heads, best[-1])


def _asked(asked: _Risks, known: _Pruned) -> _Pruned:
    """The subset again at the asked tolerance, unless sampling it there is less accurate."""
    again = asked(known.heads)
    return again if again.error <= known.error else known


def _report(progress: ProgressCallback | None, done: int, total: int, pruned: _Pruned) -> None:
    if progress is not None:
        progress(Progress(done, total, pruned.risk))


def _dataset(
    model: Model,
    best: list[_Pruned],
    largest_loss: float,
    *,
    state: OrderParameters,
    configuration: Mapping[str, Any] | None,
    **attributes: Any,
) -> xr.Dataset:
    import xarray as xr

    risk = np.array([each.risk for each in best])
    kept = np.array([len(each.heads) for each in best])
    keeps = np.zeros((len(best), model.heads), dtype=bool)
    for row, each in zip(keeps, best, strict=True):
        row[list(each.heads)] = True
    loss = risk - risk[-1]
    needed = int(kept[np.argmax(loss <= largest_loss)])
    data: dict[str, Any] = {
        "risk": ("kept", risk, {"long_name": "population risk"}),
        "loss": ("kept", loss, {"long_name": "rise of the risk above that of all heads"}),
        "risk_error": (
            "kept",
            np.array([each.error for each in best]),
            {"long_name": "estimated absolute error of the risk"},
        ),
        "keeps": (("kept", "head"), keeps, {"long_name": "whether the head is kept"}),
    }
    if model.learns_value:
        m_v = np.array([each.m_v for each in best])
        data["m_v"] = ("kept", m_v, {"long_name": "overlap of the value with the teacher's"})
    numbers = np.arange(1, model.heads + 1)
    floor = bayes_floor(model)
    floors = {} if floor is None else {"bayes_risk": floor[0], "bayes_risk_error": floor[1]}
    if configuration is None:
        configuration = {**model.to_dict(), "initial": state.to_dict()}
    return xr.Dataset(
        data,
        coords={
            "kept": ("kept", kept, {"long_name": "heads kept"}),
            "head": ("head", numbers, {"long_name": "head"}),
        },
        attrs={
            "kind": "pruning",
            "configuration": json.dumps(configuration),
            "headode_version": __version__,
            "largest_loss": largest_loss,
            "removable": model.heads - needed,
            **floors,
            **attributes,
        },
    )
