"""``headode.phase_diagram``: a sweep over parameters."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from headode._checks import check_integer, plain_data
from headode._floats import own_errstate
from headode._limits import LARGEST_RUNS
from headode.activation import BUILTIN as BUILTIN_ACTIVATIONS
from headode.activation import Activation, activation_names, get_activation
from headode.errors import ArgumentError
from headode.experiment import SECTIONS
from headode.model import Model
from headode.phase_diagrams.axes import Axis, make_axes
from headode.phase_diagrams.diagram import Diagram, Status
from headode.phase_diagrams.engine import running_engine
from headode.phase_diagrams.measures import make_measures
from headode.phase_diagrams.plan import Derived, Plan
from headode.phase_diagrams.refine import make_refinement, refine
from headode.phase_diagrams.store import Store, locked_store
from headode.phase_diagrams.sweep import LiveCallback, Sweep
from headode.progress import ProgressCallback

if TYPE_CHECKING:
    import xarray as xr


def phase_diagram(
    configuration: Any,
    *,
    axes: Mapping[str, Any] | None = None,
    measures: Any = None,
    derived: Mapping[str, Derived] | None = None,
    seeds: int | None = None,
    refine: Any = None,
    initial: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    expectation: Mapping[str, Any] | None = None,
    integrator: Mapping[str, Any] | None = None,
    output: Mapping[str, Any] | None = None,
    simulation: Mapping[str, Any] | None = None,
    workers: int | None = None,
    scheduler: Any = None,
    store: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: ProgressCallback | None = None,
    live: LiveCallback | None = None,
) -> xr.Dataset:
    """Sweep over parameters: integrate, simulate or optimize at each point, and measure.

    Args:
        configuration: what the points share: a :class:`headode.config.Config`, a mapping with the
            same sections, or a :class:`headode.Model`. Its section ``phase_diagram`` holds for
            what is left out here of ``axes``, ``measures``, ``seeds`` and ``refine``.
        axes: for one to four dotted keys (``signal.amplitude.1``: entry 1, counted from 0) a list
            of numbers or names, or a range ``{start, stop, count, spacing}``.
        measures: names, or functions of a :class:`headode.phase_diagrams.point.Point` that return
            a number; or a mapping from names to these.
        derived: further keys, each with a function of the mapping of parameters at a point. With
            them, an axis may have a name without a dot, which only they use.
        seeds: initial states at each point, drawn with seeds ``initial.seed``, + 1, ...
        refine: on two axes, compute only the points where this measure changes, or
            ``{measure, threshold, cell}``; others are interpolated.
        initial: instead of that section of the configuration, as are the next five.
        training: likewise.
        expectation: likewise.
        integrator: likewise.
        output: likewise.
        simulation: likewise.
        workers: local processes; None: one for each processor; 1: none but this one.
        scheduler: instead of those, the address of a Dask scheduler or a ``Client``.
        store: Zarr group that keeps each point as soon as it is finished; None: nothing is kept.
        resume: continue what is in the store, with the same numbers to the last bit.
        progress: told about the number of finished points.
        live: given the dataset so far every ten seconds, and at the end.

    Returns:
        A dataset over the axes (and ``seed``) with the measures, ``status`` (0 pending, 1
        computed, 2 failed, 3 interpolated) and ``message``; with several seeds also ``NAME_mean``
        and ``NAME_std``. ``xarray.open_zarr`` gives the same of the store.

    Raises:
        ArgumentError: for what cannot be swept, a point that is invalid, or a store that is in use
            or of another sweep.
        Interrupted: on Ctrl-C; ``partial`` is the dataset so far.
        NumericalFailure: if worker processes keep dying; likewise.
        OSError: if the store cannot be written.

    Warns:
        RuntimeWarning: if points failed; they are recorded, and do not stop the others.
    """
    replaced = {
        "initial": initial,
        "training": training,
        "expectation": expectation,
        "integrator": integrator,
        "output": output,
        "simulation": simulation,
    }
    plan = make_plan(
        configuration,
        axes=axes,
        measures=measures,
        seeds=seeds,
        refine=refine,
        derived=derived,
        replaced=replaced,
    )
    dataset = run_plan(
        plan,
        workers=workers,
        scheduler=scheduler,
        store=store,
        resume=resume,
        progress=progress,
        live=live,
    )
    failed = failures(plan, dataset)
    if failed:
        warnings.warn(failed, RuntimeWarning, stacklevel=2)
    return dataset


@own_errstate
def make_plan(
    configuration: Any,
    *,
    axes: Any = None,
    measures: Any = None,
    seeds: Any = None,
    refine: Any = None,
    derived: Mapping[str, Derived] | None = None,
    replaced: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan of a sweep, whose points have been checked; see :func:`phase_diagram`."""
    sections, asked = _sections(configuration)
    sections |= {name: dict(section) for name, section in (replaced or {}).items() if section}
    given = {"axes": axes, "measures": measures, "seeds": seeds, "refine": refine}
    asked |= {name: value for name, value in given.items() if value is not None}
    if "axes" not in asked:
        raise ArgumentError("axes", "be given", None)
    sections = plain_data("configuration", sections)
    functions = dict(derived or {})
    made_axes = make_axes(asked["axes"], free=bool(functions))
    made_measures = make_measures(asked.get("measures", ["final_risk"]))
    plan = Plan(
        sections,
        made_axes,
        made_measures,
        functions,
        check_integer("seeds", asked.get("seeds", 1), 1, LARGEST_RUNS),
        make_refinement(asked.get("refine"), made_axes, made_measures),
        _registered(sections, made_axes, functions),
    )
    plan.check()
    return plan


