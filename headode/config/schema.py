"""The sections of a configuration file: every key, its type, its default and its meaning.

This is the one place that says which keys exist. The messages about wrong values and the
reference in the documentation are both made from these annotations and descriptions.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator

from headode._limits import (
    LARGEST_BATCH,
    LARGEST_COUNT,
    LARGEST_DIMENSION,
    LARGEST_HEADS,
    LARGEST_RUNS,
    LARGEST_SEED,
    LARGEST_TOKENS,
)

Vector = Annotated[list[float], MinLen(1)]
Matrix = Annotated[list[Vector], MinLen(1)]
Covariance = float | Vector | Matrix
Tokens = Annotated[int, Ge(1), Le(LARGEST_TOKENS)]
Heads = Annotated[int, Ge(1), Le(LARGEST_HEADS)]
Batch = Annotated[int, Ge(1), Le(LARGEST_BATCH)]
Dimension = Annotated[int, Ge(1), Le(LARGEST_DIMENSION)]
Runs = Annotated[int, Ge(1), Le(LARGEST_RUNS)]
Count = Annotated[int, Ge(1), Le(LARGEST_COUNT)]
Seed = Annotated[int, Ge(0), Le(LARGEST_SEED)]
Positive = Annotated[float, Gt(0)]
Nonnegative = Annotated[float, Ge(0)]

Measure = Literal[
    "final_risk",
    "excess_risk",
    "bayes_risk",
    "optimal_risk",
    "growth_rate",
    "specialization_time",
    "specialization_times",
    "specialized_features",
    "feature_order",
    "redundant_heads",
    "phase",
    "success_rate",
]


class Section(BaseModel):
    """What all sections share: no unknown keys, no conversions, no infinite numbers, no change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_empty(cls, value: Any) -> Any:
        # None is the default of optional keys, but a key written with nothing after it is a slip.
        if value is None:
            raise ValueError("empty")
        return value


class ModelSection(Section):
    """Task and student architecture."""

    tokens: Tokens = Field(description="L, tokens in a sequence")
    heads: Heads = Field(description="H, attention heads")
    activation: str = Field(
        "bayes_softmax",
        description="attention activation: `softmax`, `softmax1`, `bayes_softmax`, `linear`, "
        "`erf`, `softplus` or a registered name",
    )
    offset: Literal["zero", "nishimori", "learned"] | float | Vector | None = Field(
        None,
        description="offset of the scores; by default `nishimori` for `bayes_softmax`, else `zero`",
    )
    value: Literal["known", "learned"] = Field("known", description="the value vector v")
    label_noise: Nonnegative = Field(
        0.0, description="Δ, standard deviation of the noise on the label"
    )
    prefactor: Positive | None = Field(
        None,
        description="c of an element-wise activation (`linear`, `erf`); by default 1/(L H)",
    )


class SignalSection(Section):
    """The law P_θ of the signal; its number of features F is inferred."""

    kind: Literal["sign_flips", "one_hot", "flipped_one_hot", "gaussian", "discrete", "mixture"] = (
        Field(description="family of laws; each takes exactly its own parameters")
    )
    mean: Vector | None = Field(None, description="mean of the signal (`sign_flips`, `gaussian`)")
    amplitude: Vector | None = Field(
        None, description="strength of each feature (`sign_flips`, `one_hot`, `flipped_one_hot`)"
    )
    covariance: Covariance | None = Field(
        None,
        description="covariance: a number times the identity, F variances or a matrix (`gaussian`)",
    )
    points: Matrix | None = Field(None, description="support points, one a row (`discrete`)")
    means: Matrix | None = Field(None, description="component means, one a row (`mixture`)")
    covariances: float | Annotated[list[Covariance], MinLen(1)] | None = Field(
        None, description="one number for all components, or a covariance for each (`mixture`)"
    )
    probabilities: Vector | None = Field(
        None,
        description="weights that sum to 1, by default equal "
        "(`one_hot`, `flipped_one_hot`, `discrete`, `mixture`)",
    )


class TrainingSection(Section):
    """One-pass SGD and its duration."""

    learning_rate: Literal["gradient_flow"] | Positive = Field(
        "gradient_flow", description="η, or the limit η → 0 in which time is η steps/d"
    )
    value_learning_rate: Nonnegative = Field(
        1.0,
        description="η_v of a learned value; in gradient flow the ratio η_v/η "
        "(only with `model.value: learned`)",
    )
    offset_learning_rate: Nonnegative = Field(
        1.0,
        description="η_b of learned offsets; in gradient flow the ratio η_b/η "
        "(only with `model.offset: learned`)",
    )
    batch_size: Batch = Field(1, description="B, fresh sequences per step")
    weight_decay: Nonnegative = Field(0.0, description="λ; each step also does k ← k − η λ k/d")
    time: Positive | None = Field(
        None, description="duration in steps/d; required unless `output.times` is given"
    )


