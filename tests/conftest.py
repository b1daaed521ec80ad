"""Settings shared by all tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

from headode import activation

# The first example of a property compiles kernels, which takes seconds: no deadline.
settings.register_profile("headode", deadline=None, derandomize=True)
settings.load_profile("headode")


@pytest.fixture(autouse=True)
def _registry_as_it_was():
    """Activations that a test registers are gone after it: messages list all known names."""
    before = dict(activation._registered)
    yield
    activation._registered.clear()
    activation._registered.update(before)
