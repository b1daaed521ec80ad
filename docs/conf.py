"""Sphinx configuration: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.util.inspect import TypeAliasForwardRef

from headode import __version__

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "headode"
author = "The headode developers"
copyright = author
release = version = __version__

extensions = [
    "generated_pages",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    # Puts MathJax beside the pages: they show formulas without a network.
    "sphinx-mathjax-offline",
]
exclude_patterns = ["_build", "_generated"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_type_aliases = {"Array": "Array", "ArrayLike": "ArrayLike"}
# Sphinx shows an alias within a union by its representation.
TypeAliasForwardRef.__repr__ = lambda alias: alias.name
toc_object_entries_show_parents = "hide"
napoleon_numpy_docstring = False
# An attribute has its type and its description in one place, the class's own docstring.
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"headode {__version__}"
html_static_path = ["_static"]
html_css_files = ["headode.css"]
html_show_sphinx = False
