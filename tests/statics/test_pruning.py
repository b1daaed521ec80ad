"""Pruning: the sum over pairs against students without the heads, and what can be removed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import headode as ho
from headode.trajectory import load_dataset, save_dataset

SIGNAL = ho.Signal.discrete([[2.0, 0.0], [0.0, 1.5], [-1.0, -1.0]], [0.2, 0.5, 0.3])
ADDING = ("softmax", "softmax1", "softplus", "linear", "erf")
AVERAGED = ("softmax", "softplus")


def some_state(heads, seed=0, **value):
    rng = np.random.default_rng(seed)
    A = 0.3 * rng.standard_normal((heads, heads))
    M = SIGNAL.means[rng.integers(3, size=heads)] + 0.4 * rng.standard_normal((heads, 2))
    return ho.OrderParameters(M, A @ A.T, **value)


def subset_risk(model, state, heads, factor=1.0):
    """Risk of the student that has only these heads, times a factor; from its own expectations."""
    index = list(heads)
    kept = ho.Model(
        model.tokens,
        len(index),
        model.signal,
        model.activation,
        offset=model.offsets(state)[index],
        prefactor=model.prefactor if model.activation.takes_prefactor else None,
    )
    rows = ho.OrderParameters(state.M[index], state.R[np.ix_(index, index)])
    terms = ho.expected_update(kept, rows, tolerance=1e-7)
    value = -2 * state.m_v * factor * terms.marked_attention
    value += state.q_v * factor**2 * terms.squared_attention
    return 0.5 * (1 + model.label_noise**2 + value)


@pytest.mark.parametrize("renormalize", [None, True, False])
@pytest.mark.parametrize("activation", ADDING)
def test_every_size_against_all_its_subsets(activation, renormalize):
    model = ho.Model(3, 4, SIGNAL, activation, offset=[0.0, 0.4, -0.2, 0.1], label_noise=0.3)
    state = some_state(4)
    pruned = ho.prune(model, state, renormalize=renormalize, tolerance=1e-7)
    averaged = activation in AVERAGED
    for kept in range(1, 5):
        factor = 1.0
        if renormalize is True and not averaged:
            factor = 4 / kept
        if renormalize is False and averaged:
            factor = kept / 4
        risks = {
            heads: subset_risk(model, state, heads, factor)
            for heads in itertools.combinations(range(4), kept)
        }
        best = min(risks, key=risks.get)
        here = pruned.sel(kept=kept)
        # Errors of pairs add up: up to sixteen of them, times the factor squared.
        assert float(here["risk"]) == pytest.approx(risks[best], abs=2e-6 * factor**2)
        assert abs(float(here["risk"]) - risks[best]) < float(here["risk_error"]) + 1e-6
        assert np.flatnonzero(here["keeps"]).tolist() == list(best)
    assert pruned.attrs["evaluations"] == 10
    assert pruned.attrs["search"] == "all subsets"
    expected = averaged if renormalize is None else renormalize
    assert pruned.attrs["renormalized"] == int(expected)


def test_pooled_heads_are_evaluated_subset_by_subset():
    model = ho.Model(3, 4, SIGNAL, "bayes_softmax", label_noise=0.3)
    state = some_state(4, seed=1)
    pruned = ho.prune(model, state)
    for kept in range(1, 5):
        risks = [
            subset_risk(model, state, heads) for heads in itertools.combinations(range(4), kept)
        ]
        assert float(pruned["risk"].sel(kept=kept)) == pytest.approx(min(risks), abs=1e-6)
    full = ho.expected_update(model, state).risk
    assert float(pruned["risk"][-1]) == pytest.approx(full, abs=1e-6)
    with pytest.raises(ho.ArgumentError, match="share all the weight"):
        ho.prune(model, state, renormalize=False)


def test_all_heads_have_the_risk_of_the_model():
    for activation in ADDING:
        model = ho.Model(4, 3, SIGNAL, activation, value="learned")
        state = some_state(3, m_v=0.8, q_v=0.9)
        pruned = ho.prune(model, state)
        full = ho.expected_update(model, state)
        assert float(pruned["risk"][-1]) == pytest.approx(full.risk, abs=2e-6)
        assert float(pruned["loss"][-1]) == 0.0
        refitted = ho.prune(model, state, refit_value=True)
        # The best m_v at fixed attention, and independent of how weights are normalized.
        m_v = full.marked_attention / full.squared_attention
        assert float(refitted["m_v"][-1]) == pytest.approx(m_v, abs=1e-4)
        assert (refitted["risk"] < pruned["risk"] + 1e-9).all()
        other = ho.prune(model, state, refit_value=True, renormalize=activation not in AVERAGED)
        np.testing.assert_allclose(other["risk"], refitted["risk"], atol=1e-5)


def test_redundant_heads_are_found_removable():
    """Two pairs of equal heads: two of the four serve, whatever the activation averages."""
    M = SIGNAL.means[[0, 1, 0, 1]]
    state = ho.OrderParameters(M, np.zeros((4, 4)))
    for activation in ("softmax", "bayes_softmax"):
        model = ho.Model(3, 4, SIGNAL, activation, label_noise=0.3)
        pruned = ho.prune(model, state, largest_loss=1e-5)
        assert pruned.attrs["removable"] >= 2
        two = np.flatnonzero(pruned["keeps"].sel(kept=2))
        assert {tuple(M[h]) for h in two} == {tuple(row) for row in M}
        assert float(pruned["loss"].sel(kept=2)) == pytest.approx(0.0, abs=1e-5)
    # Heads that have learned nothing spread their share over all tokens: better without them.
    model = ho.Model(3, 4, ho.Signal.discrete([[2.5, 0.0]]), "softmax")
    M = np.zeros((4, 2))
    M[2] = 2.5, 0.0
    pruned = ho.prune(model, ho.OrderParameters(M, np.zeros((4, 4))))
    assert pruned.attrs["removable"] == 3
    assert np.flatnonzero(pruned["keeps"].sel(kept=1)).tolist() == [2]
    assert (np.diff(pruned["risk"]) > 0).all()


def test_greedy_beyond_twelve_heads():
    model = ho.Model(3, 14, SIGNAL, "erf")
    state = some_state(14, seed=2)
    greedy = ho.prune(model, state)
    assert greedy.attrs["search"] == "greedy"
    # Nested subsets, each the best of its predecessor's.
    keeps = greedy["keeps"].values
    for smaller, larger in itertools.pairwise(keeps):
        assert (larger & ~smaller).sum() == 1
        assert not (smaller & ~larger).any()
    for size in (13, 5):
        larger = np.flatnonzero(keeps[size])
        risks = [subset_risk(model, state, np.delete(larger, i)) for i in range(size + 1)]
        assert float(greedy["risk"][size - 1]) == pytest.approx(min(risks), abs=1e-9)


def test_result_file_and_refusals(tmp_path):
    model, state = ho.Model(3, 3, SIGNAL, "linear"), some_state(3)
    seen = []
    pruned = ho.prune(model, state, largest_loss=0.5, progress=seen.append)
    assert [report.done for report in seen] == [1, 2, 3]
    needed = int(np.argmax(pruned["loss"].values <= 0.5)) + 1
    assert pruned.attrs["removable"] == 3 - needed
    assert pruned.attrs["bayes_risk"] == pytest.approx(ho.bayes_risk(model), abs=1e-5)
    again = load_dataset(save_dataset(pruned, tmp_path / "pruned.nc"))
    assert again.equals(pruned)
    for name in pruned.variables:
        assert pruned[name].attrs["long_name"]
    with pytest.raises(ho.ArgumentError, match="largest_loss"):
        ho.prune(model, state, largest_loss=-1.0)
    with pytest.raises(ho.ArgumentError, match="known value"):
        ho.prune(model, state, refit_value=True)
    with pytest.raises(ho.ArgumentError, match="shape"):
        ho.prune(model, some_state(2))


@pytest.mark.parametrize(("heads", "finished"), [(3, [1, 3]), (13, [12, 13])])
def test_an_interrupted_pruning_hands_out_what_is_finished(heads, finished):
    """All subsets from one head up, and all heads, to which losses refer; greedily from above."""
    model = ho.Model(3, heads, ho.Signal.one_hot([1.0, 2.0]), "linear")
    state = ho.OrderParameters.random(heads, 2, scale=0.3, seed=0)

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(ho.Interrupted, match="numbers of heads are finished") as caught:
        ho.prune(model, state, progress=stop)
    partial, whole = caught.value.partial, ho.prune(model, state)
    assert partial["kept"].values.tolist() == finished
    for name in ("risk", "loss", "keeps"):
        np.testing.assert_array_equal(partial[name], whole[name].sel(kept=finished))
    assert partial.attrs["removable"] <= whole.attrs["removable"]
