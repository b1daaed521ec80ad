r"""
Phase diagram: long sequences
=============================

**Claim.** The longer the sequences, the later the heads specialize: in proportion to the number of
tokens :math:`L`, so that within a given time they specialize in all features or in none.

**True under conditions.** In long sequences all waits for the mean signal, which is found at
:math:`t = LH / |\mathbb{E}\,\theta|^2`, here at :math:`t = L`, to 5 % from :math:`L = 1000` on; the
heads split along the other features soon after. Short ones are different: ten tokens are quicker
than three, the strength matters, and a feature too weak for the given time is left out.
"""

# %%
# The packaged example ``phase_tokens`` until :math:`t = 500` instead of 2000, and with 7 numbers of
# tokens instead of 8. The whole one takes five minutes on one core:
#
# .. code-block:: sh
#
#     headode example phase_tokens > tokens.yaml
#     headode phase-diagram tokens.yaml --plot tokens.pdf

from importlib.resources import files

import numpy as np

import headode as ho

config = ho.load_config(files("headode") / "examples" / "phase_tokens.yaml")
time = 500.0
diagram = ho.phase_diagram(
    config,
    axes={
        "model.tokens": {"start": 3, "stop": 10000, "count": 7, "spacing": "log"},
        "signal.amplitude.1": {"start": 0.5, "stop": 2.5, "count": 7},
    },
    training={"learning_rate": "gradient_flow", "time": time},
)
ho.plot(diagram)

# %%
# What is seen: an edge. Two features fluctuate, feature 3 with a standard deviation of 1.2. In up
# to 45 tokens the heads split along both, but for the weakest signal; in 669 and more along none.
# (Before the edge three are counted where the heads part so early that they are not yet together
# along the mean signal either.)
#
# The edge is where the mean signal is not found in time. Attention is nearly uniform at first, a
# head's share of it :math:`1/LH`, and :math:`\dot M_h = \mathbb{E}\,\theta\;
# e^{M_h \cdot \mathbb{E}\,\theta} / LH` for weak overlaps in a long sequence. They
# diverge at :math:`t = LH / |\mathbb{E}\,\theta|^2`.

tokens = diagram["model.tokens"].values
features = diagram["specialized_features"].values
first = diagram["specialization_time"].values
for length, row, dates in zip(tokens, features, first, strict=True):
    text = " ".join(f"{number:.0f}" for number in row)
    when = f", the first at t = {dates.min():.0f} to {dates.max():.0f}" if row.any() else ""
    print(f"L = {length:5}: features {text}{when}")

H, mean = 4, np.array([2.0, 0.0, 0.0])
edge = time * (mean @ mean) / H
print(f"edge expected at L = {edge:.0f}")
assert (features[tokens < edge] > 0).all()
assert (features[tokens > edge] == 0).all()
assert (features[:3, 0] == 1).all()
assert (features[:3, 1:] == 2).all()
assert (first[1] < first[0]).all()

# %%
# In a time that is proportional to the number of tokens, long sequences are alike. The overlaps
# diverge for one head a little before the others, so that the heads spread along the mean signal
# itself, feature 1, when it is found. The first split along another feature follows.

long = ho.phase_diagram(
    config,
    axes={"model.tokens": [1000, 10000], "signal.amplitude.1": [1.5, 2.5]},
    derived={"training.time": lambda parameters: 1.5 * parameters["model.tokens"]},
    measures=["specialization_times"],
)
in_tokens = long["specialization_times"] / long["model.tokens"]
found = in_tokens.sel(feature=1) * (mean @ mean) / H
split = in_tokens.sel(feature=[2, 3]).min("feature")
for length in (1000, 10000):
    for strength in (1.5, 2.5):
        at = {"model.tokens": length, "signal.amplitude.1": strength}
        text = f"mean signal at {found.sel(at):.3f} L, split at {split.sel(at):.3f} L"
        print(f"L = {length:5}, strength {strength}: {text}")

assert np.allclose(found, 1, rtol=0.05)
assert ((split > 1) & (split < 1.3)).all()
assert (np.diff(split, axis=0) < 0).all()
