"""Find the compiled kernel of an activation, emitting it first for a registered one."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from headode._files import whole_file
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


def cache_folder() -> Path:
    """Where the kernels of registered activations are kept."""
    import platformdirs

    chosen = os.environ.get("HEADODE_CACHE_DIR")
    folder = Path(chosen) if chosen else Path(platformdirs.user_cache_dir("headode")) / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # e.g. a read-only home on a cluster node
        folder = Path(tempfile.gettempdir()) / "headode-kernels"
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _user_module(activation: Activation) -> ModuleType:
    from headode.symbolic.numba_source import kernel_source

    source = kernel_source(activation).encode()
    name = f"{activation.name}_{hashlib.sha256(source).hexdigest()[:16]}"
    path = cache_folder() / f"{name}.py"
    if not path.exists() or path.read_bytes() != source:
        # Several workers may do this at once: each writes its own file and renames it into place.
        with whole_file(path) as temporary:
            temporary.write_bytes(source)
    return _import_file(f"headode_user_{name}", path)


def _import_file(name: str, path: Path) -> ModuleType:
    spec: Any = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    # numba's cache on disk finds the functions of a module again by its name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
