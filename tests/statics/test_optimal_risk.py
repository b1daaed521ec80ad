"""The optimal risk of an activation: against independent minimizations, and never below Bayes."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from scipy.optimize import minimize

import headode as ho
from headode.statics.landscape import Landscape, Point

ONE_HOT = ho.Signal.one_hot([2.0, 2.0, 2.0])
UNEQUAL = ho.Signal.discrete([[2.0, 0.0], [0.0, 1.5], [-1.0, -1.0]], [0.2, 0.5, 0.3])


def optimality(model, best):
    """The largest entry of the gradient, and the lowest eigenvalue of C where R vanishes."""
    state = best.state
    terms = ho.expected_update(model, state, tolerance=1e-8)
    values, vectors = np.linalg.eigh(state.R)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    gradients = [terms.G + terms.C @ state.M, terms.C @ root]
    if model.learns_offset:
        gradients.append(terms.offset_gradient)
    if model.learns_value:
        gradients.append(np.array(state.m_v * terms.squared_attention - terms.marked_attention))
        assert state.q_v == pytest.approx(state.m_v**2)
    null = vectors[:, values <= 1e-9]
    lowest = np.linalg.eigvalsh(null.T @ terms.C @ null)[0] if null.size else 0.0
    return max(float(np.abs(g).max(initial=0.0)) for g in gradients), float(lowest)


@pytest.mark.parametrize("activation", ["softmax", "softmax1", "bayes_softmax", "linear", "erf"])
def test_gradient_is_that_of_the_risk(activation):
    """In every coordinate, by central differences, with everything learned that can be."""
    rng = np.random.default_rng(0)
    model = ho.Model(4, 2, UNEQUAL, activation, offset="learned", value="learned", label_noise=0.2)
    point = Point(
        rng.standard_normal((2, 2)), 0.5 * rng.standard_normal((2, 1)), rng.standard_normal(2), 0.8
    )
    _check_gradient(model, point)


def test_gradient_with_a_nishimori_offset():
    rng = np.random.default_rng(1)
    model = ho.Model(3, 3, ho.Signal.gaussian([1.0, 0.5], [1.0, 0.3]), "bayes_softmax")
    _check_gradient(model, Point(rng.standard_normal((3, 2)), 0.5 * rng.standard_normal((3, 2))))


def _check_gradient(model, point):
    landscape = Landscape(model, "auto", 1e-9)
    slope, vector, step = landscape.slope(point), point.vector, 1e-4
    for i, expected in enumerate(slope.gradient):
        up, down = vector.copy(), vector.copy()
        up[i] += step
        down[i] -= step
        difference = landscape.slope(point.at(up)).risk - landscape.slope(point.at(down)).risk
        # Third derivatives of order one: an error of order step².
        assert difference / (2 * step) == pytest.approx(expected, abs=3e-7)
    # The new residual direction: E changes by −½ violation for each unit of its square.
    if slope.violation:
        grown = point.with_direction(1e-2 * slope.descent)
        change = landscape.slope(grown).risk - slope.risk
        assert change == pytest.approx(-0.5e-4 * slope.violation, abs=1e-7)


def test_linear_attention_against_its_quadratic_form():
    """E = ½ (E(m₀ + a·θ)² + L |a|² + (L−1) m₀² − 2 m₀ − 2 a·Eθ + 1 + Δ²), a = c Σ_h M_h, R = 0."""
    L, H, c, noise = 5, 3, 0.1, 0.4
    model = ho.Model(L, H, UNEQUAL, "linear", label_noise=noise, prefactor=c)
    m0, mean = c * H, UNEQUAL.mean
    second = UNEQUAL.covariance + np.outer(mean, mean)
    a = np.linalg.solve(second + L * np.eye(2), (1 - m0) * mean)
    lowest = (m0 + a @ mean) ** 2 + a @ UNEQUAL.covariance @ a + L * a @ a + (L - 1) * m0**2
    lowest = 0.5 * (lowest - 2 * m0 - 2 * a @ mean + 1 + noise**2)
    best = ho.optimal_risk(model, restarts=4)
    assert best.risk == pytest.approx(lowest, abs=1e-9)
    np.testing.assert_allclose(c * best.state.M.sum(axis=0), a, atol=1e-6)
    # Only the sum of the heads matters: a continuum, counted as one minimum.
    assert len(best.minima) == 1
    assert best.minima[0].count == 4
    assert best.minima[0].flat == (H - 1) * 2
    assert best.minima[0].escaping == ()


def two_token_softmax(M, R, points, probabilities):
    """Risk of one softmax head on two tokens: A_1 = σ(u), u ~ N(Mθ, 2Q), by Gauss-Hermite."""
    z, w = np.polynomial.hermite_e.hermegauss(80)
    Q = M**2 + R
    u = M * np.asarray(points)[:, None] + np.sqrt(2 * Q) * z
    A = 1 / (1 + np.exp(-u))
    return float(np.asarray(probabilities) @ ((1 - A) ** 2 @ w) / w.sum())


def test_one_softmax_head_against_a_brute_force_minimization():
    points, probabilities = [0.4, 2.5, -0.8], [0.3, 0.5, 0.2]
    signal = ho.Signal.discrete(np.array(points)[:, None], probabilities)
    best = ho.optimal_risk(ho.Model(2, 1, signal, "softmax"), restarts=3)
    grid = [(M, r**2) for M in np.linspace(-4, 4, 41) for r in np.linspace(0, 2, 9)]
    start = min(grid, key=lambda each: two_token_softmax(*each, points, probabilities))
    found = minimize(
        lambda x: two_token_softmax(x[0], x[1] ** 2, points, probabilities),
        [start[0], np.sqrt(start[1])],
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-14},
    )
    assert best.risk == pytest.approx(found.fun, abs=1e-8)
    assert best.state.M[0, 0] == pytest.approx(found.x[0], abs=1e-4)
    assert best.state.R[0, 0] == pytest.approx(found.x[1] ** 2, abs=1e-4)


def test_bayes_softmax_with_a_head_for_each_point_is_bayes_optimal():
    for signal, offset in ((ONE_HOT, "nishimori"), (UNEQUAL, "learned")):
        model = ho.Model(3, 3, signal, "bayes_softmax", offset=offset, label_noise=0.3)
        best = ho.optimal_risk(model, restarts=2)
        assert best.risk == pytest.approx(best.bayes_risk, abs=1e-6)
        assert best.converged
        distance = np.linalg.norm(best.state.M[:, None] - signal.means, axis=2)
        assert (distance.min(axis=0) < 1e-3).all()


def test_order_of_the_activations_on_one_hot():
    """Bayes = bayes_softmax < softmax1 with a free offset < softmax < ½ < softmax1 without one."""
    risks = {
        name: ho.optimal_risk(ho.Model(3, 3, ONE_HOT, name, offset=offset), restarts=3).risk
        for name, offset in (("bayes_softmax", None), ("softmax1", "learned"), ("softmax", None))
    }
    without = ho.optimal_risk(ho.Model(3, 3, ONE_HOT, "softmax1"), restarts=3).risk
    # Measured, to the digits that are printed in the documentation.
    assert risks["bayes_softmax"] == pytest.approx(0.159331, abs=2e-6)
    assert risks["softmax1"] == pytest.approx(0.198144, abs=2e-6)
    assert risks["softmax"] == pytest.approx(0.212293, abs=2e-6)
    assert without == pytest.approx(0.521103, abs=2e-6)


def test_more_heads_than_points_do_not_help():
    signal = ho.Signal.sign_flips([1.0], [1.5])
    model = ho.Model(3, 3, signal, "bayes_softmax")
    best = ho.optimal_risk(model, restarts=3)
    assert best.excess == pytest.approx(0.0, abs=1e-6)
    assert len(best.minima[0].escaping) == 1
    with_fewer = ho.optimal_risk(ho.Model(3, 1, signal, "bayes_softmax"), restarts=3)
    assert with_fewer.excess > 0.01


def test_a_minimum_at_infinity_is_recognized():
    """Without its null token, switched off by an offset, softmax-1 is the Bayes attention here."""
    model = ho.Model(3, 1, ho.Signal.discrete([[2.0]]), "softmax1", offset="learned")
    best = ho.optimal_risk(model, restarts=3)
    assert best.minima[0].escaping == (1,)
    assert best.risk == pytest.approx(best.bayes_risk, abs=1e-5)
    assert best.state.offset[0] < -4


def test_an_offset_that_cancels_does_not_escape():
    for activation, heads in (("softmax", 2), ("bayes_softmax", 1)):
        model = ho.Model(3, heads, ONE_HOT, activation, offset="learned")
        best = ho.optimal_risk(model, restarts=1)
        fixed = ho.optimal_risk(ho.Model(3, heads, ONE_HOT, activation, offset=0.0), restarts=1)
        assert best.risk == pytest.approx(fixed.risk, abs=1e-6)
        assert best.best.escaping == ()


@pytest.mark.parametrize("value", ["known", "learned"])
@pytest.mark.parametrize("activation", ["softmax", "softmax1", "bayes_softmax", "erf", "softplus"])
def test_no_risk_below_bayes_and_all_minima_optimal(activation, value):
    rng = np.random.default_rng(sum(map(ord, activation + value)))
    for _ in range(2):
        F, H = rng.integers(1, 3, size=2)
        signal = ho.Signal.discrete(rng.standard_normal((3, F)) * 1.5, rng.dirichlet(np.ones(3)))
        model = ho.Model(int(rng.integers(2, 6)), int(H), signal, activation, value=value)
        best = ho.optimal_risk(model, restarts=2, seed=int(rng.integers(100)))
        assert best.risk >= ho.bayes_risk(model) - 2e-6
        assert best.converged
        gradient, lowest = optimality(model, best)
        assert gradient < 2e-6
        assert lowest > -2e-6
        # No state nearby is better.
        for _ in range(5):
            M = best.state.M + 0.05 * rng.standard_normal(best.state.M.shape)
            A = 0.05 * rng.standard_normal((model.heads, model.heads))
            near = best.state.replace(M=M, R=best.state.R + A @ A.T)
            assert ho.expected_update(model, near).risk > best.risk - 2e-6


def test_gaussian_signals():
    model = ho.Model(3, 1, ho.Signal.gaussian([1.0, 0.5], [1.0, 0.5]), "bayes_softmax")
    one, two = (
        ho.optimal_risk(ho.Model(3, H, model.signal, "bayes_softmax"), restarts=2) for H in (1, 2)
    )
    # Each head is one more point for a continuous law: better, and never enough.
    assert one.excess > two.excess > 1e-3
    assert optimality(ho.Model(3, 2, model.signal, "bayes_softmax"), two)[0] < 2e-6


def test_a_saddle_is_left():
    """Heads that coincide at the optimum of a single one are stationary, and worse than apart."""
    single = ho.optimal_risk(ho.Model(3, 1, ONE_HOT, "softmax"), restarts=2)
    both = ho.OrderParameters(np.vstack([single.state.M] * 2), np.zeros((2, 2)))
    model = ho.Model(3, 2, ONE_HOT, "softmax")
    assert ho.expected_update(model, both).risk == pytest.approx(single.risk, abs=1e-7)
    left = ho.optimal_risk(model, restarts=0, starts=[both])
    assert left.risk < single.risk - 1e-4
    assert left.converged


def test_minima_are_counted_once_whatever_the_order_of_heads():
    model = ho.Model(3, 2, UNEQUAL, "softmax")
    best = ho.optimal_risk(model, restarts=4)
    again = ho.optimal_risk(model, restarts=0, starts=[best.state, best.state.permuted([1, 0])])
    assert len(again.minima) == 1
    assert again.minima[0].count == 2
    assert sum(minimum.count for minimum in best.minima) == 4
    risks = [minimum.risk for minimum in best.minima]
    assert risks == sorted(risks)


def test_same_numbers_again_and_with_other_threads():
    model = ho.Model(3, 2, UNEQUAL, "bayes_softmax")
    threads = numba.get_num_threads()
    results = []
    try:
        for count in (1, numba.config.NUMBA_NUM_THREADS, threads):
            numba.set_num_threads(count)
            results.append(ho.optimal_risk(model, restarts=4, seed=3).to_dict())
    finally:
        numba.set_num_threads(threads)
    assert results[0] == results[1] == results[2]
    assert ho.optimal_risk(model, restarts=4, seed=4).to_dict() != results[0]


def test_progress_and_refusals():
    model = ho.Model(2, 1, ho.Signal.discrete([[1.0]]), "linear")
    seen = []
    start = ho.OrderParameters([[0.5]], [[0.1]])
    best = ho.optimal_risk(model, restarts=2, starts=[start], progress=seen.append)
    assert [(report.done, report.total) for report in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[-1].risk == best.risk
    with pytest.raises(ho.ArgumentError, match="restarts"):
        ho.optimal_risk(model, restarts=0)
    with pytest.raises(ho.ArgumentError, match="shape"):
        ho.optimal_risk(model, starts=[ho.OrderParameters([[0.5, 1.0]], [[0.1]])])
    with pytest.raises(ho.ArgumentError, match="method"):
        ho.optimal_risk(model, method="factorized")


def test_a_risk_below_bayes_is_an_error(monkeypatch):
    """An expectation that is wrong must not pass for a good student."""
    monkeypatch.setattr(
        "headode.statics.optimal_risk.bayes_risk_and_error", lambda *_, **__: (0.4, 1e-9)
    )
    with pytest.raises(ho.NumericalFailure, match="below the Bayes risk"):
        ho.optimal_risk(ho.Model(2, 1, ho.Signal.discrete([[1.0]]), "linear"), restarts=1)


def test_an_unreached_tolerance_is_said(monkeypatch):
    # Seven tokens: a node set that no other test has filled already.
    monkeypatch.setattr("headode.expectation.nodes.LARGEST_NODES", 1 << 11)
    model = ho.Model(7, 1, ONE_HOT, "softmax")
    with pytest.warns(ho.ToleranceWarning, match="residual") as said:
        best = ho.optimal_risk(model, restarts=1, method="quasi_monte_carlo", tolerance=1e-6)
    assert len(said) == 1
    assert not best.converged
    assert best.error > 1e-6


def test_an_interrupted_search_hands_out_its_minima():
    model = ho.Model(3, 2, ONE_HOT, "linear")

    def stop(progress):
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(ho.Interrupted, match="2 of 5 searches are finished") as caught:
        ho.optimal_risk(model, restarts=5, progress=stop)
    partial, two = caught.value.partial, ho.optimal_risk(model, restarts=2)
    assert partial.to_dict() == two.to_dict()
