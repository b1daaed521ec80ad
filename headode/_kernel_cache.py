"""Compiled functions, whose machine code later processes load from the disk.

Numba's own cache fails where a folder cannot be written or a file is damaged, and does not notice
when a function is changed that a cached one calls. Here the name of a file holds a hash of
everything that its contents depend on, so that they are never out of date, and the file begins with
a hash of the contents, so that a damaged one is none.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from importlib.metadata import version
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba import config, njit
from numba.core.dispatcher import Dispatcher

from headode._cache_folders import find_file, keep_file

_DIGEST = hashlib.sha256().digest_size


def cached(**options: Any) -> Callable[[Any], Any]:
    """Like ``numba.njit(**options)``, with the machine code kept on disk."""

    def compiled(function: Any) -> Any:
        made: Any = njit(**options)(function)
        if _is_compiled(made):  # not with NUMBA_DISABLE_JIT
            made._cache = KernelCache(made)
        return made

    return compiled


def _is_compiled(value: Any) -> bool:
    return isinstance(value, Dispatcher)


class KernelCache:
    """What numba asks of the cache of one function.

    All that it needs of numba's inside is in here. If that changes, functions are compiled anew in
    each process, and a line says so.
    """

    cache_path = None

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The compiled function for these argument types; None if there is none."""
        try:
            from numba.core import compiler

            target.refresh()
            found = find_file(self._name(signature, target.codegen()))
            if found is None or hashlib.sha256(found[_DIGEST:]).digest() != found[:_DIGEST]:
                return None
            rebuild: Any = compiler.CompileResult._rebuild
            return rebuild(target, *pickle.loads(found[_DIGEST:]))
        except Exception:  # whatever is the matter with it, it is compiled again
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep a compiled function, if possible."""
        try:
            from numba.core import serialize

            # Code that holds addresses of this process, or parts that run in the interpreter.
            if result.lifted or result.library.has_dynamic_globals:
                return
            dumps: Any = serialize.dumps
            contents = dumps(result._reduce())
            name = self._name(signature, result.codegen)
        except Exception as error:
            _say_why(f"{type(error).__name__}: {error}")
            return
        keep_file(name, hashlib.sha256(contents).digest() + contents)

    def enable(self) -> None:
        """Do nothing: it always is."""

    def disable(self) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing: there is nothing out of date."""

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._dispatcher)

    def _name(self, signature: Any, codegen: Any) -> str:
        function = self._dispatcher.py_func
        parts = (_versions(), self._fingerprint, repr(signature), codegen.magic_tuple())
        key = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
        return f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}-{key}.nbc"


@cache
def _say_why(reason: str) -> None:
    """Once for each reason."""
    logging.getLogger("headode").warning("compiled code cannot be kept: %s", reason)


@cache
def _versions() -> tuple[str | None, ...]:
    """What else the machine code depends on: versions, and settings of numba's."""
    packages = ("numba", "llvmlite", "numpy")
    names = ("OPT", "BOUNDSCHECK", "DEBUGINFO_DEFAULT")
    settings = (repr(getattr(config, name, None)) for name in names)
    return (sys.implementation.cache_tag, *(version(name) for name in packages), *settings)


def fingerprint(function: Any) -> str:
    """A hash of what a function is compiled from: its code, and all that it uses of its module.

    Functions that it calls count with theirs, constants and arrays with their values.
    """
    hasher = hashlib.sha256()
    for part in _parts(function, {}):
        hasher.update(part)
        hasher.update(b"\0")
    return hasher.hexdigest()


def _parts(value: Any, seen: dict[int, int]) -> Iterator[bytes]:
    """What determines a value that is frozen into machine code."""
    if _is_compiled(value):
        options = {
            name: sorted(option) if isinstance(option, set) else option
            for name, option in value.targetoptions.items()
        }
        yield repr(sorted(options.items())).encode()
        value = value.py_func
    value = getattr(value, "_defn", value)  # of an intrinsic
    if isinstance(value, FunctionType):
        if id(value) in seen:
            yield str(seen[id(value)]).encode()
            return
        seen[id(value)] = len(seen)
        yield f"{value.__module__}.{value.__qualname__}".encode()
        yield repr(value.__defaults__).encode()
        for cell in value.__closure__ or ():
            yield from _parts(cell.cell_contents, seen)
        yield from _code_parts(value.__code__, value.__globals__, seen)
    elif isinstance(value, ModuleType):
        if value.__name__.partition(".")[0] == "headode":
            message = f"compiled code must import names from {value.__name__}, not the module"
            raise TypeError(message)
        yield value.__name__.encode()
    elif isinstance(value, type):
        yield f"{value.__module__}.{value.__qualname__}{getattr(value, '_fields', '')}".encode()
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype}{value.shape}".encode()
        yield value.tobytes()
    else:
        yield repr(value).encode()


def _code_parts(code: CodeType, module: dict[str, Any], seen: dict[int, int]) -> Iterator[bytes]:
    yield code.co_code
    yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_parts(constant, module, seen)
        else:
            ordered = sorted(constant, key=repr) if isinstance(constant, frozenset) else constant
            yield repr(ordered).encode()
    for name in code.co_names:
        if name in module:
            yield from _parts(module[name], seen)
