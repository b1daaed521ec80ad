"""Saving figures, drawing files, and leaving matplotlib's state alone."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import pytest
import staged_trajectories
from staged_trajectories import staged

import headode as ho
from headode.errors import ArgumentError
from headode.plotting import save_figure, trajectory_figure
from headode.trajectory import save_dataset


@pytest.fixture(scope="module")
def figure():
    return trajectory_figure(staged(2, 2, count=40))


@pytest.mark.parametrize(
    ("suffix", "magic"),
    [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml"), (".PNG", b"\x89PNG")],
)
def test_format_follows_the_suffix_and_bytes_do_not_change(figure, tmp_path, suffix, magic):
    paths = [save_figure(figure, tmp_path / f"{name}{suffix}") for name in "ab"]
    first, second = (path.read_bytes() for path in paths)
    assert first.startswith(magic)
    assert first == second
    assert sorted(os.listdir(tmp_path)) == sorted(path.name for path in paths)


def test_png_has_200_dots_per_inch(figure, tmp_path):
    header = save_figure(figure, tmp_path / "figure.png").read_bytes()[:24]
    width, height = struct.unpack(">II", header[16:])
    inches = figure.get_size_inches()
    assert (width, height) == (int(200 * inches[0]), int(200 * inches[1]))


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.png.txt"])
def test_other_suffixes_are_refused(figure, tmp_path, name):
    with pytest.raises(ArgumentError, match=r"`output` must end in one of \.png, \.pdf, \.svg"):
        save_figure(figure, tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_figure_is_overwritten_only_by_force(figure, tmp_path):
    path = tmp_path / "figure.svg"
    path.write_text("precious")
    with pytest.raises(ArgumentError, match="not exist yet"):
        save_figure(figure, path)
    assert path.read_text() == "precious"
    save_figure(figure, path, force=True)
    assert path.read_text().startswith("<?xml")


def test_a_figure_that_cannot_be_drawn_leaves_no_file(figure, tmp_path, monkeypatch):
    path = tmp_path / "figure.png"
    path.write_text("precious")

    def fail(file, **options):
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(figure, path, force=True)
    assert os.listdir(tmp_path) == ["figure.png"]
    assert path.read_text() == "precious"


def test_plot_draws_datasets_files_and_reports(tmp_path):
    theory, simulation = staged(2, 2, count=30), staged(2, 2, count=30, runs=3)
    save_dataset(theory, tmp_path / "theory.nc")
    save_dataset(simulation, tmp_path / "simulation.nc")
    titles = [
        ho.plot(result).get_suptitle()
        for result in (theory, tmp_path / "theory.nc", str(tmp_path / "simulation.nc"), tmp_path)
    ]
    assert titles[0] == titles[1]
    assert "gradient flow" in titles[0]
    assert titles[2] == titles[3]
    assert "$d = 1000$ · 3 runs" in titles[2]
    ho.plot(theory, tmp_path / "figure.pdf")
    assert (tmp_path / "figure.pdf").read_bytes().endswith(b"%%EOF\n")


def test_plot_refuses_what_it_cannot_draw(tmp_path):
    unknown = staged().assign_attrs(kind="integratoin")
    with pytest.raises(ArgumentError, match="did you mean integration"):
        ho.plot(unknown)
    with pytest.raises(ArgumentError, match="`result` must be a dataset"):
        ho.plot([1, 2, 3])
    with pytest.raises(ArgumentError, match="`file` must exist"):
        ho.plot(tmp_path / "nothing.nc")
    with pytest.raises(ArgumentError, match="end in one of"):
        ho.plot(tmp_path / "nothing.nc", tmp_path / "figure.gif")


CHECK_STATE = """
import sys
import headode, headode.plotting
assert not any(name.partition(".")[0] == "matplotlib" for name in sys.modules)
from staged_trajectories import staged
dataset = staged()
import matplotlib
# A user's settings: they neither change the figure nor are changed by it.
matplotlib.rcParams.update({"font.size": 30, "axes.facecolor": "red", "text.usetex": True})
def settings():
    # Asking for the backend would choose one, and load pyplot.
    return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}
before = settings()
figure = headode.plot(dataset, sys.argv[1])
assert settings() == before
assert "matplotlib.pyplot" not in sys.modules
assert figure.axes[1].get_facecolor() == (1, 1, 1, 1)
"""


def test_no_global_state_is_needed_or_left(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.path.dirname(staged_trajectories.__file__)}
    environment.pop("DISPLAY", None)
    path = tmp_path / "there.png"
    command = [sys.executable, "-W", "error", "-c", CHECK_STATE, str(path)]
    subprocess.run(command, check=True, env=environment)
    here = ho.plot(staged(), tmp_path / "here.png")
    assert here is not None
    assert path.read_bytes() == (tmp_path / "here.png").read_bytes()
