"""A validation report as one HTML page that needs nothing else: no network, no script."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from headode._files import whole_file
from headode._version import __version__
from headode.plotting.save import FORMATS
from headode.plotting.style import headode_style
from headode.trajectory import configuration_of
from headode.validation.deviations import Deviation, all_deviations

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from headode.validation.report import Report

TEMPLATE = Path(__file__).with_suffix(".html")
MEANINGS = {
    "agrees": "No compared quantity deviates by more than a correct theory would explain.",
    "disagrees": "At least one quantity deviates by more than a correct theory would explain, at a "
    "time when fluctuations are small.",
    "inconclusive": "All agrees until fluctuations between the runs are no longer small. The "
    "deviations after that are no evidence against the ODE, nor is this an agreement.",
}
CAPTIONS = {
    "overlay": "Overlaps and risk. Lines are the ODE; points are means over the runs at the "
    "largest dimension, with standard errors; bands reach from the 10 % to the 90 % quantile.",
    "scaling": "Fluctuations and bias of each variable against the dimension, root mean squares "
    "over entries and times.",
    "deviations": "Deviations over their critical values: what agrees lies between −1 and 1. An "
    "upright line is where fluctuations stop being small.",
}


def write_report_page(report: Report, figures: Mapping[str, Figure], path: Path) -> Path:
    """Write ``report.html``: verdict, numbers and pictures (by name) in a single file."""
    parts = {
        "title": "ODE and SGD: " + escape(_subject(report)),
        "verdict": report.verdict,
        "meaning": escape(MEANINGS[report.verdict]),
        "ensembles": escape(_ensembles(report)),
        "warnings": _warnings(report.warnings),
        "largest": _largest(report),
        "exponents": _exponents(report),
        "comparisons": str(report.comparisons),
        "table": _deviation_table("", all_deviations(report.data), report),
        "configuration": escape(json.dumps(configuration_of(report.simulation), indent=2)),
        "provenance": escape(f"headode {__version__}"),
        **{name: _picture(figure, CAPTIONS[name]) for name, figure in figures.items()},
    }
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(parts)
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _subject(report: Report) -> str:
    configuration = configuration_of(report.simulation)
    model, rate = configuration["model"], configuration["training"]["learning_rate"]
    return f"{model['activation']}, {model['heads']} heads, learning rate {rate:g}"


def _ensembles(report: Report) -> str:
    sizes = [f"{each.attrs['runs']} at d = {each.attrs['dimension']}" for each in report.ensembles]
    horizon = (
        "" if report.horizon is None else f" Fluctuations are small to t = {report.horizon:.4g}."
    )
    return (
        f"Runs of SGD ({report.simulation.attrs['method']}): {', '.join(sizes)}; their means are "
        f"extrapolated to infinite d. {report.comparisons} comparisons at "
        f"{report.data.sizes['time']} times, at a level of {report.level:.2g} for all of them "
        f"together.{horizon}"
    )


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    return f"<h2>Warnings</h2><ul>{items}</ul>"


def _largest(report: Report) -> str:
    if report.horizon is None:
        return _deviation_table("", report.deviations, report)
    until, after = f"Up to t = {report.horizon:.4g}", "After it, where they decide nothing"
    parts = [(until, report.deviations), (after, report.beyond)]
    return "".join(_deviation_table(title, rows, report) for title, rows in parts if rows)


def _deviation_table(caption: str, deviations: Iterable[Deviation], report: Report) -> str:
    head = ("quantity", "t", "ODE", "SGD, d → ∞", "± s.e.", "z", "critical z", "agrees")
    rows = []
    for each in deviations:
        fits = each.relative <= 1
        answer = "yes" if fits else "no" + (", undecided" if report.is_beyond(each.time) else "")
        cells = (
            f"{each.time:.4g}",
            f"{each.theory:.6g}",
            f"{each.simulation:.6g}",
            f"{each.standard_error:.2g}",
            f"{each.z:.2f}",
            f"{each.critical:.2f}",
        )
        numbers = "".join(f"<td>{cell}</td>" for cell in cells)
        mark = f"<td>{answer}</td>" if fits else f'<td class="no">{answer}</td>'
        rows.append(f"<tr><td>{escape(each.what)}</td>{numbers}{mark}</tr>")
    return _table(caption, head, rows)


def _exponents(report: Report) -> str:
    rows = [
        f"<tr><td>{escape(what)}</td><td>{'not resolved' if found is None else found}</td>"
        f"<td>{expected}</td></tr>"
        for what, found, expected in report.exponents()
    ]
    return _table("", ("", "fitted exponent of d", "expected"), rows)


def _table(caption: str, head: Sequence[str], rows: Iterable[str]) -> str:
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "\n".join(rows)
    return (
        f'<div class="scroll"><table>{title}<thead><tr>{names}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _picture(figure: Figure, caption: str) -> str:
    """The figure in the page itself, as a drawing that can be enlarged."""
    buffer = io.BytesIO()
    with headode_style():
        figure.savefig(buffer, format="svg", **FORMATS[".svg"])
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    text = escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )
