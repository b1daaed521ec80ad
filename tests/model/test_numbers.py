"""Numbers of any kind become plain ones, and what cannot be stored or counted is refused first."""

import json
from fractions import Fraction

import numpy as np
import pytest
import xarray as xr

import headode as ho
from headode.training import Training

SIGNAL = ho.Signal.sign_flips([1.0, 0.0], [0.0, 0.5])
MODEL = ho.Model(2, 1, SIGNAL, "linear")
STATE = ho.OrderParameters([[0.1, 0.2]], [[0.01]])


def test_numpy_numbers_are_plain_ones_in_the_result_and_its_configuration():
    numbers = {"learning_rate": np.float32(0.5), "batch_size": np.int64(2)}
    run = ho.integrate(
        MODEL,
        STATE,
        time=np.array(1.0),
        **numbers,
        weight_decay=Fraction(1, 4),
        count=np.uint8(3),
        seed=np.uint64(7),
        rtol=np.float32(1e-5),
        method=np.str_("auto"),
    )
    training = json.loads(run.attrs["configuration"])["training"]
    assert training["learning_rate"] == 0.5
    assert training["batch_size"] == 2
    assert training["weight_decay"] == 0.25
    plain = ho.integrate(
        MODEL,
        STATE,
        time=1.0,
        learning_rate=0.5,
        batch_size=2,
        weight_decay=0.25,
        count=3,
        seed=7,
        rtol=float(np.float32(1e-5)),
    )
    assert run["M"].equals(plain["M"])


def test_simulations_and_sweeps_keep_numpy_numbers_too():
    options = {"dimension": np.int32(50), "runs": np.int8(1), "seed": np.uint64(3), "workers": 1}
    run = ho.simulate(MODEL, STATE, time=0.1, count=2, learning_rate=np.float32(0.5), **options)
    assert type(run.attrs["learning_rate"]) is float
    assert json.loads(run.attrs["configuration"])["simulation"]["seed"] == 3
    diagram = ho.phase_diagram(
        MODEL,
        axes={
            "training.learning_rate": np.float32([0.25, 0.5]),
            "training.batch_size": range(1, 3),
        },
        initial={"M": np.array([[0.1, 0.2]]), "R": np.array([[Fraction(1, 100)]])},
        training={"time": np.float32(1.0)},
        workers=1,
    )
    assert (diagram["status"] == 1).all()
    assert json.loads(diagram.attrs["configuration"])["initial"]["M"] == [[0.1, 0.2]]


def test_what_cannot_be_stored_is_refused_before_anything_is_computed(monkeypatch):
    def computed(*_):
        raise AssertionError("computed before it was known that the result can be stored")

    monkeypatch.setattr("headode.dynamics.right_hand_side.RightHandSide.__call__", computed)
    monkeypatch.setattr("headode.simulation.simulate.run_ensemble", computed)
    kept = {"model": {"tokens": object()}}
    with pytest.raises(ho.ArgumentError, match=r"configuration\.model\.tokens.*must be text"):
        ho.integrate(MODEL, STATE, time=1.0, configuration=kept)
    with pytest.raises(ho.ArgumentError, match=r"configuration\.model\.tokens"):
        ho.simulate(MODEL, STATE, time=0.1, learning_rate=0.5, configuration=kept)
    with pytest.raises(ho.ArgumentError, match=r"configuration\.model\.tokens"):
        ho.prune(MODEL, STATE, configuration=kept)


