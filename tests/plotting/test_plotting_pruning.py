"""The picture of a pruning."""

from __future__ import annotations

import numpy as np
import pytest
from legibility import drawn, drawn_texts

import headode as ho
from headode.plotting import pruning_figure


def pruning_of(heads):
    rng = np.random.default_rng(heads)
    signal = ho.Signal.sign_flips([1.0, 0.0], [0.0, 1.0])
    state = ho.OrderParameters(0.3 * rng.standard_normal((heads, 2)), np.zeros((heads, heads)))
    return ho.prune(ho.Model(3, heads, signal, "linear"), state)


@pytest.mark.parametrize("heads", [1, 4, 12, 30])
def test_risk_and_heads_against_the_number_kept(heads):
    pruning = pruning_of(heads)
    figure = drawn(ho.plot(pruning))
    risk, which = figure.axes
    np.testing.assert_array_equal(risk.lines[-1].get_ydata(), pruning["risk"])
    for h, line in enumerate(which.lines):
        kept = pruning["kept"].values[pruning["keeps"].values[:, h]]
        np.testing.assert_array_equal(line.get_xdata(), kept)
    texts = " ".join(text for text, _ in drawn_texts(figure))
    assert f"{pruning.attrs['removable']} head" in texts
    assert "Bayes" in texts


def test_refuses_other_datasets():
    with pytest.raises(ho.ArgumentError, match="prune"):
        pruning_figure(pruning_of(2).drop_vars("keeps"))
