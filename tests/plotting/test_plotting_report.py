"""Pictures and the page of a validation report."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from legibility import drawn
from staged_trajectories import staged

from headode.errors import ArgumentError
from headode.plotting import report_figures, scaling_figure
from headode.validation.compare import compare

DIMENSIONS = (1600, 400, 100)
TIMES = np.array([0.0, 1.0, 3.0, 10.0, 30.0, 100.0])


def ensemble(dimension: int, seed: int, *, bias: float, learned: bool) -> xr.Dataset:
    """Runs around the staged trajectory; from t = 50 on in half of them the heads are swapped."""
    runs = 4 * DIMENSIONS[0] // dimension
    data = staged(2, 2, runs=runs, times=TIMES, learned=learned, noise=0.0, count=6)
    rng = np.random.default_rng(seed)
    for name in ("M", "R", "risk", "m_v", "q_v", "offset"):
        if name in data:
            noise = rng.standard_normal(data[name].shape) / np.sqrt(dimension)
            if name == "R":
                noise = noise + noise.swapaxes(-1, -2)
            data[name] = data[name] + noise + bias / dimension
    data["risk_standard_error"] = 0 * data["risk"]
    attributes = {"runs": runs, "dimension": dimension, "method": "overlaps", "seed": seed}
    steps = ("time", np.rint(TIMES * dimension).astype(int))
    return data.assign_coords(step=steps).assign_attrs(attributes)


def report(*, bias: float = 0.0, learned: bool = False, wrong: float = 0.0, splits: bool = False):
    theory = staged(2, 2, times=TIMES, learned=learned, noise=0.0, count=6)
    theory["M"] = theory["M"] + wrong
    ensembles = [ensemble(d, d, bias=bias, learned=learned) for d in DIMENSIONS]
    if splits:
        for each in ensembles:
            swapped = (each["run"] % 2 == 0) & (each["time"] > 50)
            each["M"] = xr.where(swapped, each["M"].isel(head=[1, 0]).values, each["M"]).transpose(
                *each["M"].dims
            )
            each["risk"] = each["risk"] + 0.3 * (each["time"] > 50)
    return compare(theory, ensembles, looser=theory)


class Page(HTMLParser):
    """What a page consists of, and whether every element is closed."""

    VOID = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("bias", [0.0, 30.0])
def test_scaling_is_drawn(bias, learned):
    found = report(bias=bias, learned=learned)
    left, right = drawn(scaling_figure(found.data)).axes
    assert left.get_xscale() == left.get_yscale() == right.get_xscale() == "log"
    fitted = str(found.fluctuation_exponent)
    assert fitted in left.get_title()
    variables = 5 if learned else 2
    points = [line for line in right.get_lines() if line.get_marker() != "None"]
    assert len(points) == 3 * variables
    guides = [line for line in right.get_lines() if line.get_linestyle() == ":"]
    if bias:
        assert str(found.bias_exponent) in right.get_title()
        assert len(guides) == variables
        for line in guides:
            x, y = np.log(line.get_xdata()), np.log(line.get_ydata())
            assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(-1.0)
        heights = [float(line.get_ydata()[0]) for line in points[:3]]
        # Bias 30/d in every entry; a standard error is 1/√(4 · 1600) = 0.0125, and 20 entries.
        np.testing.assert_allclose(heights, 30 / np.array(DIMENSIONS), rtol=0.6)
    else:
        assert "not resolved" in right.get_title()
        assert not guides
        assert {line.get_markerfacecolor() for line in points} == {"white"}


def test_scaling_of_something_else_is_refused():
    with pytest.raises(ArgumentError, match="data of a report"):
        scaling_figure(staged())


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({}, "agrees"),
        ({"wrong": 0.5, "learned": True}, "disagrees"),
        ({"splits": True}, "inconclusive"),
    ],
)
def test_page_says_all_by_itself(options, verdict, tmp_path):
    found = report(**options)
    assert found.verdict == verdict, found.summary()
    path = tmp_path / "report.html"
    report_figures(found)["report.html"](path)
    text = path.read_text(encoding="utf-8")
    assert "$" not in text.split("</style>")[0]  # every place of the template is filled
    page = Page(text)
    assert page.of("html") == [{"lang": "en"}]
    assert page.of("div")[0]["class"] == f"verdict {verdict}"
    assert len(page.of("h1")) == 1
    # Nothing comes from elsewhere, and every picture says what it shows.
    assert not page.of("script") + page.of("link")
    assert "http" not in "".join(value for _, tag in page.tags for value in tag.values() if value)
    images = page.of("img")
    assert len(images) == 3
    assert all(each["src"].startswith("data:image/svg+xml;base64,") for each in images)
    assert all(len(each["alt"]) > 40 for each in images)
    for each in found.deviations:
        assert each.what in page.text
    assert f"Table of all {found.comparisons} comparisons" in page.text
    # A row for each comparison, and those of the largest ones, exponents and headings.
    tables = len(page.of("table"))
    largest = len(found.deviations) + len(found.beyond)
    assert len(page.of("tr")) == found.comparisons + largest + 2 + tables
    for warning in found.warnings:
        assert warning in page.text


def test_page_is_the_same_when_written_again(tmp_path):
    found = report()
    pages = [tmp_path / name for name in ("one.html", "two.html")]
    for path in pages:
        report_figures(found)["report.html"](path)
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_pictures_of_a_report_have_names(tmp_path):
    writers = report_figures(report(splits=True))
    assert set(writers) == {"overlay.png", "deviations.png", "scaling.png", "report.html"}
    writers["deviations.png"](tmp_path / "deviations.png")
    assert (tmp_path / "deviations.png").read_bytes().startswith(b"\x89PNG")
