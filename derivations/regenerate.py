"""Emit the kernels of the built-in activations, or check that the committed ones are up to date.

python derivations/regenerate.py            write headode/kernels/generated/*.py
python derivations/regenerate.py --check    exit 1 if one differs from what would be written
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from headode.activation import BUILTIN
from headode.symbolic.numba_source import clock_source, kernel_source

FOLDER = Path(__file__).resolve().parent.parent / "headode" / "kernels" / "generated"


def main(arguments: list[str] | None = None) -> int:
    """Write or check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args(arguments).check
    emitted = {f"{name}.py": kernel_source(activation) for name, activation in BUILTIN.items()}
    emitted["clock.py"] = clock_source()
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py")}
    committed.pop("__init__.py", None)
    stale = sorted(
        name
        for name in emitted.keys() | committed.keys()
        if emitted.get(name) != committed.get(name)
    )
    for name in stale:
        if not check and name in emitted:
            (FOLDER / name).write_text(emitted[name], encoding="utf-8")
            print(f"wrote {name}")
        elif not check:
            (FOLDER / name).unlink()
            print(f"removed {name}: no such activation")
        else:
            print(f"{name} is not what the derivations emit:")
            before = committed.get(name, "").splitlines(keepends=True)
            after = emitted.get(name, "").splitlines(keepends=True)
            sys.stdout.writelines(
                list(difflib.unified_diff(before, after, "committed", "emitted"))[:20]
            )
    if not stale:
        print(f"{len(emitted)} kernels are up to date")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
