"""The largest integers that mean something, for Python and for configuration files alike.

Beyond them is a slip, or what no machine computes; numbers that fit in no file or no register are
refused before anything is computed.
"""

from __future__ import annotations

# What netCDF files and the compiled loops hold.
LARGEST_INTEGER = 2**63 - 1
LARGEST_SEED = LARGEST_INTEGER
LARGEST_TOKENS = 10**9
LARGEST_HEADS = 10**4
LARGEST_DIMENSION = 10**12
LARGEST_RUNS = 10**6
LARGEST_BATCH = 10**9
LARGEST_COUNT = 10**7
LARGEST_WORKERS = 1024
# Steps of one simulation: decades of computing, and exact as a float.
LARGEST_STEPS = 10**15
