"""The Jacobian against closed forms, against differences of the rates, and its error estimate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_model import alike, staged

import headode as ho
from headode.stability.coordinates import Coordinates
from headode.stability.differences import CENTRAL, FORWARD, Stencil
from headode.stability.flow import Flow
from headode.stability.jacobian import jacobian
from headode.stability.sectors import exchangeable_heads, sectors_of
from headode.training import Training

CLASSES = [
    ((0, 1, 2, 3, 4),),
    ((0, 1, 2), (3, 4)),
    ((0, 2), (1, 3), (4,)),
    ((0,), (1, 2, 3, 4)),
    ((0,), (1,), (2,), (3,), (4,)),
]


def singletons(heads: int) -> tuple[tuple[int, ...], ...]:
    return tuple((head,) for head in range(heads))


def random_state(heads: int, features: int, rank: int, seed: int) -> ho.OrderParameters:
    rng = np.random.default_rng(seed)
    root = 0.5 * rng.standard_normal((heads, rank))
    return ho.OrderParameters(rng.standard_normal((heads, features)), root @ root.T)


def linear_ode_jacobian(model: ho.Model, weight_decay: float) -> np.ndarray:
    """Of dM/dt = −1 [c² (S + L I) Mᵀ1 + …]ᵀ − λM, dR/dt = −c² L (11ᵀR + R11ᵀ) − 2λR.

    Written with full matrices and then packed, so that it shares nothing with the package.
    """
    H, F, c = model.heads, model.features, model.prefactor
    signal = model.signal
    moment = signal.covariance + np.outer(signal.mean, signal.mean)
    lower = np.tril_indices(H)
    overlaps, size = H * F, H * F + len(lower[0])
    result = -weight_decay * np.diag(np.r_[np.ones(overlaps), 2 * np.ones(size - overlaps)])
    pull = -(c**2) * (moment + model.tokens * np.eye(F))
    result[:overlaps, :overlaps] += np.kron(np.ones((H, H)), pull)
    ones = np.ones((H, H))
    for j, (h, k) in enumerate(zip(*lower, strict=True)):
        R = np.zeros((H, H))
        R[h, k] = R[k, h] = 1.0
        result[overlaps:, overlaps + j] += -(c**2) * model.tokens * (ones @ R + R @ ones)[lower]
    return result


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_linear_attention_has_the_jacobian_of_its_linear_ode(rank: int) -> None:
    model = staged("linear", heads=3, signal=ho.Signal.sign_flips([1.0, 0.5], [0.7, 1.2]))
    state = random_state(3, 2, rank, seed=rank)
    flow = Flow(model, Training(weight_decay=0.1))
    found = jacobian(flow, flow.pack(state), singletons(3))
    np.testing.assert_allclose(found.matrix, linear_ode_jacobian(model, 0.1), rtol=0, atol=1e-10)
    assert found.error.max() < 1e-9


def plain_differences(flow: Flow, vector: np.ndarray, step: float) -> np.ndarray:
    """Central differences of the rates themselves, for a state inside the admissible ones."""
    columns = []
    for direction in np.eye(len(vector)):
        ahead, behind = (flow.rate(vector + sign * step * direction) for sign in (1, -1))
        columns.append((ahead - behind) / (2 * step))
    return np.array(columns).T


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(staged(heads=2), id="bayes_softmax"),
        pytest.param(
            staged("softmax1", heads=2, offset="learned", value="learned"), id="all learned"
        ),
        pytest.param(staged("erf", heads=2, offset=0.3), id="erf"),
    ],
)
def test_jacobian_is_that_of_the_rates(model: ho.Model) -> None:
    rng = np.random.default_rng(1)
    state = random_state(2, 3, 2, seed=5).replace(
        R=np.array([[0.5, 0.1], [0.1, 0.4]]),
        m_v=0.8 if model.learns_value else 1.0,
        q_v=0.9 if model.learns_value else 1.0,
        offset=rng.standard_normal(2) if model.learns_offset else None,
    )
    flow = Flow(model, Training(value_learning_rate=0.5, offset_learning_rate=2.0))
    vector = flow.pack(state)
    found = jacobian(flow, vector, singletons(2))
    # The plain differences are of second order in the step.
    plain = plain_differences(flow, vector, 1e-3)
    np.testing.assert_allclose(found.matrix, plain, rtol=0, atol=3e-6)
    assert found.error.max() < 1e-6


def test_error_estimate_covers_the_error() -> None:
    """Against the same Jacobian from expectations and steps that are much finer."""
    model = staged(heads=2)
    vectors = [Flow(model, Training()).pack(random_state(2, 3, rank, seed=9)) for rank in (0, 2)]
    for vector in vectors:
        fine = jacobian(Flow(model, Training(), tolerance=1e-7), vector, singletons(2))
        coarse = jacobian(Flow(model, Training(), tolerance=1e-2), vector, singletons(2))
        difference = np.abs(fine.matrix - coarse.matrix)
        assert (difference <= coarse.error + fine.error).all()
        assert fine.error.max() < 1e-2 * coarse.error.max()


def test_learning_rate_noise_is_differentiated() -> None:
    """Closed form of linear attention with noise: N is quadratic in the overlaps."""
    model = staged("linear", heads=2)
    flow = Flow(model, Training(learning_rate=0.5, batch_size=2))
    vector = flow.pack(random_state(2, 3, 2, seed=3).replace(R=np.eye(2)))
    found = jacobian(flow, vector, singletons(2))
    np.testing.assert_allclose(found.matrix, plain_differences(flow, vector, 1e-3), atol=1e-9)
    assert not found.residual_decouples


def test_without_residuals_and_noise_they_decouple_exactly() -> None:
    for model in (staged(heads=2), staged("erf", heads=3)):
        flow = Flow(model, Training())
        found = jacobian(flow, flow.pack(alike(model)), (tuple(range(model.heads)),))
        assert found.residual_decouples


def test_exchangeable_heads_are_differentiated_once() -> None:
    model = staged("bayes_softmax")
    flow = Flow(model, Training())
    state = ho.OrderParameters(
        [[2.0, 1.0, 0.0], [2.0, 1.0, 0.0], [2.0, -1.0, 0.0], [2.0, -1.0, 0.0]], np.zeros((4, 4))
    )
    vector = flow.pack(state)
    classes = exchangeable_heads(Coordinates.of(model), vector, 1e-12)
    assert classes == ((0, 1), (2, 3))
    calls = []
    evaluate = flow.terms
    flow.terms = lambda point: (calls.append(1), evaluate(point))[1]  # type: ignore[method-assign]
    saving = jacobian(flow, vector, classes)
    few = len(calls)
    whole = jacobian(flow, vector, singletons(4))
    np.testing.assert_allclose(saving.matrix, whole.matrix, rtol=0, atol=1e-9)
    assert few < 0.6 * (len(calls) - few)


@pytest.mark.parametrize("classes", CLASSES)
def test_sectors_are_complete_orthonormal_and_not_mixed(
    classes: tuple[tuple[int, ...], ...],
) -> None:
    model = staged("softmax1", heads=5, offset="learned", value="learned")
    coordinates = Coordinates.of(model)
    sectors = sectors_of(coordinates, classes)
    assert sum(s.multiplicity * s.basis.shape[1] for s in sectors) == coordinates.size
    together = np.hstack([sector.basis for sector in sectors])
    np.testing.assert_allclose(together.T @ together, np.eye(together.shape[1]), atol=1e-12)
    # A matrix that commutes with the permutations maps each sector to itself.
    rng = np.random.default_rng(0)
    matrix = commuting_matrix(coordinates, classes, rng)
    values = []
    for sector in sectors:
        image = matrix @ sector.basis
        reduced = sector.basis.T @ image
        np.testing.assert_allclose(image, sector.basis @ reduced, atol=1e-9)
        values += sector.multiplicity * np.linalg.eigvals(reduced).tolist()
    whole = np.linalg.eigvals(matrix)
    np.testing.assert_allclose(np.sort_complex(values), np.sort_complex(whole), atol=1e-6)


def commuting_matrix(coordinates: Coordinates, classes, rng: np.random.Generator) -> np.ndarray:
    """A symmetric random matrix averaged over all permutations within the classes."""
    from itertools import permutations, product

    raw = rng.standard_normal((coordinates.size, coordinates.size))
    raw = raw + raw.T
    total, count = np.zeros_like(raw), 0
    for choice in product(*(permutations(group) for group in classes)):
        order = np.arange(coordinates.heads)
        for group, moved in zip(classes, choice, strict=True):
            order[list(group)] = moved
        index = coordinates.permutation(order)
        total += raw[np.ix_(index, index)]
        count += 1
    return total / count


@given(st.lists(st.floats(-3, 3), min_size=5, max_size=5))
def test_stencils_are_exact_for_polynomials(coefficients: list[float]) -> None:
    polynomial = np.polynomial.Polynomial(coefficients)
    for stencil in (CENTRAL, FORWARD):
        assert len(set(stencil.offsets)) == len(stencil.offsets)
        found = stencil.weights @ polynomial(stencil.offsets)
        # Weights are of order 10, so that their roundoff is.
        assert found == pytest.approx(coefficients[1], abs=1e-11)


@pytest.mark.parametrize(("stencil", "order"), [(CENTRAL, 6), (FORWARD, 5)])
def test_stencils_converge_with_their_order(stencil: Stencil, order: int) -> None:
    steps = np.array([0.4, 0.2])
    errors = [abs(stencil.weights @ np.exp(h * stencil.offsets) / h - 1.0) for h in steps]
    coarser = [abs(stencil.coarser @ np.exp(h * stencil.offsets) / h - 1.0) for h in steps]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.4)
    assert (np.array(coarser) > np.array(errors)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(4)))
def test_permutations_of_packed_states(seed: int, order: list[int]) -> None:
    model = staged("softmax1", offset="learned", value="learned")
    rng = np.random.default_rng(seed)
    state = random_state(4, 3, 4, seed).replace(offset=rng.standard_normal(4), m_v=0.5, q_v=1.0)
    flow = Flow(model, Training())
    index = Coordinates.of(model).permutation(np.array(order))
    # Head h becomes head order[h]; `permuted` has it the other way round.
    moved = np.empty(len(index))
    moved[index] = flow.pack(state)
    expected = flow.pack(state.permuted(np.argsort(order)))
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-12)
