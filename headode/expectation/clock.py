"""The race of exponential clocks: softmax denominators made one-dimensional (theory: tokens).

Token l rings at rate W_l, so that it wins with probability p_l = W_l/(ν + Σ_j W_j), where ν is a
null token's rate. Given the time e^x the tokens are independent: with a = e^x W, g = e^{−a},
n = E g,

    E p_ε    = ∫dx Z r_ε n^{L−1},                                  r = E[a g] = −∂_x n
    E Σ p_l² = ∫dx Z [q_ε n^{L−1} + (L−1) q n_ε n^{L−2}],          q = E[a² g]

with Z = exp(−ν e^x), unmarked tokens without and the marked one with index ε. The first variation
of −α₁ E p_ε + ½ α₂ E Σ p² with respect to the law of a token is the expectation of a function Ψ of
the token's log-rate y alone; its derivatives are the expected slope and bend of the loss along y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headode._checks import Array
from headode.expectation.clock_functions import SLOPES, averaged_functions, clock_times
from headode.expectation.gaussian_rule import TooManyNodes
from headode.expectation.log_rates import LogRates
from headode.kernels.lattice import answer, race_sums, race_window, ring

# Fraction of the tolerance that each cut-off tail may contribute.
TAIL = 1e-2
# Points of the clock's grid between two looks at whether the race has begun, or is over.
LOOK = 6
# Points of the clock's grid times those of the lattice: a tenth of a second or so.
LARGEST_WORK = 1 << 23


@dataclass(frozen=True)
class Race:
    """What a race gives.

    Attributes:
        marked: E p_ε.
        squared: E Σ_l p_l².
        coefficients: (2, 3, points) of Ψ' (see the kernel).
    """

    marked: float
    squared: float
    coefficients: Array

    def potentials(self, laws: LogRates, clock: Clock) -> list[Array]:
        """Ψ' and Ψ'' on the lattice of log-rates, for each group of laws (n, channels, 2, B).

        The unmarked law's are summed over the L − 1 tokens.
        """
        result = []
        for group, functions in zip(laws.groups, clock.functions, strict=True):
            potential = np.zeros((*group.y.shape[:2], 2, laws.size))
            steps = clock.offset, laws.lattice.stride
            answer(self.coefficients, functions, *steps, group.laws, potential)
            result.append(potential)
        return result


def run_race(
    laws: LogRates,
    clock: Clock,
    probabilities: Array,
    race: tuple[int, float],
    alpha: tuple[float, float] = (0.0, 0.0),
) -> Race:
    """Evaluate a race.

    Args:
        laws: of an unmarked token, then of the marked one under each component of the signal.
        clock: that covers their race.
        probabilities: (S,) of the components.
        race: L and ν.
        alpha: α₁, α₂ of the first variation.
    """
    length, null = race
    rung = _rung(laws, clock.functions, (clock.offset, laws.lattice.stride), clock.points)
    coefficients = np.empty((2, 3, clock.points))
    given = rung, clock.weights(null), probabilities, length, alpha
    return Race(*race_sums(*given, coefficients), coefficients)


@dataclass(frozen=True)
class Clock:
    """The clock's grid, x_j = (first + j) stride step, and its functions of x + y.

    Attributes:
        first: index of x_0.
        points: their number.
        spacing: of x.
        times: e^x.
        functions: for each group of laws (channels, powers + 1, n) on the lattice of x + y.
        offset: where in them x_0 and the first point of y are.
    """

    first: int
    points: int
    spacing: float
    times: Array
    functions: list[Array]
    offset: int

    @classmethod
    def covering(cls, laws: LogRates, length: int, tolerance: float, powers: int = SLOPES) -> Clock:
        """From before any token has rung until none is left, with powers of a up to this one."""
        lattice, cut = laws.lattice, TAIL * tolerance
        stride, spacing = lattice.stride, lattice.clock_step
        lowest, highest = laws.span(cut / length**2)
        first = math.floor((math.log(cut / length) - highest) / spacing)
        last = math.ceil((math.log(math.log(length**2 / cut)) + 1.0 - lowest) / spacing)
        looks = -(-(last - first) // LOOK) + 1
        if looks * LOOK * laws.size > LARGEST_WORK:
            raise TooManyNodes(
                f"log-rates between {lowest:.3g} and {highest:.3g} are too far apart for the "
                "factorized method (try method auto)"
            )
        count, low = (looks * LOOK + 1) * stride + laws.size, first * stride + laws.first
        steps = low, count, powers, length
        functions = [
            averaged_functions(lattice, group.rule.deviation, group.rule.zeta, cut, *steps)
            for group in laws.groups
        ]
        before, over = race_window(_rung(laws, functions, (0, LOOK * stride), looks), length, cut)
        start, points = LOOK * before, LOOK * (over - before) + 1
        times = clock_times(spacing * (first + start), spacing, points)
        return cls(first + start, points, spacing, times, functions, start * stride)

    @property
    def window(self) -> tuple[float, float]:
        """Logarithmic times between which the race takes place."""
        return self.spacing * self.first, self.spacing * (self.first + self.points - 1)

    def weights(self, null: float) -> Array:
        """(points,) the null token's survival times the spacing."""
        return self.spacing * np.exp(-null * self.times)


def _rung(laws: LogRates, functions: list[Array], steps: tuple[int, int], points: int) -> Array:
    """(laws, 3, points): 1 − n, r and q, from an offset on at every so many lattice points."""
    sums = np.zeros((laws.count, 3, points))
    for group, mass, each in zip(laws.groups, laws.mass, functions, strict=True):
        ring(mass, each, *steps, group.laws, sums)
    return sums


def survivors(missed: Array, length: int, null: Array) -> tuple[Array, Array, Array]:
    """Z n^{L−1}, Z n^{L−2} and Z n^{L−3} from 1 − n; a power below zero is never used, and 1."""
    with np.errstate(divide="ignore"):
        log_n = np.log1p(-np.minimum(missed, 1.0))
    exponents = (length - 1, length - 2, length - 3)
    one, two, three = (null * np.exp(e * log_n) if e > 0 else null for e in exponents)
    return one, two, three
