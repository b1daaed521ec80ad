"""The verdict on linear attention, whose ODE is written out by hand and can be spoilt."""

from dataclasses import dataclass

import numpy as np
import pytest
from linear_ode import MISTAKES, linear_trajectory

from headode import Model, OrderParameters, Signal, simulate
from headode.training import Training
from headode.validation.compare import compare

SIGNAL = Signal.sign_flips(mean=[1.0, 0.0], amplitude=[0.0, 1.5])
DIMENSION, RUNS = 1000, 8
# Multiples of 4/d, after 64 steps of the coarse ensemble.
TIMES = np.array([0.0, 0.26, 0.4, 0.6, 0.9, 1.3, 1.9, 2.6, 3.2])


@dataclass
class Case:
    """A model, how it is trained, and its two ensembles."""

    model: Model
    state: OrderParameters
    training: Training

    def simulate(self):
        options = self.training.to_dict()
        self.fine = simulate(
            self.model, self.state, times=TIMES, dimension=DIMENSION, runs=RUNS, **options
        )
        self.coarse = simulate(
            self.model,
            self.state,
            times=TIMES,
            dimension=DIMENSION // 4,
            runs=4 * RUNS,
            seed=1,
            **options,
        )
        return self

    def verdict(self, mistake=None):
        theory = linear_trajectory(self.model, self.state, self.training, TIMES, mistake)
        return compare(theory, [self.fine, self.coarse])


@pytest.fixture(scope="module")
def learned():
    """Learned value and offsets, weight decay, large label noise, batches of two."""
    model = Model(
        3, 2, SIGNAL, "linear", offset="learned", value="learned", label_noise=1.0, prefactor=0.2
    )
    state = OrderParameters.random(2, 2, scale=0.7, seed=11).replace(
        m_v=0.6, q_v=0.8, offset=[0.5, -0.2]
    )
    training = Training(
        1.2, value_learning_rate=1.0, offset_learning_rate=0.8, batch_size=2, weight_decay=0.2
    )
    return Case(model, state, training).simulate()


@pytest.fixture(scope="module")
def nishimori():
    """A known value and Nishimori offsets."""
    model = Model(3, 2, SIGNAL, "linear", offset="nishimori", label_noise=0.3)
    state = OrderParameters.random(2, 2, scale=0.7, seed=12)
    return Case(model, state, Training(1.0)).simulate()


def test_the_right_theory_agrees(learned, nishimori):
    for case in (learned, nishimori):
        report = case.verdict()
        assert report.agrees, report.summary()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_wrong_term_is_noticed(mistake, learned, nishimori):
    case = nishimori if mistake == "no nishimori drift" else learned
    report = case.verdict(mistake)
    assert not report.agrees, report.summary()
