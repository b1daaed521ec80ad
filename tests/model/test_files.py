"""Files and folders that appear whole or not at all, and where they may be written."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from headode import _files
from headode._files import whole_file, whole_folder
from headode._output_paths import check_apart, check_output, check_room
from headode.errors import ArgumentError


def write(target: Path, text: str = "new") -> None:
    with whole_file(target) as temporary:
        temporary.write_text(text)


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "result"
    with pytest.raises(UnicodeEncodeError), whole_file(target) as temporary:
        temporary.write_text("half and \udc00")
    assert list(tmp_path.iterdir()) == []
    write(target)
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_permissions_are_those_of_the_umask_or_of_the_file_that_was_there(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "new")
        with whole_folder(tmp_path / "folder") as temporary:
            (temporary / "file").touch()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o750
    (tmp_path / "new").chmod(0o600)
    write(tmp_path / "new", "again")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_links_stay_and_lead_to_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/file")
    for text in ("first", "second"):  # where there is nothing yet, and where there is something
        write(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there" / "file").read_text() == text
    (tmp_path / "folder_link").symlink_to("folder")
    for text in ("first", "second"):
        with whole_folder(tmp_path / "folder_link", replace=True) as temporary:
            (temporary / text).touch()
        assert (tmp_path / "folder_link").is_symlink()
        assert [path.name for path in (tmp_path / "folder").iterdir()] == [text]


def test_what_does_not_reach_the_disk_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "old").write_text("precious")
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "old")
    with pytest.raises(OSError, match="No space left"), whole_folder(tmp_path / "new") as folder:
        (folder / "file").write_text("data")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "precious"


def test_a_folder_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between the two steps of a replacement, by Ctrl-C as by anything else."""
    target = tmp_path / "folder"
    target.mkdir()
    (target / "precious").write_text("data")
    rename = Path.rename

    def stopped(self: Path, to: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises(KeyboardInterrupt), whole_folder(target, replace=True):
        pass
    assert (target / "precious").read_text() == "data"
    assert list(tmp_path.iterdir()) == [target]


def refused(path: str | Path, **options: object) -> str:
    with pytest.raises(ArgumentError) as caught:
        check_output(path, **options)  # type: ignore[arg-type]
    return caught.value.requirement


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    # The path of a socket is at most some hundred bytes long.
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{short}/socket")
        for path in ("/dev/null", tmp_path / "pipe", tmp_path / "link", f"{short}/socket"):
            for force in (False, True):
                assert "plain file" in refused(path, force=force)
    assert refused(tmp_path, force=True) == "be a file, not a folder"
    assert refused("", force=True) == "be a file, not a folder"
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file", force=True, folder=True) == "be a folder, not a file"


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nothing")
    assert check_output(tmp_path / "dangling") == tmp_path / "dangling"
    (tmp_path / "lost").symlink_to("no_folder/nothing")
    assert refused(tmp_path / "lost") == "be in an existing folder"
    (tmp_path / "round").symlink_to("about")
    (tmp_path / "about").symlink_to("round")
    assert "levels of symbolic links" in refused(tmp_path / "round")


@pytest.mark.parametrize("letter", ["a", "ü"])
def test_names_leave_room_for_those_of_partial_results(tmp_path: Path, letter: str) -> None:
    """A file system counts bytes: 255 of them, 15 of which are kept for `.partial-999.nc`."""
    limit = os.pathconf(tmp_path, "PC_NAME_MAX")
    count = (limit - 15 - 3) // len(letter.encode())
    longest = tmp_path / f"{letter * count}.nc"
    check_room(longest, argument="output")
    partial = longest.with_name(f"{longest.stem}.partial-999.nc")
    write(check_output(partial))
    longer = tmp_path / f"{letter * (count + 1)}.nc"
    check_output(longer)
    with pytest.raises(ArgumentError, match=f"have a name of at most {limit - 15} bytes"):
        check_room(longer, argument="output")
    assert "too long" in refused(tmp_path / f"{letter * 400}.nc")
    assert refused(tmp_path / "two\nlines") == "have a name without control characters"
    assert refused("nothing\0more") == "have a name without control characters"


def test_files_of_others_are_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in /tmp, where everybody may write but only owners may remove."""
    tmp_path.chmod(0o1777)
    (tmp_path / "result").touch()
    check_output(tmp_path / "result", force=True)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 12345)
    assert refused(tmp_path / "result", force=True) == "be a file that can be replaced"
    tmp_path.chmod(0o777)
    check_output(tmp_path / "result", force=True)
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) == tmp_path)
    assert refused(tmp_path / "result", force=True) == "be a file that can be replaced"


def test_outputs_are_other_files_than_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = Path("config.yaml")
    source.touch()
    Path("link").symlink_to(source)
    os.link(source, "hard")
    Path("folder").mkdir()
    for same in (source.absolute(), Path("link"), Path("hard"), Path("folder/../config.yaml")):
        with pytest.raises(ArgumentError, match="`-o` must be another file than CONFIG"):
            check_apart({"CONFIG": source, "-o": same})
    # Neither exists, and upper and lower case may be the same there.
    with pytest.raises(ArgumentError, match="`--plot` must be another file than -o"):
        check_apart({"CONFIG": source, "-o": Path("new.png"), "--plot": Path("NEW.png")})
    with pytest.raises(ArgumentError, match="`-o` must be a folder without CONFIG in it"):
        check_apart({"CONFIG": source, "-o": tmp_path})
    check_apart({"CONFIG": source, "-o": Path("folder")})


def test_temporary_names_are_short(tmp_path: Path) -> None:
    assert len(_files._new_name(tmp_path).name) < 30
