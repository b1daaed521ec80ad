r"""
Phase diagram: excess risk of three activations
===============================================

**Claim.** With as many heads as support points, training takes pooled softmax to the Bayes risk at
every signal strength; ``softmax`` and ``softmax1`` stay above it.

**True as stated** for :math:`\theta = (2, \pm a)`, with two points, up to :math:`t = 1000`: two
heads of ``bayes_softmax`` end within 0.4 % of what one head is above the Bayes risk. Two more heads
are no gain but a loss of time. To ``softmax`` its heads are of no use, and to ``softmax1`` without
an offset they do harm.
"""

# %%
# The packaged example ``phase_excess_risk``, all of it: 63 points, half a minute on one core. The
# same from the command line:
#
# .. code-block:: sh
#
#     headode example phase_excess_risk > excess.yaml
#     headode phase-diagram excess.yaml --plot excess.pdf

from importlib.resources import files

import numpy as np

import headode as ho

config = ho.load_config(files("headode") / "examples" / "phase_excess_risk.yaml")
diagram = ho.phase_diagram(config, measures=["excess_risk", "bayes_risk"])
ho.plot(diagram.drop_vars("bayes_risk"))

# %%
# What is seen: in the left panel three curves that are one; in the middle each head makes it worse;
# on the right the curve falls by orders of magnitude from one head to two, and rises again with
# four. Triangles are at risks that differ from the Bayes risk by less than the accuracy of the
# calculation.

strengths = diagram["signal.amplitude.1"].values
risks = diagram.rename({"model.activation": "activation", "model.heads": "heads"})
excess = {
    (name, heads): risks["excess_risk"].sel(activation=name, heads=heads)
    for name in ("softmax", "softmax1", "bayes_softmax")
    for heads in (1, 2, 4)
}
print("signal strength" + "".join(f"{a:10.1f}" for a in strengths))
for (name, heads), values in excess.items():
    print(f"{name:13} {heads}" + "".join(f"{value:10.1e}" for value in values.values))

one, two, four = (excess["bayes_softmax", heads].values for heads in (1, 2, 4))
assert (two < 0.004 * one).all()
assert ((four > two) & (four < 0.015 * one)).all()

softmax = np.array([excess["softmax", heads].values for heads in (1, 2, 4)])
assert np.allclose(softmax[0], one, rtol=1e-3)
assert np.allclose(softmax, one, rtol=0.01)
assert (one > 1e-3).all()
assert (np.diff(one) > 0).all()

# %%
# What ``softmax`` lacks is not training: its heads cannot do much better
# (:doc:`one head for each point <one_head_per_point>`). Four heads of ``softmax1`` without an
# offset are worse than no attention at all, whose risk is 1/2. Each head of it hands out a weight
# of nearly one, and the weights add up; offsets help
# (:doc:`which attention can do best <optimal_risks>`).

none = np.array([excess["softmax1", heads].values for heads in (1, 2, 4)])
risk = none[2] + risks["bayes_risk"].sel(activation="softmax1", heads=4).values
print(f"four heads of softmax1: risk {risk.min():.2f} to {risk.max():.2f}")

assert (np.diff(none, axis=0) > 0.03).all()
assert (risk > 0.5).all()
