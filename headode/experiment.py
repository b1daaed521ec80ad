"""What one configuration describes, from plain sections: model, initial state, training, times.

Configuration files, phase diagrams and results all have the same layout of sections. This is the
one place that turns it into objects; whatever a section leaves out has the default of the function
or constructor that takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headode._checks import Array
from headode.errors import ArgumentError, one_of
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal
from headode.training import Training
from headode.trajectory import VARIABLES, check_times, configuration_of, output_times

if TYPE_CHECKING:
    import xarray as xr

SECTIONS: dict[str, tuple[str, ...]] = {
    "model": ("tokens", "heads", "activation", "offset", "value", "label_noise", "prefactor"),
    "signal": (
        "kind",
        "mean",
        "amplitude",
        "covariance",
        "points",
        "means",
        "covariances",
        "probabilities",
    ),
    "training": (
        "learning_rate",
        "value_learning_rate",
        "offset_learning_rate",
        "batch_size",
        "weight_decay",
        "time",
    ),
    "initial": ("scale", "seed", "M", "R", "m_v", "q_v", "offset"),
    "expectation": ("method", "tolerance", "seed"),
    "integrator": ("rtol", "atol", "method"),
    "output": ("count", "spacing", "times"),
    "simulation": ("dimension", "runs", "method", "seed"),
}
REQUIRED = (("model", "tokens"), ("model", "heads"), ("signal", "kind"))
# Keys that hold integers.
INTEGER_KEYS = frozenset(
    {
        "model.tokens",
        "model.heads",
        "training.batch_size",
        "initial.seed",
        "expectation.seed",
        "output.count",
        "simulation.dimension",
        "simulation.runs",
        "simulation.seed",
    }
)


@dataclass(frozen=True)
class Experiment:
    """Sections of a configuration as plain data, and what they describe.

    Args:
        sections: ``model`` and ``signal``, and any of ``training``, ``initial``, ``expectation``,
            ``integrator``, ``output``, ``simulation``; an entry that is None counts as left out.

    Raises:
        ArgumentError: for an unknown section or key, or one that is missing.
    """

    sections: Mapping[str, Mapping[str, Any]]

    def __post_init__(self) -> None:
        for name, section in self.sections.items():
            if name not in SECTIONS:
                raise ArgumentError("configuration", f"have sections that {_are(SECTIONS)}", name)
            if not isinstance(section, Mapping):
                raise ArgumentError(name, "be a mapping of keys", section)
            for key in section:
                if key not in SECTIONS[name]:
                    raise ArgumentError(f"{name}.{key}", one_of(SECTIONS[name], key), key)
        for name, key in REQUIRED:
            if self.sections.get(name, {}).get(key) is None:
                raise ArgumentError(f"{name}.{key}", "be given", None)

    def given(self, name: str, *left_out: str) -> dict[str, Any]:
        """The keys that a section has, without those left out and without None."""
        section = self.sections.get(name, {})
        return {k: v for k, v in section.items() if v is not None and k not in left_out}

    def signal(self) -> Signal:
        """The law P_θ."""
        given = self.given("signal")
        try:
            return Signal.from_dict(given)
        except TypeError as error:  # too many parameters, or too few
            text = str(error).removeprefix("Signal.")
            requirement = f"have the parameters of its kind ({text})"
            raise ArgumentError("signal", requirement, given) from None

    def model(self) -> Model:
        """The model: task and student."""
        return Model(signal=self.signal(), **self.given("model"))

    def state(self) -> OrderParameters:
        """The state at t = 0, drawn at random unless M and R are given."""
        explicit = self.given("initial", "scale", "seed")
        if explicit:
            return OrderParameters(**explicit)
        return OrderParameters.random(
            self.given("model")["heads"],
            self.signal().features,
            **self.given("initial"),
            learned_value=self.given("model").get("value") == "learned",
        )

    def training(self) -> Training:
        """The hyperparameters of SGD."""
        given = self.given("training", "time")
        if given.get("learning_rate") == "gradient_flow":
            del given["learning_rate"]
        return Training(**given)

    def times(self) -> Array:
        """(T,) recorded times in units of steps/d (gradient flow: η steps/d)."""
        output = self.given("output")
        if "times" in output:
            return check_times(output["times"])
        return output_times(self.duration(), **output)

    def duration(self) -> float:
        """The last time."""
        times = self.given("output").get("times")
        time = self.given("training").get("time") if times is None else check_times(times)[-1]
        if time is None:
            raise ArgumentError("training.time", "be given, or else output.times", None)
        return float(time)

    def training_arguments(self) -> dict[str, Any]:
        """Hyperparameters, as :func:`headode.integrate` and :func:`headode.simulate` take them."""
        training = self.training()
        return {
            "learning_rate": training.learning_rate,
            "value_learning_rate": training.value_learning_rate,
            "offset_learning_rate": training.offset_learning_rate,
            "batch_size": training.batch_size,
            "weight_decay": training.weight_decay,
        }

    def time_arguments(self) -> dict[str, Any]:
        """When to record, as the same functions take it."""
        output = self.given("output")
        if "times" in output:
            return {"times": output["times"]}
        return {"time": self.duration(), **output}

    def integration_arguments(self) -> dict[str, Any]:
        """What only the ODE needs."""
        integrator = self.given("integrator")
        if "method" in integrator:
            integrator["integrator"] = integrator.pop("method")
        return {**self.given("expectation"), **integrator}

    def simulation_arguments(self) -> dict[str, Any]:
        """What only the simulation needs."""
        return self.given("simulation")


def check_result(dataset: xr.Dataset, kinds: tuple[str, ...], source: str) -> None:
    """Refuse what was read from a file unless it is a trajectory of one of some kinds.

    Raises:
        ArgumentError: naming the file, and what it is or lacks.
    """
    kind = dataset.attrs.get("kind")
    if kind not in kinds:
        is_ = f"kind {kind}" if isinstance(kind, str) else "no result of headode"
        raise ArgumentError("file", f"be of kind {' or '.join(kinds)} ({source} is {is_})", kind)
    leading = ("run", "time") if kind == "simulation" else ("time",)
    for name in ("M", "R"):
        dims = {*leading, *VARIABLES[name][0]}
        if name not in dataset or set(dataset[name].dims) != dims or not dataset[name].size:
            wanted = ", ".join((*leading, *VARIABLES[name][0]))
            raise ArgumentError("file", f"hold {name} with the dimensions {wanted}", source)
    try:
        sections = configuration_of(dataset)
        Experiment({name: sections[name] for name in ("model", "signal")}).model()
    except (KeyError, TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        requirement = f"hold the configuration that it was made with ({text})"
        raise ArgumentError("file", requirement, source) from error


def _are(names: Mapping[str, Any]) -> str:
    return "are " + ", ".join(names)
