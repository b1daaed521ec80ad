"""Choose how to compute the expected updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from headode._checks import check_integer, check_number, check_option
from headode.errors import ArgumentError
from headode.expectation import closed_form_erf, closed_form_linear
from headode.expectation.terms import ExpectedUpdate
from headode.model import Model
from headode.order_parameters import OrderParameters

METHODS = ("auto", "closed_form", "quasi_monte_carlo")
CLOSED_FORMS = ("linear", "erf")

Expectation = Callable[[OrderParameters], ExpectedUpdate]


def expectation(
    model: Model,
    *,
    noise: bool = False,
    method: str = "auto",
    tolerance: float = 1e-6,
    seed: int = 0,
) -> Expectation:
    """A function from states to expected updates, to be called many times.

    Args:
        model: any model.
        noise: also compute the learning-rate noise N (and that of q_v).
        method: ``closed_form`` (linear and erf), ``quasi_monte_carlo``, or ``auto``, which takes
            the closed form where there is one.
        tolerance: target absolute error of the expected updates.
        seed: of the scrambles of quasi-Monte-Carlo nodes.

    Raises:
        ArgumentError: for an unknown method, or a closed form that does not exist.
    """
    check_option("method", method, METHODS)
    check_number("tolerance", tolerance, 0.0, exclusive=True)
    check_integer("seed", seed, 0)
    closed = model.activation.name in CLOSED_FORMS
    if method == "closed_form" and not closed:
        requirement = f"be auto or quasi_monte_carlo for {model.activation.name} attention"
        raise ArgumentError("method", requirement, method)
    from headode.expectation.quasi_monte_carlo import QuasiMonteCarlo

    sampled = partial(QuasiMonteCarlo, model, noise=noise, tolerance=tolerance, seed=seed)
    if not closed or method == "quasi_monte_carlo":
        return sampled()
    module = closed_form_linear if model.activation.name == "linear" else closed_form_erf
    exact = partial(module.expected_update, model, noise=noise)
    if not (noise and model.learns_value) or module.HAS_VALUE_NOISE:
        return exact
    if method == "closed_form":
        requirement = "be auto: the learning-rate noise of a learned value has no closed form here"
        raise ArgumentError("method", requirement, method)
    return partial(_with_value_noise, exact, sampled())


def _with_value_noise(
    exact: Expectation, sampled: Expectation, state: OrderParameters
) -> ExpectedUpdate:
    """The closed form, with the one term it lacks taken from quasi-Monte-Carlo."""
    terms, noisy = exact(state), sampled(state)
    return replace(
        terms,
        value_noise=noisy.value_noise,
        error=noisy.error,
        method=f"{terms.method}+{noisy.method}",
        nodes=noisy.nodes,
    )


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
        method: ``auto``, ``closed_form`` or ``quasi_monte_carlo``.
        tolerance: target absolute error; the reached one is ``error`` of the result.
        seed: of the scrambles of quasi-Monte-Carlo nodes.

    Raises:
        ArgumentError: for a state that does not fit the model, or an impossible method.

    Warns:
        ToleranceWarning: if the tolerance was not reached.
    """
    model.check_state(state)
    evaluate = expectation(model, noise=noise, method=method, tolerance=tolerance, seed=seed)
    return evaluate(state)
