"""The law of a token's log-rate, held as masses on a lattice, and what clocks make of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.expectation.clock_functions import Lattice
from headode.expectation.common_mode import TokenRule
from headode.expectation.threads import run_all, scratch
from headode.kernels.lattice import BEFORE, LANES, WIDTH, collect, deposit
from headode.kernels.load import Kernel

# Nodes in all above which several threads pay; of a task at least, and tasks of a law at most.
PARALLEL_NODES = 1 << 13
TASK_NODES, MOST_TASKS = 1 << 12, 16


@dataclass(frozen=True)
class Group:
    """Laws of a token's log-rate that share the rule of the fields.

    Attributes:
        rule: of the fields.
        laws: (n,) which ones they are.
        y: (n, channels, N) log-rates at the nodes, the common mode left out.
        shares: (n, channels, 2, H, N) ∂_h y and w_h''/Σw; exponential scores, for which they are
            equal, have them once, (n, channels, 1, H, N).
    """

    rule: TokenRule
    laws: NDArray[np.int64]
    y: Array
    shares: Array


@dataclass(frozen=True)
class LogRates:
    """The laws of a token's log-rate: an unmarked one's, then the marked one's per component.

    Attributes:
        lattice: holds the masses.
        groups: the laws, those with the same rule in one group.
        first: index of the first lattice point.
        mass: for each group (n, channels, B).
    """

    lattice: Lattice
    groups: Sequence[Group]
    first: int
    mass: list[Array]

    @classmethod
    def of(
        cls,
        law_of: Kernel,
        means: Array,
        rules: Sequence[tuple[TokenRule, NDArray[np.int64]]],
        lattice: Lattice,
        *,
        shifts: bool,
    ) -> LogRates:
        """Evaluate the log-rates at the nodes and put their weights on the lattice.

        They are kept in scratch memory: valid until this thread asks for other laws.

        Args:
            law_of: the activation's ``token_law`` kernel.
            means: (laws, H) of the shifted fields.
            rules: each with the laws that have it.
            lattice: to put them on.
            shifts: whether scores are exponential.
        """
        groups = []
        for g, (rule, laws) in enumerate(rules):
            channels, (heads, count) = rule.zeta.size, rule.fields.nodes.shape
            y = scratch(("log-rates", g), (laws.size, channels, count))
            slopes = laws.size, channels, 1 if shifts else 2, heads, count
            groups.append(Group(rule, laws, y, scratch(("shares", g), slopes)))
        shifted = [means[group.laws] for group in groups]

        def given(g: int, laws: slice, begin: int, end: int) -> tuple[Any, ...]:
            group, rule = groups[g], groups[g].rule
            fields = rule.fields.nodes, rule.rest, rule.zeta, shifted[g][laws]
            return *fields, begin, end, group.y[laws], group.shares[laws]

        _run(law_of, groups, given)
        return cls.holding(groups, lattice)

    @classmethod
    def holding(cls, groups: Sequence[Group], lattice: Lattice) -> LogRates:
        """Put the weights of nodes whose log-rates are known on the lattice."""
        lowest = min(float(group.y.min()) for group in groups)
        highest = max(float(group.y.max()) for group in groups)
        first = math.floor(lowest / lattice.step) - BEFORE
        size = math.floor(highest / lattice.step) + WIDTH - first
        mass = [np.zeros((*group.y.shape[:2], size)) for group in groups]

        def given(g: int, laws: slice, begin: int, end: int) -> tuple[Any, ...]:
            y, weights = groups[g].y[laws], groups[g].rule.fields.weights
            received = np.zeros((*y.shape[:2], size)) if begin else mass[g][laws]
            return y, weights, begin, end, float(first), lattice.step, received

        for g, laws, (*_, begin, _, _, _, part) in _run(deposit, groups, given):
            if begin:
                mass[g][laws] += part
        return cls(lattice, groups, first, mass)

    @cached_property
    def count(self) -> int:
        """Number of laws."""
        return sum(group.laws.size for group in self.groups)

    @cached_property
    def size(self) -> int:
        """Number of lattice points."""
        return int(self.mass[0].shape[2])

    def span(self, tolerance: float) -> tuple[float, float]:
        """Between which a token's log-rate is, the common mode included."""
        step = self.lattice.step
        reach = math.sqrt(2 * math.log(1 / tolerance))
        reach *= max(group.rule.deviation for group in self.groups)
        return self.first * step - reach, (self.first + self.size) * step + reach

    def gradients(self, potentials: list[Array]) -> tuple[Array, Array]:
        """(laws, H) and (laws, H, H) expected derivatives of functions of the log-rate.

        Args:
            potentials: for each group (n, channels, 2, B) first and second derivative on the
                lattice.
        """
        heads = self.groups[0].shares.shape[3]

        def given(g: int, laws: slice, begin: int, end: int) -> tuple[Any, ...]:
            group = self.groups[g]
            nodes = group.y[laws], group.rule.fields.weights, begin, end
            lattice = float(self.first), self.lattice.step
            count = group.laws[laws].size
            received = np.zeros((count, heads)), np.zeros((count, heads, heads))
            return *nodes, *lattice, potentials[g][laws], group.shares[laws], *received

        first, second = np.zeros((self.count, heads)), np.zeros((self.count, heads, heads))
        for g, laws, (*_, gradient, curvature) in _run(collect, self.groups, given):
            first[self.groups[g].laws[laws]] += gradient
            second[self.groups[g].laws[laws]] += curvature
        return first, second


def _run(
    kernel: Callable[..., None],
    groups: Sequence[Group],
    given: Callable[[int, slice, int, int], tuple[Any, ...]],
) -> list[tuple[int, slice, tuple[Any, ...]]]:
    """Call a kernel on some laws and ranges of nodes, with several threads where these pay.

    Args:
        kernel: to call.
        groups: whose nodes.
        given: the arguments for a group, some of its laws, and a range of its nodes.

    Returns:
        For each call the group, its laws, and the arguments.
    """
    parallel = sum(group.y.size for group in groups) >= PARALLEL_NODES
    parts: list[tuple[int, slice]] = []
    tasks = []
    for g, group in enumerate(groups):
        laws, channels, count = group.y.shape
        # What a call adds to is its own: the fewer calls for a law, the less there is to add up.
        step = max(TASK_NODES // channels, count // MOST_TASKS) if parallel else count
        step = max(-(-step // LANES), 1) * LANES
        each = 1 if parallel else laws
        for law, begin in itertools.product(range(0, laws, each), range(0, count, step)):
            parts.append((g, slice(law, law + each)))
            tasks.append(given(*parts[-1], begin, min(begin + step, count)))
    run_all(kernel, tasks, parallel)
    return [(*part, task) for part, task in zip(parts, tasks, strict=True)]
