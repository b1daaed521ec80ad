"""Tables on a narrow terminal, and in a file."""

from __future__ import annotations

import pytest

from headode.cli.tables import print_table


def test_no_table_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Cut off at the terminal's width, the time 1824 read 182."""
    monkeypatch.setenv("COLUMNS", "40")
    label, text = "excursions of a head", "head 4, feature 2: off at t = 1149, back at 1824"
    print_table("Specialization", [(label, text), ("splits", "none")])
    print_table("Times", [("1.5", text)], ("a header that is not short", "excursions"))
    printed = capsys.readouterr().out
    assert printed.count(text) == 2
    assert f"  {label}   {text}\n" in printed
    assert "a header that is not short" in printed
    assert "…" not in printed
    # Nor is it padded: on a narrow terminal blanks would make lines of their own.
    assert all(line == line.rstrip() for line in printed.splitlines())
