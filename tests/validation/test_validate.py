"""``validate``: the two ensembles, the verdict, and what is written down."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from headode import (
    ArgumentError,
    Interrupted,
    Model,
    NumericalFailure,
    OrderParameters,
    Signal,
    load_config,
    validate,
)
from headode.plotting import report_figures
from headode.trajectory import load_dataset
from headode.validation import validate as module
from headode.validation.extrapolation import richardson_weights

SIGNAL = Signal.sign_flips(mean=[1.0, 0.0], amplitude=[0.0, 1.5])
MODEL = Model(2, 2, SIGNAL, "linear", label_noise=0.3)
STATE = OrderParameters.random(2, 2, scale=0.5, seed=1)
OPTIONS = {"time": 2.0, "learning_rate": 1.0, "dimension": 400, "runs": 4, "comparisons": 4}


@pytest.fixture(scope="module")
def report():
    return validate(MODEL, STATE, **OPTIONS)


def test_agreement_and_its_summary(report):
    assert report.agrees, report.summary()
    text = report.summary()
    assert text.startswith("agrees: SGD at d = 400, 100, 50 with 4, 16, 32 runs")
    assert report.worst.what in text
    assert report.comparisons == 4 * (1 + 4 + 3)  # risk, M, and R's upper triangle
    assert {deviation.what.split("[")[0] for deviation in report.deviations} == {"risk", "M", "R"}
    relative = [abs(each.z) / each.critical for each in report.deviations]
    assert relative == sorted(relative, reverse=True)
    assert not report.warnings


def test_data_hold_both_sides_at_times_that_both_ensembles_reach(report):
    data = report.data
    np.testing.assert_allclose(data["time"] * 100, np.rint(data["time"] * 100), atol=1e-9)
    assert data["time"].min() >= 0.64
    assert data["M_z"].dims == ("time", "head", "feature")
    deviation = np.abs(data["R_simulation"] - data["R_theory"]) - data["R_allowance"]
    expected = np.maximum(deviation, 0) / data["R_standard_error"]
    xr.testing.assert_allclose(np.abs(data["R_z"]), expected.transpose(*data["R_z"].dims))
    weights = richardson_weights(data["dimension"].values)
    assert list(data["dimension"]) == [400, 100, 50]
    means = [each["M"].mean("run").sel(time=data["time"]) for each in report.ensembles]
    means = [mean.drop_vars("step") for mean in means]
    extrapolated = sum(w * mean for w, mean in zip(weights, means, strict=True))
    xr.testing.assert_allclose(data["M_simulation"], extrapolated)
    for d, mean in zip(data["dimension"].values, means, strict=True):
        bias = (mean - data["M_theory"]).values
        np.testing.assert_allclose(data["M_bias"].sel(dimension=d), bias, atol=1e-14)


def test_the_ode_is_recorded_more_often_than_the_simulation(report):
    assert report.simulation.sizes["time"] == 1 + 4  # t = 0, which is not compared
    assert report.theory.sizes["time"] > 50


def test_the_same_seed_gives_the_same_report(report):
    again = validate(MODEL, STATE, **OPTIONS, workers=2)
    xr.testing.assert_identical(again.data, report.data)


def test_report_is_written_as_a_whole_folder(report, tmp_path):
    folder = report.save(tmp_path / "report", figures=report_figures(report))
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    assert json.loads((folder / "report.json").read_text()) == report.to_dict()
    for name, dataset in {
        "comparison": report.data,
        "theory": report.theory,
        "simulation": report.simulation,
        "simulation_d100": report.ensembles[1],
        "simulation_d50": report.ensembles[2],
    }.items():
        xr.testing.assert_equal(load_dataset(folder / f"{name}.nc"), dataset)
    for name in ("overlay", "deviations", "scaling"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_existing_folders_are_only_replaced_on_request_and_if_they_are_reports(report, tmp_path):
    folder = report.save(tmp_path / "report")
    (folder / "old").touch()
    with pytest.raises(ArgumentError, match="force"):
        report.save(folder)
    report.save(folder, force=True)
    assert not (folder / "old").exists()
    other = tmp_path / "thesis"
    other.mkdir()
    with pytest.raises(ArgumentError, match=r"report\.json"):
        report.save(other, force=True)
    with pytest.raises(ArgumentError, match="existing folder"):
        report.save(tmp_path / "no" / "report")


def test_a_failed_save_leaves_nothing(report, tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise OSError("disk full")

    monkeypatch.setattr("headode.validation.report.save_dataset", fail)
    with pytest.raises(OSError, match="disk full"):
        report.save(tmp_path / "report")
    assert list(tmp_path.iterdir()) == []


def test_symmetric_starts_are_pointed_out():
    state = OrderParameters(M=[[0.5, 0.0], [0.5, 0.0]], R=0.2 * np.eye(2))
    report = validate(MODEL, state, **OPTIONS | {"time": 0.7, "runs": 2})
    text = report.summary()
    assert "warning: heads 1, 2 start interchangeable" in text
    assert "warning: no head overlaps with feature 2" in text


@pytest.mark.parametrize("dimension", [200, 400])
def test_a_symmetry_that_sgd_breaks_and_the_ode_keeps_is_inconclusive(dimension):
    """From M = 0 the heads split, one for each sign of the signal; the ODE stays at M = 0."""
    model = Model(3, 2, Signal.sign_flips(mean=[0.0], amplitude=[2.5]), "bayes_softmax")
    state = OrderParameters(M=[[0.0], [0.0]], R=0.01 * np.eye(2))
    report = validate(
        model,
        state,
        times=np.linspace(2.0, 60.0, 10),
        learning_rate=0.3,
        dimension=dimension,
        tolerance=1e-4,
    )
    assert report.verdict == "inconclusive", report.summary()
    assert not report.agrees
    assert not report.theory["M"].values.any()
    split = report.simulation["M"].isel(time=-1, feature=0)
    assert (split.prod("head") < -0.1).all()
    assert 2 <= report.horizon < 60
    assert report.worst.relative > 2
    assert len(report.warnings) >= 3


def test_progress_is_one_count_over_both_ensembles():
    reports = []
    validate(MODEL, STATE, **OPTIONS | {"comparisons": 2}, progress=reports.append)
    done = [report.done for report in reports]
    assert done == sorted(done)
    # 4 · 400, 16 · 100 and 32 · 50 steps in each unit of time, in units of 32 at a time.
    assert done[-1] == pytest.approx(2.0 * 3 * 50)
    assert reports[-1].total == pytest.approx(done[-1])


def test_a_third_ensemble_that_diverges_is_not_used(monkeypatch):
    def simulate(*arguments, **options):
        if options["dimension"] in diverging:
            raise NumericalFailure("1 of 32 runs of the simulation diverged", None)
        return genuine(*arguments, **options)

    genuine = module.simulate
    monkeypatch.setattr(module, "simulate", simulate)
    diverging = [50]
    report = validate(MODEL, STATE, **OPTIONS)
    assert [each.attrs["dimension"] for each in report.ensembles] == [400, 100]
    (warning,) = report.warnings
    assert warning.startswith("d = 50 is not used: 1 of 32 runs")
    diverging = [100]
    with pytest.raises(NumericalFailure):
        validate(MODEL, STATE, **OPTIONS)


def test_interruption_passes_on_what_was_simulated():
    def stop(progress):
        if progress.done > 250:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        validate(MODEL, STATE, **OPTIONS, progress=stop)
    unfinished = caught.value.partial["unfinished"]
    assert unfinished.attrs["dimension"] == 400


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"time": None}, "time"),
        ({"time": 0.5}, "time"),
        ({"time": None, "times": [0.1, 0.5]}, "times"),
        ({"learning_rate": None}, "learning_rate"),
        ({"dimension": 402}, "dimension"),
        ({"dimension": 20}, "dimension"),
        ({"runs": 1}, "runs"),
        ({"comparisons": 0}, "comparisons"),
        ({"simulation_method": "weigths"}, "simulation_method"),
    ],
)
def test_impossible_arguments_are_named(changes, argument):
    with pytest.raises(ArgumentError) as caught:
        validate(MODEL, STATE, **OPTIONS | changes)
    assert caught.value.argument == argument


def test_configuration_of_the_documentation_is_valid():
    config = load_config(Path(__file__).parents[2] / "docs" / "staged_sgd.yaml")
    assert config.simulation.dimension == 100_000
    config.build_model().check_state(config.build_state())


def test_an_interruption_hands_out_the_finished_trajectories(report):
    def stop(progress):
        if progress.done > 0.5 * progress.total:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        validate(MODEL, STATE, **OPTIONS, workers=1, progress=stop)
    parts = caught.value.partial
    assert list(parts)[:2] == ["theory", "simulation_d50"]
    xr.testing.assert_equal(parts["theory"], report.theory)
    xr.testing.assert_equal(parts["simulation_d50"], report.ensembles[2])


def test_a_picture_that_fails_leaves_the_report(report, tmp_path):
    def fail(path):
        raise ZeroDivisionError("nothing to draw")

    def draw(path):
        path.write_text("drawn")

    with pytest.warns(RuntimeWarning, match=r"could not draw .*first\.png: nothing to draw"):
        folder = report.save(tmp_path / "report", figures={"first.png": fail, "last.png": draw})
    assert json.loads((folder / "report.json").read_text()) == report.to_dict()
    assert (folder / "last.png").read_text() == "drawn"
