"""A process that compiles the kernels gets the same bits as one that finds them on the disk."""

import os
import subprocess
import sys

PROGRAM = """
import hashlib
import numpy as np
import headode as ho

signal = ho.Signal.sign_flips([2.0, 0.0], [0.0, 1.8])
M = np.array([[1.1, 0.3], [0.9, -0.4], [1.0, 0.1]])
state = ho.OrderParameters(M, 0.05 * np.eye(3) + 0.02)
found = hashlib.sha256()
for activation in ("bayes_softmax", "softmax"):
    model = ho.Model(5, 3, signal, activation)
    terms = ho.expected_update(model, state, method="factorized", tolerance=1e-5)
    for value in (terms.risk, terms.G, terms.C):
        found.update(np.asarray(value).tobytes())
print(found.hexdigest())
"""


def test_compiling_and_loading_give_the_same_bits(tmp_path):
    """Else a sweep would depend on which of its processes were the first ones to run."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", PROGRAM]
    compiled, loaded = (
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    )
    assert compiled == loaded
    kernels = {path.name: path.read_bytes() for path in tmp_path.rglob("*.nbc")}
    assert kernels
    # An array assigned to a slice: the text of its error takes seconds to compile in each kernel.
    assert not [name for name, code in kernels.items() if b"raise_with_shape_context" in code]
