"""The public surface, frozen: a change here is a change for users, and belongs in the changelog."""

from __future__ import annotations

import inspect
import subprocess
import sys

import headode as ho

PUBLIC = {
    "Activation": "(name, score, normalization, null, average, summary)",
    "ArgumentError": "(argument, requirement, value)",
    "BayesAttention": "(signal)",
    "ConfigError": "(faults)",
    "ExpectedUpdate": "(risk, G, C, N, marked_attention, squared_attention, value_noise, "
    "offset_gradient, error, method, nodes)",
    "HeadodeError": None,
    "Interrupted": "(message, partial)",
    "Model": "(tokens, heads, signal, activation, offset, value, label_noise, prefactor)",
    "NumericalFailure": "(message, partial)",
    "OptimalRisk": "(minima, bayes_risk, bayes_risk_error, evaluations, tolerance)",
    "OrderParameters": "(M, R, m_v, q_v, offset)",
    "Signal": "(kind, parameters, probabilities, means, covariances)",
    "SmoothnessWarning": None,
    "ToleranceWarning": None,
    "__version__": None,
    "bayes_risk": "(model, tolerance, seed)",
    "config_from_dict": "(mapping)",
    "continue_states": "(model_at, values, branch, parameter, location_tolerance, restarts, "
    "tolerance, method, seed)",
    "expected_update": "(model, state, noise, method, tolerance, seed)",
    "integrate": "(model, state, time, times, learning_rate, value_learning_rate, "
    "offset_learning_rate, batch_size, weight_decay, count, spacing, method, tolerance, seed, "
    "rtol, atol, integrator, progress, configuration)",
    "linear_stability": "(model, state, learning_rate, value_learning_rate, offset_learning_rate, "
    "batch_size, weight_decay, tolerance, method, seed)",
    "load_config": "(path)",
    "optimal_risk": "(model, restarts, seed, starts, tolerance, method, progress)",
    "phase_diagram": "(configuration, axes, measures, derived, seeds, refine, initial, training, "
    "expectation, integrator, output, simulation, workers, scheduler, store, resume, progress, "
    "live)",
    "plot": "(result, output, force)",
    "predict_specialization": "(model, state, time, learning_rate, value_learning_rate, "
    "offset_learning_rate, batch_size, weight_decay, final_spread, fixed_point, method, seed)",
    "prune": "(model, state, renormalize, refit_value, largest_loss, method, tolerance, progress, "
    "configuration)",
    "read_trajectory": "(run, model)",
    "register_activation": "(activation)",
    "simulate": "(model, state, time, times, learning_rate, value_learning_rate, "
    "offset_learning_rate, batch_size, weight_decay, count, spacing, dimension, runs, method, "
    "seed, workers, checkpoint, progress, configuration)",
    "specialization_times": "(run, model)",
    "unspecialized_state": "(model, learning_rate, value_learning_rate, offset_learning_rate, "
    "batch_size, weight_decay, tolerance, method, seed, start)",
    "validate": "(model, state, time, times, learning_rate, value_learning_rate, "
    "offset_learning_rate, batch_size, weight_decay, count, spacing, comparisons, level, method, "
    "tolerance, rtol, atol, integrator, dimension, runs, simulation_method, seed, workers, "
    "progress, configuration)",
}


def test_public_names_and_signatures():
    assert set(ho.__all__) == set(PUBLIC)
    assert set(dir(ho)) == set(PUBLIC)
    for name, expected in PUBLIC.items():
        value = getattr(ho, name)
        if expected is not None:
            parameters = ", ".join(inspect.signature(value).parameters)
            assert f"({parameters})" == expected, name


def test_everything_public_is_documented():
    for name in PUBLIC:
        if name != "__version__":
            assert inspect.getdoc(getattr(ho, name)), name


def test_import_is_light():
    """Heavy libraries are loaded by the functions that need them."""
    heavy = [
        "sympy",
        "matplotlib",
        "dask",
        "numba",
        "scipy",
        "xarray",
        "pandas",
        "pydantic",
        "zarr",
        "loky",
    ]
    program = f"import sys, headode; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
