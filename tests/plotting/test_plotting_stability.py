"""Pictures of stability and of branches."""

from __future__ import annotations

import pytest
from legibility import drawn

import headode as ho
from headode.plotting import continuation_figure, stability_figure


def model_at(decay: float) -> tuple[ho.Model, dict[str, float]]:
    signal = ho.Signal.sign_flips(mean=[0.0, 0.0], amplitude=[1.0, 2.0])
    return ho.Model(3, 3, signal), {"weight_decay": decay}


def test_stability_shows_every_mode_by_name() -> None:
    model = ho.Model(3, 3, ho.Signal.one_hot([1.0, 2.0, 2.0]), "linear")
    result = ho.linear_stability(model, ho.unspecialized_state(model))
    figure = drawn(ho.plot(result))
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == result["name"].values.tolist()


def test_a_long_list_of_modes_is_cut_in_the_middle() -> None:
    model = ho.Model(3, 6, ho.Signal.one_hot([1.0, 2.0]), "erf")
    state = ho.OrderParameters.random(6, 2, scale=1.0, seed=1)
    result = ho.linear_stability(model, state)
    assert result.sizes["mode"] == 6 * 2 + 6 * 7 // 2
    figure = drawn(stability_figure(result))
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    names = result["name"].values.tolist()
    assert labels == names[:15] + names[-15:]


def test_branch_marks_where_modes_begin_to_grow() -> None:
    branch = ho.continue_states(model_at, [0.0, 0.2, 0.4], parameter="weight decay λ")
    figure = drawn(ho.plot(branch))
    left, right = figure.axes
    assert left.get_xlabel() == right.get_xlabel() == "weight decay λ"
    names = [text.get_text() for text in left.get_legend().get_texts()]
    assert names[0] == "heads apart along feature 2"
    dotted = [line for line in left.lines if line.get_linestyle() not in ("-", "None")]
    assert len(dotted) >= branch.sizes["bifurcation"] == 2


def test_other_datasets_are_refused() -> None:
    model = ho.Model(3, 2, ho.Signal.one_hot([1.0]), "linear")
    other = ho.integrate(model, ho.OrderParameters.random(2, 1), time=1.0, count=2)
    for draw in (stability_figure, continuation_figure):
        with pytest.raises(ho.ArgumentError, match="be a result of"):
            draw(other)
