"""``python -m headode``."""

from __future__ import annotations

from headode.cli.main import run

if __name__ == "__main__":
    run()
