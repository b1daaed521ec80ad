"""The head of a figure: what was computed, and how heads and lines are drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from headode.plotting.panels import Level, level_meanings
from headode.plotting.style import INK, head_look, level_look
from headode.trajectory import configuration_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

LONGEST_NAME = 40
SEPARATOR = " · "
# A row of the legend has room for so many heads; other entries are as wide as three of them.
ENTRIES_IN_ROW, HEADS_IN_ROW, WIDE_ENTRY = 15, 12, 3

Rows = Sequence[Sequence["Artist"]]


def legend_rows(dataset: xr.Dataset, remarks: Sequence[Artist] = ()) -> Rows:
    """Handles of a legend, row by row: the heads, the levels of θ_f, then the remarks."""
    heads = [_head_handle(h) for h in range(dataset.sizes["head"])]
    rows = [heads[i : i + HEADS_IN_ROW] for i in range(0, len(heads), HEADS_IN_ROW)]
    others = [*map(_level_handle, level_meanings(dataset)), *remarks]
    if len(rows[-1]) + WIDE_ENTRY * len(others) <= ENTRIES_IN_ROW:
        rows[-1] = rows[-1] + others
    else:
        rows.append(others)
    return rows


def _level_handle(level: Level) -> Artist:
    return Line2D([], [], label=level.text, **level_look(dotted=level.dotted))


def line_handle(label: str) -> Artist:
    """Legend entry of a plain line."""
    return Line2D([], [], color=INK, label=label)


def points_handle(label: str) -> Artist:
    """Legend entry of points without a line."""
    return Line2D([], [], color=INK, linestyle="none", marker="o", markerfacecolor="w", label=label)


def band_handle(label: str) -> Artist:
    """Legend entry of a band over runs."""
    return Patch(facecolor="0.75", linewidth=0, label=label)


def draw_legend(axes: Axes, rows: Rows) -> None:
    """Write the legend into axes that are there for it."""
    for i, row in enumerate(rows):
        legend = axes.legend(
            handles=row,
            loc="center",
            bbox_to_anchor=(0.5, 1 - (i + 0.5) / len(rows)),
            ncols=len(row),
            borderaxespad=0,
            borderpad=0,
            handlelength=1.8,
            handletextpad=0.5,
            columnspacing=1.1,
        )
        legend.set_in_layout(False)  # its place is reserved
        axes.add_artist(legend)


def describe(dataset: xr.Dataset) -> str:
    """One line: the model, the signal and how it was trained."""
    parts = [describe_sections(configuration_of(dataset))]
    if "run" in dataset.dims:
        dimension = dataset.attrs.get("dimension")
        parts.append("" if dimension is None else f"$d = {dimension}$")
        runs = dataset.sizes["run"]
        parts.append(f"{runs} runs" if runs > 1 else "one run")
    return SEPARATOR.join(part for part in parts if part)


def describe_sections(configuration: Mapping[str, Any], without: Collection[str] = ()) -> str:
    """The model, the signal and the training of a configuration, without some dotted keys."""

    def has(key: str) -> bool:
        section, name = key.split(".")
        return key not in without and name in configuration.get(section, {})

    model, training = configuration.get("model", {}), configuration.get("training", {})
    parts = [_shortened(str(model["activation"])) if has("model.activation") else ""]
    for symbol, name in (("L", "tokens"), ("H", "heads")):
        if has(f"model.{name}"):
            parts.append(f"${symbol} = {model[name]}$")
    if has("signal.kind"):
        parts.append(str(configuration["signal"]["kind"]).replace("_", " "))
    if has("model.label_noise"):
        parts.append(rf"$\Delta = {model['label_noise']:g}$")
    if has("training.learning_rate"):
        parts.append(_describe_rate(training["learning_rate"]))
    return SEPARATOR.join(part for part in parts if part)


def _head_handle(head: int) -> Artist:
    look = head_look(head)
    return Line2D(
        [],
        [],
        color=look.color,
        linestyle=look.dash,
        marker=look.marker,
        markerfacecolor="white",
        label=f"head {head + 1}" if head % HEADS_IN_ROW == 0 else f"{head + 1}",
    )


def _describe_rate(rate: Any) -> str:
    if isinstance(rate, str):
        return rate.replace("_", " ")
    return "" if rate is None else rf"$\eta = {rate:g}$"


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
