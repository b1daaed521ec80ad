"""What was tried to make the JAX program fast: ways to differentiate, roots, chunks, devices.

All variants compute the same averages. With the same root and nodes the first three give the same
numbers to roundoff (this is checked), and differ in cost alone; `reverse` differentiates the risk
itself with respect to M and to the root of Q, which costs the least for a node but is a noisier
estimate of C along weak directions of Q.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cases import model_of, staged_states
from jax_program import (
    CHUNK_ENTRIES,
    CORES,
    INTEGRANDS,
    NodeStream,
    Problem,
    Sums,
    Update,
    expected_update,
    mean_over_nodes,
    symmetric_root,
)
from reference import largest_error, reference_terms
from report import Section, Table
from timing import milliseconds

SCRAMBLES = 8


def attention(problem: Problem, scores: jax.Array) -> jax.Array:
    """(L,) weights of shifted scores (L, H)."""
    if problem.activation == "softmax":
        return jax.nn.softmax(scores, axis=0).mean(axis=1)
    return jax.nn.softmax(scores.ravel()).reshape(scores.shape).sum(axis=1)


def loss(problem: Problem, scores: jax.Array) -> jax.Array:
    """ℓ without its constant."""
    A = attention(problem, scores)
    return 0.5 * (A @ A) - A[0]


def differentiated_sums(
    problem: Problem,
    root: jax.Array,
    shift: jax.Array,
    signals: jax.Array,
    z: jax.Array,
    *,
    whole: bool,
) -> Sums:
    """The sums by automatic differentiation of ℓ at every node.

    Args:
        problem: the model.
        root: (H, H).
        shift: (H,).
        signals: (S, H).
        z: (L, H, n).
        whole: take blocks of the whole Hessian; else only Hessian-vector products along the
            directions of the blocks, forward over reverse.
    """
    L, H = problem.tokens, problem.heads
    slope = jax.grad(partial(loss, problem))
    directions = jnp.eye(L * H).reshape(L, H, L, H)

    def blocks(scores: jax.Array) -> jax.Array:
        if whole:
            return jnp.einsum("lhlk->hk", jax.hessian(partial(loss, problem))(scores))
        product = jax.vmap(jax.vmap(lambda v: jax.jvp(slope, (scores,), (v,))[1]))(directions)
        return jnp.einsum("lhlk->hk", product)

    def of_node(node: jax.Array) -> Sums:
        def of_signal(signal: jax.Array) -> tuple[jax.Array, ...]:
            scores = (node @ root.T + shift).at[0].add(signal)
            A, first, second = attention(problem, scores), slope(scores), blocks(scores)
            if problem.activation == "bayes_softmax":
                second -= jnp.diag(first.sum(0))
            return A[0], A @ A, first[0], second

        marked, squared, first, second = jax.vmap(of_signal)(signals)
        p = jnp.asarray(problem.probabilities)
        mean = partial(jnp.tensordot, p, axes=1)
        return {
            "marked": mean(marked),
            "squared": mean(squared),
            "first": first,
            "second": mean(second),
        }

    return jax.tree.map(lambda part: part.sum(0), jax.vmap(of_node, in_axes=-1)(z))


@partial(jax.jit, static_argnames="problem")
def reverse_update(problem: Problem, M: jax.Array, R: jax.Array, nodes: jax.Array) -> Update:
    """G and C from the derivatives of the risk with respect to M and S, S² = Q, by reverse mode.

    dE = tr(T dS) becomes 2 ∂E/∂Q by S X + X S = T + Tᵀ in the eigenbasis of Q: unlike a derivative
    of the root, this is defined for repeated eigenvalues, but not for one of zero.
    """
    support, p = jnp.asarray(problem.support), jnp.asarray(problem.probabilities)
    pooled = problem.activation == "bayes_softmax"

    def risk(M: jax.Array, S: jax.Array, z: jax.Array) -> jax.Array:
        scores = jnp.einsum("hk,lkn->lhn", S, z)
        if pooled:
            scores -= 0.5 * (S * S).sum(1)[:, None]
        w, lifts = jnp.exp(scores), jnp.exp(support @ M.T)

        def of_signal(lift: jax.Array) -> jax.Array:
            lifted = w.at[0].multiply(lift[:, None])
            total = lifted.sum((0, 1) if pooled else 0)
            A = (lifted / total).sum(1) / (1 if pooled else problem.heads)
            return (0.5 * (A * A).sum(0) - A[0]).sum()

        return p @ jnp.stack([of_signal(lift) for lift in lifts])

    S = symmetric_root(M @ M.T + R)

    def with_gradient(M: jax.Array, S: jax.Array, z: jax.Array) -> Any:
        return jax.value_and_grad(risk, argnums=(0, 1))(M, S, z)

    value, (G, T) = mean_over_nodes(with_gradient, (M, S), nodes, CORES)
    values, vectors = jnp.linalg.eigh(S)
    turned = vectors.T @ (T + T.T) @ vectors / (values[:, None] + values)
    return Update(0.5 * problem.level + value, G, vectors @ turned @ vectors.T)


def _variants(problem: Problem) -> dict[str, tuple[Any, str]]:
    """Name: (function of M, R, nodes; root)."""
    by_hand = partial(expected_update, problem)
    hessian = partial(differentiated_sums, whole=True)
    products = partial(differentiated_sums, whole=False)
    return {
        "by hand": (by_hand, "symmetric"),
        "by hand, ordered root": (partial(by_hand, root="ordered"), "ordered"),
        "Hessian-vector products": (partial(by_hand, integrand=products), "symmetric"),
        "jax.hessian": (partial(by_hand, integrand=hessian), "symmetric"),
        "reverse": (partial(reverse_update, problem), "symmetric"),
    }


def run(quick: bool) -> Section:
    """Cost of a node and error at a fixed number of nodes, for both activations and states."""
    count = 1 << (12 if quick else 14)
    section = Section("jax_variants")
    table = Table(
        f"Ways to write the JAX program: L = 3, H = 4, {count} nodes",
        ("activation", "state", "variant", "ns / node", "rms error of G and C"),
    )
    for activation in INTEGRANDS:
        model = model_of(activation)
        problem = Problem.of(model)
        for name, state in staged_states().items():
            exact = reference_terms(model, state)
            variants = _variants(problem)
            errors: dict[str, float] = {}
            for label, (function, root) in variants.items():
                found = []
                for seed in range(SCRAMBLES):
                    nodes = NodeStream(problem, seed, root=root).take(count)
                    found.append(largest_error(function(state.M, state.R, nodes), exact))
                errors[label] = float(np.sqrt(np.mean(np.square(found))))
            for same in ("Hessian-vector products", "jax.hessian"):
                np.testing.assert_allclose(errors[same], errors["by hand"], rtol=1e-6)
            times = milliseconds(
                {
                    label: partial(
                        _ready, function, state, NodeStream(problem, 0, root=root).take(count)
                    )
                    for label, (function, root) in variants.items()
                }
            )
            for label in variants:
                table.add(activation, name, label, 1e6 * times[label] / count, errors[label])
    section.show(table)
    section.show(_chunk_table(quick))
    return section


def _chunk_table(quick: bool) -> Table:
    """Cost of a node against the size of a chunk, on one device and on all."""
    count = 1 << (14 if quick else 17)
    table = Table(
        f"Chunks of the JAX program, by hand: {count} nodes, ns / node "
        f"(used: {CHUNK_ENTRIES} entries on {len(jax.devices())} devices)",
        ("activation", "L", "entries", "one device", "all devices"),
    )
    state = staged_states()["specialized"]
    for activation in INTEGRANDS:
        for tokens in (3,) if quick else (3, 32):
            problem = Problem.of(model_of(activation, tokens=tokens))
            for exponent in (12, 13, 14, 15, 16, 18):
                chunk = (1 << exponent) // (1 << (4 if tokens == 3 else 7))
                nodes = NodeStream(problem, 0).take(count, chunk)
                alone = jax.device_put(nodes, jax.devices()[0])
                times = milliseconds(
                    {
                        "one": partial(
                            _ready, partial(expected_update, problem, cores=1), state, alone
                        ),
                        "all": partial(_ready, partial(expected_update, problem), state, nodes),
                    },
                )
                scale = 1e6 / count
                table.add(
                    activation, tokens, 1 << exponent, scale * times["one"], scale * times["all"]
                )
    return table


def _ready(function: Any, state: Any, nodes: jax.Array) -> None:
    jax.block_until_ready(function(state.M, state.R, nodes))
