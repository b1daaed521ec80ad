"""Draw the figures of README and of the documentation, with the commands that they show.

python docs/make_figures.py             about fifteen minutes on two cores
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import headode as ho

IMAGES = Path(__file__).resolve().parent / "images"
PHASE_DIAGRAMS = ("specialization_time", "excess_risk", "learning_rate", "tokens")


def main() -> None:
    """Run the packaged examples in a folder of their own and keep the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _staged_specialization(work)
        _sgd_against_ode(work)
        _staged_sgd(work)
        _phase_diagrams(work)
        _continuation()


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


def _phase_diagrams(work: Path) -> None:
    configs = [_example(f"phase_{name}", work) for name in PHASE_DIAGRAMS]
    for config in [*configs, IMAGES.parent / "phase_refined.yaml"]:
        store = work / f"{config.stem}.zarr"
        picture = IMAGES / f"{config.stem}.png"
        _headode("phase-diagram", config, "-o", store, "--plot", picture, "--force")


def _continuation() -> None:
    def model_at(decay: float) -> tuple[ho.Model, dict[str, float]]:
        signal = ho.Signal.sign_flips(mean=[1.0, 0.0, 0.0], amplitude=[0.0, 2.0, 1.2])
        return ho.Model(tokens=3, heads=4, signal=signal), {"weight_decay": decay}

    decays = [0.0, 0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.24]
    branch = ho.continue_states(model_at, decays, parameter="weight decay")
    ho.plot(branch, IMAGES / "continuation.png", force=True)


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
