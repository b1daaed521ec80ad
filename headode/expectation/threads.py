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
from headode._forks import in_forked_child


class _Memory(threading.local):
    """Of the current thread.

    Attributes:
        arrays: scratch memory by key.
        blas_blocks: blocks of :func:`single_threaded_blas` that it is in.
    """

    def __init__(self) -> None:
        self.arrays: dict[Hashable, Array] = {}
        self.blas_blocks = 0


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


in_forked_child(_pool.cache_clear)


@cache
def _blas() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    libraries: list[Any] = ThreadpoolController().select(user_api="blas").lib_controllers
    return libraries


class _BlasLimit:
    """The number of threads of linear algebra, which all threads of the process share.

    The first block that is entered sets it to one, and the last one that is left sets it back: a
    thread that set back what it found would take the limit away from the others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._before: list[int] = []

    def enter(self) -> None:
        with self._lock:
            if self._blocks == 0:
                self._before = [library.get_num_threads() for library in _blas()]
                for library in _blas():
                    library.set_num_threads(1)
            self._blocks += 1
            _memory.blas_blocks += 1

    def leave(self) -> None:
        with self._lock:
            self._blocks -= 1
            _memory.blas_blocks -= 1
            if self._blocks == 0:
                self._restore()

    def renew(self) -> None:
        """In a forked child, whose only thread leaves its own blocks and nobody those of others."""
        self._lock = threading.Lock()
        limited, self._blocks = self._blocks, _memory.blas_blocks
        if limited and not self._blocks:
            self._restore()

    def _restore(self) -> None:
        for library, threads in zip(_blas(), self._before, strict=True):
            library.set_num_threads(threads)


_blas_limit = _BlasLimit()
in_forked_child(_blas_limit.renew)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Keep the linear algebra of a block on its own thread.

    Products of small matrices lose more to the synchronization of threads than they gain, and
    several threads that each start more of them fight for the cores.
    """
    # Not threadpoolctl's own limit, which takes twice as long, a twentieth of an expected update.
    _blas_limit.enter()
    try:
        yield
    finally:
        _blas_limit.leave()


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
