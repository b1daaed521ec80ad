"""The models and states that the benchmarks of expectations share."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

import headode as ho
from headode.trajectory import state_at

SIGNAL = ho.Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, 1.8, 1.2])
HEADS, LABEL_NOISE = 4, 0.0
EXAMPLES = {
    "bayes_softmax": "staged_specialization",
    "softmax": "staged_specialization_softmax",
}


def model_of(activation: str, tokens: int = 3) -> ho.Model:
    """The staged example's model, with any number of tokens."""
    return ho.Model(tokens, HEADS, SIGNAL, activation, label_noise=LABEL_NOISE)


def staged_start(activation: str) -> tuple[ho.Model, ho.OrderParameters]:
    """Model and initial state of a packaged staged example."""
    config = ho.load_config(files("headode") / "examples" / f"{EXAMPLES[activation]}.yaml")
    return config.build_model(), config.build_state()


@cache
def staged_states() -> dict[str, ho.OrderParameters]:
    """Two states of the staged example of bayes_softmax: when the mean M_h1 is 1, and t = 500.

    In the first one all heads are nearly alike (one large eigenvalue of Q); in the second one they
    have split along both features (three large eigenvalues).
    """
    model, start = staged_start("bayes_softmax")
    times = np.append(np.arange(20.0, 40.0, 0.5), 500.0)
    run = ho.integrate(model, start, times=times, tolerance=1e-6)
    aligned = int(np.abs(run.M.values[:, :, 0].mean(axis=1) - 1.0).argmin())
    return {"early": state_at(run, aligned), "specialized": state_at(run, -1)}
