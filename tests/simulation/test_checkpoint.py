"""Finished runs are kept, and a simulation that was killed is continued."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import sympy
import xarray as xr

from headode import Activation, ArgumentError, Model, NumericalFailure, OrderParameters, Signal
from headode.progress import Progress
from headode.simulation.checkpoint import Checkpoint, discard_checkpoint
from headode.simulation.ensemble import RunRecords
from headode.simulation.simulate import simulate

SIGNAL = Signal.sign_flips(mean=[1.0, 0.0], amplitude=[0.0, 1.5])
MODEL = Model(3, 2, SIGNAL, "softmax1", offset="learned", value="learned", label_noise=0.3)
STATE = OrderParameters.random(2, 2, scale=0.5, seed=1, learned_value=True)
# Some 0.3 s a run, so that a process can be killed between two of them.
OPTIONS = {
    "times": [0.0, 1.0, 200.0],
    "learning_rate": 1.0,
    "dimension": 1000,
    "runs": 6,
    "workers": 1,
}


def run(model=MODEL, state=STATE, **changes):
    return simulate(model, state, **(OPTIONS | changes))


def test_killed_simulation_is_continued_bit_for_bit(tmp_path):
    folder = tmp_path / "kept"
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_checkpoint import run
run(checkpoint={str(folder)!r})
"""
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        while not (folder / "run-1.npz").exists():
            assert process.poll() is None
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = {path.name: path.stat().st_mtime_ns for path in folder.glob("run-*.npz")}
    assert 2 <= len(finished) < 6
    reports: list[Progress] = []
    continued = run(checkpoint=folder, progress=reports.append)
    xr.testing.assert_equal(continued, run())
    for name, written in finished.items():
        assert (folder / name).stat().st_mtime_ns == written
    # 200 000 steps a run: those of finished runs are not taken again.
    assert reports[0].done >= 200_000 * len(finished) / 6
    # A third call simulates nothing.
    again = run(checkpoint=folder, workers=2, progress=reports.append)
    xr.testing.assert_equal(again, continued)
    assert len(list(folder.glob("run-*.npz"))) == 6


SHORT = {"times": [0.0, 0.1], "dimension": 40, "runs": 2}


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"learning_rate": 0.5}, r"training.learning_rate: 1.0 there, 0.5 here"),
        ({"seed": 1}, r"simulation.seed: 0 there, 1 here"),
        ({"method": "weights"}, r"simulation.method: 'overlaps' there, 'weights' here"),
        ({"times": [0.0, 0.2]}, r"output.times: \[0.0, 0.1\] there, \[0.0, 0.2\] here"),
        ({"state": STATE.replace(m_v=0.0)}, r"initial.m_v: .* there, 0.0 here"),
    ],
)
def test_another_simulation_is_refused_and_the_difference_shown(tmp_path, changes, difference):
    run(checkpoint=tmp_path / "kept", **SHORT)
    with pytest.raises(ArgumentError, match=difference) as caught:
        run(checkpoint=tmp_path / "kept", **(SHORT | changes))
    assert caught.value.argument == "checkpoint"


def test_an_activation_of_the_same_name_is_not_the_same(tmp_path):
    x = sympy.Symbol("x", real=True)
    first, second = (
        Model(3, 2, SIGNAL, Activation("mine", score, "per_head"))
        for score in (sympy.exp(x), sympy.exp(2 * x))
    )
    state = OrderParameters.random(2, 2)
    run(first, state, checkpoint=tmp_path / "kept", **SHORT)
    with pytest.raises(ArgumentError, match=r"activation.score: 'exp\(x\)' there, 'exp\(2\*x\)'"):
        run(second, state, checkpoint=tmp_path / "kept", **SHORT)


def test_versions_are_part_of_what_a_simulation_is(tmp_path):
    run(checkpoint=tmp_path, **SHORT)  # an empty folder will do
    described = json.loads((tmp_path / "simulation.json").read_text("utf-8"))
    described["versions"]["numpy"] = "1.0"
    (tmp_path / "simulation.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(ArgumentError, match=r"versions.numpy: '1.0' there"):
        run(checkpoint=tmp_path, **SHORT)


def test_a_folder_of_something_else_is_refused_and_kept(tmp_path):
    (tmp_path / "precious").write_text("data")
    for folder in (tmp_path, tmp_path / "precious", tmp_path / "no" / "such"):
        with pytest.raises(ArgumentError, match="`checkpoint` must be a"):
            run(checkpoint=folder, **SHORT)
    discard_checkpoint(tmp_path)
    assert (tmp_path / "precious").read_text() == "data"


def test_what_a_killed_process_left_behind_does_no_harm(tmp_path):
    (tmp_path / ".simulation.json.abc.part").write_text("")
    reference = run(checkpoint=tmp_path, **SHORT)
    (tmp_path / ".run-0.npz.abc.part").write_text("")
    (tmp_path / "run-0.npz").unlink()
    xr.testing.assert_equal(run(checkpoint=tmp_path, **SHORT), reference)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"PK\x03\x04 no more",
        lambda file: file[: len(file) // 2],
        lambda file: file[:200] + bytes(8) + file[208:],
    ],
    ids=["empty", "header", "half", "altered"],
)
def test_a_damaged_run_is_simulated_again(tmp_path, damage):
    reference = run(checkpoint=tmp_path, **SHORT)
    path = tmp_path / "run-1.npz"
    good = path.read_bytes()
    path.write_bytes(damage(good))
    xr.testing.assert_equal(run(checkpoint=tmp_path, **SHORT), reference)
    with np.load(path) as again:
        assert np.isfinite(again["risk"]).all()


def test_a_damaged_identity_is_named(tmp_path):
    """Whose runs these are cannot be told any more."""
    run(checkpoint=tmp_path, **SHORT)
    (tmp_path / "simulation.json").write_text("{")
    with pytest.raises(ArgumentError, match=r"readable files .*simulation\.json"):
        run(checkpoint=tmp_path, **SHORT)


def test_a_diverged_run_is_kept_like_the_others(tmp_path):
    model = Model(3, 2, SIGNAL, "linear")
    state = OrderParameters.random(2, 2)
    options = SHORT | {"times": [0.0, 0.1, 100.0], "learning_rate": 30.0}
    partial = []
    for _ in range(2):
        with pytest.raises(NumericalFailure, match="diverged") as caught:
            run(model, state, checkpoint=tmp_path, **options)
        partial.append(caught.value.partial)
    xr.testing.assert_equal(*partial)
    assert len(list(tmp_path.glob("run-*.npz"))) == 2


def test_a_run_that_cannot_be_kept_is_a_warning_only(tmp_path):
    store = Checkpoint(tmp_path / "kept", {})
    discard_checkpoint(tmp_path / "kept")
    with pytest.warns(UserWarning, match="could not keep run 3"):
        store.save(3, RunRecords())


def test_permissions_are_those_of_ordinary_files(tmp_path):
    """Also when several threads write at once."""
    run(checkpoint=tmp_path, **(SHORT | {"runs": 20, "workers": 4}))
    (tmp_path / "ordinary").touch()
    expected = (tmp_path / "ordinary").stat().st_mode
    for path in tmp_path.iterdir():
        assert path.stat().st_mode == expected, path
    assert np.load(tmp_path / "run-3.npz")["risk"].shape == (2,)
