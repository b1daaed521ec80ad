"""Drawing a figure in full, and checking that every text on it can be read."""

from __future__ import annotations

import itertools
from unittest.mock import patch

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

# Half a pixel: the width of antialiasing.
CLOSE = 0.5


def drawn(figure):
    """Draw a figure, check its texts, and return it; what goes wrong at drawing goes wrong here."""
    texts = drawn_texts(figure)
    width, height = figure.bbox.size
    for text, box in texts:
        outside = max(-box.x0, -box.y0, box.x1 - width, box.y1 - height)
        assert outside < CLOSE, f"{text!r} leaves the page"
    for (one, a), (other, b) in itertools.combinations(texts, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, along) < CLOSE, f"{one!r} and {other!r} overlap"
    return figure


def drawn_texts(figure):
    """(text, box in pixels) of each text that is really drawn: tick labels out of view are not."""
    seen = {}
    draw = Text.draw

    def record(text, renderer):
        if text.get_visible() and text.get_text().strip():
            seen[id(text)] = text
        draw(text, renderer)

    with patch.object(Text, "draw", record):
        FigureCanvasAgg(figure).draw()
    return [(text.get_text(), text.get_window_extent()) for text in seen.values()]
