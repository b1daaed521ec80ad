"""Grids of logarithmic times, and what series become on them.

A grid is symmetric about its center: the waves on one side of it give those on the other one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.kernels._compile import compiled

# Waves are made by rotation and started anew this often, so that all their digits are right.
ROTATIONS = 16


class HalfWaves(NamedTuple):
    """Waves at the points on one side of a grid: at step/2, 3 step/2, … from its center.

    Attributes:
        cosines: (K + 1, half) cos jk₁x in row j.
        sines: (K + 1, half) likewise.
    """

    cosines: Array
    sines: Array


class PairGrids(NamedTuple):
    """For each head the grid that it has in all its pairs.

    Arrays are as long as the longest grid takes.

    Attributes:
        centers: (H,).
        steps: (H,).
        halves: (H,) points on one side; all 0 if a race takes too many.
        cosines: (H, (K + 1) · half) of the waves, row after row.
        sines: (H, (K + 1) · half).
        growth: (H, points) e^{α(x − center)}.
        weight: (H, points) the null token's survival Z, times the step.
        survival: (H, 2, points) n, of an unmarked token and of the marked one.
    """

    centers: Array
    steps: Array
    halves: NDArray[np.int64]
    cosines: Array
    sines: Array
    growth: Array
    weight: Array
    survival: Array


@compiled
def waves_of(grids: PairGrids, h: int, rows: int) -> HalfWaves:
    """The first ``rows`` waves on a head's grid."""
    half = grids.halves[h]
    return HalfWaves(
        grids.cosines[h, : rows * half].reshape((rows, half)),
        grids.sines[h, : rows * half].reshape((rows, half)),
    )


@compiled
def fill_waves(step: float, base: float, waves: HalfWaves) -> None:
    """cos and sin of jk₁x."""
    cosines, sines = waves
    for j in range(cosines.shape[0]):
        k = j * base
        turn_cos, turn_sin = math.cos(k * step), math.sin(k * step)
        for begin in range(0, cosines.shape[1], ROTATIONS):
            cos = math.cos(k * (begin + 0.5) * step)
            sin = math.sin(k * (begin + 0.5) * step)
            for i in range(begin, min(begin + ROTATIONS, cosines.shape[1])):
                cosines[j, i], sines[j, i] = cos, sin
                cos, sin = cos * turn_cos - sin * turn_sin, sin * turn_cos + cos * turn_sin


@compiled
def fill_growth(tilt: float, step: float, growth: Array) -> None:
    """e^{αx}, with x from the center of the grid, at all points in their order."""
    half = growth.size // 2
    for i in range(half):
        growth[half + i] = math.exp(tilt * (i + 0.5) * step)
        growth[half - 1 - i] = 1.0 / growth[half + i]


@compiled
def fill_weight(start: float, step: float, null: float, weight: Array) -> None:
    """Z(x) = exp(−ν e^x) times the step, from ``start`` on."""
    for i in range(weight.size):
        weight[i] = step * math.exp(-null * math.exp(min(start + i * step, 700.0)))
