"""Per-head softmax by the laws of the ring times, against nodes for every head's field."""

import math

import numpy as np
import pytest
from cases import random_signal
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import loggamma

import headode as ho
from headode.expectation.factorized import Effort, Factorized
from headode.expectation.field_laws import FieldLaws
from headode.expectation.race.setting import Race
from headode.expectation.race.softmax import races
from headode.expectation.race.softmax.boxes import choose_boxes
from headode.expectation.race.softmax.ring_times import ring_times

few = settings(max_examples=12, deadline=None)


def largest_difference(one, two):
    return max(abs(one.risk - two.risk), np.abs(one.G - two.G).max(), np.abs(one.C - two.C).max())


def by_nodes(model, state, tolerance):
    """The same race by nodes for the fields, which any score function can use."""
    twin = Factorized(model, tolerance=tolerance)
    twin._shifts = False
    return twin(state)


def by_ring_times(model, state, tolerance):
    return Factorized(model, tolerance=tolerance)(state)


def correlated(correlation, ratio=1.0):
    """Two heads with this correlation and ratio of their deviations."""
    M = np.zeros((2, 2))
    M[0, 0], M[1, 0] = 1.5, 1.5 * ratio * correlation
    rest = max(1.0 - correlation**2, 0.0)
    return ho.OrderParameters(M, np.diag([0.0, (1.5 * ratio) ** 2 * rest]))


@pytest.mark.parametrize("activation", ["softmax", "softmax1"])
@pytest.mark.parametrize("ratio", [1.0, 0.3])
@pytest.mark.parametrize("correlation", [0.0, 0.7, 0.99, 1.0 - 1e-6, 1.0, -0.9, -1.0])
def test_every_correlation_of_two_heads(activation, correlation, ratio):
    """Strong correlations make the overlap of two heads sharp along x − y; then the grid must not
    follow the smooth races of single heads."""
    model = ho.Model(3, 2, ho.Signal.sign_flips([1.0, 0.5], [0.5, 1.0]), activation)
    state = correlated(correlation, ratio)
    for tolerance in (1e-4, 1e-7):
        mine = by_ring_times(model, state, tolerance)
        assert largest_difference(mine, by_nodes(model, state, 1e-9)) < mine.error + 3e-9
        assert mine.error <= tolerance


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 7, 200]))
def test_equals_nodes_on_random_states(seed, tokens):
    """Mixtures, singular residuals, heads of very different size."""
    rng = np.random.default_rng(seed)
    heads, features = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    signal = random_signal(rng, features)
    model = ho.Model(tokens, heads, signal, "softmax1" if tokens % 2 else "softmax")
    factors = rng.normal(size=(heads, int(rng.integers(1, heads + 1))))
    size = 10.0 ** rng.uniform(-2, 0.3, size=(heads, 1))
    state = ho.OrderParameters(
        size * rng.normal(size=(heads, features)), (size * factors) @ (size * factors).T
    )
    mine = by_ring_times(model, state, 1e-6)
    assert largest_difference(mine, by_nodes(model, state, 1e-8)) < mine.error + 2e-8


def test_runs_of_components_with_equal_covariances(monkeypatch):
    """Components with one covariance are summed together: in any order, and by any threads, the
    same; each of them as by nodes."""
    means = [[1.5, 0.0], [0.5, 1.0], [-1.0, 0.4], [0.2, -0.6], [0.9, 0.3], [0.0, 0.0]]
    variances = [0.2, 0.2, 0.0, 0.7, 0.7, 0.2]
    weights = np.array([3.0, 1.0, 2.0, 1.0, 2.0, 1.0]) / 10.0
    rng = np.random.default_rng(5)
    state = ho.OrderParameters(rng.normal(size=(3, 2)), 0.1 * np.eye(3))

    def updates(order):
        signal = ho.Signal.mixture(
            [means[s] for s in order], [variances[s] for s in order], weights[list(order)]
        )
        return by_ring_times(ho.Model(4, 3, signal, "softmax"), state, 1e-8)

    as_given, mixed = updates(range(6)), updates((3, 0, 2, 5, 4, 1))
    assert largest_difference(as_given, mixed) < 1e-13
    monkeypatch.setattr(races, "PARALLEL_WORK", 0)
    assert largest_difference(as_given, updates(range(6))) < 1e-14
    signal = ho.Signal.mixture(means, variances, weights)
    expected = by_nodes(ho.Model(4, 3, signal, "softmax"), state, 1e-9)
    assert largest_difference(as_given, expected) < as_given.error + 3e-9


