"""Weight vectors have exactly the asked overlaps."""

import numpy as np
import pytest

from headode import ArgumentError, OrderParameters
from headode.simulation.vectors import initial_vectors, measure_overlaps

STATES = {
    "random": OrderParameters.random(3, 2, scale=0.8, seed=1, learned_value=True),
    "R = 0": OrderParameters(M=[[1.0, 0.2], [0.3, -2.0], [0.0, 0.5]], R=np.zeros((3, 3))),
    "R of rank 1": OrderParameters(M=np.zeros((3, 2)), R=np.outer([1, 2, -1], [1, 2, -1])),
    "identical heads": OrderParameters(M=np.ones((3, 2)), R=0.5 * np.ones((3, 3))),
    "value orthogonal": OrderParameters(M=np.eye(3, 2), R=np.eye(3), m_v=0.0, q_v=2.0),
    "small": OrderParameters.random(3, 2, scale=1e-3, seed=2),
}


@pytest.mark.parametrize("dimension", [7, 50, 3_000])
@pytest.mark.parametrize("state", STATES.values(), ids=STATES.keys())
def test_overlaps_are_exactly_the_asked_ones(state, dimension):
    offset = np.array([0.1, 0.2, 0.3])
    teacher, student = initial_vectors(state, offset, dimension, np.random.default_rng(0))
    measured = measure_overlaps(teacher, student)
    tolerance = {"rtol": 0, "atol": 1e-12}
    np.testing.assert_allclose(measured.M, state.M, **tolerance)
    np.testing.assert_allclose(measured.R, state.R, **tolerance)
    np.testing.assert_allclose(measured.m_v, state.m_v, **tolerance)
    np.testing.assert_allclose(measured.q_v, state.q_v, **tolerance)
    np.testing.assert_array_equal(measured.offset, offset)
    frame = np.vstack([teacher.features, teacher.value])
    np.testing.assert_allclose(frame @ frame.T / dimension, np.eye(3), **tolerance)
    np.testing.assert_allclose(student.heads @ teacher.value / dimension, 0, **tolerance)
    np.testing.assert_allclose(student.heads @ student.value / dimension, 0, **tolerance)
    np.testing.assert_allclose(teacher.features @ student.value / dimension, 0, **tolerance)


def test_too_few_dimensions_are_refused():
    with pytest.raises(ArgumentError, match="`dimension` must be at least F \\+ H \\+ 2 = 7"):
        initial_vectors(STATES["random"], np.zeros(3), 6, np.random.default_rng(0))


def test_a_known_value_is_the_teacher_to_the_last_bit():
    teacher, student = initial_vectors(STATES["R = 0"], np.zeros(3), 20, np.random.default_rng(0))
    np.testing.assert_array_equal(student.value, teacher.value)
