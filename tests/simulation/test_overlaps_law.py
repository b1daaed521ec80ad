"""The chain of overlaps has the law of the overlaps of full vectors."""

import numpy as np
import pytest
from two_samples import smallest_p_value

from headode import ArgumentError, Model, OrderParameters, Signal
from headode.simulation.overlaps import OverlapsRun
from headode.simulation.vectors import smallest_dimension
from headode.simulation.weights import WeightsRun
from headode.training import Training

FLIPS = Signal.sign_flips(mean=[1.5, 0.0], amplitude=[0.0, 1.5])
MIXTURE = Signal.mixture(
    means=[[1.5, -0.5], [0.0, 1.0]], covariances=[[[0.5, 0.2], [0.2, 0.3]], 0.4]
)
# The seeds are fixed: a right chain fails a case with this probability once and for all.
AGREES = 1e-3
# And a wrong one is hardly ever found to be so different by chance.
DIFFERS = 1e-6


def ends_of(kind, problem, seed, runs, meddle=None):
    """Overlaps of independent runs after their last step; ``meddle(run)`` before each step."""
    model, state, training, dimension, steps = problem
    ends = []
    for stream in np.random.SeedSequence(seed).spawn(runs):
        run = kind(model, state, training, dimension, stream)
        if meddle is None:
            run.advance(steps)
        else:
            for _ in range(steps):
                meddle(run)
                run.advance(1)
        ends.append(run.overlaps())
    return ends


def same_law(problem, runs):
    p, where = smallest_p_value(
        ends_of(WeightsRun, problem, 1, runs), ends_of(OverlapsRun, problem, 2, runs)
    )
    assert p > AGREES, where


def state_of(model, seed=5):
    """Heads with large residuals; the value, if learned, is far from the teacher's."""
    state = OrderParameters.random(
        model.heads, model.features, scale=0.7, seed=seed, learned_value=model.learns_value
    )
    return (
        state.replace(offset=np.linspace(0.3, -0.2, model.heads)) if model.learns_offset else state
    )


