"""Where kernels come from: committed for built-in activations, a cache folder for others."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import headode as ho
from headode.activation import BUILTIN, Activation
from headode.kernels import load

ROOT = Path(__file__).parents[2]
s = sp.Symbol("s")


def test_committed_kernels_are_what_the_derivations_emit():
    done = subprocess.run(
        [sys.executable, ROOT / "derivations" / "regenerate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_check_notices_a_changed_kernel(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "derivations")
    import regenerate

    for path in regenerate.FOLDER.glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(regenerate, "FOLDER", tmp_path)
    assert regenerate.main(["--check"]) == 0
    changed = tmp_path / "softmax.py"
    changed.write_text(changed.read_text(encoding="utf-8").replace("+ 1.0", "+ 1.5", 1))
    (tmp_path / "forgotten.py").write_text("")
    assert regenerate.main(["--check"]) == 1
    assert regenerate.main([]) == 0
    assert regenerate.main(["--check"]) == 0


@pytest.mark.parametrize("name", BUILTIN)
def test_built_in_activations_have_committed_kernels(name):
    kernel = load.load_kernel(BUILTIN[name])
    assert kernel.__module__ == f"headode.kernels.generated.{name}"


def test_registered_activation_gets_a_kernel_named_by_its_content(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADODE_CACHE_DIR", str(tmp_path))
    first = Activation("cosh_score", sp.cosh(s), "per_head", average=True)
    load.load_kernel(first)
    names = {path.name for path in tmp_path.glob("cosh_score_*.py")}
    assert len(names) == 1
    # The same name with another score must not meet the first one's kernel.
    load.load_kernel(Activation("cosh_score", sp.cosh(2 * s), "per_head", average=True))
    assert len(list(tmp_path.glob("cosh_score_*.py"))) == 2
    assert not list(tmp_path.glob("*.part"))


def test_damaged_cache_file_is_written_again(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADODE_CACHE_DIR", str(tmp_path))
    activation = Activation("damaged", 1 + s**2, "per_head")
    load.load_kernel(activation)
    (path,) = tmp_path.glob("damaged_*.py")
    good = path.read_bytes()
    path.write_bytes(good[:100])
    load._loaded.pop(activation)
    load.load_kernel(activation)
    assert path.read_bytes() == good


def test_cached_kernel_serves_a_second_process(tmp_path):
    """The first one compiles it; the second one reads what numba wrote to disk."""
    script = """
import sympy as sp, headode as ho
score = 2 + sp.sin(sp.Symbol("s"))
ho.register_activation(ho.Activation("wave", score, "per_head", average=True))
model = ho.Model(2, 1, ho.Signal.one_hot([1.0]), "wave")
state = ho.OrderParameters([[0.5]], [[0.3]])
print(ho.expected_update(model, state, tolerance=0.1).risk)
"""
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"HEADODE_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        for _ in range(2)
    ]
    assert runs[0].returncode == runs[1].returncode == 0, runs[1].stderr
    assert runs[0].stdout == runs[1].stdout
    assert list(tmp_path.glob("*.nbc"))


def test_registered_softmax_twin_gives_the_same_terms():
    twin = ho.register_activation(Activation("softmax_twin", sp.exp(s), "per_head", average=True))
    signal = ho.Signal.one_hot([1.0, 2.0])
    state = ho.OrderParameters([[0.5, 0.1], [0.2, 0.9]], 0.3 * np.eye(2))
    by_name = ho.Model(3, 2, signal, "softmax_twin")
    assert by_name.activation == twin
    mine = ho.expected_update(by_name, state, tolerance=1e-2)
    theirs = ho.expected_update(ho.Model(3, 2, signal, "softmax"), state, tolerance=1e-2)
    np.testing.assert_allclose(mine.C, theirs.C, rtol=1e-12)
    np.testing.assert_allclose(mine.G, theirs.G, rtol=1e-12)


def test_doubled_softmax_scores_give_the_same_terms_by_the_general_tables():
    """Weights are ratios; scores that are not known to be exponential use nodes for every field."""
    twin = ho.register_activation(
        Activation("doubled_softmax", 2 * sp.exp(s), "per_head", average=True)
    )
    assert not twin.is_exponential
    signal = ho.Signal.one_hot([1.0, 2.0])
    state = ho.OrderParameters([[1.5, 0.1], [0.2, 1.9]], [[0.3, 0.1], [0.1, 0.5]])
    doubled, plain = (
        ho.expected_update(ho.Model(4, 2, signal, name), state, tolerance=1e-9)
        for name in ("doubled_softmax", "softmax")
    )
    error = doubled.error + plain.error
    assert error < 2e-9
    np.testing.assert_allclose(doubled.C, plain.C, rtol=0, atol=error)
    np.testing.assert_allclose(doubled.G, plain.G, rtol=0, atol=error)
    assert doubled.risk == pytest.approx(plain.risk, abs=error)


def test_registered_activation_works_without_a_folder_for_its_kernel(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    monkeypatch.setenv("HEADODE_CACHE_DIR", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    twin = ho.register_activation(Activation("affine_twin", 1 + s, "none"))
    monkeypatch.delitem(load._loaded, twin, raising=False)
    signal, state = ho.Signal.one_hot([1.0]), ho.OrderParameters([[0.5]], [[0.3]])
    mine = ho.expected_update(ho.Model(2, 1, signal, "affine_twin"), state, tolerance=0.1)
    theirs = ho.expected_update(ho.Model(2, 1, signal, "linear"), state, tolerance=1e-9)
    assert mine.risk == pytest.approx(theirs.risk, abs=mine.error + theirs.error)
