"""One point of a phase diagram: what its measures share is computed once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from headode.errors import HeadodeError, NumericalFailure
from headode.experiment import Experiment
from headode.model import Model
from headode.order_parameters import OrderParameters
from headode.training import Training

if TYPE_CHECKING:
    import xarray as xr

Result = TypeVar("Result")


class Point:
    """What measures look at. Everything is computed when it is first asked for, and once.

    Args:
        experiment: the configuration of this point.
        parameters: values of the axes by key, and of the derived parameters.
        whole_run: whether ``run`` needs all of the recorded times, or only the first and the last.

    Attributes:
        experiment: the configuration of this point.
        parameters: values of the axes by key, and of the derived parameters.
    """

    def __init__(
        self, experiment: Experiment, parameters: Mapping[str, Any], *, whole_run: bool = True
    ) -> None:
        self.experiment = experiment
        self.parameters = parameters
        self._whole_run = whole_run
        self._known: dict[str, Any] = {}

    @cached_property
    def model(self) -> Model:
        """Task and student."""
        return self.experiment.model()

    @cached_property
    def state(self) -> OrderParameters:
        """The state at t = 0."""
        return self.experiment.state()

    @cached_property
    def training(self) -> Training:
        """The hyperparameters of SGD."""
        return self.experiment.training()

    @property
    def run(self) -> xr.Dataset:
        """The trajectory of the ODE (:func:`headode.integrate`).

        Raises:
            NumericalFailure: as the integration did, each time it is asked for.
        """
        return self.once("run", self._integrate)

    @property
    def failure(self) -> NumericalFailure | None:
        """Why there is no whole trajectory; None if there is one."""
        try:
            self.run  # noqa: B018
        except NumericalFailure as failure:
            return failure
        return None

    @property
    def failures(self) -> list[HeadodeError]:
        """Of the computations that were asked for."""
        return [known for known in self._known.values() if isinstance(known, HeadodeError)]

    @property
    def simulation(self) -> xr.Dataset:
        """The ensemble of finite-d runs (:func:`headode.simulate`)."""
        return self.once("simulation", self._simulate)

    @property
    def bayes_risk(self) -> float:
        """The smallest risk of any attention, to the tolerance that trajectories have it."""
        return self.once("bayes_risk", self._bayes_risk)

    def once(self, name: str, compute: Callable[[], Result]) -> Result:
        """The result of a computation that several measures share, or its failure again."""
        if name not in self._known:
            try:
                self._known[name] = compute()
            except HeadodeError as error:
                self._known[name] = error
        known = self._known[name]
        if isinstance(known, HeadodeError):
            raise known
        result: Result = known
        return result

    def _integrate(self) -> xr.Dataset:
        from headode.dynamics.integrate import integrate

        experiment = self.experiment
        if self._whole_run:
            times = experiment.time_arguments()
        else:
            times = {"times": [0.0, experiment.duration()]}
        return integrate(
            self.model,
            self.state,
            **times,
            **experiment.training_arguments(),
            **experiment.integration_arguments(),
            configuration=experiment.sections,
        )

    def _simulate(self) -> xr.Dataset:
        from headode.simulation.simulate import simulate

        experiment = self.experiment
        return simulate(
            self.model,
            self.state,
            **experiment.time_arguments(),
            **experiment.training_arguments(),
            **experiment.simulation_arguments(),
            configuration=experiment.sections,
            workers=1,
        )

    def _bayes_risk(self) -> float:
        from headode.expectation.bayes_risk import FLOOR_TOLERANCE, bayes_risk

        asked = self.experiment.given("expectation").get("tolerance", FLOOR_TOLERANCE)
        tolerance = max(asked, FLOOR_TOLERANCE)
        if "run" in self._known and not isinstance(self._known["run"], HeadodeError):
            stored = self.run.attrs
            if stored.get("bayes_risk_error", math.inf) <= tolerance:
                return float(stored["bayes_risk"])
        return bayes_risk(self.model, tolerance=tolerance)
