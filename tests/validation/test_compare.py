"""``compare`` on made-up trajectories."""

import json

import numpy as np
import pytest

from headode import ArgumentError
from headode.trajectory import trajectory_dataset
from headode.validation.compare import compare

TIMES = np.array([0.0, 1.0, 2.0])
CONFIGURATION = {"training": {"learning_rate": 1.0}, "integrator": {"rtol": 1e-6, "atol": 1e-9}}


def theory(times=TIMES, M=0.5, error=None):
    shape = (len(times), 1, 1)
    variables = {"M": np.full(shape, M), "R": np.full(shape, 0.3), "risk": np.full(shape[0], 0.2)}
    if error is not None:
        variables["expectation_error"] = np.full(shape[0], error)
    return trajectory_dataset(times, variables, kind="integration", configuration=CONFIGURATION)


def ensemble(runs, dimension, scatter=0.0, times=TIMES, seed=0):
    rng = np.random.default_rng(seed)
    shape = (runs, len(times), 1, 1)
    noise = scatter * rng.standard_normal(shape) / np.sqrt(dimension)
    variables = {
        "M": 0.5 + noise,
        "R": np.full(shape, 0.3),
        "risk": np.full(shape[:2], 0.2),
        "risk_standard_error": np.zeros(shape[:2]),
    }
    data = trajectory_dataset(
        times,
        variables,
        kind="simulation",
        configuration=CONFIGURATION,
        dimension=dimension,
        runs=runs,
        method="weights",
        seed=seed,
    )
    steps = np.rint(np.asarray(times) * dimension).astype(int)
    return data.assign_coords(step=("time", steps))


def test_quantities_that_do_not_vary_agree_only_within_the_numerical_allowance():
    ensembles = [ensemble(4, 400), ensemble(16, 100)]
    assert compare(theory(), ensembles).agrees
    off = theory(M=0.5 + 1e-3)
    report = compare(off, ensembles)
    assert not report.agrees
    assert report.worst.what == "M[head 1, feature 1]"
    assert np.isinf(report.worst.z)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["worst"]["z"] is None
    # The numerical error is estimated, or measured by a less accurate solution.
    assert compare(theory(M=0.5 + 1e-3, error=1e-3), ensembles).agrees
    assert compare(off, ensembles, looser=theory(M=0.5 + 3e-3)).agrees
    assert not compare(off, ensembles, looser=theory(M=0.5 + 1.5e-3)).agrees


def test_z_is_the_deviation_in_standard_errors():
    ensembles = [ensemble(8, 400, 1.0, seed=1), ensemble(32, 100, 1.0, seed=2)]
    report = compare(theory(M=0.0), ensembles)
    # Standard deviation 1/√d; error² = (16 σ²/8 + 4 σ²/32)/9 of the extrapolated mean.
    expected = np.sqrt((16 / 8 + 4 / 32) / 9 / 400)
    # Pooled over 38 degrees of freedom: 1/sqrt(2·38) = 11 %, four of which are 46 %.
    np.testing.assert_allclose(report.data["M_standard_error"], expected, rtol=0.46)
    np.testing.assert_allclose(report.data["M_simulation"], 0.5, atol=4.5 * expected)
    z = report.data["M_z"] * report.data["M_standard_error"]
    np.testing.assert_allclose(z, report.data["M_simulation"] - report.data["M_allowance"])
    assert report.comparisons == 2 * 3  # two times, three quantities


def test_records_of_the_first_few_steps_are_not_compared():
    times = [0.0, 0.1, 0.63, 0.64]
    ensembles = [ensemble(2, 400, times=times), ensemble(8, 100, times=times)]
    np.testing.assert_array_equal(compare(theory(times), ensembles).data["time"], [0.64])


def test_the_theory_may_be_recorded_more_often():
    often = np.linspace(0.0, 2.0, 9)
    assert compare(theory(often), [ensemble(2, 400), ensemble(8, 100)]).agrees


@pytest.mark.parametrize(
    ("predicted", "ensembles", "argument"),
    [
        (theory([0.0, 1.5, 2.0]), [ensemble(2, 400), ensemble(8, 100)], "theory"),
        (theory(), [ensemble(2, 400), ensemble(8, 100, times=[0.0, 1.0, 2.5])], "ensembles"),
        (theory(), [ensemble(1, 400), ensemble(8, 100)], "ensembles"),
        (theory(), [ensemble(2, 400), ensemble(1, 100)], "ensembles"),
        (theory(), [ensemble(2, 400)], "ensembles"),
        (theory(), [ensemble(2, 100), ensemble(8, 400)], "ensembles"),
        (theory(), [ensemble(2, 40), ensemble(8, 10)], "time"),
    ],
)
def test_trajectories_that_do_not_fit_together_are_refused(predicted, ensembles, argument):
    with pytest.raises(ArgumentError) as caught:
        compare(predicted, ensembles)
    assert caught.value.argument == argument


