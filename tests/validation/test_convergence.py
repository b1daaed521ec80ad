"""How finite-d SGD approaches its ODE: fluctuations of order d^(-1/2), a bias of order 1/d."""

import numpy as np
from linear_ode import linear_trajectory

from headode import Model, OrderParameters, Signal
from headode.simulation.weights import WeightsRun
from headode.training import Training
from headode.validation.extrapolation import Sample, extrapolate

SIGNAL = Signal.sign_flips(mean=[1.0, 0.0], amplitude=[0.0, 1.5])
MODEL = Model(3, 2, SIGNAL, "linear", label_noise=0.3)
STATE = OrderParameters.random(2, 2, scale=0.7, seed=11)
TIME = 2.0
PAIRS = np.triu_indices(2)


def final_overlaps(dimension, runs, training, seed=0):
    """(runs, 1, 7): the entries of M and of R's upper triangle at time 2."""
    rows = []
    for stream in np.random.SeedSequence(seed).spawn(runs):
        run = WeightsRun(MODEL, STATE, training, dimension, stream)
        run.advance(round(TIME * dimension))
        measured = run.overlaps()
        rows.append(np.concatenate([measured.M.ravel(), measured.R[PAIRS]]))
    return np.array(rows)[:, None]


def final_theory(training):
    end = linear_trajectory(MODEL, STATE, training, np.array([0.0, TIME])).isel(time=-1)
    return np.concatenate([end["M"].values.ravel(), end["R"].values[PAIRS]])


def test_fluctuations_shrink_as_the_root_of_the_dimension():
    dimensions, runs = np.array([32, 128, 512]), 100
    scatter = [final_overlaps(d, runs, Training(1.0)).std(axis=0, ddof=1) for d in dimensions]
    logs = np.log(scatter).mean(axis=(1, 2))
    slope = np.polyfit(np.log(dimensions), logs, 1)[0]
    # Each log is uncertain by 1/sqrt(2·100) = 0.07, a slope over log 16 by 0.036 if all entries
    # fluctuate together; 4 of these errors.
    assert abs(slope + 0.5) < 0.15


def test_the_bias_is_of_order_one_over_d_and_extrapolation_removes_it():
    training = Training(2.0)  # large steps have a large bias
    theory = final_theory(training)
    coarse = final_overlaps(16, 6000, training, seed=1)
    fine = final_overlaps(64, 1500, training, seed=2)
    bias_16, bias_64 = coarse.mean(axis=(0, 1)) - theory, fine.mean(axis=(0, 1)) - theory
    error_16, error_64 = coarse.std(axis=0)[0] / 6000**0.5, fine.std(axis=0)[0] / 1500**0.5
    assert (np.abs(bias_64) / error_64).max() > 4.5
    # Seven comparisons each; 4 standard errors have probability 6e-5.
    assert (np.abs(bias_16 - 4 * bias_64) < 4 * np.hypot(error_16, 4 * error_64)).all()
    nothing = np.array(0.0)
    estimate = extrapolate([Sample(fine, 64, nothing), Sample(coarse, 16, nothing)])
    assert (np.abs(estimate.mean - theory) < 4 * estimate.standard_error).all()
