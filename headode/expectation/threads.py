"""Run kernels, which release the interpreter lock, on several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="headode")


def run_all(function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], parallel: bool) -> None:
    """Call ``function(*task)`` for every task; ``NUMBA_NUM_THREADS`` limits the threads.

    The tasks write to places of their own, so the result does not depend on their order.
    """
    import numba

    workers = int(numba.get_num_threads())
    if not parallel or workers == 1:
        for task in tasks:
            function(*task)
        return
    for future in [_pool(workers).submit(function, *task) for task in tasks]:
        future.result()
