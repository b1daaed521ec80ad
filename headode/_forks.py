"""What a forked child must not take over from its parent.

Of a process that has several threads a child gets one, and the memory: a pool without its threads,
and locks that nobody will release.
"""

from __future__ import annotations

import os
from collections.abc import Callable


def in_forked_child(renew: Callable[[], object]) -> None:
    """Call ``renew`` in each process that this one forks, before anything else runs there."""
    if hasattr(os, "register_at_fork"):  # Windows cannot fork
        os.register_at_fork(after_in_child=renew)
