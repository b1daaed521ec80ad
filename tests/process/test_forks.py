"""A forked child has one thread of its parent: pools and locks must not wait for the others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: from Python 3.12 on a warning tells that such children may hang.
PROGRAM = """
import hashlib
import multiprocessing
import sys
import threading

import numpy as np

import headode as ho

SIGNAL = ho.Signal.sign_flips([2.0, 0.0], [0.0, 1.8])
STATE = ho.OrderParameters([[1.1, 0.3], [0.9, -0.4], [1.0, 0.1]], 0.05 * np.eye(3) + 0.02)


def numbers(*arrays):
    return hashlib.sha256(b"".join(np.asarray(array).tobytes() for array in arrays)).hexdigest()


def update(activation):
    terms = ho.expected_update(ho.Model(3, 3, SIGNAL, activation), STATE, tolerance=1e-3)
    return numbers(terms.risk, terms.G, terms.C)


def softplus():
    return update("softplus")


def softmax1():
    return update("softmax1")


def example():
    from importlib.resources import files
    from headode.config import config_from_dict
    from ruamel.yaml import YAML

    text = (files("headode") / "examples" / "staged_specialization_softmax.yaml").read_text()
    config = config_from_dict(YAML(typ="safe").load(text))
    arguments = config.experiment
    model, state = arguments.model(), arguments.state()
    return numbers(ho.integrate(model, state, time=1.0, count=3, tolerance=1e-3)["M"])


def simulation():
    model = ho.Model(3, 3, SIGNAL, "softmax")
    run = ho.simulate(
        model, STATE, time=1.0, learning_rate=0.5, dimension=50, runs=4, workers=2, count=3
    )
    return numbers(run["M"], run["risk"])


def diagram():
    diagram = ho.phase_diagram(
        ho.Model(2, 2, SIGNAL, "softmax1"),
        axes={"training.time": [0.1, 0.2]},
        initial={"scale": 0.1},
        expectation={"tolerance": 1e-2},
        output={"count": 2},
        workers=2,
    )
    return numbers(diagram["final_risk"])


def locked():
    # A thread of the parent that is drawing nodes when the child is forked.
    from headode.expectation.nodes import node_set

    first = numbers(node_set(3, 2, 7).level(0))
    if multiprocessing.parent_process() is None:
        node_set(3, 2, 7)._lock.acquire()
    return first


def limits():
    # A thread of the parent that is in a block without threads of linear algebra.
    from headode.expectation.threads import _blas, single_threaded_blas

    if multiprocessing.parent_process() is None:
        before = [library.get_num_threads() for library in _blas()]
        entered, leave = threading.Event(), threading.Event()

        def stay():
            with single_threaded_blas():
                entered.set()
                leave.wait()

        threading.Thread(target=stay, daemon=True).start()
        entered.wait()
        return str(before)
    with single_threaded_blas():
        assert all(library.get_num_threads() == 1 for library in _blas())
    return str([library.get_num_threads() for library in _blas()])


def child(connection):
    connection.send(action())


action = globals()[sys.argv[1]]
if __name__ == "__main__":
    expected = action()
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=child, args=(there,))
    process.start()
    there.close()
    try:
        print(here.recv() == expected if here.poll(120) else "no answer")
    finally:
        process.kill()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    "action", ["softplus", "softmax1", "example", "simulation", "diagram", "locked", "limits"]
)
def test_forked_child_answers_with_the_same_bits(tmp_path: Path, action):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    threads = {"NUMBA_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, str(program), action],
        env=os.environ | threads,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr
