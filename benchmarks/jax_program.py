"""The expected updates as a researcher would write them in JAX today: the program to compare with.

Scrambled Sobol points from SciPy become Gaussian nodes of tokens × heads dimensions; the marked
token is the first one, by symmetry; the signal is summed over its support; the values are averaged
analytically, so that the integrand is ℓ(χ) = ½ (1 + Δ² − 2 A_ε + Σ A²). Everything is float64,
compiled as one function of the state, and in chunks of nodes that stay in the cache; the nodes lie
along the last axis, which is the one that XLA vectorizes.

Of the ways to get the derivatives (`jax_variants.py`) this is the fastest one: C by Stein's lemma
from second derivatives that are written by hand, with the exponentials of the scores taken once
for all support points of the signal.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from scipy.special import ndtri
from scipy.stats import qmc

import headode as ho

# A loop over chunks runs on one core of XLA's CPU device: with a device for each core, on all.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
jax.config.update("jax_num_cpu_devices", CORES)
jax.config.update("jax_enable_x64", True)

# A chunk's scores fill about 2^13 doubles (64 kB); see `jax_variants.py`.
CHUNK_ENTRIES = 1 << 13
# Fine enough for 2^22 points, and for a half cell that keeps them away from 0 and 1.
SOBOL_BITS = 50

Sums = dict[str, jax.Array]
Integrand = Callable[["Problem", jax.Array, jax.Array, jax.Array, jax.Array], Sums]


class Problem(NamedTuple):
    """What the integrand needs to know of the model; a static argument of compiled functions."""

    activation: str
    tokens: int
    heads: int
    support: tuple[tuple[float, ...], ...]
    probabilities: tuple[float, ...]
    level: float

    @classmethod
    def of(cls, model: ho.Model) -> Problem:
        """Take over a model with a discrete signal, a known value and its default offset."""
        default = ho.Model(model.tokens, model.heads, model.signal, model.activation).offset
        known = ("softmax", "bayes_softmax")
        if model.activation.name not in known or model.offset != default or model.learns_value:
            requirement = "be softmax or bayes_softmax with its default offset and a known value"
            raise ho.ArgumentError("model", requirement, model.activation.name)
        return cls(
            model.activation.name,
            model.tokens,
            model.heads,
            tuple(map(tuple, model.signal.means.tolist())),
            tuple(model.signal.probabilities.tolist()),
            1.0 + model.label_noise**2,
        )


class Update(NamedTuple):
    """Population risk and expected updates, as in :class:`headode.ExpectedUpdate`."""

    risk: jax.Array
    G: jax.Array
    C: jax.Array


def softmax_sums(
    problem: Problem, root: jax.Array, shift: jax.Array, signals: jax.Array, z: jax.Array
) -> Sums:
    """Sums over nodes of A_ε, Σ A², ∂ℓ/∂χ_ε and Σ_l ∂²ℓ/∂χ_l∂χ_l for the mean of H softmaxes.

    Loops over heads are unrolled, which XLA fuses into fewer passes than contractions.

    Args:
        problem: the model.
        root: (H, H), S with S Sᵀ = Q.
        shift: (H,), −b_h.
        signals: (S, H), M θ for every support point.
        z: (L, H, n) Gaussian nodes.
    """
    H = problem.heads
    w = [jnp.exp(sum(root[h, k] * z[:, k] for k in range(H)) + shift[h]) for h in range(H)]
    rest = [weights[1:].sum(0) for weights in w]
    lifts = jnp.exp(signals)
    marked = squared = 0.0
    first, second = [], jnp.zeros((H, H))
    for s, probability in enumerate(problem.probabilities):
        p = []
        for h in range(H):
            lifted = w[h][0] * lifts[s, h]
            inverse = 1.0 / (rest[h] + lifted)
            p.append(jnp.concatenate([lifted[None], w[h][1:]]) * inverse)
        A = sum(p) / H
        g = A.at[0].add(-1.0)
        marked += probability * A[0].sum()
        squared += probability * (A * A).sum()
        slopes = [p[h] * (g - (g * p[h]).sum(0)) for h in range(H)]
        first.append(jnp.stack([slope[0].sum() for slope in slopes]) / H)
        rows = []
        for h in range(H):
            row = [_pair_sum(p[h], p[k]) if k <= h else 0.0 for k in range(H)]
            rows.append(jnp.stack([jnp.asarray(entry) for entry in row]))
        lower = jnp.stack(rows) / H**2
        bends = [(slope * (1.0 - 2.0 * q)).sum() / H for slope, q in zip(slopes, p, strict=True)]
        second += probability * (lower + jnp.tril(lower, -1).T + jnp.diag(jnp.stack(bends)))
    return {"marked": marked, "squared": squared, "first": jnp.stack(first), "second": second}


def _pair_sum(p: jax.Array, q: jax.Array) -> jax.Array:
    """Sum over nodes of Σ_lj ∂A_j/∂χ_lh ∂A_j/∂χ_lk, times H²."""
    product = p * q
    overlap = product.sum(0)
    return (overlap + overlap**2 - (product * (p + q)).sum(0)).sum()


def bayes_softmax_sums(
    problem: Problem, root: jax.Array, shift: jax.Array, signals: jax.Array, z: jax.Array
) -> Sums:
    """The same for one softmax over tokens and heads.

    The diagonal term that the offset b_h = Q_hh/2 adds cancels that of ∂²w/∂χ² = w exactly.
    """
    w = jnp.exp(jnp.einsum("hk,lkn->lhn", root, z) + shift[:, None])
    rest = w[1:].sum((0, 1))
    lifts = jnp.exp(signals)
    marked = squared = 0.0
    first, second = [], jnp.zeros((problem.heads, problem.heads))
    for s, probability in enumerate(problem.probabilities):
        lifted = w[0] * lifts[s][:, None]
        p = jnp.concatenate([lifted[None], w[1:]]) / (rest + lifted.sum(0))
        A = p.sum(1)
        g = A.at[0].add(-1.0)
        total, dot = (A * A).sum(0), (g * A).sum(0)
        marked += probability * A[0].sum()
        squared += probability * total.sum()
        first.append((p[0] * (g[0] - dot)).sum(-1))
        factor = 1.0 - 2.0 * A + total - 2.0 * (g - dot)
        second += probability * jnp.einsum("lhn,lkn,ln->hk", p, p, factor)
    return {"marked": marked, "squared": squared, "first": jnp.stack(first), "second": second}


INTEGRANDS: dict[str, Integrand] = {
    "softmax": softmax_sums,
    "bayes_softmax": bayes_softmax_sums,
}


def symmetric_root(Q: jax.Array) -> jax.Array:
    """The root that moves continuously with Q."""
    values, vectors = jnp.linalg.eigh(Q)
    return (vectors * jnp.sqrt(jnp.clip(values, 0.0))) @ vectors.T


def ordered_root(Q: jax.Array) -> jax.Array:
    """Eigenvectors, the strongest first: no good along a trajectory, where they turn."""
    values, vectors = jnp.linalg.eigh(Q)
    return (vectors * jnp.sqrt(jnp.clip(values, 0.0)))[:, ::-1]


ROOTS = {"symmetric": symmetric_root, "ordered": ordered_root}


def mean_over_nodes(
    function: Callable[..., Any], arguments: tuple[jax.Array, ...], nodes: jax.Array, cores: int
) -> Any:
    """Mean over nodes (chunks, L, H, n) of what ``function(*arguments, z)`` sums over a chunk."""
    mesh = _mesh(len(nodes), cores)

    def total(chunks: jax.Array, *arguments: jax.Array) -> Any:
        parts = jax.lax.map(lambda z: function(*arguments, z), chunks)
        sums = jax.tree.map(lambda part: part.sum(0), parts)
        return sums if mesh is None else jax.lax.psum(sums, "core")

    if mesh is not None:
        specs = (PartitionSpec("core"), *(PartitionSpec() for _ in arguments))
        total = jax.shard_map(total, mesh=mesh, in_specs=specs, out_specs=PartitionSpec())
    count = nodes.shape[0] * nodes.shape[-1]
    return jax.tree.map(lambda sums: sums / count, total(nodes, *arguments))


@partial(jax.jit, static_argnames=("problem", "root", "integrand", "cores"))
def expected_update(
    problem: Problem,
    M: jax.Array,
    R: jax.Array,
    nodes: jax.Array,
    root: str = "symmetric",
    integrand: Integrand | None = None,
    cores: int = CORES,
) -> Update:
    """Risk, G and C at a state, from nodes (chunks, L, H, n)."""
    Q = M @ M.T + R
    shift = -0.5 * jnp.diag(Q) if problem.activation == "bayes_softmax" else jnp.zeros(len(Q))
    support = jnp.asarray(problem.support)
    function = integrand or INTEGRANDS[problem.activation]

    arguments = (ROOTS[root](Q), shift, support @ M.T)
    means = mean_over_nodes(partial(function, problem), arguments, nodes, cores)
    risk = 0.5 * (problem.level - 2.0 * means["marked"] + means["squared"])
    G = jnp.einsum("s,sh,sf->hf", jnp.asarray(problem.probabilities), means["first"], support)
    return Update(risk, G, means["second"])


def _mesh(chunks: int, cores: int = CORES) -> Any:
    """That many cores, if the chunks can be shared out evenly."""
    cores = min(cores, len(jax.devices()))
    if cores == 1 or chunks % cores:
        return None
    return jax.make_mesh((cores,), ("core",), axis_types=(AxisType.Auto,))


def chunk_size(problem: Problem, count: int) -> int:
    """Nodes of a chunk: a power of two, with a chunk for every core if it can be."""
    largest = 1 << int(np.log2(CHUNK_ENTRIES / (problem.tokens * problem.heads)))
    return max(1, min(largest, count // len(jax.devices())))


class NodeStream:
    """The nodes of one scramble (or one Monte Carlo draw), in order; powers of two are Sobol nets.

    Args:
        problem: gives the dimensions.
        seed: of the scramble.
        kind: ``sobol`` or ``monte_carlo``.
        root: with ``ordered``, the first Sobol coordinates go to the strongest direction of all
            tokens; with ``symmetric``, to the marked token.
    """

    def __init__(
        self, problem: Problem, seed: int, kind: str = "sobol", root: str = "symmetric"
    ) -> None:
        self._problem, self._root = problem, root
        dimensions = problem.tokens * problem.heads
        rng = np.random.default_rng(seed)
        self._random: Any = partial(_normal, rng, dimensions)
        if kind == "sobol":
            sobol = qmc.Sobol(dimensions, scramble=True, bits=SOBOL_BITS, rng=rng)
            self._random = lambda count: ndtri(sobol.random(count) + 2.0 ** -(SOBOL_BITS + 1))

    def take(self, count: int, chunk: int | None = None) -> jax.Array:
        """The next ``count`` nodes, as (chunks, L, H, n) over all devices."""
        problem, normal = self._problem, self._random(count)
        chunk = chunk or chunk_size(problem, count)
        L, H = problem.tokens, problem.heads
        if self._root == "ordered":
            array = normal.reshape(-1, chunk, H, L).transpose(0, 3, 2, 1)
        else:
            array = normal.reshape(-1, chunk, L, H).transpose(0, 2, 3, 1)
        mesh = _mesh(len(array))
        contiguous = np.ascontiguousarray(array)
        if mesh is None:
            return jnp.asarray(contiguous)
        return jax.device_put(contiguous, NamedSharding(mesh, PartitionSpec("core")))


def _normal(rng: np.random.Generator, dimensions: int, count: int) -> np.ndarray:
    return rng.standard_normal((count, dimensions))
