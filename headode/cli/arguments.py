"""From a configuration to the arguments of the functions that compute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from headode.errors import ArgumentError

if TYPE_CHECKING:
    from headode.config import Config


# Keys of the arguments that the functions themselves judge.
TIME_KEYS = {"time": "training.time", "times": "output.times"}
INTEGRATION_KEYS = TIME_KEYS | {
    "method": "expectation.method",
    "tolerance": "expectation.tolerance",
    "integrator": "integrator.method",
}
SIMULATION_KEYS = TIME_KEYS | {
    "method": "simulation.method",
    "dimension": "simulation.dimension",
    "runs": "simulation.runs",
}
VALIDATION_KEYS = SIMULATION_KEYS | INTEGRATION_KEYS | {"simulation_method": "simulation.method"}


def training_arguments(config: Config) -> dict[str, Any]:
    """Hyperparameters and recorded times, which the ODE and the simulation share."""
    experiment = config.experiment
    return {
        **experiment.time_arguments(),
        **experiment.training_arguments(),
        "configuration": config.to_dict(),
    }


def integration_arguments(config: Config) -> dict[str, Any]:
    """What only the ODE needs."""
    return config.experiment.integration_arguments()


def simulation_arguments(config: Config) -> dict[str, Any]:
    """What only the simulation needs."""
    return config.experiment.simulation_arguments()


def validation_arguments(config: Config) -> dict[str, Any]:
    """What the ODE and the simulation need when they are compared: one seed for both."""
    simulation = simulation_arguments(config)
    simulation["simulation_method"] = simulation.pop("method")
    return integration_arguments(config) | simulation


def require_learning_rate(config: Config, command: str) -> None:
    """Refuse gradient flow where steps are simulated.

    Raises:
        ConfigError: naming the line of ``training.learning_rate``.
    """
    rate = config.training.learning_rate
    if isinstance(rate, str):
        requirement = f"be a number for `headode {command}` (only the ODE has the limit η → 0)"
        raise config.refusal("training.learning_rate", requirement, rate)


@contextmanager
def naming_keys(config: Config, keys: Mapping[str, str]) -> Iterator[None]:
    """Name the line and the key of an argument that a function refuses.

    Args:
        config: where the arguments come from.
        keys: dotted key of each argument.
    """
    try:
        yield
    except ArgumentError as error:
        if error.argument not in keys:
            raise
        raise config.refusal(keys[error.argument], error.requirement, error.value) from None
