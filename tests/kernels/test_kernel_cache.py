"""Machine code on disk: never out of date, never taken from others, and never a reason to fail."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from numba import config

import headode
from headode import _cache_folders
from headode._kernel_cache import KernelCache, cached, fingerprint

# A function, one that it calls, and a constant: all of them are in the machine code.
SOURCE = """
import numpy as np
from headode._kernel_cache import cached

SCALE = 3.0
TABLE = np.array([1.0, 10.0])


@cached(nogil=True)
def helper(x):
    return SCALE * x + TABLE[1]


@cached(nogil=True)
def kernel(x):
    return 2.0 * helper(x)
"""


def new_process(source: str = SOURCE):
    """The functions as another process has them, which knows nothing but the disk."""
    module: dict[str, object] = {"__name__": "cache_test"}
    exec(compile(source, "cache_test.py", "exec"), module)
    return module["kernel"]


def hits(kernel) -> int:
    return sum(kernel.stats.cache_hits.values())


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HEADODE_CACHE_DIR", str(tmp_path / "chosen"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(_cache_folders, "_failed", set())
    # The command line, which other tests call, keeps its messages to itself.
    monkeypatch.setattr(logging.getLogger("headode"), "propagate", True)
    return tmp_path / "chosen"


def private(tmp_path: Path) -> Path:
    return tmp_path / f"headode-{os.geteuid()}"


def test_second_process_loads_what_the_first_has_compiled(folder):
    first, second = new_process(), new_process()
    assert first(1.0) == 26.0
    assert hits(first) == 0
    assert second(1.0) == 26.0
    assert hits(second) == 1
    assert first(1) == 26.0  # other argument types are another file
    assert len(list(folder.glob("cache_test.kernel-*.nbc"))) == 2


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("2.0 *", "4.0 *", 52.0),
        ("SCALE * x", "SCALE * x - 1.0", 24.0),
        ("SCALE = 3.0", "SCALE = 5.0", 30.0),
        ("10.0]", "20.0]", 46.0),
        ("@cached(nogil=True)\ndef helper", '@cached(error_model="numpy")\ndef helper', 26.0),
    ],
    ids=["itself", "called function", "constant", "array", "options of called function"],
)
def test_code_is_compiled_again_after_a_change_of_anything_in_it(old, new, value):
    assert new_process()(1.0) == 26.0
    changed = new_process(SOURCE.replace(old, new))
    assert changed(1.0) == value
    assert hits(changed) == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda code: code[:20],
        lambda code: code[: len(code) // 2],
        lambda code: code[:-1],
        lambda _: b"garbage" * 100,
        lambda code: code[:-100] + bytes(100),
    ],
    ids=["empty", "header", "half", "last byte", "garbage", "zeros"],
)
def test_damaged_file_is_written_again(folder, damage):
    new_process()(1.0)
    good = {path: path.read_bytes() for path in folder.iterdir()}
    for path, code in good.items():
        path.write_bytes(damage(code))
    assert new_process()(1.0) == 26.0
    assert set(folder.iterdir()) == set(good)
    again = new_process()
    assert again(1.0) == 26.0
    assert hits(again) == 1


def test_folder_in_place_of_a_file_is_no_obstacle(folder):
    new_process()(1.0)
    for path in folder.iterdir():
        path.unlink()
        path.mkdir()
    assert new_process()(1.0) == 26.0


def test_private_folder_serves_where_the_chosen_one_cannot_be_made(tmp_path, folder, caplog):
    folder.write_text("a file")
    assert new_process()(1.0) == 26.0
    again = new_process()
    assert again(1.0) == 26.0
    assert hits(again) == 1
    assert private(tmp_path).stat().st_mode & 0o777 == 0o700
    assert not caplog.records


def test_without_any_folder_each_process_compiles_and_says_so_once(tmp_path, folder, caplog):
    folder.write_text("a file")
    private(tmp_path).write_text("another one")
    kernel = new_process()
    with caplog.at_level(logging.WARNING, logger="headode"):
        assert kernel(1.0) == 26.0
        assert kernel(1) == 26.0
    (record,) = caplog.records
    message = record.getMessage()
    assert str(folder) in message
    assert str(private(tmp_path)) in message
    assert "HEADODE_CACHE_DIR" in message


def test_full_disk_costs_the_cache_only(tmp_path, folder, caplog, monkeypatch):
    def full(path: Path, contents: bytes) -> int:
        with path.open("wb") as file:
            file.write(contents[: len(contents) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with caplog.at_level(logging.WARNING, logger="headode"):
        assert new_process()(1.0) == 26.0
    (record,) = caplog.records
    assert os.strerror(errno.ENOSPC) in record.getMessage()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_folder_that_can_only_be_read_is_read(folder, monkeypatch):
    new_process()(1.0)

    def refused(path: Path, contents: bytes) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "write_bytes", refused)
    reader = new_process()
    assert reader(1.0) == 26.0
    assert hits(reader) == 1


def _writable_by_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def _link(path: Path) -> None:
    path.with_name("elsewhere").mkdir(mode=0o700)
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("prepare", [_writable_by_all, _link])
def test_code_is_not_loaded_from_a_folder_that_others_may_have_filled(
    tmp_path, folder, caplog, prepare
):
    # What is in it would be run.
    folder.write_text("a file")
    trap = private(tmp_path)
    prepare(trap)
    with caplog.at_level(logging.WARNING, logger="headode"):
        assert new_process()(1.0) == 26.0
    assert not list(trap.iterdir())
    assert len(caplog.records) == 1


def test_folder_of_another_user_is_not_used(tmp_path, folder, monkeypatch):
    folder.write_text("a file")
    new_process()(1.0)
    mine = private(tmp_path)
    assert list(mine.iterdir())
    stranger = os.geteuid() + 1
    monkeypatch.setattr(_cache_folders, "_failed", set())
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    mine.rename(private(tmp_path))
    kernel = new_process()
    assert kernel(1.0) == 26.0
    assert hits(kernel) == 0


def test_folder_of_numba_counts(tmp_path, monkeypatch):
    monkeypatch.delenv("HEADODE_CACHE_DIR")
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "numba"))
    new_process()(1.0)
    assert list((tmp_path / "numba" / "headode").glob("cache_test.kernel-*.nbc"))


def test_without_compilation_there_is_nothing_to_keep(folder):
    program = SOURCE + "\nprint(type(kernel).__name__, kernel(1.0))"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["function", "26.0"]
    assert not folder.exists()


@pytest.mark.parametrize("place", ["compiler.CompileResult._rebuild", "serialize.dumps"])
def test_another_numba_inside_costs_the_cache_only(place, caplog, monkeypatch):
    def gone(*arguments: object) -> None:
        raise AttributeError("renamed")

    new_process()(1.0)
    monkeypatch.setattr(f"numba.core.{place}", gone)
    with caplog.at_level(logging.WARNING, logger="headode"):
        assert new_process(SOURCE.replace("3.0", "4.0"))(1.0) == 28.0
    assert all("AttributeError: renamed" in record.getMessage() for record in caplog.records)


def test_the_latest_files_of_a_function_are_kept(folder, monkeypatch):
    monkeypatch.setattr(_cache_folders, "KEPT", 2)
    for scale in range(3, 7):
        new_process(SOURCE.replace("3.0", f"{scale}.0"))(1.0)
        for path in folder.iterdir():  # times of a file system may be coarse
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 10.0))
    assert len(list(folder.glob("cache_test.kernel-*.nbc"))) == 2
    latest = new_process(SOURCE.replace("3.0", "6.0"))
    assert latest(1.0) == 32.0
    assert hits(latest) == 1


def _fingerprints() -> dict[str, str]:
    """Of all functions of headode that are kept on disk."""
    found = {}
    for module in pkgutil.walk_packages(headode.__path__, "headode."):
        if module.name.startswith(("headode.kernels", "headode.simulation")):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(getattr(value, "_cache", None), KernelCache):
                    found[f"{module.name}.{name}"] = fingerprint(value)
    return found


def test_every_function_has_the_same_fingerprint_in_every_process():
    """Else it would never be found again; a module of headode in one would hide its changes."""
    here = _fingerprints()
    assert len(here) > 50
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    program += "from test_kernel_cache import _fingerprints\nprint(_fingerprints())"
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(here)


def test_a_module_of_headode_in_compiled_code_is_refused():
    from headode.kernels import lattice

    module: dict[str, object] = {"__name__": "cache_test", "lattice": lattice}
    exec("def kernel(x):\n    return lattice.WIDTH * x", module)
    with pytest.raises(TypeError, match=r"names from headode\.kernels\.lattice"):
        fingerprint(cached()(module["kernel"]))


def test_arrays_of_one_shape_and_other_values_differ():
    one, two = ({"__name__": "cache_test", "TABLE": np.array([1.0, x])} for x in (2.0, 3.0))
    for module in (one, two):
        exec("def kernel(x):\n    return TABLE[0] * x", module)
    assert fingerprint(one["kernel"]) != fingerprint(two["kernel"])
