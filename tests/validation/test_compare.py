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
    fine, coarse = ensemble(4, 400), ensemble(16, 100)
    assert compare(theory(), fine, coarse).agrees
    off = theory(M=0.5 + 1e-3)
    report = compare(off, fine, coarse)
    assert not report.agrees
    assert report.worst.what == "M[head 1, feature 1]"
    assert np.isinf(report.worst.z)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["worst"]["z"] is None
    assert compare(theory(M=0.5 + 1e-3, error=1e-3), fine, coarse).agrees


def test_z_is_the_deviation_in_standard_errors():
    fine, coarse = ensemble(8, 400, 1.0, seed=1), ensemble(32, 100, 1.0, seed=2)
    report = compare(theory(M=0.0), fine, coarse)
    # Standard deviation 1/√d; error² = (16 σ²/8 + 4 σ²/32)/9 of the extrapolated mean.
    expected = np.sqrt((16 / 8 + 4 / 32) / 9 / 400)
    # Pooled over 38 degrees of freedom: 1/sqrt(2·38) = 11 %, four of which are 46 %.
    np.testing.assert_allclose(report.data["M_standard_error"], expected, rtol=0.46)
    np.testing.assert_allclose(report.data["M_simulation"], 0.5, atol=4.5 * expected)
    z = report.data["M_z"] * report.data["M_standard_error"]
    np.testing.assert_allclose(z, report.data["M_simulation"] - report.data["allowance"])
    assert report.comparisons == 2 * 3  # two times, three quantities


def test_records_of_the_first_few_steps_are_not_compared():
    times = [0.0, 0.1, 0.63, 0.64]
    fine, coarse = ensemble(2, 400, times=times), ensemble(8, 100, times=times)
    np.testing.assert_array_equal(compare(theory(times), fine, coarse).data["time"], [0.64])


def test_the_theory_may_be_recorded_more_often():
    often = np.linspace(0.0, 2.0, 9)
    assert compare(theory(often), ensemble(2, 400), ensemble(8, 100)).agrees


@pytest.mark.parametrize(
    ("parts", "argument"),
    [
        ((theory([0.0, 1.5, 2.0]), ensemble(2, 400), ensemble(8, 100)), "theory"),
        ((theory(), ensemble(2, 400), ensemble(8, 100, times=[0.0, 1.0, 2.5])), "coarse"),
        ((theory(), ensemble(1, 400), ensemble(8, 100)), "simulation"),
        ((theory(), ensemble(2, 400), ensemble(1, 100)), "coarse"),
        ((theory(), ensemble(2, 40), ensemble(8, 10)), "time"),
    ],
)
def test_trajectories_that_do_not_fit_together_are_refused(parts, argument):
    with pytest.raises(ArgumentError) as caught:
        compare(*parts)
    assert caught.value.argument == argument


def test_the_level_is_a_positive_number():
    with pytest.raises(ArgumentError, match="level"):
        compare(theory(), ensemble(2, 400), ensemble(8, 100), level=0.0)
