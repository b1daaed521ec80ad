"""SGD at d = 2000 follows the ODE, and not an ODE with one wrong term."""

import warnings
from dataclasses import replace

import pytest

from headode import Model, OrderParameters, Signal, ToleranceWarning, integrate, validate
from headode.dynamics.right_hand_side import RightHandSide
from headode.validation.compare import compare

SIGNAL = Signal.sign_flips(mean=[1.5, 0.0], amplitude=[0.0, 1.5])
MISTAKES = {
    "sign of G": lambda terms: replace(terms, G=-terms.G),
    "no learning-rate noise": lambda terms: replace(terms, N=0 * terms.N, value_noise=0.0),
}
# Quasi-Monte-Carlo reaches this in a second; the errors of the simulation are 3e-3 at best.
TOLERANCES = {"tolerance": 1e-4, "rtol": 1e-5, "atol": 1e-7}


def spoilt(mistake):
    """The right-hand side with a mistake in it."""

    class WrongRightHandSide(RightHandSide):
        def derivative(self, state, terms):
            return super().derivative(state, MISTAKES[mistake](terms))

    return WrongRightHandSide


@pytest.mark.slow
@pytest.mark.parametrize("value", ["known", "learned"])
@pytest.mark.parametrize("activation", ["softmax", "softmax1", "bayes_softmax"])
def test_sgd_follows_the_ode_and_no_wrong_one(activation, value, monkeypatch):
    model = Model(3, 2, SIGNAL, activation, value=value, label_noise=0.3)
    state = OrderParameters.random(2, 2, scale=0.5, seed=4)
    if model.learns_value:
        state = state.replace(m_v=0.5, q_v=0.5)
    report = validate(
        model,
        state,
        time=6.0,
        learning_rate=1.0,
        dimension=2000,
        runs=8,
        comparisons=10,
        **TOLERANCES,
    )
    assert report.agrees, report.summary()
    assert not report.warnings
    times = report.simulation["time"].values
    for mistake in MISTAKES:
        monkeypatch.setattr("headode.dynamics.integrate.RightHandSide", spoilt(mistake))
        with warnings.catch_warnings():
            # Wrong equations may lead where the expectations are hard.
            warnings.simplefilter("ignore", ToleranceWarning)
            wrong = integrate(model, state, times=times, learning_rate=1.0, **TOLERANCES)
        verdict = compare(wrong, report.simulation, report.coarse)
        print(activation, value, mistake, verdict.worst)
        assert not verdict.agrees, f"{mistake}: {verdict.summary()}"
