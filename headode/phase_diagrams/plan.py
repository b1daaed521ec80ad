"""What a phase diagram consists of: which points there are, and how one of them is computed."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from itertools import islice, product
from typing import Any, NamedTuple

import numpy as np

from headode._version import __version__
from headode.activation import Activation
from headode.errors import ArgumentError, HeadodeError
from headode.experiment import Experiment
from headode.phase_diagrams.axes import Axis, with_key
from headode.phase_diagrams.measures import Measure, describe_function
from headode.phase_diagrams.point import Point
from headode.phase_diagrams.refine import Refinement

# Points that are checked before anything is computed; a later one that is invalid is recorded.
MOST_CHECKED = 3000
# What a point may fail with; anything else is a mistake in the program, and stops the sweep.
NUMERICAL_ERRORS = (HeadodeError, ArithmeticError, ValueError)

Derived = Callable[[dict[str, Any]], Any]


@cache
def known_versions() -> Mapping[str, str]:
    """Versions, in this process, of what determines the last bits of a result."""
    from importlib.metadata import version

    return {"headode": __version__} | {name: version(name) for name in ("numpy", "scipy", "numba")}


class Outcome(NamedTuple):
    """What came out of one point.

    Attributes:
        values: of the measures by name; those that failed are absent.
        message: what went wrong, or what was warned about; else empty.
        failed: whether a measure has no value.
    """

    values: dict[str, Any]
    message: str
    failed: bool


@dataclass(frozen=True)
class Plan:
    """A phase diagram to be computed.

    Attributes:
        sections: the configuration that the axes vary.
        axes: in the order of the dimensions.
        measures: in the order of the variables.
        derived: further keys as functions of the parameters.
        seeds: initial states at each point, with seeds ``initial.seed``, + 1, ...
        refinement: compute a part of the points only, those where the diagram changes.
        activations: the registered activations, which other processes do not know.
        versions: of what computes.
    """

    sections: Mapping[str, Any]
    axes: tuple[Axis, ...]
    measures: tuple[Measure, ...]
    derived: Mapping[str, Derived] = field(default_factory=dict)
    seeds: int = 1
    refinement: Refinement | None = None
    activations: tuple[Activation, ...] = ()
    versions: Mapping[str, str] = field(default_factory=lambda: known_versions())

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each axis, and seeds."""
        return (*(len(axis.values) for axis in self.axes), self.seeds)

    @property
    def size(self) -> int:
        """Number of points, each seed counted."""
        return math.prod(self.shape)

    @cached_property
    def features(self) -> int:
        """F, which is the same everywhere."""
        return self.experiment((0,) * len(self.shape))[0].signal().features

    @property
    def whole_run(self) -> bool:
        """Whether a measure looks at more of the trajectory than its end."""
        return any(measure.whole_run for measure in self.measures)

    def experiment(self, index: tuple[int, ...]) -> tuple[Experiment, dict[str, Any]]:
        """The configuration and the parameters of a point.

        Raises:
            ArgumentError: if a key goes into a list that has no such entry.
        """
        *place, seed = index
        parameters: dict[str, Any] = {
            axis.key: axis.values[i] for axis, i in zip(self.axes, place, strict=True)
        }
        parameters |= {key: compute(dict(parameters)) for key, compute in self.derived.items()}
        sections = copy.deepcopy(dict(self.sections))
        for key, value in parameters.items():
            if "." in key:
                with_key(sections, key, value)
        if self.seeds > 1:
            initial = sections.setdefault("initial", {})
            if "M" in initial:
                raise ArgumentError("seeds", "be 1 when M and R are given", self.seeds)
            initial["seed"] = initial.get("seed", 0) + seed
        return Experiment(sections), parameters

    def where(self, index: tuple[int, ...]) -> str:
        """A point in words."""
        *place, seed = index
        parts = [f"{axis.key} = {axis.values[i]}" for axis, i in zip(self.axes, place, strict=True)]
        return ", ".join([*parts, f"seed + {seed}"] if self.seeds > 1 else parts)

    def check(self) -> None:
        """Refuse a sweep with invalid points, before anything is computed.

        Raises:
            ArgumentError: naming the point.
        """
        indices = product(*map(range, self.shape[:-1]))
        for place in islice(indices, MOST_CHECKED):
            self._check_point((*place, 0))

    def _check_point(self, index: tuple[int, ...]) -> None:
        try:
            experiment, _ = self.experiment(index)
            model, training = experiment.model(), experiment.training()
            model.check_state(experiment.state())
            experiment.times()
            features = model.features
        except ArgumentError as error:
            requirement = f"{error.requirement} (at {self.where(index)})"
            raise ArgumentError(error.argument, requirement, error.value) from None
        if features != self.features:
            requirement = f"give {self.features} features everywhere (at {self.where(index)})"
            raise ArgumentError("axes", requirement, features)
        if training.is_gradient_flow and any(measure.simulates for measure in self.measures):
            requirement = f"be a number where SGD is simulated (at {self.where(index)})"
            raise ArgumentError("training.learning_rate", requirement, "gradient_flow")

    def evaluate(self, index: tuple[int, ...]) -> Outcome:
        """Compute one point, from fresh objects, so that nothing depends on what came before."""
        values: dict[str, Any] = {}
        faults: dict[str, list[str]] = {}
        # A failure that is a value of one measure and was no other's: it is said all the same.
        known: list[str] = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                point = Point(*self.experiment(index), whole_run=self.whole_run)
                for measure in self.measures:
                    try:
                        values[measure.name] = _checked(measure, measure.function(point))
                    except NUMERICAL_ERRORS as error:
                        faults.setdefault(_said(error), []).append(measure.name)
                known = [_said(error) for error in point.failures]
            except NUMERICAL_ERRORS as error:
                faults[_said(error)] = [measure.name for measure in self.measures]
            except Exception as error:
                error.add_note(f"at the point {self.where(index)}")
                raise
        failed = bool(faults)
        said = [f"{', '.join(names)}: {text}" for text, names in faults.items()]
        said += [text for text in known if text not in faults]
        said += dict.fromkeys(str(warning.message) for warning in caught)
        return Outcome(values, "; ".join(said), failed)

    def identity(self) -> dict[str, Any]:
        """Everything that determines the numbers, as plain data."""
        described = {
            "configuration": self.sections,
            "axes": {axis.key: list(axis.values) for axis in self.axes},
            "derived": {key: describe_function(f) for key, f in self.derived.items()},
            "measures": [measure.describe() for measure in self.measures],
            "seeds": self.seeds,
            "refine": None if self.refinement is None else asdict(self.refinement),
            "activations": [
                {name: str(value) for name, value in asdict(activation).items()}
                for activation in self.activations
            ],
            "versions": self.versions,
        }
        plain: dict[str, Any] = json.loads(json.dumps(described))
        return plain

    def indices(self, flat: Iterable[int]) -> Iterator[tuple[int, ...]]:
        """Index tuples of flat indices."""
        for number in flat:
            yield tuple(int(i) for i in np.unravel_index(number, self.shape))


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, HeadodeError) else f"{type(error).__name__}: {text}"


def _checked(measure: Measure, value: Any) -> Any:
    """A value as it is stored: a name, a number or a list of numbers."""
    if measure.categorical:
        return str(value)
    if measure.per_feature:
        return [float(entry) for entry in value]
    return float(value)