CASES = {
    # activation, offset, value, signal, batch size, weight decay
    "softmax": ("softmax", "zero", "known", FLIPS, 1, 0.0),
    "softmax, learned value": ("softmax", "zero", "learned", FLIPS, 1, 0.0),
    "softmax1, learned offset": ("softmax1", "learned", "known", FLIPS, 1, 0.0),
    "softmax1, all learned, mixture": ("softmax1", "learned", "learned", MIXTURE, 1, 0.5),
    "bayes_softmax, nishimori": ("bayes_softmax", "nishimori", "known", FLIPS, 1, 0.0),
    "bayes_softmax, learned value": ("bayes_softmax", "nishimori", "learned", FLIPS, 1, 0.0),
    "batches, weight decay, mixture": ("bayes_softmax", "nishimori", "known", MIXTURE, 3, 0.5),
    "batches, learned value": ("softmax", [0.5, -1.0], "learned", FLIPS, 3, 0.3),
    "softplus": ("softplus", "nishimori", "learned", FLIPS, 1, 0.2),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_law_after_two_units_of_time(case):
    activation, offset, value, signal, batch, decay = case
    model = Model(3, 2, signal, activation, offset=offset, value=value, label_noise=0.4)
    training = Training(
        2.0,
        value_learning_rate=1.5,
        offset_learning_rate=1.5,
        batch_size=batch,
        weight_decay=decay,
    )
    same_law((model, state_of(model), training, 40, 80), 1500)


@pytest.mark.parametrize("activation", ["linear", "erf"])
def test_law_of_elementwise_attention(activation):
    # Smaller steps than above: without a normalization SGD diverges at η = 2.
    model = Model(3, 2, FLIPS, activation, value="learned", label_noise=0.4)
    training = Training(0.5, value_learning_rate=0.5)
    same_law((model, state_of(model), training, 40, 80), 1500)


IDENTICAL = OrderParameters(M=np.ones((3, 2)), R=0.5 * np.ones((3, 3)))
EDGES = {
    "R = 0": (Model(3, 3, FLIPS), OrderParameters(np.eye(3, 2), np.zeros((3, 3))), 30),
    "coinciding heads": (Model(3, 3, FLIPS, "softmax1"), IDENTICAL, 30),
    "all weights zero": (
        Model(2, 2, FLIPS, "linear", value="learned"),
        OrderParameters(np.zeros((2, 2)), np.zeros((2, 2)), m_v=0.0, q_v=0.0),
        30,
    ),
    "one token": (Model(1, 2, FLIPS, "softmax1", label_noise=0.5), None, 30),
    "many tokens": (Model(1000, 2, FLIPS, "softmax"), None, 8),
    "one head": (Model(3, 1, FLIPS, label_noise=0.5), None, 30),
    "many heads": (Model(2, 6, FLIPS, "softmax1"), None, 30),
    "smallest dimension": (Model(3, 2, FLIPS, "softmax1"), None, 6),
    "smallest dimension, learned value": (Model(3, 2, FLIPS, "softmax1", value="learned"), None, 6),
    "one more": (Model(3, 3, FLIPS, "softmax1", value="learned"), None, 8),
}


@pytest.mark.parametrize("edge", EDGES.values(), ids=EDGES.keys())
def test_law_at_the_edges(edge):
    model, state, dimension = edge
    state = state_of(model) if state is None else state
    assert dimension >= smallest_dimension(model.heads, model.features)
    same_law((model, state, Training(1.0), dimension, 10), 1000)


def too_many_dimensions(run):
    run._unseen = 4  # of 3


def without_teacher_value(run):
    run._chain.teacher[:2, -1] = 0.0


def without_value_overlap(run):
    run._chain.residual[2, :2] = 0.0


def without_head_overlap(run):
    run._chain.residual[1, 0] = 0.0


def growing_weights(run):
    rates = run._setting.rates._replace(decay=-0.2)  # of +0.2
    run._setting = run._setting._replace(rates=rates)


@pytest.fixture(scope="module")
def full_vectors():
    """A problem in few dimensions, and what full vectors make of it."""
    model = Model(3, 2, FLIPS, "softmax1", value="learned", label_noise=0.4)
    problem = (model, state_of(model), Training(1.0, weight_decay=0.2), 9, 20)
    return problem, ends_of(WeightsRun, problem, 1, 1500)


@pytest.mark.parametrize(
    "meddle",
    [
        too_many_dimensions,
        without_teacher_value,
        without_value_overlap,
        without_head_overlap,
        growing_weights,
    ],
)
def test_a_planted_error_is_found(full_vectors, meddle):
    problem, right = full_vectors
    p, _ = smallest_p_value(right, ends_of(OverlapsRun, problem, 2, 1500, meddle))
    assert p < DIFFERS


def test_without_a_planted_error_nothing_is_found(full_vectors):
    problem, right = full_vectors
    p, where = smallest_p_value(right, ends_of(OverlapsRun, problem, 2, 1500))
    assert p > AGREES, where


def test_starts_with_exactly_the_given_overlaps():
    for model in (edge[0] for edge in EDGES.values()):
        state = state_of(model)
        start = OverlapsRun(model, state, Training(1.0), 50, np.random.SeedSequence(0)).overlaps()
        for name in ("M", "R", "m_v", "q_v"):
            np.testing.assert_allclose(
                getattr(start, name), getattr(state, name), rtol=1e-14, atol=1e-15, err_msg=name
            )
        for name in ("k_v_star", "k_v", "v_k_star"):
            assert not getattr(start, name).any()


def test_any_number_of_calls_makes_the_same_steps():
    model = Model(3, 2, MIXTURE, "softmax1", offset="learned", value="learned")
    ends = []
    for parts in ([7], [1, 0, 4, 2]):
        run = OverlapsRun(model, state_of(model), Training(1.0), 20, np.random.SeedSequence(1))
        for steps in parts:
            run.advance(steps)
        ends.append(run.overlaps())
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


def test_residual_overlaps_stay_positive_semidefinite():
    """Over a million steps in which heads fall together again and again (weight decay, R → 0)."""
    model = Model(3, 3, FLIPS, "softmax", label_noise=0.1)
    run = OverlapsRun(
        model, IDENTICAL, Training(0.01, weight_decay=5.0), 10, np.random.SeedSequence(3)
    )
    for _ in range(20):
        run.advance(50_000)
        R = run.overlaps().R
        assert np.linalg.eigvalsh(R)[0] >= -1e-15 * R.max()
        assert np.isfinite(R).all()


def test_too_few_dimensions_are_refused():
    model = Model(3, 2, FLIPS)
    with pytest.raises(ArgumentError, match="`dimension` must be at least F \\+ H \\+ 2 = 6"):
        OverlapsRun(model, state_of(model), Training(1.0), 5, np.random.SeedSequence(0))
