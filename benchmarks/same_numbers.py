"""Do two versions of headode give the same numbers, and how long do they take for them?

    python benchmarks/same_numbers.py record before.npz
    python benchmarks/same_numbers.py compare before.npz

``record`` stores expected updates of random models (every activation, offsets, values, signals,
tolerances, with and without the learning-rate noise) and the trajectories of packaged examples.
``compare`` computes them with the version at hand and prints the largest differences. Only the
public interface is used, so that the two versions may differ in everything else.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import headode as ho

ACTIVATIONS = ("softmax", "softmax1", "bayes_softmax", "softplus", "linear", "erf")
EXAMPLES = (
    "staged_specialization",
    "staged_specialization_softmax",
    "single_head_recovery",
    "learned_value",
    "finite_learning_rate",
)
# The same operations in the same order differ by roundoff at most; relative to the largest entry.
SAME = 1e-13

Case = tuple[str, ho.Model, ho.OrderParameters, dict[str, Any]]


def random_signal(rng: np.random.Generator, kind: str, features: int) -> ho.Signal:
    """A signal of this kind with strengths of order one."""
    strength = 0.5 + rng.random(features)
    if kind == "sign_flips":
        return ho.Signal.sign_flips(rng.standard_normal(features), strength)
    if kind == "one_hot":
        return ho.Signal.one_hot(strength)
    if kind == "flipped_one_hot":
        return ho.Signal.flipped_one_hot(strength)
    roots = 0.6 * rng.standard_normal((2, features, features))
    covariances = list(roots @ roots.transpose(0, 2, 1))
    if kind == "gaussian":
        return ho.Signal.gaussian(rng.standard_normal(features), covariances[0])
    return ho.Signal.mixture(rng.standard_normal((2, features)), covariances, [0.3, 0.7])


def random_state(rng: np.random.Generator, model: ho.Model, rank: int) -> ho.OrderParameters:
    """Overlaps of order one, with a residual of this rank."""
    root = 0.5 * rng.standard_normal((model.heads, rank))
    parts: dict[str, Any] = {}
    if model.learns_value:
        parts = {"m_v": 0.7, "q_v": 0.6}
    if model.learns_offset:
        parts["offset"] = 0.5 * rng.standard_normal(model.heads)
    M = rng.standard_normal((model.heads, model.features))
    return ho.OrderParameters(M, root @ root.T, **parts)


def cases() -> Iterator[Case]:
    """Name, model, state and further arguments of each expected update."""
    kinds = ("sign_flips", "one_hot", "flipped_one_hot", "gaussian", "mixture")
    offsets = ("zero", "nishimori", "learned", 0.4)
    for activation in ACTIVATIONS:
        for number, kind in enumerate(kinds * 3):
            rng = np.random.default_rng([ACTIVATIONS.index(activation), number])
            heads, features = 1 + number % 4, 1 + (number // 2) % 3
            # Sampled noise is slow for softmax heads: at a loose tolerance only.
            noise = number % 3 == 0
            model = ho.Model(
                (1, 2, 3, 7, 40)[(number + number // 5) % 5],
                heads,
                random_signal(rng, kind, features),
                activation,
                offset=offsets[(number + number // 5) % 4],
                value=("known", "learned")[number // 5 % 2],
                label_noise=0.3 * (number % 2),
            )
            state = random_state(rng, model, rank=min(heads, number % 3))
            tolerance = 1e-3 if noise else (1e-3, 1e-5, 1e-7)[number % 3]
            yield f"{activation}/{number}", model, state, {"noise": noise, "tolerance": tolerance}


def expected_updates() -> Iterator[tuple[str, np.ndarray]]:
    """Name and values of each update: all terms, then error and number of nodes."""
    for name, model, state, options in cases():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ho.ToleranceWarning)
            terms = ho.expected_update(model, state, **options)
        parts = [terms.risk, terms.G, terms.C, terms.N, terms.offset_gradient, terms.value_noise]
        kept = [np.ravel(part) for part in parts if part is not None]
        yield name, np.concatenate([*kept, [terms.error, terms.nodes]])


def trajectories() -> Iterator[tuple[str, np.ndarray]]:
    """Name and values of the examples' trajectories."""
    for name in EXAMPLES:
        config = ho.load_config(files("headode") / "examples" / f"{name}.yaml")
        arguments = config.experiment.time_arguments() | config.experiment.training_arguments()
        run = ho.integrate(config.build_model(), config.build_state(), **arguments)
        evaluations = run.attrs["right_hand_side_evaluations"]
        yield (
            name,
            np.concatenate(
                [run["M"].values.ravel(), run["R"].values.ravel(), run["risk"], [evaluations]]
            ),
        )


def numbers() -> dict[str, np.ndarray]:
    """Everything that is compared."""
    return dict(expected_updates()) | dict(trajectories())


def report(before: dict[str, np.ndarray], now: dict[str, np.ndarray]) -> bool:
    """Print what differs; whether everything is the same to roundoff."""
    same = True
    for name, values in now.items():
        old = before[name]
        if old.shape != values.shape:
            print(f"{name:40s} has other terms: {old.shape} and {values.shape}")
            same = False
            continue
        size = max(1.0, float(np.abs(old).max()))
        difference = float(np.abs(values - old).max()) / size
        if difference > SAME:
            at = int(np.abs(values - old).argmax())
            print(f"{name:40s} {difference:.2e} at {at} of {old.size}")
            same = False
    print(f"{len(now)} cases: {'the same' if same else 'not the same'} to {SAME:g}")
    return same


def main() -> None:
    """Record or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    if options.action == "record":
        np.savez(options.file, **numbers())
    else:
        with np.load(options.file) as stored:
            sys.exit(0 if report(dict(stored), numbers()) else 1)


if __name__ == "__main__":
    main()
