"""The command line as a process of its own, which may send itself signals."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

# Processes started in the background ignore Ctrl-C, those under nohup a closed terminal, and their
# children inherit that.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from headode.cli.main import run
run()
"""
# Signals come with a report of progress, so that something has been computed by then.
SIGNALED = """
import contextlib, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
number, count, saving = (int(word) for word in sys.argv.pop(1).split(","))

def send():
    for _ in range(count):
        os.kill(os.getpid(), number)

from headode.cli import progress_bar

@contextlib.contextmanager
def sending(*_):
    def report(progress):
        if progress.done >= 0.3 * progress.total:
            send()
    yield report

if saving:
    from headode import _files
    sync = _files._sync
    def syncing(path):
        send()
        sync(path)
    _files._sync = syncing
else:
    progress_bar.progress_bar = sending

from headode.cli.main import run
run()
"""


def run(*arguments: str, program: str = PROGRAM, **options: Any) -> subprocess.CompletedProcess:
    """Run the command line to its end."""
    command = [sys.executable, "-c", program, *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.run(command, check=False, timeout=300, **options)


def signaled(
    number: int, *arguments: str, count: int = 1, saving: bool = False
) -> subprocess.CompletedProcess:
    """Run it, and have it get signals after a third of the computation, or while it saves."""
    return run(f"{number},{count},{int(saving)}", *arguments, program=SIGNALED)


def names(folder: Path) -> set[str]:
    """Names in a folder, except for the configuration and locks."""
    found = {path.name for path in folder.iterdir()}
    return {name for name in found if name != "config.yaml" and not name.endswith(".lock")}
