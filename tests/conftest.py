"""Settings shared by all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from headode import activation

# The first example of a property compiles kernels, which takes seconds: no deadline.
settings.register_profile("headode", deadline=None, derandomize=True)
settings.load_profile("headode")


def pytest_configure(config: pytest.Config) -> None:
    """One thread of linear algebra for each of xdist's workers, which fill the cores by themselves.

    Threads that wait for the next product spin, which took a tenth of the time of the tests. The
    workers are started later, and find this when they import NumPy.
    """
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _registry_as_it_was():
    """Activations that a test registers are gone after it: messages list all known names."""
    before = dict(activation._registered)
    yield
    activation._registered.clear()
    activation._registered.update(before)
