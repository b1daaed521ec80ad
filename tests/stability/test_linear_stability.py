"""Growth rates against the growth law, quadrature and integrated perturbations; names of modes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from staged_model import KAPPA, alike, growth_constants, staged

import headode as ho
from headode.trajectory import load_dataset, save_dataset


def rates(result: xr.Dataset) -> dict[str, float]:
    """Growth rates by name, of modes whose names are different."""
    return dict(zip(result["name"].values.tolist(), result["growth_rate"].values, strict=True))


@pytest.fixture(scope="module")
def unspecialized() -> xr.Dataset:
    model = staged()
    return ho.linear_stability(model, alike(model))


def test_known_rates_of_the_staged_example(unspecialized: xr.Dataset) -> None:
    found = rates(unspecialized)
    kappa = KAPPA["bayes_softmax"]
    assert found["heads apart along feature 2"] == pytest.approx(kappa * 1.8**2, rel=1e-6)
    assert found["heads apart along feature 3"] == pytest.approx(kappa * 1.2**2, rel=1e-6)
    assert unspecialized.attrs["verdict"] == "unstable"
    assert unspecialized.attrs["drift"] < 1e-9


@pytest.mark.parametrize("activation", list(KAPPA))
def test_growth_is_proportional_to_the_variance(activation: str) -> None:
    """One κ for all amplitudes, to far less than the 1e-3 that the law is stated with."""
    for amplitude in (0.3, 0.6, 1.2, 1.8):
        signal = ho.Signal.sign_flips(mean=[2.0, 0.0], amplitude=[0.0, amplitude])
        model = staged(activation, signal=signal)
        result = ho.linear_stability(model, alike(model))
        rate = rates(result)["heads apart along feature 2"]
        # The reference has five digits.
        assert rate / amplitude**2 == pytest.approx(KAPPA[activation], rel=2e-5)


@pytest.mark.parametrize("activation", list(KAPPA))
@pytest.mark.parametrize("overlap", [1.2, 2.0])
def test_growth_law_with_its_correction(activation: str, overlap: float) -> None:
    """At any state of identical heads, by quadrature that shares nothing with the package."""
    signal = ho.Signal.sign_flips(mean=[2.0, 0.0], amplitude=[0.0, 1.5])
    model = staged(activation, heads=2, signal=signal)
    found = rates(ho.linear_stability(model, alike(model, [overlap, 0.0])))
    kappa, rest = growth_constants(activation, overlap, heads=2)
    # The quadrature has errors of 1e-8.
    assert found["heads apart along feature 2"] == pytest.approx(kappa * 1.5**2 + rest, abs=1e-7)
    assert found["residual, heads apart"] == pytest.approx(2 * rest, abs=1e-7)


def test_two_tokens_leave_softmax_heads_together() -> None:
    signal = ho.Signal.sign_flips(mean=[2.0, 0.0], amplitude=[0.0, 1.5])
    model = ho.Model(2, 2, signal, "softmax")
    found = rates(ho.linear_stability(model, alike(model)))
    assert abs(found["heads apart along feature 2"]) < 1e-8


def test_multiplicities_add_up(unspecialized: xr.Dataset) -> None:
    # 4 × 3 overlaps and 10 entries of R.
    assert int(unspecialized["multiplicity"].sum()) == 22
    number = dict(
        zip(unspecialized["name"].values, unspecialized["multiplicity"].values, strict=True)
    )
    assert number["heads apart along feature 2"] == 3
    assert number["residual, heads apart"] == 6
    assert number["residual, common with heads apart"] == 3
    assert number["residual, common"] == 1


def test_residuals_grow_at_minus_the_sums_of_curvatures(unspecialized: xr.Dataset) -> None:
    """dR/dt = −(C R + R C): exact, from the eigenvalues of C."""
    model = staged()
    curvature = np.linalg.eigvalsh(ho.expected_update(model, alike(model), tolerance=1e-10).C)
    found = rates(unspecialized)
    assert found["residual, common"] == pytest.approx(-2 * curvature[-1], abs=1e-9)
    assert found["residual, common with heads apart"] == pytest.approx(-curvature[-1], abs=1e-9)
    assert abs(found["residual, heads apart"]) < 1e-9


def test_marginal_modes_are_marginal_within_their_errors(unspecialized: xr.Dataset) -> None:
    for name in ("heads apart along feature 1", "residual, heads apart"):
        mode = unspecialized.isel(mode=int(np.flatnonzero(unspecialized["name"] == name)[0]))
        assert abs(float(mode["growth_rate"])) <= float(mode["error"]) < 1e-8


def test_modes_are_eigenvectors(unspecialized: xr.Dataset) -> None:
    """Those of the overlaps, by differences of dM/dt = −(G + C M)."""
    model = staged()
    step, zero = 1e-3, np.zeros((4, 4))

    def drift(M: np.ndarray) -> np.ndarray:
        terms = ho.expected_update(model, ho.OrderParameters(M, zero), tolerance=1e-10)
        return -(terms.G + terms.C @ M)

    M = alike(model).M
    for mode in range(unspecialized.sizes["mode"]):
        each = unspecialized.isel(mode=mode)
        if "residual" in str(each["name"].item()):
            continue
        direction = each["mode_M"].values
        assert np.linalg.norm(direction) == pytest.approx(1.0)
        change = (drift(M + step * direction) - drift(M - step * direction)) / (2 * step)
        # The difference is of second order in the step.
        np.testing.assert_allclose(change, float(each["growth_rate"]) * direction, atol=2e-7)


def test_rates_are_those_of_integrated_perturbations() -> None:
    """Off a Nishimori point, of heads apart and of all heads."""
    signal = ho.Signal.one_hot([2.0, 2.0, 1.0])
    model = staged(heads=3, signal=signal)
    state = ho.unspecialized_state(model)
    result = ho.linear_stability(model, state)
    for mode in range(result.sizes["mode"]):
        each = result.isel(mode=mode)
        name = str(each["name"].item())
        if "residual" in name:
            continue
        direction, rate = each["mode_M"].values, float(each["growth_rate"])
        start = state.replace(M=state.M + 1e-4 * direction)
        run = ho.integrate(model, start, times=[0.0, 20.0], tolerance=1e-9, rtol=1e-9, atol=1e-13)
        displaced = np.sum((run["M"].values - state.M) * direction, axis=(1, 2))
        # 1e-4 e^{20 λ} is at most 3e-4: what is nonlinear is of relative order 3e-4, over 20.
        assert np.log(displaced[1] / displaced[0]) / 20.0 == pytest.approx(rate, abs=5e-5), name


def test_the_specialized_state_is_stable_with_heads_by_name() -> None:
    """Where every head is at a point, no two heads are exchangeable."""
    model = staged()
    state = ho.OrderParameters(model.signal.means, np.zeros((4, 4)))
    result = ho.linear_stability(model, state)
    assert result.attrs["verdict"] == "stable"
    assert result.attrs["drift"] < 1e-9
    names = result["name"].values.tolist()
    assert "heads 1, 2 against heads 3, 4 along feature 2" in names
    assert "all heads along feature 1" in names
    assert int(result["multiplicity"].sum()) == 22


def test_two_pairs_of_heads_split_further() -> None:
    """After the first split: a fixed point again, unstable along the other feature."""
    model = staged()
    M = [[2.0, 1.8, 0.0], [2.0, 1.8, 0.0], [2.0, -1.8, 0.0], [2.0, -1.8, 0.0]]
    result = ho.linear_stability(model, ho.OrderParameters(M, np.zeros((4, 4))))
    found = rates(result)
    assert found["heads 1, 2 apart along feature 3"] > 0.01
    assert found["heads 3, 4 apart along feature 3"] == pytest.approx(
        found["heads 1, 2 apart along feature 3"], abs=1e-8
    )
    assert found["heads 1, 2 against heads 3, 4 along feature 3"] < 0


def test_degenerate_directions_are_named_by_features() -> None:
    signal = ho.Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, 1.5, 1.5])
    model = staged(signal=signal)
    found = rates(ho.linear_stability(model, alike(model)))
    assert found["heads apart along feature 2"] == pytest.approx(
        found["heads apart along feature 3"], abs=1e-8
    )


def test_directions_between_features_are_spelled_out() -> None:
    model = staged(signal=ho.Signal.one_hot([2.0, 2.0, 1.0]))
    result = ho.linear_stability(model, ho.unspecialized_state(model))
    assert str(result["name"].values[0]) == "heads apart along 0.71 e1 − 0.71 e2"


def test_element_wise_heads_do_not_split() -> None:
    """Every erf head has its own best direction: differences decay."""
    model = staged("erf")
    result = ho.linear_stability(model, ho.unspecialized_state(model))
    found = rates(result)
    assert max(found[f"heads apart along feature {f}"] for f in (1, 2, 3)) < -0.02
    assert result.attrs["verdict"] != "unstable"


def test_learned_parts_have_their_modes() -> None:
    model = staged("softmax1", heads=2, offset="learned")
    result = ho.linear_stability(model, ho.unspecialized_state(model))
    assert {"offsets of heads apart", "offsets of all heads"} <= set(result["name"].values)
    # 2 × 3 overlaps, 3 entries of R, 2 offsets.
    assert int(result["multiplicity"].sum()) == 11
    assert result["mode_offset"].dims == ("mode", "head")

    model = staged(heads=2, value="learned")
    state = ho.unspecialized_state(model)
    result = ho.linear_stability(model, state)
    assert {"value, along the teacher's", "value, residual"} <= set(result["name"].values)
    # q_v − m_v² decays at twice the rate ΣA² of the value.
    squared = ho.expected_update(model, state, tolerance=1e-9).squared_attention
    assert rates(result)["value, residual"] == pytest.approx(-2 * squared, abs=1e-7)


def test_finite_learning_rate_in_closed_form() -> None:
    """Linear attention: heads apart are marginal at any learning rate, and R has a source."""
    model = staged("linear")
    arguments = {"learning_rate": 0.5, "batch_size": 2}
    result = ho.linear_stability(model, ho.unspecialized_state(model, **arguments), **arguments)
    found = rates(result)
    c = model.prefactor
    assert found["all heads along feature 2"] == pytest.approx(
        -0.5 * c**2 * 4 * (1.8**2 + 3), abs=1e-9
    )
    assert found["heads apart along feature 2"] == pytest.approx(0.0, abs=1e-9)
    assert result.attrs["verdict"] == "marginal"


def test_rates_at_a_small_learning_rate_are_those_of_gradient_flow() -> None:
    model = staged(heads=2)
    flow = float(ho.linear_stability(model, alike(model))["growth_rate"][0])
    off = []
    for rate in (0.02, 0.01):
        state = ho.unspecialized_state(model, learning_rate=rate)
        result = ho.linear_stability(model, state, learning_rate=rate)
        off.append(float(result["growth_rate"][0]) / rate / flow - 1.0)
    # The noise is of relative order η.
    assert abs(off[1]) < 0.02
    assert off[0] / off[1] == pytest.approx(2.0, abs=0.1)


def test_result_is_complete_and_survives_a_file(unspecialized: xr.Dataset, tmp_path: Path) -> None:
    assert (np.diff(unspecialized["growth_rate"]) <= 1e-12).all()
    configuration = json.loads(unspecialized.attrs["configuration"])
    assert configuration["model"]["heads"] == 4
    assert configuration["training"]["learning_rate"] == "gradient_flow"
    save_dataset(unspecialized, tmp_path / "stability.nc")
    loaded = load_dataset(tmp_path / "stability.nc")
    assert loaded["name"].values.tolist() == unspecialized["name"].values.tolist()
    np.testing.assert_array_equal(loaded["mode_M"], unspecialized["mode_M"])


def test_a_state_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ho.ArgumentError, match="state"):
        ho.linear_stability(staged(), alike(staged(heads=3)))
