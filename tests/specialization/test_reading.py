"""The whole reading of a trajectory, on synthetic ones and on the packaged example."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_trajectories import cut_short, staged
from typer.testing import CliRunner

import headode as ho
from headode.cli.main import app
from headode.specialization import redundant_heads
from headode.specialization.splits import find_splits
from headode.trajectory import load_dataset, save_dataset, trajectory_dataset


@pytest.fixture(scope="module")
def packaged():
    """The packaged example until both features have split."""
    config = ho.load_config(files("headode") / "examples" / "staged_specialization.yaml")
    model, state = config.build_model(), config.build_state()
    return ho.integrate(model, state, time=500.0, tolerance=1e-4, rtol=1e-5, atol=1e-8)


def permuted(dataset, order):
    """The same trajectory with its heads in another order."""
    order = list(order)
    changed = {"M": dataset["M"].values[..., order, :]}
    for name in ("Q", "R"):
        changed[name] = dataset[name].values[..., order, :][..., order]
    return dataset.copy(data={**{name: dataset[name].values for name in dataset}, **changed})


def test_times_of_a_staged_trajectory():
    times = ho.specialization_times(staged(splits={2: 50.0, 3: 300.0}, time=2000.0, noise=1e-4))
    assert times.sizes == {"feature": 3}
    np.testing.assert_array_equal(times["specialized"], [False, True, True])
    np.testing.assert_array_equal(times["order"], [0, 1, 2])
    assert times.attrs["specialized_features"] == 2
    # At six times its date the spread has 1 − 1e-17 of its final value, and differences between
    # heads are 1e-4: the date is as good as the grid makes it.
    deviation = np.abs(times["specialization_time"].values - [np.nan, 50.0, 300.0])[1:]
    error = times["specialization_time_error"].values[1:]
    assert (deviation < 1.5 * error).all()
    assert (error < [0.2, 1.2]).all()
    # growth() is 0.1 where 1 + 3 exp(−8 (t/date − 1)) = 100.
    departure = np.array([50.0, 300.0]) * (1 - np.log(99 / 3) / 8)
    np.testing.assert_allclose(times["departure_time"].values[1:], departure, rtol=2e-3)
    np.testing.assert_allclose(times["final_spread"].values[1:], [1.2, 0.8], rtol=1e-3)
    assert np.isnan(times["specialization_time"].values[0])


def test_times_of_simulations_are_those_of_each_run():
    runs = [staged(splits={2: date}, features=2, time=400.0, noise=1e-4) for date in (30.0, 60.0)]
    joined = xr.concat(runs, "run", join="exact").assign_coords(run=[0, 1])
    times = ho.specialization_times(joined)
    assert times["specialization_time"].dims == ("run", "feature")
    for r, run in enumerate(runs):
        xr.testing.assert_equal(times.isel(run=r, drop=True), ho.specialization_times(run))
    assert times.attrs["specialized_features"] == len(find_splits(joined)) == 1


def test_times_are_as_the_pictures_have_them(packaged):
    times = ho.specialization_times(packaged)
    found = {split.feature: split.time for split in find_splits(packaged)}
    assert list(found) == [2, 3]
    for feature, date in found.items():
        assert float(times["specialization_time"].sel(feature=feature)) == date


def test_reading_of_the_packaged_example(packaged):
    reading = ho.read_trajectory(packaged)
    np.testing.assert_array_equal(reading["order"], [0, 1, 2])
    np.testing.assert_array_equal(np.abs(reading["side"]).sum("head"), [0, 4, 4])
    np.testing.assert_array_equal(reading["side"].sum("head"), 0)
    # Three descents: towards the mean signal, and one with each split, which it precedes.
    assert reading.sizes["drop"] == 3
    assert reading.sizes["plateau"] == 0
    assert (
        reading["drop_time"].values[1:] < np.sort(reading["specialization_time"])[:2] + 20
    ).all()
    total = float(packaged["risk"][0] - packaged["risk"][-1])
    assert float(reading["drop_size"].sum()) == pytest.approx(total, rel=1e-12)
    # Each head has a point to itself, and the point is on the sides that the head has chosen.
    heads = reading["head_of_point"].values
    assert sorted(heads) == [1, 2, 3, 4]
    position = reading["point_position"].values
    np.testing.assert_array_equal(np.sign(position[:, 1:]), reading["side"].values[heads - 1, 1:])
    assert int(reading["redundant_heads"]) == 0
    assert reading.sizes["excursion"] == 0
    assert "feature 2 splits  t = 79" in reading.attrs["summary"]


@given(order=st.permutations(range(4)))
@settings(max_examples=10)
def test_order_of_heads_does_not_matter(packaged, order):
    reading, other = ho.read_trajectory(packaged), ho.read_trajectory(permuted(packaged, order))
    place = np.argsort(order)
    for name, values in other.data_vars.items():
        expected = reading[name].values
        found = values.values
        if "head" in values.dims and name != "alike":
            found = found[place]
        if name == "head_of_point":
            found = np.array(order)[found - 1] + 1
        if name == "alike":
            expected, found = (a[:, None] == a[None, :] for a in (expected, found[place]))
        np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=str(name))


def test_extra_heads_are_redundant(packaged):
    """A copy of head 1, one that does nothing, and one that its offset has pushed away."""
    M = np.concatenate([packaged["M"].values, np.zeros((200, 3, 3))], axis=1)
    M[:, 4], M[:, 6] = M[:, 0], M[:, 1]
    R = np.broadcast_to(1e-6 * np.eye(7), (200, 7, 7))
    offset = 0.5 * (M**2).sum(axis=-1)
    offset[:, 6] += 40.0
    signal = ho.Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, 1.8, 1.2])
    model = ho.Model(3, 7, signal, "bayes_softmax", offset="learned")
    run = trajectory_dataset(
        packaged["time"],
        {"M": M, "R": R, "risk": packaged["risk"], "offset": offset},
        kind="integration",
        configuration=model.to_dict(),
    )
    reading = ho.read_trajectory(run)
    np.testing.assert_array_equal(reading["alike"], [1, 2, 3, 4, 1, 6, 2])
    np.testing.assert_array_equal(np.flatnonzero(reading["silent"]), [5])
    np.testing.assert_array_equal(np.flatnonzero(reading["negligible"]), [6])
    assert int(reading["redundant_heads"]) == redundant_heads(run) == 3
    assert "heads 1, 5 alike; head 6 silent; head 7 without weight" in reading.attrs["summary"]
    # Without the model nothing is known of weights; the rest stays.
    unknown = run.assign_attrs(
        configuration=run.attrs["configuration"].replace("bayes_softmax", "no")
    )
    assert int(ho.read_trajectory(unknown)["redundant_heads"]) == 3  # 1, 5 alike; 2, 7 alike; 6
    assert int(ho.read_trajectory(unknown, model)["negligible"].sum()) == 1


def test_excursions_are_listed_with_their_run():
    run = staged(2, 2, splits={2: 200.0}, time=1000.0, noise=0.0)
    wrong = run.copy(deep=True)
    bump = 1.2 * np.exp(-(((run["time"].values - 60) / 20) ** 2))
    side = np.sign(run["M"].values[-1, :, 1])
    wrong["M"].values[:, :, 1] -= side * bump[:, None]
    joined = xr.concat([run, wrong], "run", join="exact").assign_coords(run=[0, 5])
    reading = ho.read_trajectory(joined)
    np.testing.assert_array_equal(reading["excursion_run"], 5)
    np.testing.assert_array_equal(np.sort(reading["excursion_head"]), [1, 2])
    np.testing.assert_array_equal(np.sign(reading["excursion_extremum"]), -side)
    np.testing.assert_allclose(reading["excursion_extremum_time"], 60.0, rtol=0.05)
    assert (reading["excursion_left"] < 60).all()
    assert (reading["excursion_back"] > 60).all()
    assert "run 5, head 1, feature 2: off at" in reading.attrs["summary"]
    assert ho.read_trajectory(run).sizes["excursion"] == 0


def test_heads_along_the_directions_of_a_gaussian():
    dataset = staged(2, 2, splits={2: 20.0}, time=500.0, noise=0.0)
    model = ho.Model(3, 2, ho.Signal.gaussian([2.0, 0.0], [0.0, 1.5]))
    reading = ho.read_trajectory(dataset, model)
    np.testing.assert_array_equal(reading["direction_of_head"], [1, -1])
    assert "serves" not in reading
    assert "heads along directions  +1 -1" in reading.attrs["summary"]


SIGNALS = [
    ho.Signal.flipped_one_hot([3.0, 2.0]),
    ho.Signal.gaussian([0.0, 0.0], [2.0, 0.5]),
    ho.Signal.mixture([[2.0, 0.0], [0.0, 2.0]], [0.5, 1.0]),
    ho.Signal.discrete([[0.0, 0.0]]),
]


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.kind)
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("runs", [0, 2])
def test_whatever_comes_out_of_a_sweep_can_be_read(signal, heads, count, runs, tmp_path):
    """Nothing computed, a single time, two; one head; a mean of zero."""
    rng = np.random.default_rng(0)
    shape = (runs, 3) if runs else (3,)
    M = rng.standard_normal((*shape, heads, 2))
    Q = M @ M.swapaxes(-1, -2) + 0.1 * np.eye(heads)
    variables = {"M": M, "R": Q - M @ M.swapaxes(-1, -2), "Q": Q, "risk": rng.random(shape)}
    for values in variables.values():
        values[(..., slice(count, None), *[slice(None)] * (values.ndim - len(shape)))] = np.nan
    model = ho.Model(2, heads, signal)
    kind = "simulation" if runs else "integration"
    run = trajectory_dataset([0.0, 1.0, 2.0], variables, kind=kind, configuration=model.to_dict())
    reading = ho.read_trajectory(run)
    assert reading["specialized"].dtype == bool
    assert reading["order"].dtype == np.int64
    if heads == 1 or count == 0:
        assert not reading["specialized"].any()
        assert reading.attrs["specialized_features"] == 0
    assert reading.attrs["summary"].count("\n") < 10
    # A reading is a file like any other result.
    back = load_dataset(save_dataset(reading, tmp_path / "reading.nc"))
    xr.testing.assert_equal(back, reading)


def test_a_run_that_stopped_early_is_read_until_then():
    dataset = staged(splits={2: 50.0, 3: 300.0}, time=2000.0)
    index = int(np.searchsorted(dataset["time"].values, 150.0))
    stopped = ho.read_trajectory(cut_short(dataset, index))
    np.testing.assert_array_equal(stopped["specialized"], [False, True, False])
    np.testing.assert_array_equal(stopped["serves"].sum("point"), 2)
    assert "4 of 4 heads serve several points" in stopped.attrs["summary"]


def test_what_is_no_trajectory_is_refused():
    with pytest.raises(ho.ArgumentError, match="`run` must be a trajectory"):
        ho.specialization_times(3.0)
    with pytest.raises(ho.ArgumentError, match="have its configuration"):
        ho.read_trajectory(staged().drop_attrs())
    other = ho.Model(3, 2, ho.Signal.one_hot([2.0, 2.0]))
    with pytest.raises(ho.ArgumentError, match="4 heads and 3 features"):
        ho.specialization_times(staged(), other)


def test_the_closing_table_of_integrate(tmp_path: Path):
    config = tmp_path / "two.yaml"
    config.write_text(
        "model: {tokens: 2, heads: 2}\n"
        "signal: {kind: sign_flips, mean: [1.0, 0.0], amplitude: [0.0, 2.5]}\n"
        "training: {time: 60.0}\ninitial: {scale: 0.1}\n"
        "expectation: {tolerance: 1.0e-3}\noutput: {count: 60}\n",
        encoding="utf-8",
    )
    result = CliRunner().invoke(app, ["integrate", str(config), "-o", str(tmp_path / "two.nc")])
    assert result.exit_code == 0, result.output
    assert "Specialization" in result.stdout
    for _, text in (line.split("  ", 1) for line in reading_lines(tmp_path / "two.nc")):
        assert text.strip() in result.stdout


def reading_lines(path):
    lines = ho.read_trajectory(load_dataset(path)).attrs["summary"].splitlines()
    assert 4 <= len(lines) <= 8
    return lines
