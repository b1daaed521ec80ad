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
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_generated", "gallery"]
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

# Every script in the folder is a page: its docstring says what is claimed, its blocks measure it,
# and its last one draws the picture. They all run at every build.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("gallery_style.headode_style",),
    "image_scrapers": ("matplotlib", "gallery_style.last_figure"),
    "ignore_repr_types": r"matplotlib\.figure\.Figure",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
}

html_theme = "furo"
html_title = f"headode {__version__}"
html_static_path = ["_static"]
html_css_files = ["headode.css"]
html_show_sphinx = False
