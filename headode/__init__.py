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
        SmoothnessWarning,
        ToleranceWarning,
    )
    from headode.expectation.bayes_risk import bayes_risk
    from headode.expectation.select import expected_update
    from headode.expectation.terms import ExpectedUpdate
    from headode.model import Model
    from headode.order_parameters import OrderParameters
    from headode.phase_diagrams.api import phase_diagram
    from headode.plotting import plot
    from headode.signal import Signal
    from headode.simulation.simulate import simulate
    from headode.specialization.reading import read_trajectory
    from headode.specialization.times import specialization_times
    from headode.stability.continuation import continue_states
    from headode.stability.linear_stability import linear_stability
    from headode.stability.specialization_prediction import predict_specialization
    from headode.stability.unspecialized import unspecialized_state
    from headode.statics.bayes_attention import BayesAttention
    from headode.statics.optimal_risk import OptimalRisk, optimal_risk
    from headode.statics.pruning import prune
    from headode.validation.validate import validate

_HOME = {
    "Activation": "headode.activation",
    "ArgumentError": "headode.errors",
    "BayesAttention": "headode.statics.bayes_attention",
    "ConfigError": "headode.errors",
    "ExpectedUpdate": "headode.expectation.terms",
    "HeadodeError": "headode.errors",
    "Interrupted": "headode.errors",
    "Model": "headode.model",
    "NumericalFailure": "headode.errors",
    "OptimalRisk": "headode.statics.optimal_risk",
    "OrderParameters": "headode.order_parameters",
    "Signal": "headode.signal",
    "SmoothnessWarning": "headode.errors",
    "ToleranceWarning": "headode.errors",
    "bayes_risk": "headode.expectation.bayes_risk",
    "config_from_dict": "headode.config",
    "continue_states": "headode.stability.continuation",
    "expected_update": "headode.expectation.select",
    "integrate": "headode.dynamics.integrate",
    "linear_stability": "headode.stability.linear_stability",
    "load_config": "headode.config",
    "optimal_risk": "headode.statics.optimal_risk",
    "phase_diagram": "headode.phase_diagrams.api",
    "plot": "headode.plotting",
    "predict_specialization": "headode.stability.specialization_prediction",
    "prune": "headode.statics.pruning",
    "read_trajectory": "headode.specialization.reading",
    "register_activation": "headode.activation",
    "simulate": "headode.simulation.simulate",
    "specialization_times": "headode.specialization.times",
    "unspecialized_state": "headode.stability.unspecialized",
    "validate": "headode.validation.validate",
}

__all__ = [
    "Activation",
    "ArgumentError",
    "BayesAttention",
    "ConfigError",
    "ExpectedUpdate",
    "HeadodeError",
    "Interrupted",
    "Model",
    "NumericalFailure",
    "OptimalRisk",
    "OrderParameters",
    "Signal",
    "SmoothnessWarning",
    "ToleranceWarning",
    "__version__",
    "bayes_risk",
    "config_from_dict",
    "continue_states",
    "expected_update",
    "integrate",
    "linear_stability",
    "load_config",
    "optimal_risk",
    "phase_diagram",
    "plot",
    "predict_specialization",
    "prune",
    "read_trajectory",
    "register_activation",
    "simulate",
    "specialization_times",
    "unspecialized_state",
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
