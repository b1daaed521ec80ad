"""Branches along a parameter, and bifurcations where they are known."""

from __future__ import annotations

import numpy as np
import pytest
from staged_model import staged

import headode as ho
from headode.trajectory import load_dataset, save_dataset


def zero_mean(decay: float) -> tuple[ho.Model, dict[str, float]]:
    """At M = 0 attention is uniform: λ_f = Var θ_f (1/H)(1/L)(1 − 1/L) − decay."""
    signal = ho.Signal.sign_flips(mean=[0.0, 0.0], amplitude=[1.0, 2.0])
    return staged(signal=signal), {"weight_decay": decay}


def test_bifurcations_of_the_zero_state(tmp_path) -> None:
    result = ho.continue_states(zero_mean, [0.0, 0.1, 0.2, 0.3], location_tolerance=1e-6)
    expected = np.array([1.0, 4.0]) / 4 * (1 / 3) * (2 / 3)
    np.testing.assert_allclose(result["bifurcation_value"], expected, atol=1e-6)
    assert result["bifurcation_mode"].values.tolist() == [
        "heads apart along feature 1",
        "heads apart along feature 2",
    ]
    assert result["verdict"].values.tolist() == ["unstable"] * 3 + ["stable"]
    rate = result["growth_rate"].sel(name="heads apart along feature 2").values
    np.testing.assert_allclose(rate, expected[1] - result["value"], atol=1e-7)
    np.testing.assert_allclose(result["leading_rate"][:3], rate[:3])
    assert not result["M"].values.any()
    save_dataset(result, tmp_path / "branch.nc")
    assert load_dataset(tmp_path / "branch.nc").sizes == result.sizes


def test_the_unspecialized_branch_follows_the_mean_signal() -> None:
    def model_at(length: float) -> ho.Model:
        return staged(heads=2, signal=ho.Signal.sign_flips([length, 0.0], [0.0, 1.5]))

    result = ho.continue_states(model_at, [1.0, 1.5, 2.0])
    np.testing.assert_allclose(result["M"][:, 0, 0], result["value"], atol=1e-6)
    assert result.sizes["bifurcation"] == 0
    assert (np.diff(result["risk"]) < 0).all()


def test_the_optimal_branch_is_stable() -> None:
    def model_at(length: float) -> ho.Model:
        signal = ho.Signal.sign_flips([length, 0.0], [0.0, 1.5])
        return ho.Model(3, 2, signal, "bayes_softmax")

    result = ho.continue_states(model_at, [1.0, 1.5], branch="optimal", restarts=1)
    for value, risk in zip([1.0, 1.5], result["risk"].values, strict=True):
        assert risk == pytest.approx(ho.bayes_risk(model_at(value)), abs=2e-5)
    # Each head stays at its point, wherever the searches found it.
    M = result["M"].values
    np.testing.assert_allclose(M[1], M[0] * [1.5, 1.0], atol=2e-2)
    assert (result["leading_rate"] < 1e-6).all()
    assert "unstable" not in result["verdict"].values


def test_arguments_are_checked() -> None:
    with pytest.raises(ho.ArgumentError, match="increasing"):
        ho.continue_states(zero_mean, [0.2, 0.1])
    with pytest.raises(ho.ArgumentError, match="unspecialized, optimal"):
        ho.continue_states(zero_mean, [0.1], branch="worst")
    with pytest.raises(ho.ArgumentError, match="return a Model"):
        ho.continue_states(lambda value: value, [0.1])
    with pytest.raises(ho.ArgumentError, match="same numbers"):
        ho.continue_states(lambda value: staged("linear", heads=int(value)), [1.0, 2.0])


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ho.NumericalFailure("diverged")])
def test_what_is_finished_before_a_failure_is_handed_out(failure) -> None:
    values = [0.0, 0.1, 0.2]

    def model_at(decay: float):
        if decay == values[-1]:
            raise failure
        return zero_mean(decay)

    kind = ho.Interrupted if isinstance(failure, KeyboardInterrupt) else ho.NumericalFailure
    with pytest.raises(kind, match="2 of 3 values") as caught:
        ho.continue_states(model_at, values)
    partial = caught.value.partial
    whole = ho.continue_states(zero_mean, values[:2])
    np.testing.assert_array_equal(partial["value"], values[:2])
    np.testing.assert_array_equal(partial["leading_rate"], whole["leading_rate"])
