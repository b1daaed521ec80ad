"""Choose how to compute the expected updates."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from headode._checks import check_number, check_option, check_seed
from headode._floats import own_errstate
from headode.errors import ArgumentError, ToleranceWarning
from headode.expectation import closed_form_erf, closed_form_linear
from headode.expectation.factorized import Factorized
from headode.expectation.gaussian_rule import TooManyNodes
from headode.expectation.quasi_monte_carlo import QuasiMonteCarlo
from headode.expectation.terms import ExpectedUpdate
from headode.model import Model
from headode.order_parameters import OrderParameters

METHODS = ("auto", "closed_form", "factorized", "quasi_monte_carlo")
# Tolerance of factorized terms that are integrated over time: the fewest seconds, by measurement.
SMOOTH = 1e-5
# Loosest tolerance of factorized terms that are taken for too many nodes at the asked one.
LOOSEST = 1e-3
# No method is better than this, relative to the largest entry: that of a run that diverges.
ROUNDOFF = 1e-13
CLOSED_FORMS = {"linear": closed_form_linear, "erf": closed_form_erf}

Expectation = Callable[[OrderParameters], ExpectedUpdate]


def expectation(
    model: Model,
    *,
    noise: bool = False,
    method: str = "auto",
    tolerance: float = 1e-6,
    seed: int = 0,
    smooth: bool = False,
    warn_above: float | None = None,
) -> Expectation:
    """A function from states to expected updates, to be called many times.

    Args:
        model: any model.
        noise: also compute the learning-rate noise N (and that of q_v).
        method: ``closed_form`` (linear and erf), ``factorized`` (normalized activations) or
            ``quasi_monte_carlo`` (all); ``auto`` takes the first of these that there is. The
            learning-rate noise of heads that normalize by themselves is from quasi-Monte-Carlo
            nodes, unless there is a closed form.
        tolerance: target absolute error of the expected updates.
        seed: of the scrambles of quasi-Monte-Carlo nodes.
        smooth: the terms will be integrated over time. Factorized ones then aim at ``SMOOTH`` at
            least: coarser quadrature jumps from state to state, and the integrator then takes tens
            of times more steps.
        warn_above: warn of errors above this; by default the tolerance.

    Raises:
        ArgumentError: for an unknown method, or one that does not exist for the model.
    """
    chosen = choose_method(model, method)
    tolerance = check_number("tolerance", tolerance, 0.0, exclusive=True)
    seed = check_seed("seed", seed)
    evaluate = _evaluator(model, chosen, method, noise, tolerance, seed, smooth)
    return _Warned(evaluate, tolerance if warn_above is None else warn_above)


def _evaluator(
    model: Model,
    chosen: str,
    method: str,
    noise: bool,
    tolerance: float,
    seed: int,
    smooth: bool,
) -> Expectation:
    """What computes, by the chosen method and, where ``method`` is auto, those it falls back to."""
    sampled = partial(QuasiMonteCarlo, model, noise=noise, tolerance=tolerance, seed=seed)
    if chosen == "quasi_monte_carlo":
        return sampled()
    apart = noise and not gives_noise(model, chosen)
    if chosen == "factorized":
        noisy = sampled(only_noise=True) if apart else None

        def exact(reached: float) -> Expectation:
            factorized = Factorized(model, noise=noise and not apart, tolerance=reached)
            return factorized if noisy is None else partial(_with_noise, factorized, noisy)

        aimed = min(tolerance, SMOOTH) if smooth else tolerance
        if method == "factorized":
            return exact(aimed)
        comparable = None if model.activation.is_exponential else tolerance
        return _Fallback(exact, sampled, aimed, comparable)
    closed = partial(CLOSED_FORMS[model.activation.name].expected_update, model, noise=noise)
    if not apart:
        return closed
    if method == "closed_form":
        requirement = "be auto: the learning-rate noise of a learned value has no closed form here"
        raise ArgumentError("method", requirement, method)
    return partial(_with_noise, closed, sampled(only_noise=True))


def choose_method(model: Model, method: str) -> str:
    """The method that is asked for; for ``auto`` the most accurate one that there is.

    Raises:
        ArgumentError: for an unknown method, or one that does not exist for the model.
    """
    check_option("method", method, METHODS)
    possible = _possible_methods(model)
    if method == "auto":
        return possible[0]
    if method not in possible:
        requirement = f"be one of auto, {', '.join(possible)} for {model.activation.name} attention"
        raise ArgumentError("method", requirement, method)
    return method


def gives_noise(model: Model, chosen: str) -> bool:
    """Whether a method gives the learning-rate noise itself, and needs no nodes for it."""
    if chosen == "factorized":
        return model.activation.normalization == "pooled"
    if chosen == "closed_form":
        module = CLOSED_FORMS[model.activation.name]
        return module.HAS_VALUE_NOISE or not model.learns_value
    return True


def _possible_methods(model: Model) -> tuple[str, ...]:
    """The methods that exist for a model, the most accurate one first."""
    methods = ["quasi_monte_carlo"]
    if model.activation.normalization != "none":
        methods.insert(0, "factorized")
    if model.activation.name in CLOSED_FORMS:
        methods.insert(0, "closed_form")
    return tuple(methods)


def _with_noise(exact: Expectation, sampled: Expectation, state: OrderParameters) -> ExpectedUpdate:
    """Exact terms, with the learning-rate noise that they lack from quasi-Monte-Carlo."""
    terms, noisy = exact(state), sampled(state)
    return replace(
        terms,
        N=noisy.N if terms.N is None else terms.N,
        value_noise=noisy.value_noise if terms.value_noise is None else terms.value_noise,
        error=max(terms.error, noisy.error),
        method=f"{terms.method}+{noisy.method}",
        nodes=terms.nodes + noisy.nodes,
    )


class _Warned:
    """Warns, once, of an error above the tolerance, whatever the method."""

    def __init__(self, evaluate: Expectation, tolerance: float) -> None:
        self._evaluate, self._tolerance = evaluate, tolerance
        self._warned = False

    def __call__(self, state: OrderParameters) -> ExpectedUpdate:
        """The expected updates at this state.

        Warns:
            ToleranceWarning: once, if the tolerance was not reached.
        """
        terms = self._evaluate(state)
        if not self._warned and self._misses(terms):
            self._warned = True
            method = terms.method.replace("_", "-").replace("+", " and ")
            text = (
                f"The expected updates have an error of {terms.error:.1e} here, with the most "
                f"nodes that the method takes ({method}); the tolerance is {self._tolerance:.1e}."
            )
            warnings.warn(text, ToleranceWarning, stacklevel=3)
        return terms

    def _misses(self, terms: ExpectedUpdate) -> bool:
        """Whether the error is above the tolerance, and more than the roundoff of huge terms."""
        if terms.error <= self._tolerance:
            return False
        return terms.error > ROUNDOFF * float(np.abs(terms.entries()).max())


class _Fallback:
    """Factorized terms; where a state takes too many nodes, at ten times the tolerance, and so on.

    For pooled heads with many independent directions even the coarsest factorized rule is more
    accurate than sampling, so that quasi-Monte-Carlo comes last. Scores that are not smooth may be
    sampled more accurately: where the error is above the tolerance, that is tried once. It never
    goes back, so that a trajectory changes its method a few times at most.
    """

    def __init__(
        self,
        exact: Callable[[float], Expectation],
        sampled: Callable[[], Expectation],
        aimed: float,
        comparable: float | None,
    ) -> None:
        self._exact, self._sampled = exact, sampled
        self._now = aimed
        self._current = exact(aimed)
        # The tolerance above which sampling is tried; None: never, or tried already.
        self._comparable = comparable

    def __call__(self, state: OrderParameters) -> ExpectedUpdate:
        """The expected updates at this state."""
        while True:
            try:
                terms = self._current(state)
                break
            except TooManyNodes:
                self._loosen()
        if self._comparable is None or terms.error <= self._comparable:
            return terms
        self._comparable, other = None, self._sampled()
        sampled = other(state)
        if sampled.error >= terms.error:
            return terms
        self._current = other
        return sampled

    def _loosen(self) -> None:
        if self._now < LOOSEST:
            self._now = min(10 * self._now, LOOSEST)
            self._current = self._exact(self._now)
        else:
            self._current = self._sampled()


@own_errstate
def expected_update(
    model: Model,
    state: OrderParameters,
    *,
    noise: bool = False,
    method: str = "auto",
    tolerance: float = 1e-6,
    seed: int = 0,
) -> ExpectedUpdate:
    """Population risk and expected updates at one state (theory: the ODE).

    Args:
        model: any model.
        state: order parameters with M of shape (H, F) and R of shape (H, H).
        noise: also compute the learning-rate noise N (and that of q_v).
        method: ``auto``, ``closed_form``, ``factorized`` or ``quasi_monte_carlo``.
        tolerance: target absolute error; the reached one is ``error`` of the result.
        seed: of the scrambles of quasi-Monte-Carlo nodes.

    Raises:
        ArgumentError: for a state that does not fit the model, or an impossible method.
        NumericalFailure: if ``factorized`` would take too many nodes.

    Warns:
        ToleranceWarning: if the tolerance was not reached.
    """
    model.check_state(state)
    evaluate = expectation(model, noise=noise, method=method, tolerance=tolerance, seed=seed)
    return evaluate(state)