def test_every_digit_asked_for_is_gained():
    """Geometric convergence: a tenth of the tolerance bounds the error all the way down, in a state
    with three groups of heads."""
    M = np.array([[2.0, 1.8], [2.1, 1.7], [1.9, -1.8], [0.2, 0.1]])
    model = ho.Model(3, 4, ho.Signal.sign_flips([2.0, 0.0], [0.0, 1.8]), "softmax")
    state = ho.OrderParameters(M, 1e-3 * np.eye(4))
    evaluate = Factorized(model)
    reference = evaluate.assemble(state, Effort(1e-12))
    for tolerance in np.geomspace(1e-3, 1e-9, 7):
        terms = evaluate.assemble(state, Effort(tolerance))
        assert largest_difference(terms, reference) < 0.1 * tolerance


def test_gamma_functions_of_the_tilts():
    means, variances = np.array([[0.3, -1.0], [2.0, 0.1]]), np.array([[0.5, 8.0], [0.0, 0.2]])
    covariances = np.array([np.diag(row) for row in variances])
    boxes, moduli, phases = ring_times(
        FieldLaws(means, covariances, np.ones(1)), Race(30, 0.0), 1e-9
    )
    assert moduli.shape[1] == boxes.sizes.max() + 1
    for h in range(2):
        count = boxes.sizes[h].max() + 1
        log_gamma = loggamma(1.0 - boxes.tilts[h] + 1j * boxes.bases[h] * np.arange(count))
        np.testing.assert_allclose(moduli[h, :count], np.exp(log_gamma.real), rtol=1e-12)
        np.testing.assert_allclose(phases[h, :count], np.exp(1j * log_gamma.imag), atol=1e-12)


def boxes_of(mean, variance, tokens, tolerance):
    """Of one head, with the same law for an unmarked token and for the marked one."""
    laws = FieldLaws(np.full((2, 1), mean), np.full((2, 1, 1), variance), np.ones(1))
    return choose_boxes(laws, Race(tokens, 0.0), tolerance)


def averages(mean, variance):
    """E f(u) over a Gaussian score, by a library's adaptive rule."""
    deviation = math.sqrt(variance)

    def average(function):
        def weighted(z):
            density = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
            return function(math.exp(min(mean + deviation * z, 600.0))) * density

        return quad(weighted, -12, 12, epsabs=1e-14, epsrel=1e-6, limit=400)[0]

    return average


@pytest.mark.parametrize("tokens", [1, 2, 100])
@pytest.mark.parametrize("variance", [1e-3, 0.5, 9.0, 400.0])
def test_windows_hold_the_first_ring_times(variance, tokens):
    """P(T < low), and the probability that no token has rung at ``high``, are below the tolerance,
    and the first one not by many orders: wider windows take longer."""
    tolerance, mean = 1e-7, 0.7
    low, high = boxes_of(mean, variance, tokens, tolerance).windows[0]
    average = averages(mean, variance)
    early = average(lambda w: -math.expm1(-math.exp(low) * w))
    late = average(lambda w: math.exp(-math.exp(high) * w))
    assert 0.02 * tolerance < tokens * early < tolerance
    assert late**tokens < tolerance


@pytest.mark.parametrize("tokens", [1, 100, 100_000])
@pytest.mark.parametrize("variance", [1e-3, 0.5, 9.0, 400.0])
def test_boxes_hide_the_repetitions(variance, tokens):
    """A series repeats P(T < x) e^{−αx} with the box's length. What a box has of later times but
    for the known limit, P(T > x + B) e^{−αB}, and of earlier ones, P(T < x − B) e^{αB}, is below
    the tolerance over L, where some token is still to ring."""
    tolerance, mean = 1e-7, 0.7
    boxes = boxes_of(mean, variance, tokens, tolerance)
    length, low = 2 * math.pi / boxes.bases[0], boxes.windows[0, 0]
    growth = math.exp(boxes.tilts[0] * length)
    average = averages(mean, variance)
    later = average(lambda w: math.exp(-math.exp(low + length) * w)) / growth
    assert tokens * later < tolerance

    def waiting(x):
        return average(lambda w: math.exp(-math.exp(x) * w))

    for x in np.linspace(low, boxes.windows[0, 1], 9):
        earlier = average(lambda w: -math.expm1(-math.exp(x - length) * w)) * growth  # noqa: B023
        assert tokens * earlier * waiting(x) ** max(tokens - 2, 0) < tolerance
