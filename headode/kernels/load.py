"""Find the compiled kernel of an activation, emitting it first for a registered one."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from headode._cache_folders import find_file, keep_file
from headode.activation import BUILTIN, Activation

Kernel = Callable[..., None]

_loaded: dict[Activation, ModuleType] = {}


def load_kernel(activation: Activation) -> Kernel:
    """The ``accumulate`` function of an activation's kernel module: quasi-Monte-Carlo sums."""
    kernel: Kernel = load_module(activation).accumulate
    return kernel


def load_token_law(activation: Activation) -> Kernel:
    """The ``token_law`` function of a normalized activation's kernel module: pooled log-rates."""
    kernel: Kernel = load_module(activation).token_law
    return kernel


def load_module(activation: Activation) -> ModuleType:
    """The kernel module of an activation.

    Built-in activations have theirs in ``headode.kernels.generated``. A registered one gets a
    module in the user's cache folder (``HEADODE_CACHE_DIR`` moves it), named by a hash of its
    source, so that a changed activation or a changed template can never meet a stale kernel.
    """
    if activation not in _loaded:
        if BUILTIN.get(activation.name) == activation:
            module = import_module(f"headode.kernels.generated.{activation.name}")
        else:
            module = _user_module(activation)
        _loaded[activation] = module
    return _loaded[activation]


def _user_module(activation: Activation) -> ModuleType:
    from headode.symbolic.numba_source import kernel_source

    source = kernel_source(activation)
    name = f"{activation.name}_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    if find_file(f"{name}.py") != source.encode():
        keep_file(f"{name}.py", source.encode())
    module = ModuleType(f"headode_user_{name}")
    # Functions that are loaded from the disk find their module again by its name.
    sys.modules[module.__name__] = module
    # Not the file, which is there to be read: there may be none, or it may be altered by now.
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module
