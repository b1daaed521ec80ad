"""SGD follows the ODE of every activation, and not an ODE with one mistake in it."""

import warnings

import pytest
from planted import MISTAKES, verdict_on

from headode import Model, OrderParameters, Signal, ToleranceWarning, validate
from headode.activation import BUILTIN

SIGNAL = Signal.sign_flips(mean=[1.5, 0.0], amplitude=[0.0, 1.5])
# Quasi-Monte-Carlo reaches this in a second; the errors of the simulation are 3e-3 at best.
TOLERANCES = {"tolerance": 1e-4, "rtol": 1e-5, "atol": 1e-7}


def start(model):
    state = OrderParameters.random(2, 2, scale=0.5, seed=4)
    return state.replace(m_v=0.5, q_v=0.5) if model.learns_value else state


@pytest.mark.slow
@pytest.mark.parametrize("value", ["known", "learned"])
@pytest.mark.parametrize("activation", BUILTIN)
def test_sgd_follows_the_ode(activation, value):
    model = Model(3, 2, SIGNAL, activation, value=value, label_noise=0.3)
    training = {"learning_rate": 1.0, "batch_size": 1}
    report = validate(
        model,
        start(model),
        time=6.0,
        dimension=512,
        runs=4,
        comparisons=6,
        **training,
        **TOLERANCES,
    )
    assert report.agrees, report.summary()
    assert report.horizon is None
    for mistake in ("sign of G", "no learning-rate noise"):
        wrong = verdict_on(mistake, report, model, start(model), training, TOLERANCES)
        assert wrong.verdict == "disagrees", f"{mistake}: {wrong.summary()}"


@pytest.fixture(scope="module")
def noisy():
    """Batches of two, labels as noisy as the task, Nishimori offsets."""
    model = Model(3, 2, SIGNAL, "bayes_softmax", label_noise=1.0)
    training = {"learning_rate": 2.0, "batch_size": 2}
    report = validate(
        model,
        start(model),
        time=6.0,
        dimension=20_000,
        runs=6,
        comparisons=8,
        **training,
        **TOLERANCES,
    )
    return report, model, training


@pytest.mark.slow
def test_sgd_in_batches_with_noisy_labels_follows_the_ode(noisy):
    report, _, _ = noisy
    assert report.agrees, report.summary()


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_is_noticed(mistake, noisy):
    report, model, training = noisy
    with warnings.catch_warnings():
        # Wrong equations may lead where the expectations are hard.
        warnings.simplefilter("ignore", ToleranceWarning)
        wrong = verdict_on(mistake, report, model, start(model), training, TOLERANCES)
    assert wrong.verdict == "disagrees", wrong.summary()