def test_checked_values_have_plain_types():
    training = Training(np.float32(0.5), np.int64(1), np.float16(1), np.int64(2), np.array(0.0))
    assert [type(value) for value in vars(training).values()] == [float, float, float, int, float]
    model = ho.Model(np.int64(2), np.array(1), SIGNAL, value=np.str_("learned"))
    assert [type(each) for each in (model.tokens, model.heads, model.value)] == [int, int, str]
    signal = ho.Signal.mixture([[1, 0]], [np.float32(0.5)], [Fraction(1)])
    assert json.loads(json.dumps(signal.to_dict())) == signal.to_dict()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: ho.Model(10**21, 1, SIGNAL), "tokens"),
        (lambda: ho.Model(2, 10**5, SIGNAL), "heads"),
        (lambda: ho.OrderParameters.random(2, 2, seed=2**63), "seed"),
        (lambda: ho.OrderParameters.random(2, 2, seed=np.random.SeedSequence(1)), "seed"),
        (lambda: ho.OrderParameters.random(2, 2, scale=10**400), "scale"),
        (lambda: ho.OrderParameters([[10**400, 0]], [[1]]), "M"),
        (lambda: ho.OrderParameters([["1", "2"]], [[1]]), "M"),
        (lambda: ho.OrderParameters([[True, False]], [[1]]), "M"),
        (lambda: Training(0.5, batch_size=np.bool_(True)), "batch_size"),
        (lambda: Training(0.5, batch_size=2**64), "batch_size"),
        (lambda: ho.integrate(MODEL, STATE, time=1.0, seed=2**127), "seed"),
        (lambda: ho.integrate(MODEL, STATE, time=1.0, count=10**12), "count"),
        (lambda: ho.simulate(MODEL, STATE, time=1, learning_rate=1, dimension=10**20), "dimension"),
        (lambda: ho.simulate(MODEL, STATE, time=1, learning_rate=1, runs=10**9), "runs"),
        (lambda: ho.simulate(MODEL, STATE, time=1, learning_rate=1, workers=10**9), "workers"),
        (lambda: ho.bayes_risk(MODEL, seed=2**127), "seed"),
        (lambda: ho.optimal_risk(MODEL, seed=2**127), "seed"),
    ],
)
def test_integers_without_a_meaning_are_refused(make, name):
    with pytest.raises(ho.ArgumentError, match=f"Argument `{name}` must") as caught:
        make()
    assert caught.value.argument == name


@pytest.mark.parametrize("asked", [{"times": [0, 1e18]}, {"time": 1e14}])
def test_more_steps_than_can_be_counted_are_refused(asked):
    (name,) = asked
    options = {"learning_rate": 0.5, "dimension": 100, "runs": 2}
    with pytest.raises(ho.ArgumentError, match=f"`{name}` must take at most 1e.15 steps"):
        ho.simulate(MODEL, STATE, **asked, **options)
    with pytest.raises(ho.ArgumentError, match=f"`{name}` must take at most 1e.15 steps"):
        ho.validate(MODEL, STATE, **asked, **options)


@pytest.mark.parametrize("end", [1e-160, 1e-300, 5e-324])
@pytest.mark.parametrize("integrator", ["LSODA", "RK45"])
def test_an_integration_over_hardly_any_time_ends_where_it_starts(end, integrator):
    run = ho.integrate(MODEL, STATE, times=[0, end], learning_rate=0.5, integrator=integrator)
    assert run["time"].values.tolist() == [0, end]
    np.testing.assert_array_equal(run["M"][-1], STATE.M)


def test_a_learning_rate_whose_square_overflows_is_a_divergence():
    with pytest.raises(ho.NumericalFailure, match=r"diverged.*at time 0 of 1") as caught:
        ho.integrate(MODEL, STATE, time=1.0, learning_rate=1e300)
    np.testing.assert_array_equal(caught.value.partial["M"][0], STATE.M)


def test_a_time_too_short_for_its_records_is_refused():
    with pytest.raises(ho.ArgumentError, match="`time` must be long enough for 200"):
        ho.integrate(MODEL, STATE, time=1e-320)


def test_residual_overlaps_may_have_roundoff():
    """Eigenvalues that are negative by roundoff of Q = M Mᵀ + R are zero."""
    state = ho.OrderParameters([[1.0, 0.5]], [[-3e-15]])
    assert state.R.tolist() == [[0.0]]
    # Rank one in single precision, of unit size: off by a few 1e-8.
    state = ho.OrderParameters(np.eye(2), [[1.0, 1.0 + 1e-8], [1.0 + 1e-8, 1.0]])
    assert np.linalg.eigvalsh(state.R)[0] == pytest.approx(0.0, abs=1e-15)
    np.testing.assert_allclose(state.R, 1.0, atol=2e-8)
    # What has been projected stays as it is, to the last bit.
    again = ho.OrderParameters(**state.to_dict())
    np.testing.assert_array_equal(again.R, state.R)
    rng = np.random.default_rng(1)
    M, k = rng.normal(size=(3, 2)), np.zeros((3, 3))
    single = (M.astype(np.float32) @ M.astype(np.float32).T).astype(float)
    measured = ho.OrderParameters(M, single - M @ M.T + k)
    assert np.linalg.eigvalsh(measured.R)[0] >= -1e-20
    run = ho.integrate(ho.Model(2, 3, SIGNAL, "softmax"), measured, time=0.01, count=2)
    assert np.isfinite(run["risk"]).all()


