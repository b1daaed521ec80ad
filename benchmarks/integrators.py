"""Which SciPy integrator needs the fewest right-hand sides on the packaged examples?

    python benchmarks/integrators.py [EXAMPLE ...]

All methods run at the same rtol and atol on the same few quadrature nodes (the tolerance of the
expectations is so loose that no node is ever added): what is compared is the
stepping. The deviation is the largest difference of an overlap, at any output time, from a run with
a thousand times tighter tolerances.
"""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.resources import files

import numpy as np

import headode as ho
from headode.config import Config
from headode.dynamics.integrate import INTEGRATORS

TOLERANCE = 1e9


def measure(config: Config, integrator: str, tighter: float = 1.0) -> tuple[object, float]:
    """One trajectory and its wall time in seconds."""
    training = config.build_training()
    started = time.perf_counter()
    run = ho.integrate(
        config.build_model(),
        config.build_state(),
        times=config.output_times(),
        learning_rate=training.learning_rate,
        value_learning_rate=training.value_learning_rate,
        offset_learning_rate=training.offset_learning_rate,
        batch_size=training.batch_size,
        weight_decay=training.weight_decay,
        method="quasi_monte_carlo",
        tolerance=TOLERANCE,
        rtol=1e-6 / tighter,
        atol=1e-9 / tighter,
        integrator=integrator,
    )
    return run, time.perf_counter() - started


def main() -> None:
    """Print one table for each example."""
    warnings.simplefilter("ignore", ho.ToleranceWarning)
    folder = files("headode") / "examples"
    names = sorted(path.name[:-5] for path in folder.iterdir() if path.name.endswith(".yaml"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("examples", nargs="*", default=names, metavar="EXAMPLE")
    for name in parser.parse_args().examples:
        config = ho.load_config(folder / f"{name}.yaml")
        measure(config, "RK45")  # compiles, and draws the nodes
        reference, _ = measure(config, "DOP853", tighter=1e3)
        print(
            f"\n{name}\n{'integrator':12}{'right-hand sides':>18}{'seconds':>10}{'deviation':>12}"
        )
        for integrator in INTEGRATORS[1:]:
            run, seconds = measure(config, integrator)
            deviation = float(np.abs(run.M - reference.M).max())
            count = run.attrs["right_hand_side_evaluations"]
            print(f"{integrator:12}{count:18d}{seconds:10.2f}{deviation:12.1e}", flush=True)


if __name__ == "__main__":
    main()
