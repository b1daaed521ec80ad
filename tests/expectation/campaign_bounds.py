"""Is the reported error of expected updates above the true one?

    python tests/expectation/campaign_bounds.py [--count 1000] [--only METHOD ...] [--seed 0]

Random models and states, with built-in activations and with scores of every kind (monotone, with a
minimum, bounded, oscillating, growing, piecewise), pooled, per head and element-wise. Each expected
update is compared with a reference that shares no code with the methods: weights and their
derivatives by hand in NumPy, averaged over the fields of all tokens on a dense grid (one or two
fields: to roundoff) or over scrambled Sobol nodes (more fields: with a standard error). A violation
is an error above the reported one and four standard errors of the reference. Quasi-Monte-Carlo
reports the half-width of a 95 % confidence interval, so that one violation in twenty is allowed.
Wherever the reported error is above the tolerance there must be a ToleranceWarning.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from score_reference import entries, reference, x

import headode as ho
from headode.errors import SmoothnessWarning

Array = NDArray[np.float64]

tenth = sp.Rational(1, 10)
# kind: scores
SCORES = {
    "monotone": [sp.exp(x / 2), 1 / (1 + sp.exp(-x)), 4 / (1 + sp.exp(-3 * x)) + tenth],
    "bounded": [
        sp.exp(2 * sp.tanh(x)),
        sp.tanh(x) + 2,
        sp.exp(-(x**2) / 2) + tenth,
        sp.atan(x) + 2,
    ],
    "minimum": [x**2 + tenth, x**4 + tenth, (x - 1) ** 2 + tenth / 2, sp.cosh(x)],
    "oscillating": [2 + sp.cos(3 * x), sp.exp(sp.sin(2 * x))],
    "growing": [sp.exp(x**2 / 8), sp.exp(x + x**2 / 10), sp.log(1 + sp.exp(x)) ** 2],
    "piecewise": [
        sp.Max(x, 0) ** 3 + tenth,
        sp.Max(x, 0) ** 2 + tenth,
        sp.Piecewise((x + 1, x > 0), (sp.exp(x), True)),
    ],
}
BUILTIN = ("softmax", "softmax1", "bayes_softmax", "softplus", "linear", "erf")
SIGNALS = ("sign_flips", "one_hot", "gaussian", "mixture")
METHODS = ("auto", "factorized", "quasi_monte_carlo", "closed_form")
# Standard errors of the reference that an error may be above the reported one.
ALLOWED = 4.0


def activations() -> dict[str, tuple[str, Any]]:
    """Kind and activation by name, with each score pooled, per head and element-wise."""
    found: dict[str, tuple[str, Any]] = {name: ("built in", name) for name in BUILTIN}
    for kind, scores in SCORES.items():
        for number, score in enumerate(scores):
            for normalization, options in (
                ("pooled", {}),
                ("per_head", {"average": True}),
                ("per_head", {"null": 0.7}),
                ("none", {}),
            ):
                suffix = "_null" if "null" in options else ""
                name = f"{kind}{number}_{normalization}{suffix}"
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", SmoothnessWarning)
                    activation = ho.Activation(name, score, normalization, **options)
                found[name] = kind, activation
    return found


class Case(NamedTuple):
    """One expected update.

    Attributes:
        kind: of score.
        model: of the case.
        state: of the case.
        tolerance: target error.
        noise: whether N is computed.
    """

    kind: str
    model: ho.Model
    state: ho.OrderParameters
    tolerance: float
    noise: bool


def random_signal(rng: np.random.Generator, features: int) -> ho.Signal:
    """Of order one."""
    kind = rng.choice(SIGNALS)
    strength = 0.5 + rng.random(features)
    if kind == "sign_flips":
        return ho.Signal.sign_flips(rng.standard_normal(features), strength)
    if kind == "one_hot":
        return ho.Signal.one_hot(strength)
    roots = 0.6 * rng.standard_normal((2, features, features))
    covariances = list(roots @ roots.transpose(0, 2, 1))
    if kind == "gaussian":
        return ho.Signal.gaussian(rng.standard_normal(features), covariances[0])
    return ho.Signal.mixture(rng.standard_normal((2, features)), covariances, [0.3, 0.7])


def random_cases(seed: int, known: dict[str, tuple[str, Any]]) -> Iterator[Case]:
    """One after another, every activation in turn."""
    for number, name in enumerate(itertools.cycle(known)):
        kind, activation = known[name]
        rng = np.random.default_rng([seed, number])
        # Half of the cases have few fields, so that their reference is exact.
        tokens, heads = (2, 1) if rng.random() < 0.5 else (int(rng.integers(1, 4)), 2)
        model = ho.Model(
            tokens,
            heads,
            random_signal(rng, int(rng.integers(1, 3))),
            activation,
            offset=["zero", "nishimori", "learned", 0.3][rng.integers(4)],
            value=["known", "learned"][rng.integers(2)],
            label_noise=float(rng.choice([0.0, 0.3])),
        )
        size = 10.0 ** rng.uniform(-1.0, 0.4)
        parts: dict[str, Any] = {"m_v": 0.7, "q_v": 0.6} if model.learns_value else {}
        if model.learns_offset:
            parts["offset"] = 0.5 * rng.standard_normal(heads)
        root = 0.5 * size * rng.standard_normal((heads, int(rng.integers(0, heads + 1))))
        M = size * rng.standard_normal((heads, model.features))
        state = ho.OrderParameters(M, root @ root.T, **parts)
        # Sampling reaches no more, and references with many fields show no more.
        tight = tokens * heads <= 2 and model.activation.normalization != "none"
        tolerance = float(rng.choice([1e-3, 1e-5, 1e-7] if tight else [1e-3, 1e-4]))
        yield Case(kind, model, state, tolerance, bool(rng.random() < 0.3))


@dataclass
class Row:
    """What was found for one method and one kind of score."""

    cases: int = 0
    violations: int = 0
    above: int = 0
    silent: int = 0
    largest: float = 0.0
    seconds: list[float] = field(default_factory=list)


Rows = dict[tuple[str, str, str], Row]


def judge(rows: Rows, case: Case, method: str, exact: Array, error: Array) -> str | None:
    """Compare one update with its reference; what is wrong, if anything.

    Rows are by the method that is asked for, the one that computed, and the kind of score.
    """
    if method == "quasi_monte_carlo":
        case = case._replace(tolerance=max(case.tolerance, 1e-4))
    started = time.perf_counter()
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            terms = ho.expected_update(
                case.model, case.state, noise=case.noise, method=method, tolerance=case.tolerance
            )
    except ho.NumericalFailure:
        # Said, and nothing wrong returned.
        rows.setdefault((method, "refused", case.kind), Row()).cases += 1
        return None
    row = rows.setdefault((method, terms.method, case.kind), Row())
    row.seconds.append(time.perf_counter() - started)
    row.cases += 1
    found = entries(terms, noise=case.noise)
    excess = np.abs(found - exact) - ALLOWED * error - 1e-11
    row.largest = max(row.largest, float(excess.max()) / max(terms.error, 1e-300))
    warned = any(issubclass(each.category, ho.ToleranceWarning) for each in said)
    row.above += terms.error > case.tolerance
    row.silent += terms.error > case.tolerance and not warned
    if excess.max() <= terms.error:
        return None
    row.violations += 1
    at = int(excess.argmax())
    return (
        f"entry {at}: {found[at]:.8g}, reference {exact[at]:.8g} ± {error[at]:.1e}, "
        f"reported error {terms.error:.1e}"
    )


def main() -> None:
    """Run the campaign and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=METHODS, default=METHODS, metavar="METHOD")
    options = parser.parse_args()
    rows: Rows = {}
    cases = random_cases(options.seed, activations())
    for number, case in enumerate(itertools.islice(cases, options.count)):
        activation = case.model.activation
        exact, error = reference(case.model, case.state, noise=case.noise)
        possible = ["auto", "quasi_monte_carlo"]
        if activation.normalization != "none":
            possible.append("factorized")
        if activation.name == "linear" or (
            activation.name == "erf" and not (case.noise and case.model.learns_value)
        ):
            possible.append("closed_form")
        for method in possible:
            if method in options.only:
                wrong = judge(rows, case, method, exact, error)
                if wrong is not None:
                    print(f"case {number}, {activation.name}, {method}: {wrong}", flush=True)
    print(
        "\n| asked | computed | kind of score | cases | violations | largest error / reported | "
        "above the tolerance | without a warning | seconds, median and largest |"
    )
    print("|---|---|---|---:|---:|---:|---:|---:|---:|")
    for (method, computed, kind), row in sorted(rows.items()):
        times = f"{np.median(row.seconds):.3f}, {max(row.seconds):.1f}" if row.seconds else ""
        print(
            f"| {method} | {computed} | {kind} | {row.cases} | {row.violations} | "
            f"{row.largest:.2f} | {row.above} | {row.silent} | {times} |"
        )


if __name__ == "__main__":
    main()
