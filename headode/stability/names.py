"""What a mode of the linearized dynamics is, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from headode._checks import Array
from headode._signs import leading_signs

# Squared fraction of a mode beyond which one pattern of the residuals is all of it.
NEARLY_ALL = 0.96
# Entries below this fraction of the largest one are not mentioned.
SMALL = 0.25
# Components of a direction of unit length that are told: those that would not round to 0.0.
TOLD = 0.05


def name_of(parts: Mapping[str, Array], apart: tuple[int, ...], alike: bool) -> str:
    """The name of a mode.

    Args:
        parts: the mode's M (H, F), R (H, H), offset (H,), m_v, r_v, as far as there are any.
        apart: heads of the exchangeable class that differ; empty if those of a class stay alike.
        alike: whether all heads of the state are exchangeable.

    Returns:
        Such as "all heads along feature 1", "heads apart along feature 2", "residual, common".
    """
    sizes = {kind: float((values**2).sum()) for kind, values in parts.items()}
    kind = max(sizes, key=lambda each: sizes[each])
    if kind == "R":
        return _residual_name(parts["R"], apart, alike)
    if kind in ("m_v", "r_v"):
        return "value, along the teacher's" if kind == "m_v" else "value, residual"
    if kind == "offset":
        return f"offsets of {_heads(parts['offset'], apart)}"
    pattern, direction = _leading(parts["M"])
    return f"{_heads(pattern, apart)} along {_direction(direction)}"


def _leading(M: Array) -> tuple[Array, Array]:
    """Head pattern and direction of the largest part of the overlaps."""
    patterns, sizes, directions = np.linalg.svd(M, full_matrices=False)
    pattern, direction = patterns[:, 0] * sizes[0], directions[0]
    sign = leading_signs(direction)
    return sign * pattern, sign * direction


def _heads(pattern: Array, apart: tuple[int, ...]) -> str:
    if apart:
        return "heads apart" if len(apart) == len(pattern) else f"{_list(apart)} apart"
    matter = np.abs(pattern) > SMALL * np.abs(pattern).max()
    if not matter.any():
        return "no head"
    up = tuple(np.flatnonzero(matter & (pattern > 0)).tolist())
    down = tuple(np.flatnonzero(matter & (pattern < 0)).tolist())
    if len(up) == len(pattern) or len(down) == len(pattern):
        return "all heads" if len(pattern) > 1 else "the head"
    return " against ".join(_list(group) for group in sorted((up, down)) if group)


def _list(heads: tuple[int, ...]) -> str:
    numbers = ", ".join(str(head + 1) for head in heads)
    return f"head {numbers}" if len(heads) == 1 else f"heads {numbers}"


def _direction(direction: Array) -> str:
    kept = np.flatnonzero(np.abs(direction) >= TOLD)
    if len(kept) == 1:
        return f"feature {kept[0] + 1}"
    terms = [f"{'−' if direction[f] < 0 else '+'} {abs(direction[f]):.2f} e{f + 1}" for f in kept]
    return " ".join(terms).removeprefix("+ ")


def _residual_name(R: Array, apart: tuple[int, ...], alike: bool) -> str:
    heads = len(R)
    if heads == 1:
        return "residual"
    mean = np.full((heads, heads), 1.0 / heads)
    rest = np.eye(heads) - mean
    total = float((R**2).sum())
    common = float(((mean @ R @ mean) ** 2).sum())
    differences = float(((rest @ R @ rest) ** 2).sum())
    values, patterns = np.linalg.eigh(R)
    strongest = int(np.abs(values).argmax())
    single = values[strongest] ** 2 >= NEARLY_ALL * total
    if common >= NEARLY_ALL * total:
        return "residual, common"
    if differences >= NEARLY_ALL * total and (apart or alike or not single):
        return "residual, heads apart" if len(apart) in (0, heads) else f"residual, {_list(apart)}"
    if single:
        return f"residual, {_heads(patterns[:, strongest], ())}"
    if len(apart) == heads:
        return "residual, common with heads apart"
    return f"residual, {_list(apart)} apart" if apart else "residual, pairs of heads"