def test_what_is_indefinite_is_refused_with_its_smallest_eigenvalue():
    with pytest.raises(ho.ArgumentError, match=r"smallest eigenvalue is -1\)"):
        ho.OrderParameters(np.eye(2), [[1, 2], [2, 1]])
    with pytest.raises(ho.ArgumentError, match=r"smallest eigenvalue is -1e-05"):
        ho.OrderParameters([[1.0]], [[-1e-5]])


def test_covariances_and_probabilities_may_have_roundoff():
    signal = ho.Signal.gaussian([2.0, 0.0], [[-3e-15, 0.0], [0.0, 0.0]])
    assert not signal.covariances.any()
    mixed = ho.Signal.mixture([[1, 0], [0, 1]], [np.diag([1.0, -1e-8]), np.eye(2)])
    assert mixed.covariances[0].tolist() == [[1, 0], [0, 0]]
    thirds = np.full(3, 1 / 3, dtype=np.float32)
    assert ho.Signal.one_hot([1, 2, 3], thirds).probabilities.sum() == pytest.approx(1, abs=1e-15)
    state = ho.OrderParameters([[1.0]], [[0.0]], m_v=0.5, q_v=float(np.float32(0.25)) - 1e-8)
    assert state.q_v == 0.25


def test_xarray_inputs_are_read_by_the_names_of_their_dimensions():
    M = xr.DataArray([[1.0, 2.0], [3.0, 4.0]], dims=("head", "feature"))
    R = xr.DataArray(np.eye(2), dims=("head_2", "head"))
    state = ho.OrderParameters(M.T, R)
    assert state.M.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ho.ArgumentError, match=r"`M` must have the dimensions \(head, feature\)"):
        ho.OrderParameters(M.rename(head="row"), R)
    with pytest.raises(ho.ArgumentError, match="`points` must have no names"):
        ho.Signal.discrete(M)
    run = ho.integrate(ho.Model(2, 2, SIGNAL, "linear"), state, time=0.01, count=2)
    from headode.trajectory import state_at

    turned = run.transpose("feature", "head_2", "head", "time")
    assert state_at(turned, 0).M.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("mask", [[True, False], [False, True]])
def test_masked_entries_are_no_values(mask):
    masked = np.ma.array([1.0, 2.0], mask=mask)
    for make in (
        lambda: ho.Signal.sign_flips(masked, [0, 1]),
        lambda: ho.Signal.gaussian([1, 0], masked),
        lambda: ho.Signal.discrete([masked]),
        lambda: ho.OrderParameters(masked[None], [[1]]),
        lambda: ho.Model(2, 2, SIGNAL, offset=masked),
        lambda: ho.integrate(MODEL, STATE, times=masked),
    ):
        with pytest.raises(ho.ArgumentError):
            make()
    whole = np.ma.array([1.0, 2.0], mask=False)
    assert ho.Signal.sign_flips(whole, [0, 1]).mean.tolist() == [1, 2]


@pytest.mark.parametrize("nothing", [None, "", "text", {}, True, object(), float("nan")])
@pytest.mark.parametrize(
    ("kind", "name", "others"),
    [
        ("sign_flips", "mean", {"amplitude": [1, 0]}),
        ("sign_flips", "amplitude", {"mean": [1, 0]}),
        ("one_hot", "amplitude", {}),
        ("flipped_one_hot", "amplitude", {}),
        ("gaussian", "mean", {"covariance": 1.0}),
        ("gaussian", "covariance", {"mean": [1, 0]}),
        ("discrete", "points", {}),
        ("mixture", "means", {"covariances": 1.0}),
        ("mixture", "covariances", {"means": [[1, 0]]}),
    ],
)
def test_a_signal_without_a_parameter_is_refused(kind, name, others, nothing):
    with pytest.raises(ho.ArgumentError) as caught:
        getattr(ho.Signal, kind)(**{name: nothing}, **others)
    assert caught.value.argument == name


def test_unknown_and_missing_keys_of_a_signal_are_named():
    with pytest.raises(ho.ArgumentError, match=r"`signal` must.*did you mean amplitude"):
        ho.Signal.from_dict({"kind": "one_hot", "amplitud": [1.0]})
    with pytest.raises(ho.ArgumentError, match=r"`signal\.amplitude` must be given"):
        ho.Signal.from_dict({"kind": "one_hot"})
    with pytest.raises(ho.ArgumentError, match="`signal` must be a mapping"):
        ho.Signal.from_dict(None)
    with pytest.raises(ho.ArgumentError, match=r"did you mean heads"):
        ho.phase_diagram({"model": {"head": 2}}, axes={"model.tokens": [2]})
