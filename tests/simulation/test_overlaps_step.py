"""One step of the chain from any overlaps whatever: its law is that of full vectors."""

import numpy as np
import pytest
from two_samples import smallest_p_value

from headode import Model, OrderParameters, Signal
from headode.activation import BUILTIN
from headode.simulation.overlaps import OverlapsRun
from headode.simulation.weights import WeightsRun
from headode.training import Training

MIXTURE = Signal.mixture(
    means=[[1.5, -0.5], [0.0, 1.0]], covariances=[[[0.5, 0.2], [0.2, 0.3]], 0.4]
)
TRAINING = Training(1.2, value_learning_rate=0.9, offset_learning_rate=0.8, weight_decay=0.3)
DIMENSION = 9


def draw_weights(teacher, student, learned, rng):
    """Heads (and a value) with parts along all teachers and along each other, in place."""
    dimension = teacher.value.size
    directions = np.vstack([teacher.features, teacher.value])
    for vector in [*student.heads, student.value] if learned else student.heads:
        along = rng.normal(0.4, 0.5, len(directions)) @ directions
        vector[:] = along + 0.8 * rng.standard_normal(dimension)
    student.offset[:] = rng.standard_normal(student.offset.size)


def coordinates(teacher, student, learned):
    """Coordinates along the teachers (H + 1, F + 1), and a Cholesky factor of the rest."""
    dimension = teacher.value.size
    directions = np.vstack([teacher.features, teacher.value]) / np.sqrt(dimension)
    vectors = np.vstack([student.heads, student.value]) / np.sqrt(dimension)
    along = vectors @ directions.T
    rest = vectors - along @ directions
    rest = rest if learned else rest[:-1]
    return along, np.linalg.cholesky(rest @ rest.T)


def one_step_from(model, training, samples):
    """Overlaps before, and after a step of either simulator from the same weights."""
    state = OrderParameters.random(2, 2, learned_value=model.learns_value)
    full, chain = (
        kind(model, state, training, DIMENSION, np.random.SeedSequence(seed))
        for kind, seed in ((WeightsRun, 1), (OverlapsRun, 2))
    )
    learned = model.learns_value
    draw_weights(full._teacher, full._student, learned, np.random.default_rng(3))
    weights = [part.copy() for part in full._student]
    start = full.overlaps()
    along, rest = coordinates(full._teacher, full._student, learned)
    ends = {full: [], chain: []}
    for _ in range(samples):
        for part, value in zip(full._student, weights, strict=True):
            part[:] = value
        for part, value in zip(chain._chain, (along, rest, weights[2]), strict=True):
            part[:] = value
        if not ends[chain]:
            for name, value in start._asdict().items():
                np.testing.assert_allclose(
                    getattr(chain.overlaps(), name), value, rtol=1e-12, atol=1e-12, err_msg=name
                )
        for run, list_of_ends in ends.items():
            run.advance(1)
            list_of_ends.append(run.overlaps())
    return start, ends[full], ends[chain]


@pytest.mark.parametrize("offset", ["learned", "nishimori"])
@pytest.mark.parametrize("value", ["known", "learned"])
@pytest.mark.parametrize("activation", BUILTIN)
def test_a_step_has_the_law_of_full_vectors(activation, value, offset):
    model = Model(3, 2, MIXTURE, activation, offset=offset, value=value, label_noise=0.4)
    start, full, chain = one_step_from(model, TRAINING, 1000)
    p, where = smallest_p_value(full, chain)
    # The seeds are fixed: a right chain fails one of the 24 cases with this probability.
    assert p > 1e-3 / 24, where
    assert (np.mean([each.M for each in chain], axis=0) != start.M).all()


def test_mean_change_in_a_step_is_that_of_full_vectors():
    model = Model(2, 2, MIXTURE, "softmax1", value="learned", label_noise=0.2)
    start, full, chain = one_step_from(model, TRAINING, 10_000)
    largest = 0.0
    for name in ("M", "R", "m_v", "q_v", "k_v_star", "k_v", "v_k_star"):
        first, second = (
            np.array([getattr(each, name) for each in sample]) - getattr(start, name)
            for sample in (full, chain)
        )
        error = np.hypot(first.std(axis=0), second.std(axis=0)) / np.sqrt(len(first))
        # Two dozen comparisons: |z| > 4.5 has probability 2e-4 for all of them together.
        assert (np.abs(first.mean(axis=0) - second.mean(axis=0)) < 4.5 * error).all(), name
        largest = max(largest, float(np.abs(first.mean(axis=0) / error).max()))
    assert largest > 20