def test_the_level_is_a_positive_number():
    with pytest.raises(ArgumentError, match="level"):
        compare(theory(), [ensemble(2, 400), ensemble(8, 100)], level=0.0)


LATE = np.arange(1.0, 11.0)


def splitting(runs, dimension, seed):
    """Runs that follow M = 1/2 with small fluctuations, and from t = 6 on are 1 or 0 at random."""
    data = ensemble(runs, dimension, 0.1, times=LATE, seed=seed)
    side = np.random.default_rng(seed).choice([-0.5, 0.5], (runs, 1, 1, 1))
    data["M"] = data["M"] + np.where(LATE >= 6, 1.0, 0.0)[:, None, None] * side
    data["risk"] = data["risk"] - 0.1 * (data["time"] >= 6)
    return data


@pytest.fixture(scope="module")
def split():
    return [splitting(8 * 1600 // d, d, seed) for seed, d in enumerate((1600, 400, 100))]


def test_a_deviation_after_fluctuations_have_decided_is_inconclusive(split):
    report = compare(theory(LATE), split)
    assert report.verdict == "inconclusive"
    assert not report.agrees
    assert report.horizon == 5.0
    assert {each.variable for each in report.deviations} == {"risk", "M", "R"}
    assert all(each.time <= 5 and each.relative <= 1 for each in report.deviations)
    assert report.worst.what == "risk"
    assert report.worst.time >= 6
    text = report.summary()
    assert text.startswith("INCONCLUSIVE after t = 5, agrees until then: SGD")
    assert "warning: from t = 6 on the variance of M[feature 1]" in text
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (plain["verdict"], plain["agrees"], plain["horizon"]) == ("inconclusive", False, 5.0)
    assert plain["beyond_horizon"][0]["what"] == "risk"
    # Exponents are those of the times before.
    assert plain["fluctuation_exponent"]["value"] == pytest.approx(-0.5, abs=0.1)


def test_a_mistake_that_shows_earlier_is_not_excused_by_what_happens_later(split):
    report = compare(theory(LATE, M=0.6), split)
    assert report.verdict == "disagrees"
    assert report.worst.what == "M[head 1, feature 1]"
    assert report.worst.time <= 5


def test_what_agrees_in_spite_of_large_fluctuations_agrees(split):
    same = [each.assign(risk=0 * each["risk"] + 0.2) for each in split]
    report = compare(theory(LATE), same)
    assert report.verdict == "agrees"
    assert report.horizon == 5.0
    assert any("fluctuations are not small" in warning for warning in report.warnings)


def test_an_allowance_that_hides_deviations_is_pointed_out():
    ensembles = [ensemble(8, 400, 1.0, seed=1), ensemble(32, 100, 1.0, seed=2)]
    (warning,) = compare(theory(), ensembles, looser=theory(M=0.6)).warnings
    assert "numerical error is allowed for" in warning
    assert not compare(theory(), ensembles, looser=theory(M=0.5001)).warnings


def correlated(rng, runs, dimension):
    """Ten times and four overlaps of Gaussian runs, all correlated; bias of order 1/d."""
    path = np.cumsum(rng.standard_normal((runs, 10, 2)), axis=1) / np.sqrt(10)
    M = (
        0.5
        + 0.3 / dimension
        + (path @ [[1.0, 0.5, 0.2, 0.0], [0.0, 0.5, 0.8, 1.0]]) / np.sqrt(dimension)
    )
    variables = {"M": M.reshape(runs, 10, 2, 2), "R": np.zeros((runs, 10, 2, 2))}
    steps = ("time", np.rint(LATE * dimension).astype(int))
    attributes = {"dimension": dimension, "runs": runs, "method": "made up", "seed": 0}
    return trajectory_dataset(
        LATE, variables, kind="simulation", configuration=CONFIGURATION, **attributes
    ).assign_coords(step=steps)


@pytest.mark.parametrize("runs", [2, 8])
def test_false_alarms_are_no_more_than_the_level_however_times_are_correlated(runs):
    level, repetitions = 0.1, 150
    rng = np.random.default_rng(runs)
    variables = {"M": np.full((10, 2, 2), 0.5), "R": np.zeros((10, 2, 2))}
    right = trajectory_dataset(LATE, variables, kind="integration", configuration=CONFIGURATION)
    alarms = 0
    for _ in range(repetitions):
        ensembles = [correlated(rng, 1600 // d * runs, d) for d in (1600, 400, 100)]
        alarms += compare(right, ensembles, level=level).verdict != "agrees"
    # At most 15 ± 3.7; Bonferroni's correction makes it fewer.
    assert alarms <= 15 + 3 * 3.7
