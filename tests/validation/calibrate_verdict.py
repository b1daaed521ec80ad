"""How often a correct theory is rejected, and how small a wrong term is still noticed.

Run by hand: ``python tests/validation/calibrate_verdict.py softmax --dimension 2000 --count 30``.
Each repetition simulates two new ensembles and compares them with the right ODE and with ODEs in
which one term has the wrong size.
"""

import argparse
from collections import Counter
from dataclasses import replace
from unittest import mock

from headode import Model, OrderParameters, Signal, integrate, validate
from headode.dynamics.right_hand_side import RightHandSide
from headode.validation.compare import compare

SIGNAL = Signal.sign_flips(mean=[1.5, 0.0], amplitude=[0.0, 1.5])
FACTORS = {"N": (0.8, 0.9, 0.95), "G": (0.9, 0.95, 0.98), "C": (0.9, 0.95, 0.98)}
OPTIONS = {"tolerance": 1e-4, "rtol": 1e-5, "atol": 1e-7, "learning_rate": 1.0}


def wrong_theory(model, state, times, term, factor):
    """The ODE with one term multiplied by a factor."""

    class Wrong(RightHandSide):
        def derivative(self, state, terms):
            return super().derivative(
                state, replace(terms, **{term: factor * getattr(terms, term)})
            )

    with mock.patch("headode.dynamics.integrate.RightHandSide", Wrong):
        return integrate(model, state, times=times, **OPTIONS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("activation")
    parser.add_argument("--dimension", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--time", type=float, default=6.0)
    parser.add_argument("--count", type=int, default=30)
    arguments = parser.parse_args()
    model = Model(3, 2, SIGNAL, arguments.activation, label_noise=0.3)
    state = OrderParameters.random(2, 2, scale=0.5, seed=4)
    rejected: Counter[str] = Counter()
    wrong = {}
    for seed in range(arguments.count):
        report = validate(
            model,
            state,
            time=arguments.time,
            dimension=arguments.dimension,
            runs=arguments.runs,
            comparisons=10,
            seed=seed,
            **OPTIONS,
        )
        rejected["right"] += not report.agrees
        print(f"seed {seed}: {report.worst}", flush=True)
        times = report.simulation["time"].values
        for term, factors in FACTORS.items():
            for factor in factors:
                name = f"{term} x {factor}"
                if name not in wrong:
                    wrong[name] = wrong_theory(model, state, times, term, factor)
                verdict = compare(wrong[name], report.simulation, report.coarse)
                rejected[name] += not verdict.agrees
    for name in ("right", *wrong):
        print(f"{name}: rejected {rejected[name]} of {arguments.count}")


if __name__ == "__main__":
    main()
