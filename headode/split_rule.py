"""What counts as a split of the heads along a feature, read or predicted."""

from __future__ import annotations

# Final spread of a split feature, in units of the feature's natural scale; also the part of a
# distance by which a head must have left the middle before it is on a side.
SIGNIFICANT = 0.125
# A split is dated by this fraction of its final spread, and sets in at the smaller one.
DATED, ONSET = 0.5, 0.1
