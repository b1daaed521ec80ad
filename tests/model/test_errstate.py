"""What the caller's np.seterr says about floating-point exceptions does not matter."""

import numpy as np
import pytest

import headode as ho

SIGNAL = ho.Signal.sign_flips([1.0, 0.0], [0.0, 0.5])
STATE = ho.OrderParameters.random(2, 2, scale=0.1)


def results(activation):
    model = ho.Model(2, 2, SIGNAL, activation)
    run = ho.integrate(model, STATE, time=0.5, learning_rate=0.5, count=3, tolerance=1e-4)
    far = ho.OrderParameters(60 * np.eye(2), 1e-160 * np.eye(2))
    simulated = ho.simulate(
        model, STATE, time=0.2, count=2, learning_rate=0.5, dimension=50, runs=2, workers=2
    )
    return [
        run["risk"].values,
        simulated["M"].values,
        ho.expected_update(model, far, noise=True, tolerance=1e-3).G,
        ho.prune(model, STATE, tolerance=1e-4)["risk"].values,
        ho.bayes_risk(model, tolerance=1e-4),
        ho.specialization_times(run)["specialization_time"].values,
    ]


@pytest.mark.parametrize("activation", ["linear", "softmax", "bayes_softmax"])
def test_results_are_the_same_when_numpy_raises(activation):
    plain = results(activation)
    with np.errstate(all="raise"):
        strict = results(activation)
        # A point of a sweep, in this process.
        diagram = ho.phase_diagram(
            ho.Model(2, 2, SIGNAL, activation),
            axes={"initial.scale": [1e-3]},
            training={"time": 0.1},
            expectation={"tolerance": 1e-4},
            workers=1,
        )
    assert (diagram["status"] == 1).all()
    for one, other in zip(plain, strict, strict=True):
        np.testing.assert_array_equal(one, other)
