"""
One head for each point of the support
======================================

**Claim.** Take one head for each point of the support of :math:`P_\\theta`: fewer cannot be
optimal, more are of no use.

**True under conditions.** It holds for pooled softmax (``bayes_softmax``), if the offsets can take
the probabilities of the points into account. It does not hold for ``softmax``: from one head to as
many as points it gains 1 % of what pooled softmax gains.
"""

# %%
# Four points, :math:`\theta = (2, \pm 1.8, \pm 1.2)`, equally likely. For each number of heads the
# least risk of the activation over all overlaps, and where training from overlaps of 0.01 ends.

import matplotlib.pyplot as plt
import numpy as np

import headode as ho
from headode.plotting.style import QUIET, head_look

points = ho.Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, 1.8, 1.2])


def least_excess(signal, heads, activation="bayes_softmax", offset=None):
    """Least risk of an activation, less the Bayes risk."""
    model = ho.Model(3, heads, signal, activation, offset=offset)
    return ho.optimal_risk(model, restarts=2, seed=0).excess


def trained(signal, heads):
    """A trajectory from small random overlaps; its last excess risk."""
    model = ho.Model(3, heads, signal)
    state = ho.OrderParameters.random(heads, signal.features, scale=0.01, seed=0)
    run = ho.integrate(model, state, time=3000.0, rtol=1e-4, count=60)
    return run, float(run["risk"][-1]) - run.attrs["bayes_risk"]


few = np.arange(1, 5)
pooled = np.array([least_excess(points, heads) for heads in few])
separate = np.array([least_excess(points, heads, "softmax") for heads in few])
many = np.arange(1, 7)
runs, ends = zip(*(trained(points, heads) for heads in many), strict=True)

for heads, bayes, softmax in zip(few, pooled, separate, strict=True):
    print(f"{heads} heads: excess of bayes_softmax {bayes:.2e}, of softmax {softmax:.2e}")
for heads, end in zip(many, ends, strict=True):
    print(f"{heads} heads: bayes_softmax is trained to {end:.2e}")

# %%
# Pooled softmax improves with each head up to the fourth, and then has nothing left to gain.
# Training comes close to the optimum up to four heads. With five or six it is farther from it at
# :math:`t = 3000` than with four: heads share points, and two heads at one double its weight.

for run in runs[3:]:
    reading = ho.read_trajectory(run)
    counts = reading["serves"].sum("head").values
    print(f"{reading.sizes['head']} heads: {counts} of them serve the four points")

assert (pooled[1:] < 0.5 * pooled[:-1]).all()
assert abs(pooled[3]) < 1e-6
assert separate[0] - separate[3] < 0.02 * (pooled[0] - pooled[3])
assert all(end < 1.1 * best + 1e-5 for end, best in zip(ends, pooled, strict=False))

# %%
# Three points with probabilities 0.6, 0.3 and 0.1, and three heads: the offset
# :math:`b_h = Q_{hh}/2` knows nothing of probabilities, and learned offsets reach the Bayes risk.

unequal = ho.Signal.one_hot(amplitude=[2.0, 2.0, 2.0], probabilities=[0.6, 0.3, 0.1])
offsets = {"b = Q/2": "nishimori", "learned": "learned"}
excess = {name: least_excess(unequal, 3, offset=offset) for name, offset in offsets.items()}
for name, value in excess.items():
    print(f"offsets {name}: excess {value:.2e}")

assert excess["b = Q/2"] > 1e-3
assert excess["learned"] < 1e-6

# %%

figure, axes = plt.subplots(figsize=(4.2, 2.7), layout="constrained")
for values, heads, look, label in (
    (separate, few, head_look(1), "softmax, optimum"),
    (pooled[:3], few[:3], head_look(0), "bayes_softmax, optimum"),
    (np.array(ends), many, head_look(2), "bayes_softmax, trained to $t = 3000$"),
):
    axes.plot(heads, values, color=look.color, marker=look.marker, label=label)
# The optimum with four heads is the Bayes risk, which has no place on a logarithmic axis.
blue = head_look(0).color
arrow = {"arrowstyle": "->", "color": blue, "shrinkA": 0, "shrinkB": 0}
axes.annotate("", (4, 1e-7), xytext=(3, pooled[2]), arrowprops=arrow)
axes.annotate("0", (4.06, 1.3e-7), color=blue)
axes.axvline(4, color=QUIET, linewidth=0.6, zorder=0)
axes.annotate("4 points", (4.06, 0.2), color=QUIET)
axes.set(yscale="log", ylim=(1e-7, 0.5), xlabel="heads", ylabel="risk above the Bayes risk")
axes.legend(loc="lower left")
plt.show()
