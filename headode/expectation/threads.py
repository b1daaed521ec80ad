"""Run kernels, which release the interpreter lock, on several threads."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from headode._checks import Array


class _Memory(threading.local):
    """Arrays of the current thread."""

    def __init__(self) -> None:
        self.arrays: dict[Hashable, Array] = {}


_memory = _Memory()


def scratch(key: Hashable, shape: tuple[int, ...]) -> Array:
    """An array with arbitrary contents, valid until this thread asks for the same key again.

    Large arrays that are made anew at each call cost more than what is computed with them: the
    system clears their pages every time.
    """
    size = math.prod(shape)
    known = _memory.arrays
    if key not in known or not size <= known[key].size <= 4 * size:
        known[key] = np.empty(size + size // 4)
    return known[key][:size].reshape(shape)


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="headode")


@cache
def _blas() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    libraries: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers
    return libraries


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep the linear algebra of a block on its own thread.

    Products of small matrices lose more to the synchronization of threads than they gain, and
    several threads that each start more of them fight for the cores.
    """
    # Not threadpoolctl's own limit, which takes twice as long, a twentieth of an expected update.
    libraries = _blas()
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, threads in zip(libraries, before, strict=True):
            library.set_num_threads(threads)


def run_all(function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], parallel: bool) -> None:
    """Call ``function(*task)`` for every task; ``NUMBA_NUM_THREADS`` limits the threads.

    The tasks write to places of their own, so the result does not depend on their order.
    """
    if not parallel:
        for task in tasks:
            function(*task)
        return
    import numba

    tasks = list(tasks)
    workers = min(int(numba.get_num_threads()), len(tasks))

    def work(share: list[tuple[Any, ...]]) -> None:
        for task in share:
            function(*task)

    # One share for this thread, and one message for each other one: a message for every task would
    # cost as much as a small task.
    others = [_pool(workers - 1).submit(work, tasks[i::workers]) for i in range(1, workers)]
    try:
        work(tasks[::workers])
    finally:
        for future in others:
            future.result()