def _registered(
    sections: Mapping[str, Any], axes: Sequence[Axis], derived: Collection[str]
) -> tuple[Activation, ...]:
    """The activations of the points that other processes may not know."""
    used = {sections.get("model", {}).get("activation")}
    used |= {value for axis in axes if axis.key == "model.activation" for value in axis.values}
    names = [name for name in activation_names() if name not in BUILTIN_ACTIVATIONS]
    everything = "model.activation" in derived
    return tuple(get_activation(name) for name in names if everything or name in used)


def _sections(configuration: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The sections that points share, and what the configuration says about the sweep itself."""
    if isinstance(configuration, Model):
        return _written(configuration), {}
    if hasattr(configuration, "experiment"):
        sweep = configuration.phase_diagram
        asked = {} if sweep is None else sweep.model_dump(exclude_none=True)
        return dict(configuration.experiment.sections), asked
    if not isinstance(configuration, Mapping):
        requirement = "be a configuration, a mapping of sections or a Model"
        raise ArgumentError("configuration", requirement, configuration)
    sections = {name: configuration[name] for name in SECTIONS if name in configuration}
    unknown = [name for name in configuration if name not in (*SECTIONS, "phase_diagram")]
    if unknown:
        raise ArgumentError("configuration", f"have the sections {', '.join(SECTIONS)}", unknown)
    return sections, dict(configuration.get("phase_diagram") or {})


def _written(model: Model) -> dict[str, Any]:
    """A model's sections without what follows from other keys, which axes may change."""
    sections = model.to_dict()
    student = sections["model"]
    default = Model(model.tokens, model.heads, model.signal, model.activation)
    for name in ("offset", "prefactor"):
        if name in student and student[name] == default.to_dict()["model"][name]:
            del student[name]
    return sections


@own_errstate
def run_plan(
    plan: Plan,
    *,
    workers: int | None = None,
    scheduler: Any = None,
    store: str | os.PathLike[str] | None = None,
    resume: bool = False,
    replace: bool = False,
    progress: ProgressCallback | None = None,
    live: LiveCallback | None = None,
) -> xr.Dataset:
    """Compute a plan; see :func:`phase_diagram`.

    With ``replace``, a phase diagram that is in the place of the store gives way to the new one.
    """
    if resume and store is None:
        raise ArgumentError("store", "be given, to be resumed", None)
    diagram = Diagram(plan)
    kept: Store | None = None
    with ExitStack() as stack:
        # A cluster that does not answer must not cost what is in the store's place.
        engine = stack.enter_context(running_engine(workers, scheduler))
        if store is not None:
            kept = stack.enter_context(locked_store(store, plan, resume=resume, replace=replace))
            kept.restore(diagram)
        if plan.refinement is not None or not diagram.done.all():
            sweep = Sweep(diagram, engine, kept, progress, live)
            with sweep.interruptible():
                sweep.warm_up()
                _compute(plan, diagram, sweep)
        dataset = diagram.dataset()
        if kept is not None:
            kept.finish(diagram, dataset)
    if live is not None:
        live(dataset)
    return dataset


def _compute(plan: Plan, diagram: Diagram, sweep: Sweep) -> None:
    if plan.refinement is None:
        sweep.compute(range(plan.size))
    else:
        refine(diagram, sweep.compute)


def failures(plan: Plan, dataset: xr.Dataset) -> str:
    """The points of a plan's diagram that failed, in one sentence; empty if none did."""
    failed = dataset["status"].values.reshape(plan.shape) == Status.FAILED
    count = int(failed.sum())
    if not count:
        return ""
    first = tuple(int(at[0]) for at in failed.nonzero())
    message = dataset["message"].values.reshape(plan.shape)[first]
    place = plan.where(first)
    return f"{count} of {failed.size} points failed, the first one, at {place}, with: {message}"
