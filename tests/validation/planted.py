"""ODEs with one mistake in them, and the right one, each solved twice as ``validate`` does."""

from dataclasses import replace
from unittest import mock

from headode import Model, integrate
from headode.dynamics.right_hand_side import RightHandSide
from headode.expectation.select import expectation
from headode.validation.compare import compare
from headode.validation.validate import LOOSER


def quiet_noise(model, tolerance):
    """Function of a state that gives N and the noise of the value without label noise."""
    parts = model.to_dict()["model"] | {"label_noise": 0.0}
    silent = Model(signal=model.signal, **parts)
    evaluate = expectation(silent, noise=True, method="auto", tolerance=tolerance, seed=0)

    def noise(state):
        terms = evaluate(state)
        return {"N": terms.N, "value_noise": terms.value_noise}

    return noise


def scaled(**factors):
    """A mistake: some terms have the wrong size or sign."""

    def spoil(terms, _state, _noise):
        sizes = {name: getattr(terms, name) for name in factors}
        present = {name: size for name, size in sizes.items() if size is not None}
        return replace(terms, **{name: factors[name] * size for name, size in present.items()})

    return spoil


def no_nishimori_drift(terms, _state, _noise):
    """C without the derivative through ``b_h = |k_h|²/2d``."""
    C = terms.C.copy()
    C[range(len(C)), range(len(C))] -= terms.offset_gradient
    return replace(terms, C=C)


def no_label_noise(terms, state, noise):
    """The loss in N without the noise of the label; the risk keeps it."""
    return replace(terms, **noise(state))


def as_it_is(terms, _state, _noise):
    """Nothing wrong with the terms."""
    return terms


# name: what it does to the terms
MISTAKES = {
    "sign of G": scaled(G=-1.0),
    "sign of C": scaled(C=-1.0),
    "G 5 % too small": scaled(G=0.95),
    "N 10 % too small": scaled(N=0.9, value_noise=0.9),
    "N 10 % too large": scaled(N=1.1, value_noise=1.1),
    "no nishimori drift": no_nishimori_drift,
    "batch size ignored": as_it_is,
    "label noise ignored": no_label_noise,
    "no learning-rate noise": scaled(N=0.0, value_noise=0.0),
}


def solutions(mistake, model, state, times, training, tolerances):
    """The ODE with a mistake (None: without) at the asked and at looser tolerances."""
    noise = quiet_noise(model, tolerances["tolerance"])
    spoil = MISTAKES.get(mistake, as_it_is)

    class Wrong(RightHandSide):
        def __init__(self, evaluate, packing, training):
            if mistake == "batch size ignored":
                training = replace(training, batch_size=1)
            super().__init__(evaluate, packing, training)

        def derivative(self, state, terms):
            return super().derivative(state, spoil(terms, state, noise))

    with mock.patch("headode.dynamics.integrate.RightHandSide", Wrong):
        return [
            integrate(
                model,
                state,
                times=times,
                seed=seed,
                **{name: factor * value for name, value in tolerances.items()},
                **training,
            )
            for seed, factor in ((0, 1.0), (1, LOOSER))
        ]


def verdict_on(mistake, report, model, state, training, tolerances):
    """The report's ensembles against a wrong ODE."""
    times = report.simulation["time"].values
    theory, looser = solutions(mistake, model, state, times, training, tolerances)
    return compare(theory, report.ensembles, looser=looser)
