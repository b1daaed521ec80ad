"""The progress bar appears only where somebody watches."""

from __future__ import annotations

import io
import sys

import pytest

from headode.cli.progress_bar import progress_bar
from headode.cli.session import Session
from headode.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_bar_shows_place_risk_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with progress_bar(Session(), "ODE", "t") as report:
        assert report is not None
        for t in (1.0, 2.0, 3.0):
            report(Progress(done=t, total=4.0, risk=0.25))
    text = terminal.getvalue()
    assert "ODE" in text
    assert "t 3 of 4" in text
    assert "risk 0.250000" in text
    assert "t/s" in text


def test_no_bar_when_quiet_or_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_bar(Session(quiet=True), "ODE", "t") as report:
        assert report is None
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar(Session(), "ODE", "t") as report:
        assert report is None
