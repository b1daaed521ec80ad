"""What floating-point exceptions do within headode, whatever the caller's ``np.seterr`` says."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
T = TypeVar("T")


def own_errstate(function: Callable[P, T]) -> Callable[P, T]:
    """Run a public function with NumPy's own defaults: underflow is zero, the rest is a warning."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
            return function(*args, **kwargs)

    return wrapped
