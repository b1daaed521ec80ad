"""Expected updates by scrambled Sobol nodes over the student's local fields (theory: generic).

The node is a point z of R^{L×H}; the fields are u_l = S z_l with S the symmetric root of Q. The
marked token is token 0, by symmetry; θ is summed over the components of P_θ. Independent scrambles
give the error, and nodes are doubled until it is below the tolerance.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.special import stdtrit

from headode._checks import Array
from headode.errors import ToleranceWarning
from headode.expectation.nodes import REPLICATES, NodeSet, node_set
from headode.expectation.root import symmetric_root
from headode.expectation.symmetry import Symmetry
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
        self._warned = False
        H, S = model.heads, model.signal.components
        self._layout = np.cumsum([3, S * H, S * H * H, H * H, H, H * H])

    def __call__(self, state: OrderParameters) -> ExpectedUpdate:
        """The expected updates at this state.

        Warns:
            ToleranceWarning: once, if the largest number of nodes does not reach the tolerance.
        """
        nodes = node_set(self._model.tokens, self._model.heads, self._seed)
        symmetry = Symmetry.of(self._model, state)
        sums = np.zeros((REPLICATES, self._layout[-1]))
        for level in range(self._level + 1):
            sums += self._level_sums(nodes, level, state)
        terms = self._assemble(sums, nodes.total(self._level), state, symmetry)
        while terms.error > self._tolerance and self._level < nodes.last_level:
            self._level += 1
            sums += self._level_sums(nodes, self._level, state)
            terms = self._assemble(sums, nodes.total(self._level), state, symmetry)
        if terms.error > self._tolerance and not self._warned:
            self._warned = True
            text = (
                f"Quasi-Monte-Carlo reached an error of {terms.error:.1e} with the largest number "
                f"of nodes, {terms.nodes}; the tolerance is {self._tolerance:.1e}."
            )
            warnings.warn(text, ToleranceWarning, stacklevel=3)
        return terms

    def _level_sums(self, nodes: NodeSet, level: int, state: OrderParameters) -> Array:
        """(replicates, sums) over the nodes of one level; independent of the number of threads."""
        model, signal = self._model, self._model.signal
        root = symmetric_root(state.Q)
        marked_roots = root[None]
        if not signal.is_discrete:
            spread = np.einsum("hf,sfg,kg->shk", state.M, signal.covariances, state.M)
            marked_roots = symmetric_root(state.Q + spread)
        shift = -model.offsets(state)
        marked_means = signal.means @ state.M.T + shift
        fixed = (
            root,
            shift,
            np.ascontiguousarray(marked_roots),
            marked_means,
            signal.probabilities,
            state.m_v,
            state.q_v,
            1.0 + model.label_noise**2,
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

    def _assemble(
        self, sums: Array, count: int, state: OrderParameters, symmetry: Symmetry
    ) -> ExpectedUpdate:
        """Means over nodes, the terms of each replicate, their mean and error."""
        model, signal = self._model, self._model.signal
        H, S = model.heads, signal.components
        means = sums / (count // REPLICATES)
        parts = np.split(means, self._layout[:-1], axis=1)
        scalars, rows, marked, other, shift_gradient, noise = parts
        first = rows.reshape(-1, S, H)
        marked = _full(marked.reshape(-1, S, H, H))
        weighted = signal.probabilities[:, None] * first
        G = np.einsum("rsh,sf->rhf", weighted, signal.means)
        if not signal.is_discrete:
            carried = np.einsum("s,gf,sfe->sge", signal.probabilities, state.M, signal.covariances)
            G += np.einsum("rshg,sgf->rhf", marked, carried)
        C = np.einsum("s,rshk->rhk", signal.probabilities, marked)
        C += _full(other.reshape(-1, H, H))
        offset_gradient = -shift_gradient
        if model.is_nishimori:
            C += offset_gradient[:, :, None] * np.eye(H)
        N = _full(noise.reshape(-1, H, H))
        if symmetry:
            G, C = symmetry.project_rows(G), symmetry.project_matrix(C)
            N, offset_gradient = symmetry.project_matrix(N), symmetry.project_heads(offset_gradient)
        loss_level = 1.0 + model.label_noise**2
        risk = 0.5 * (loss_level - 2 * state.m_v * scalars[:, 0] + state.q_v * scalars[:, 1])
        judged = [risk[:, None], scalars[:, :2], offset_gradient, _flat(G), _flat(C)]
        if self._noise:
            noises = [_flat(N), scalars[:, 2:]] if model.learns_value else [_flat(N)]
            judged = noises if self._only_noise else judged + noises
        spread = np.concatenate(judged, axis=1).std(axis=0, ddof=1).max()
        return ExpectedUpdate(
            risk=float(risk.mean()),
            G=G.mean(axis=0),
            C=C.mean(axis=0),
            N=N.mean(axis=0) if self._noise else None,
            marked_attention=float(scalars[:, 0].mean()),
            squared_attention=float(scalars[:, 1].mean()),
            value_noise=float(scalars[:, 2].mean()) if self._noise else None,
            offset_gradient=offset_gradient.mean(axis=0),
            error=float(CONFIDENCE * spread / np.sqrt(REPLICATES)),
            method="quasi_monte_carlo",
            nodes=count,
        )


def _flat(array: Array) -> Array:
    return array.reshape(len(array), -1)


def _full(lower: Array) -> Array:
    """Symmetric matrices from lower triangles (the upper ones hold zeros)."""
    upper = np.tril(lower, -1).swapaxes(-1, -2)
    full: Array = lower + upper
    return full
