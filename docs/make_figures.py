"""Draw the figures of README and of the documentation, with the commands that they show.

python docs/make_figures.py             about eight minutes on two cores
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

IMAGES = Path(__file__).resolve().parent / "images"


def main() -> None:
    """Run the packaged examples in a folder of their own and keep the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _staged_specialization(work)
        _sgd_against_ode(work)
        _staged_sgd(work)


def _staged_specialization(work: Path) -> None:
    config = _example("staged_specialization", work)
    picture = work / "staged_specialization.png"
    _headode("integrate", config, "-o", work / "staged.nc", "--plot", picture)
    shutil.copy(picture, IMAGES)


def _sgd_against_ode(work: Path) -> None:
    config = _example("finite_learning_rate", work)
    _headode("validate", config, "-o", work / "report")
    shutil.copy(work / "report" / "overlay.png", IMAGES / "finite_learning_rate.png")


def _staged_sgd(work: Path) -> None:
    _headode("validate", IMAGES.parent / "staged_sgd.yaml", "-o", work / "staged_report")
    for name in ("overlay", "scaling"):
        shutil.copy(work / "staged_report" / f"{name}.png", IMAGES / f"staged_sgd_{name}.png")


def _example(name: str, work: Path) -> Path:
    config = work / f"{name}.yaml"
    config.write_text(_headode("example", name), encoding="utf-8")
    return config


def _headode(*arguments: str | Path) -> str:
    """Run a command of headode; whatever it refuses or finds to disagree ends this script."""
    command = [sys.executable, "-m", "headode", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    return done.stdout


if __name__ == "__main__":
    main()
