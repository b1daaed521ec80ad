"""Expected updates by scrambled Sobol nodes over the student's local fields (theory: generic).

The node is a point z of R^{L×H}; the fields are u_l = S z_l with S the symmetric root of Q. The
marked token is token 0, by symmetry; θ is summed over the components of P_θ. Independent scrambles
give the error, and nodes are doubled until it is below the tolerance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import stdtrit

from headode._checks import Array
from headode.expectation.assembly import Assembly
from headode.expectation.field_laws import state_laws
from headode.expectation.moments import Moments
from headode.expectation.nodes import REPLICATES, NodeSet, node_set
from headode.expectation.root import symmetric_root
from headode.expectation.terms import ExpectedUpdate
from headode.expectation.threads import run_all
from headode.kernels.load import load_kernel
from headode.model import Model
from headode.order_parameters import OrderParameters

# Blocks one task works through, and the work (nodes × fields × components) below which
# distributing tasks over threads costs more than it gains.
TASK_BLOCKS = 64
SMALLEST_PARALLEL_WORK = 1 << 18

# Half-width of the 95 % confidence interval of a mean over the replicates, in standard errors.
CONFIDENCE = float(stdtrit(REPLICATES - 1, 0.975))


class QuasiMonteCarlo:
    """Evaluates expected updates of one model; remembers how many nodes the tolerance took.

    Nodes are only ever added, so that along a trajectory the right-hand side is a smooth
    function of the state except at the few times where a level is added.

    Args:
        model: any model.
        noise: also compute N and the noise of q_v.
        tolerance: target of the largest error of risk, G, C (and N).
        seed: of the scrambles.
        only_noise: judge the tolerance by N and the noise of q_v alone, because the caller takes
            the other terms from elsewhere.
    """

    def __init__(
        self,
        model: Model,
        *,
        noise: bool = False,
        tolerance: float = 1e-6,
        seed: int = 0,
        only_noise: bool = False,
    ) -> None:
        self._model = model
        self._noise = noise
        self._only_noise = only_noise
        self._tolerance = tolerance
        self._seed = seed
        self._kernel = load_kernel(model.activation)
        self._level = 0
        H, S = model.heads, model.signal.components
        self._layout = np.cumsum([3, S * H, S * H * H, H * H, H, H * H])

    def __call__(self, state: OrderParameters) -> ExpectedUpdate:
        """The expected updates at this state; the error may be above the tolerance."""
        nodes = node_set(self._model.tokens, self._model.heads, self._seed)
        assembly = Assembly.of(self._model, state)
        sums = np.zeros((REPLICATES, self._layout[-1]))
        for level in range(self._level + 1):
            sums += self._level_sums(nodes, level, state)
        terms = self._terms(sums, nodes.total(self._level), assembly)
        while terms.error > self._tolerance and self._level < nodes.last_level:
            self._level += 1
            sums += self._level_sums(nodes, self._level, state)
            terms = self._terms(sums, nodes.total(self._level), assembly)
        return terms

    def _level_sums(self, nodes: NodeSet, level: int, state: OrderParameters) -> Array:
        """(replicates, sums) over the nodes of one level; independent of the number of threads."""
        model, signal = self._model, self._model.signal
        laws = state_laws(model, state)
        root = symmetric_root(state.Q)
        marked_roots = root[None]
        if not signal.is_discrete:
            marked_roots = symmetric_root(laws.covariances[1:])
        fixed = (
            root,
            laws.means[0],
            np.ascontiguousarray(marked_roots),
            laws.means[1:],
            signal.probabilities,
            state.m_v,
            state.q_v,
            model.label_variance,
            model.prefactor,
            self._noise,
        )
        tasks = []
        owners = []
        for replicate, blocks in enumerate(nodes.level(level)):
            for start in range(0, len(blocks), TASK_BLOCKS):
                part = np.zeros(self._layout[-1])
                tasks.append((blocks[start : start + TASK_BLOCKS], *fixed, part))
                owners.append(replicate)
        work = sum(task[0].size for task in tasks) * signal.components
        run_all(self._kernel, tasks, parallel=work >= SMALLEST_PARALLEL_WORK)
        total = np.zeros((REPLICATES, self._layout[-1]))
        for replicate, task in zip(owners, tasks, strict=True):
            total[replicate] += task[-1]
        return total

    def _terms(self, sums: Array, nodes: int, assembly: Assembly) -> ExpectedUpdate:
        """The terms, and their error from those of each replicate."""
        rows = sums / (nodes // REPLICATES)
        replicates = np.array([self._judged(self._moments(row), assembly) for row in rows])
        spread = replicates.std(axis=0, ddof=1).max()
        error = float(CONFIDENCE * spread / np.sqrt(REPLICATES))
        moments = self._moments(rows.mean(axis=0))
        moments.nodes = nodes
        return assembly.terms(moments, method="quasi_monte_carlo", error=error)

    def _judged(self, moments: Moments, assembly: Assembly) -> Array:
        """The entries whose error counts."""
        terms = assembly.terms(moments, method="quasi_monte_carlo")
        if self._noise and not self._model.learns_value:
            terms = replace(terms, value_noise=None)
        entries = terms.entries()
        if self._only_noise:
            return entries[replace(terms, N=None, value_noise=None).entries().size :]
        return entries

    def _moments(self, row: Array) -> Moments:
        """Moments from the kernel's sums, divided by the number of nodes."""
        H, probabilities = self._model.heads, self._model.signal.probabilities
        S = len(probabilities)
        scalars, slopes, marked, other, total_slope, noise = np.split(row, self._layout[:-1])
        first, second = np.empty((S + 1, H)), np.empty((S + 1, H, H))
        first[1:] = slopes.reshape(S, H)
        # The kernel's sum is over all tokens.
        first[0] = total_slope - probabilities @ first[1:]
        second[0] = _full(other.reshape(H, H))
        second[1:] = _full(marked.reshape(S, H, H))
        moments = Moments(float(scalars[0]), float(scalars[1]), first, second)
        if self._noise:
            moments.noise = _full(noise.reshape(H, H))
            moments.value_noise = float(scalars[2])
        return moments


def _full(lower: Array) -> Array:
    """Symmetric matrices from lower triangles (the upper ones hold zeros)."""
    upper = np.tril(lower, -1).swapaxes(-1, -2)
    full: Array = lower + upper
    return full