class InitialSection(Section):
    """The state at t = 0: random (scale, seed) or explicit (M, R and what else is learned)."""

    scale: Nonnegative = Field(0.01, description="random start: M_hf ~ N(0, scale²), R = scale² I")
    seed: Seed = Field(0, description="seed of the random start")
    M: Matrix | None = Field(None, description="explicit start: overlaps k_h·k*_f/d, (H, F)")
    R: Matrix | None = Field(
        None, description="explicit start: residual overlaps Q − M Mᵀ, (H, H), with M"
    )
    m_v: float | None = Field(
        None, description="v·v*/d, by default 1 (explicit start with `model.value: learned`)"
    )
    q_v: Nonnegative | None = Field(
        None, description="|v|²/d, by default m_v² (explicit start with `model.value: learned`)"
    )
    offset: Vector | None = Field(
        None, description="b_h, by default 0 (explicit start with `model.offset: learned`)"
    )


class ExpectationSection(Section):
    """How the expected updates are computed."""

    method: Literal["auto", "closed_form", "factorized", "quasi_monte_carlo"] = Field(
        "auto", description="method of expectation"
    )
    tolerance: Positive = Field(1e-6, description="target absolute error of the expected updates")
    seed: Seed = Field(0, description="seed of the scrambles of quasi-Monte-Carlo nodes")


class IntegratorSection(Section):
    """The time integrator of the ODE."""

    # SciPy clips smaller relative tolerances to a hundred times the machine precision.
    rtol: Annotated[float, Ge(1e-13), Lt(1)] = Field(
        1e-6, description="relative tolerance of a time step"
    )
    atol: Positive = Field(1e-9, description="absolute tolerance of a time step")
    method: Literal["auto", "RK45", "DOP853", "LSODA", "BDF", "Radau"] = Field(
        "auto", description="time integrator"
    )


class OutputSection(Section):
    """When the state is recorded; t = 0 is one of the `count` times."""

    count: Annotated[int, Ge(2), Le(LARGEST_COUNT)] = Field(
        200, description="number of recorded times"
    )
    spacing: Literal["log", "linear"] = Field("log", description="how they are spaced")
    times: Vector | None = Field(
        None, description="the recorded times themselves, instead of `count` and `spacing`"
    )


class SimulationSection(Section):
    """The ensemble of finite-dimensional SGD runs."""

    dimension: Dimension = Field(10_000, description="d, larger than F + 1 + H")
    runs: Runs = Field(8, description="independent runs")
    method: Literal["overlaps", "weights"] = Field(
        "overlaps",
        description="`overlaps` simulates the overlaps alone, exact in law at a cost independent "
        "of d; `weights` simulates the full vectors",
    )
    seed: Seed = Field(0, description="seed of the ensemble")


class AxisRange(Section):
    """Evenly spaced values of one axis of a phase diagram."""

    start: float = Field(description="first value")
    stop: float = Field(description="last value")
    count: Count = Field(description="number of values")
    spacing: Literal["log", "linear"] = Field("linear", description="how they are spaced")


def _axis_form(value: Any) -> str:
    return "range" if isinstance(value, dict | AxisRange) else "list"


Axis = Annotated[
    Annotated[AxisRange, Tag("range")] | Annotated[list[float | str], MinLen(1), Tag("list")],
    Discriminator(_axis_form),
]


class RefineSection(Section):
    """Where a phase diagram of two axes is computed in full: along the boundaries of phases."""

    measure: Measure = Field(description="tells phases apart; one of the measures")
    threshold: float | None = Field(
        None, description="a number has two phases, below this or not; else each value is one"
    )
    cell: Count | None = Field(None, description="steps of the grid along a coarse cell")


class PhaseDiagramSection(Section):
    """A sweep over configuration keys, for `headode phase-diagram`."""

    axes: Annotated[dict[str, Axis], MinLen(1)] = Field(
        description="for each swept dotted key (`signal.amplitude.1`: entry 1, counted from 0) "
        "a list of values or a range {start, stop, count, spacing}"
    )
    measures: Annotated[list[Measure], MinLen(1)] = Field(
        ["final_risk"], description="what is measured at each point"
    )
    seeds: Runs = Field(
        1, description="initial states at each point, with seeds `initial.seed`, + 1, ..."
    )
    refine: RefineSection | None = Field(
        None,
        description="compute a part of the points only: {measure, threshold, cell}; two axes",
    )
