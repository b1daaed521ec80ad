"""A complete configuration, and the model objects that it describes."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PrivateAttr

from headode._checks import Array
from headode.config.faults import config_error, must
from headode.config.origin import Document, Origin, key_path
from headode.config.schema import (
    ExpectationSection,
    InitialSection,
    IntegratorSection,
    ModelSection,
    OutputSection,
    PhaseDiagramSection,
    Section,
    SignalSection,
    SimulationSection,
    TrainingSection,
)
from headode.errors import ConfigError
from headode.experiment import Experiment
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.signal import Signal
from headode.training import Training


class Config(Section):
    """A configuration whose parts fit together.

    Made by :func:`headode.config.load_config` and :func:`headode.config.config_from_dict`, which
    also check what no single key shows (shapes, keys that exclude each other).
    """

    model: ModelSection = Field(description=ModelSection.__doc__)
    signal: SignalSection = Field(description=SignalSection.__doc__)
    training: TrainingSection = Field(TrainingSection(), description=TrainingSection.__doc__)
    initial: InitialSection = Field(InitialSection(), description=InitialSection.__doc__)
    expectation: ExpectationSection = Field(
        ExpectationSection(), description=ExpectationSection.__doc__
    )
    integrator: IntegratorSection = Field(
        IntegratorSection(), description=IntegratorSection.__doc__
    )
    output: OutputSection = Field(OutputSection(), description=OutputSection.__doc__)
    simulation: SimulationSection = Field(
        SimulationSection(), description=SimulationSection.__doc__
    )
    phase_diagram: PhaseDiagramSection | None = Field(None, description=PhaseDiagramSection.__doc__)

    _origin: Origin = PrivateAttr(default_factory=Origin)

    @classmethod
    def from_document(cls, document: Document) -> Config:
        """Make the configuration of a document that has been checked, and keep its origin."""
        config = cls.model_validate(document.data)
        config._origin = document.origin
        return config

    def refusal(self, key: str, requirement: str, value: Any) -> ConfigError:
        """The error to raise for a key that is sound, but not for what is asked.

        Args:
            key: dotted key, such as ``training.learning_rate``.
            requirement: what it must be ("be a number ...").
            value: what it is.
        """
        return config_error([must(key_path(key), requirement, value)], self._origin)

    @property
    def experiment(self) -> Experiment:
        """The sections that describe one integration or simulation, as they were given.

        With the defaults of keys that apply, but without what follows from other keys.
        """
        given = self.model_dump(exclude_none=True, exclude={"phase_diagram"})
        inapplicable = {
            ("training", "value_learning_rate"): self.model.value != "learned",
            ("training", "offset_learning_rate"): self.model.offset != "learned",
            ("initial", "scale"): self.initial.M is not None,
            ("initial", "seed"): self.initial.M is not None,
            ("output", "count"): self.output.times is not None,
            ("output", "spacing"): self.output.times is not None,
        }
        for (section, key), unused in inapplicable.items():
            if unused:
                del given[section][key]
        return Experiment(given)

    @property
    def signal_law(self) -> Signal:
        """The law P_θ."""
        return self.experiment.signal()

    def build_model(self) -> Model:
        """The model: task and student."""
        return self.experiment.model()

    def build_state(self) -> OrderParameters:
        """The state at t = 0, drawn at random unless M and R are given."""
        return self.experiment.state()

    def build_training(self) -> Training:
        """The hyperparameters of SGD."""
        return self.experiment.training()

    def output_times(self) -> Array:
        """(T,) recorded times in units of steps/d (gradient flow: η steps/d)."""
        return self.experiment.times()

    def to_dict(self) -> dict[str, Any]:
        """Everything that applies, defaults filled in, as plain data that can be loaded again."""
        model = self.build_model()
        sections = model.to_dict()
        sections["training"] = self._training_dict(model)
        sections["initial"] = self._initial_dict(model)
        for name in ("expectation", "integrator", "simulation"):
            sections[name] = getattr(self, name).model_dump()
        unused = {"times"} if self.output.times is None else {"count", "spacing"}
        sections["output"] = self.output.model_dump(exclude=unused)
        if self.phase_diagram is not None:
            sections["phase_diagram"] = self.phase_diagram.model_dump(exclude_none=True)
        return sections

    def _training_dict(self, model: Model) -> dict[str, Any]:
        section = {**self.build_training().to_dict(), "time": float(self.output_times()[-1])}
        if not model.learns_value:
            del section["value_learning_rate"]
        if not model.learns_offset:
            del section["offset_learning_rate"]
        return section

    def _initial_dict(self, model: Model) -> dict[str, Any]:
        if self.initial.M is None:
            return self.initial.model_dump(include={"scale", "seed"})
        section = self.build_state().to_dict()
        unused = () if model.learns_value else ("m_v", "q_v")
        return {key: value for key, value in section.items() if key not in unused}
