"""The fused SGD loop against its readable twin, and against the law of the local fields."""

import numpy as np
import pytest
from sgd_numpy import attention, sgd_step

from headode import Model, OrderParameters, Signal
from headode.activation import BUILTIN
from headode.simulation.vectors import Student
from headode.simulation.weights import WeightsRun
from headode.training import Training

MIXTURE = Signal.mixture(
    means=[[1.5, -0.5], [0.0, 1.0]],
    covariances=[[[0.5, 0.2], [0.2, 0.3]], 0.4],
    probabilities=[0.3, 0.7],
)
FLIPS = Signal.sign_flips(mean=[1.0, 0.0], amplitude=[0.0, 1.5])


def model_of(activation, offset, value, signal):
    return Model(3, 2, signal, activation, offset=offset, value=value, label_noise=0.4)


def random_state(model, seed=3):
    state = OrderParameters.random(
        model.heads, model.features, scale=0.7, seed=seed, learned_value=model.learns_value
    )
    return state.replace(offset=[0.3, -0.2]) if model.learns_offset else state


def vectors_of(run):
    return run._teacher, run._student


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("value", ["known", "learned"])
@pytest.mark.parametrize("offset", ["zero", "nishimori", "learned", [0.5, -1.0]])
@pytest.mark.parametrize("activation", BUILTIN)
def test_two_steps_equal_the_readable_twin(activation, offset, value, batch_size):
    signal = MIXTURE if batch_size == 1 else FLIPS
    model = model_of(activation, offset, value, signal)
    training = Training(
        0.8,
        value_learning_rate=0.6,
        offset_learning_rate=0.5,
        batch_size=batch_size,
        weight_decay=0.3,
    )
    run = WeightsRun(model, random_state(model), training, 12, np.random.SeedSequence(5))
    teacher, student = vectors_of(run)
    weights = [part.copy() for part in student]
    rng = np.random.Generator(np.random.PCG64())
    rng.bit_generator.state = run._rng.bit_generator.state
    for _ in range(2):
        weights = sgd_step(rng, model, training, teacher, *weights)
    run.advance(2)
    # Roundoff of sums of a dozen terms; complex steps add none.
    for computed, expected in zip(student, weights, strict=True):
        np.testing.assert_allclose(computed, expected, rtol=1e-12, atol=1e-12)
    assert rng.random() == run._rng.random()  # the twin drew exactly as much


def test_any_number_of_calls_makes_the_same_steps():
    model = model_of("softmax1", "learned", "learned", MIXTURE)
    ends = []
    for parts in ([7], [1, 0, 4, 2]):
        run = WeightsRun(model, random_state(model), Training(1.0), 20, np.random.SeedSequence(1))
        for steps in parts:
            run.advance(steps)
        ends.append(run.overlaps())
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


def drift_in_field_space(model, state, rng, samples):
    """(samples, H, F) draws of −Σ_l χ*_lf ∂ℓ/∂χ_lh, whose mean is dM/dt at η = 1.

    Knows no d-dimensional vector: fields, labels and complex-step derivatives only.
    """
    teacher = rng.standard_normal((samples, model.tokens, model.features))
    teacher[:, 0] += model.signal.sample(rng, samples)
    root = np.linalg.cholesky(state.R)
    residual = rng.standard_normal((samples, model.tokens, model.heads)) @ root.T
    chi = teacher @ state.M.T + residual
    z = rng.standard_normal((samples, model.tokens))
    label = z[:, 0] + model.label_noise * rng.standard_normal(samples)
    drift = np.zeros((samples, model.heads, model.features))
    for n in range(samples):
        for l in range(model.tokens):
            for h in range(model.heads):
                moved = chi[n].astype(complex)
                moved[l, h] += 1e-30j
                weights = attention(model.activation.name, moved, np.zeros(2), model.prefactor)
                slope = (0.5 * (label[n] - weights @ z[n]) ** 2).imag / 1e-30
                drift[n, h] -= slope * teacher[n, l]
    return drift


def test_mean_step_of_M_is_the_drift_of_the_local_fields():
    model = Model(2, 2, FLIPS, "softmax", label_noise=0.2)
    state = OrderParameters(M=[[0.8, 0.5], [0.3, -0.9]], R=[[0.6, 0.1], [0.1, 0.4]])
    dimension, steps = 16, 20_000
    run = WeightsRun(model, state, Training(1.0), dimension, np.random.SeedSequence(2))
    teacher, student = vectors_of(run)
    start = Student(*(part.copy() for part in student))
    changes = np.empty((steps, 2, 2))
    for n in range(steps):
        student.heads[:] = start.heads
        run.advance(1)
        changes[n] = (student.heads - start.heads) @ teacher.features.T
    expected = drift_in_field_space(model, state, np.random.default_rng(4), 4_000)
    deviation = changes.mean(axis=0) - expected.mean(axis=0)
    error = np.sqrt(changes.var(axis=0) / steps + expected.var(axis=0) / len(expected))
    # Four comparisons: |z| > 4.5 has probability 3e-5; the drift itself is many errors from 0.
    assert (np.abs(deviation) < 4.5 * error).all()
    assert np.abs(expected.mean(axis=0) / error).max() > 10
