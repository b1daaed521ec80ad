"""How often a correct theory is rejected, and how small a wrong term is still noticed.

Run by hand, with the number of validations of each case:

    python tests/validation/calibrate_verdict.py false-alarms --count 50
    python tests/validation/calibrate_verdict.py power --count 20 --dimension 2000

Each repetition simulates new ensembles. For false alarms they are compared with the right ODE of
four models; for power with ODEs that have a mistake.
"""

import argparse
import warnings
from collections import Counter
from functools import partial
from unittest import mock

import numpy as np
from planted import MISTAKES, scaled, solutions

from headode import Model, OrderParameters, Signal, ToleranceWarning, validate
from headode.simulation.risk import estimate_risk
from headode.validation.compare import compare

SIGNAL = Signal.sign_flips(mean=[1.5, 0.0], amplitude=[0.0, 1.5])
TOLERANCES = {"tolerance": 1e-4, "rtol": 1e-5, "atol": 1e-7}
STATE = OrderParameters.random(2, 2, scale=0.5, seed=4)
MODELS = [
    Model(3, 2, SIGNAL, activation, value=value, label_noise=0.3)
    for activation, value in (
        ("bayes_softmax", "known"),
        ("softmax", "learned"),
        ("linear", "learned"),
        ("erf", "known"),
    )
]
SMALLER = {
    "sign of G": None,
    "sign of C": None,
    "no nishimori drift": None,
    "batch size ignored": None,
    "label noise ignored": None,
    "no learning-rate noise": None,
    "N 20 % too small": scaled(N=0.8, value_noise=0.8),
    "N 10 % too small": None,
    "N 10 % too large": None,
    "N 5 % too small": scaled(N=0.95, value_noise=0.95),
    "N 2 % too small": scaled(N=0.98, value_noise=0.98),
    "G 5 % too small": None,
    "G 2 % too small": scaled(G=0.98),
    "G 1 % too small": scaled(G=0.99),
    "C 5 % too small": scaled(C=0.95),
    "C 2 % too small": scaled(C=0.98),
}


def start(model):
    return STATE.replace(m_v=0.5, q_v=0.5) if model.learns_value else STATE


def false_alarms(arguments):
    """Verdicts on the right ODE of four models, and whether exponents are within their errors."""
    verdicts, pulls = Counter(), {"fluctuations": [], "bias": []}
    worst = []
    for number, model in enumerate(MODELS):
        for seed in range(number * arguments.count, (number + 1) * arguments.count):
            report = validate(
                model,
                start(model),
                time=arguments.time,
                learning_rate=arguments.learning_rate,
                dimension=arguments.dimension,
                runs=arguments.runs,
                comparisons=10,
                seed=seed,
                **TOLERANCES,
            )
            verdicts[report.verdict] += 1
            worst.append(report.worst.relative)
            for what, fit, expected in (
                ("fluctuations", report.fluctuation_exponent, -0.5),
                ("bias", report.bias_exponent, -1.0),
            ):
                if fit is not None:
                    pulls[what].append(((fit.value - expected) / fit.error, fit.value, fit.error))
        largest = np.sort(worst)[-8:].round(2).tolist()
        print(model.activation.name, dict(verdicts), f"largest |z|/critical {largest}", flush=True)
    for what, found in pulls.items():
        if found:
            pull, value, error = np.transpose(found)
            within = [f"{np.mean(abs(pull) < errors):.2f}" for errors in (1, 2)]
            print(
                f"exponent of {what}: fitted in {len(found)}, mean {value.mean():.3f}, median "
                f"error {np.median(error):.3f}, within one and two errors {' and '.join(within)}"
            )


def power(arguments):
    """How many of the repetitions notice each mistake."""
    model = Model(3, 2, SIGNAL, "bayes_softmax", label_noise=0.5)
    training = {"learning_rate": arguments.learning_rate, "batch_size": 2}
    for name, spoil in SMALLER.items():
        if spoil is not None:
            MISTAKES[name] = spoil
    rejected, excused, wrong = Counter(), Counter(), {}
    for seed in range(arguments.count):
        report = validate(
            model,
            STATE,
            time=arguments.time,
            dimension=arguments.dimension,
            runs=arguments.runs,
            comparisons=10,
            seed=seed,
            **training,
            **TOLERANCES,
        )
        rejected["right"] += report.verdict == "disagrees"
        for name in SMALLER:
            if name not in wrong:
                times = report.simulation["time"].values
                wrong[name] = solutions(name, model, STATE, times, training, TOLERANCES)
            theory, looser = wrong[name]
            verdict = compare(theory, report.ensembles, looser=looser).verdict
            rejected[name] += verdict == "disagrees"
            excused[name] += verdict == "inconclusive"
    for name in ("right", *SMALLER):
        print(f"{name}: {rejected[name]} of {arguments.count}, inconclusive {excused[name]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=["false-alarms", "power"])
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--time", type=float, default=6.0)
    parser.add_argument("--learning-rate", type=float, default=1.0)
    parser.add_argument("--count", type=int, default=50)
    arguments = parser.parse_args()
    # A tenth of the samples for the risk, whose noise is known: they take most of the time.
    quick = partial(estimate_risk, samples=1000)
    with (
        warnings.catch_warnings(),
        mock.patch("headode.simulation.simulate.estimate_risk", quick),
    ):
        # Wrong equations may lead where the expectations are hard.
        warnings.simplefilter("ignore", ToleranceWarning)
        {"false-alarms": false_alarms, "power": power}[arguments.study](arguments)


if __name__ == "__main__":
    main()
