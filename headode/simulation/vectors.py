"""Weight vectors in R^d and their overlaps (theory: order parameters)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from headode._checks import Array
from headode.errors import ArgumentError
from headode.order_parameters import OrderParameters


class Teacher(NamedTuple):
    """The task's vectors, mutually orthogonal and of norm √d.

    Attributes:
        features: (F, d), the latent directions k*_f.
        value: (d,), v*.
    """

    features: Array
    value: Array


class Student(NamedTuple):
    """The student's weights, changed in place by training.

    Attributes:
        heads: (H, d), k_h.
        value: (d,), v; equal to v* when the value is known.
        offset: (H,), b_h; not used when b_h = |k_h|²/2d.
    """

    heads: Array
    value: Array
    offset: Array


class Overlaps(NamedTuple):
    """Measured order parameters, and the overlaps of order d^(-1/2) that vanish as d → ∞.

    Unlike :class:`OrderParameters` these may hold roundoff, or the infinities of a diverged run.

    Attributes:
        M: (H, F).
        R: (H, H), Q − M Mᵀ, so what the heads have along v* is part of it.
        m_v: v·v*/d.
        q_v: |v|²/d.
        k_v_star: (H,), k_h·v*/d.
        k_v: (H,), k_h·v/d.
        v_k_star: (F,), v·k*_f/d.
        offset: (H,), b_h.
    """

    M: Array
    R: Array
    m_v: float
    q_v: float
    k_v_star: Array
    k_v: Array
    v_k_star: Array
    offset: Array


def smallest_dimension(heads: int, features: int) -> int:
    """F + H + 2: room for the teachers k*, v* and for the parts of k, v orthogonal to them."""
    return features + heads + 2


def check_dimension(dimension: int, heads: int, features: int) -> None:
    """Refuse a space that is too small for all the vectors.

    Raises:
        ArgumentError: if d < F + H + 2.
    """
    size = smallest_dimension(heads, features)
    if dimension < size:
        raise ArgumentError("dimension", f"be at least F + H + 2 = {size}", dimension)


def initial_vectors(
    state: OrderParameters, offset: Array, dimension: int, rng: np.random.Generator
) -> tuple[Teacher, Student]:
    """Draw teachers in random directions and a student with exactly the overlaps of ``state``.

    The directions are a random orthogonal frame of norm √d: F + 1 teachers, H residual directions
    with ``k_h = Σ_f M_hf k*_f + Σ_j (√R)_hj e_j``, and one for what v has beside v*. So
    ``k_h·v* = k_h·v = v·k*_f = 0``, and R may be singular.

    Args:
        state: H heads, F features.
        offset: (H,) starting values of the offsets.
        dimension: d.
        rng: source of the random frame.

    Raises:
        ArgumentError: if d < F + H + 2.
    """
    heads, features = state.M.shape
    check_dimension(dimension, heads, features)
    size = smallest_dimension(heads, features)
    orthonormal, _ = np.linalg.qr(rng.standard_normal((dimension, size)))
    frame = np.sqrt(dimension) * np.ascontiguousarray(orthonormal.T)
    teacher = Teacher(frame[:features].copy(), frame[features].copy())
    residual, beside = frame[features + 1 : -1], frame[-1]
    keys = state.M @ teacher.features + square_root(state.R) @ residual
    value = state.m_v * teacher.value + np.sqrt(max(state.q_v - state.m_v**2, 0.0)) * beside
    return teacher, Student(keys, value, offset.copy())


def measure_overlaps(teacher: Teacher, student: Student) -> Overlaps:
    """The overlaps of a student with its teacher and with itself.

    R is the Gram matrix of the residuals ``k_h − Σ_f M_hf k*_f`` rather than Q − M Mᵀ, so that no
    cancellation makes it indefinite. einsum, unlike BLAS, adds in the same order on every thread.
    """
    dimension = teacher.value.size
    with np.errstate(all="ignore"):  # a diverged run is reported by whoever asked for it
        M = np.einsum("hi,fi->hf", student.heads, teacher.features) / dimension
        residual = student.heads - np.einsum("hf,fi->hi", M, teacher.features)
        return Overlaps(
            M=M,
            R=np.einsum("hi,ki->hk", residual, residual) / dimension,
            m_v=float(np.einsum("i,i->", student.value, teacher.value)) / dimension,
            q_v=float(np.einsum("i,i->", student.value, student.value)) / dimension,
            k_v_star=np.einsum("hi,i->h", student.heads, teacher.value) / dimension,
            k_v=np.einsum("hi,i->h", student.heads, student.value) / dimension,
            v_k_star=np.einsum("fi,i->f", teacher.features, student.value) / dimension,
            offset=student.offset.copy(),
        )


def square_root(matrix: Array) -> Array:
    """Symmetric roots of positive semidefinite matrices (..., n, n), roundoff below 0 clipped."""
    values, vectors = np.linalg.eigh(matrix)
    scaled = vectors * np.sqrt(np.clip(values, 0.0, None))[..., None, :]
    root: Array = scaled @ vectors.swapaxes(-1, -2)
    return root
