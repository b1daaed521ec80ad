"""``headode stability``: the unspecialized state, its growth rates, and when heads will split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headode.cli.exits import exit_statuses
from headode.cli.options import CommandLogLevelOption, ConfigArgument, ForceOption, QuietOption
from headode.cli.session import Session
from headode.cli.tables import Row, print_table
from headode.errors import Interrupted, NumericalFailure

if TYPE_CHECKING:
    import xarray as xr

    from headode.config import Config
    from headode.order_parameters import OrderParameters

KEYS = {"method": "expectation.method", "tolerance": "expectation.tolerance"}
# Names of learned parts of the state, and what the table calls them.
LEARNED = {"m_v": "value m_v", "r_v": "value's residual", "offset": "offset of every head"}


def stability(
    context: typer.Context,
    config: ConfigArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Result file (netCDF); by default only the tables."),
    ] = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
    log_level: CommandLogLevelOption = None,
) -> None:
    """Find the unspecialized state, its growth rates, and when the heads will split.

    The splits are predicted from the initial overlaps of the configuration, until the time to which
    it would be integrated.
    """
    session = Session.of(context, quiet, log_level)
    with exit_statuses(session):
        from headode.cli.inputs import load_configuration
        from headode.cli.paths import Paths
        from headode.cli.saving import Partial, partial_result_saved, save_result
        from headode.cli.signals import held
        from headode.cli.streams import print_result
        from headode.trajectory import save_dataset

        configuration = load_configuration(config)
        target = output and Paths("CONFIG", config, force).output("--output", output)

        def partial(result: xr.Dataset) -> Partial:
            return Partial(
                lambda path: save_dataset(result, path),
                ".nc",
                "without the predicted splits",
                lambda: print_result(lambda: _show(configuration, result)),
            )

        session.note(f"looking for the unspecialized state of {config}")
        with partial_result_saved(target, "", describe=partial):
            result = held(_analyze(configuration))
        if target is not None:
            save_result(lambda path: save_dataset(result, path, force=force), target)
            session.show(_show, configuration, result)
            session.say(f"Result: {target}")
        elif not session.quiet:
            print_result(lambda: _show(configuration, result))


def _analyze(config: Config) -> xr.Dataset:
    """Stability of the unspecialized state and, for several heads, the predicted splits.

    Raises:
        Interrupted: on Ctrl-C; ``partial`` is the stability, if it is known by then.
        NumericalFailure: likewise.
    """
    from headode.cli.arguments import naming_keys
    from headode.stability.linear_stability import linear_stability
    from headode.stability.unspecialized import unspecialized_state

    model = config.build_model()
    arguments: dict[str, Any] = {
        **config.experiment.training_arguments(),
        "method": config.expectation.method,
        "seed": config.expectation.seed,
    }
    tolerance = config.expectation.tolerance
    with naming_keys(config, KEYS):
        state = unspecialized_state(model, **arguments, tolerance=tolerance)
        result = linear_stability(model, state, **arguments, tolerance=tolerance)
        if model.heads == 1:
            return result
        try:
            return _with_splits(result, config, state, arguments)
        except KeyboardInterrupt:
            raise Interrupted("interrupted while the splits were predicted", result) from None
        except NumericalFailure as failure:
            raise NumericalFailure(str(failure), result) from None


def _with_splits(
    result: xr.Dataset, config: Config, state: OrderParameters, arguments: Mapping[str, Any]
) -> xr.Dataset:
    """Add the splits that are predicted from the initial overlaps."""
    import xarray as xr

    from headode.stability.specialization_prediction import predict_specialization

    time = float(config.output_times()[-1])
    predicted = predict_specialization(
        config.build_model(), config.build_state(), **arguments, time=time, fixed_point=state
    )
    merged = xr.merge([result, predicted], combine_attrs="override")
    merged.attrs["time"] = time
    return merged


def _show(config: Config, result: xr.Dataset) -> None:
    model = config.build_model()
    rows: list[Row] = [
        ("M of every head", "".join(f"{entry:9.4f}" for entry in result["M"].values[0]))
    ]
    residual = float(result["R"].values[0, 0])
    if residual > 0:
        rows.append(("R of every head", f"{residual:9.4f}"))
    rows += [
        (label, f"{float(result[name].values.flat[0]):9.4f}")
        for name, label in LEARNED.items()
        if name in result
    ]
    rows.append(("drift", f"{result.attrs['drift']:.1e}"))
    rows.append(("verdict", str(result.attrs["verdict"])))
    task = f"{model.activation.name}, L = {model.tokens}, H = {model.heads}"
    print_table(f"Unspecialized state of {task}", rows)
    print_table("Growth rates", _rate_rows(result), ("mode", "number", "rate", "error"))
    if "specialization_time" in result:
        title = f"Splits predicted from the initial overlaps, until time {result.attrs['time']:g}"
        columns = ("feature", "sets in at", "splits at", "rate then", "rate at fixed point")
        print_table(title, _split_rows(result), columns)


def _rate_rows(result: xr.Dataset) -> list[Row]:
    rows: list[Row] = []
    for mode in range(result.sizes["mode"]):
        each = result.isel(mode=mode)
        error = float(each["error"])
        rate = float(each["growth_rate"])
        # Beyond its error a rate has no digits; 0 is what it may be.
        shown = "0" if abs(rate) <= error else f"{rate:.6f}"
        if float(each["frequency"]):
            shown += f" ± {float(each['frequency']):.6f} i"
        rows.append(
            (str(each["name"].item()), str(int(each["multiplicity"])), shown, f"{error:.0e}")
        )
    return rows


def _split_rows(result: xr.Dataset) -> list[Row]:
    rows: list[Row] = []
    for feature in result["feature"].values:
        each = result.sel(feature=feature)
        if float(each["final_spread"]) == 0:
            continue
        names = ("departure_time", "specialization_time", "departure_rate", "fixed_point_rate")
        rows.append((str(int(feature)), *(_number(float(each[name])) for name in names)))
    return rows


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.4g}"
