"""Learning dynamics of multi-head attention on the single-location model.

The public names below are loaded on first use, so that ``import headode`` and
``headode --help`` stay light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from headode._version import __version__

if TYPE_CHECKING:
    from headode.activation import Activation, register_activation
    from headode.config import config_from_dict, load_config
    from headode.dynamics.integrate import integrate
    from headode.errors import (
        ArgumentError,
        ConfigError,
        HeadodeError,
        Interrupted,
        NumericalFailure,
        ToleranceWarning,
    )
    from headode.expectation.bayes_risk import bayes_risk
    from headode.expectation.select import expected_update
    from headode.expectation.terms import ExpectedUpdate
    from headode.model import Model
    from headode.order_parameters import OrderParameters
    from headode.plotting import plot
    from headode.signal import Signal
    from headode.simulation.simulate import simulate
    from headode.validation.validate import validate

_HOME = {
    "Activation": "headode.activation",
    "ArgumentError": "headode.errors",
    "ConfigError": "headode.errors",
    "ExpectedUpdate": "headode.expectation.terms",
    "HeadodeError": "headode.errors",
    "Interrupted": "headode.errors",
    "Model": "headode.model",
    "NumericalFailure": "headode.errors",
    "OrderParameters": "headode.order_parameters",
    "Signal": "headode.signal",
    "ToleranceWarning": "headode.errors",
    "bayes_risk": "headode.expectation.bayes_risk",
    "config_from_dict": "headode.config",
    "expected_update": "headode.expectation.select",
    "integrate": "headode.dynamics.integrate",
    "load_config": "headode.config",
    "plot": "headode.plotting",
    "register_activation": "headode.activation",
    "simulate": "headode.simulation.simulate",
    "validate": "headode.validation.validate",
}

__all__ = [
    "Activation",
    "ArgumentError",
    "ConfigError",
    "ExpectedUpdate",
    "HeadodeError",
    "Interrupted",
    "Model",
    "NumericalFailure",
    "OrderParameters",
    "Signal",
    "ToleranceWarning",
    "__version__",
    "bayes_risk",
    "config_from_dict",
    "expected_update",
    "integrate",
    "load_config",
    "plot",
    "register_activation",
    "simulate",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'headode' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
