"""Every table and figure of the expected updates, with one command.

    pip install -e '.[benchmarks]'
    python benchmarks/run_all.py [--quick] [--only SECTION ...]

Prints the tables and writes them to benchmarks/results/SECTION.json (--quick: results/quick/), and
draws docs/images/convergence.png (--quick: next to the results). A full run takes about half an
hour on two cores; they should have nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECTIONS = (
    "jax_variants",
    "expected_updates",
    "scaling",
    "convergence",
    "trajectories",
    "specialization_spread",
)
FIGURE = HERE.parent / "docs" / "images" / "convergence.png"


def main() -> None:
    """Run the asked sections in order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the harness")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION")
    parser.add_argument("--output", type=Path, default=HERE / "results", help="folder of the JSON")
    options = parser.parse_args()
    folder = options.output / "quick" if options.quick else options.output
    for name in options.only:
        print(f"\n## {name}", flush=True)
        started = time.perf_counter()
        section = import_module(name).run(options.quick)
        seconds = time.perf_counter() - started
        path = section.save(folder, quick=options.quick, seconds=seconds)
        print(f"\n{path} ({seconds:.0f} s)", flush=True)
    if "convergence" in options.only:
        content = json.loads((folder / "convergence.json").read_text())
        figure = folder / FIGURE.name if options.quick else FIGURE
        import_module("convergence").draw(content, figure)
        print(figure)


if __name__ == "__main__":
    main()
