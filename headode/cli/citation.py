"""What to cite, as BibTeX."""

from __future__ import annotations

from headode._version import __version__

CITATION = f"""\
@software{{headode,
  title = {{headode: learning dynamics of multi-head attention}},
  author = {{{{The headode developers}}}},
  version = {{{__version__}}},
}}

@misc{{sagitova2026specialization,
  title = {{Specialization of softmax attention heads: insights from the high-dimensional
           single-location model}},
  author = {{Sagitova, M. and Duranthon, O. and Zdeborov{{\\'a}}, L.}},
  year = {{2026}},
  eprint = {{2603.03993}},
  archiveprefix = {{arXiv}},
  primaryclass = {{cs.LG}},
}}

@misc{{duranthon2025statistical,
  title = {{Statistical Advantage of Softmax Attention: Insights from Single-Location Regression}},
  author = {{Duranthon, O. and Marion, P. and Boyer, C. and Loureiro, B. and Zdeborov{{\\'a}}, L.}},
  year = {{2025}},
  eprint = {{2509.21936}},
  archiveprefix = {{arXiv}},
  primaryclass = {{cs.LG}},
}}"""
