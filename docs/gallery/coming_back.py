"""
A misplaced head comes back
===========================

**Claim.** Heads that chose the crowded side of a feature make an excursion and come back on the
other side, so that the final split is even.

**True as stated, but seldom needed.** Of the staged example's random starts with seeds 0 to 55, all
end with two heads on each side of both features; in 50 of them no head has to come back, in six one
does. In one of these the heads first share the points in pairs, and the risk stalls for long.
"""

# %%
# Three of four heads go to the negative side of feature 2. The weakest of them turns round at
# :math:`t = 116` and ends up on the positive side.

import matplotlib.pyplot as plt

import headode as ho
from headode.plotting.style import QUIET, head_look

signal = ho.Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, 1.8, 1.2])
model = ho.Model(tokens=3, heads=4, signal=signal)


def trained(seed, **options):
    """A trajectory of the staged example from another start."""
    state = ho.OrderParameters.random(heads=4, features=3, scale=0.01, seed=seed)
    return ho.integrate(model, state, time=1500.0, **options)


run = trained(seed=51, tolerance=1e-6)
reading = ho.read_trajectory(run)
print(reading.attrs["summary"])

# %%
# ``reading`` has the excursion as numbers.

excursion = reading[["excursion_head", "excursion_feature", "excursion_extremum", "excursion_back"]]
print(excursion.to_dataframe().T)

assert reading.sizes["excursion"] == 1
assert (reading["side"].sel(feature=[2, 3]).sum("head") == 0).all()
assert (reading["serves"].sum("head") == 1).all()

# %%
# Five of the six are found with the loop below, which takes some minutes and is not run here: seeds
# 7, 26, 27 and 29 along feature 3, and seed 51 along feature 2. The sixth is seed 9, which needs
# more time. There, each head is between two points until the risk leaves its plateau at
# :math:`t = 2760`; then one of them goes over to the other side of feature 3.
#
# .. code-block:: python
#
#     for seed in range(56):
#         reading = ho.read_trajectory(trained(seed, rtol=1e-4, count=120))
#         print(seed, reading.sizes["excursion"], reading["side"].sum("head").values)

time, M = run["time"].values, run["M"].values
figure, axes = plt.subplots(figsize=(4.2, 2.7), layout="constrained")
for level in (-1.8, 0.0, 1.8):
    axes.axhline(level, color=QUIET, linewidth=0.6, zorder=0)
for head in range(4):
    axes.plot(time[1:], M[1:, head, 1], color=head_look(head).color, label=f"head {head + 1}")
left, back = float(reading["excursion_left"][0]), float(reading["excursion_back"][0])
axes.axvspan(left, back, color="0.9", zorder=-1)
axes.annotate("excursion\nof head 4", ((left * back) ** 0.5, 0.25), ha="center", color=QUIET)
axes.set(xscale="log", xlim=(3, 1500), xlabel=r"time $t$ ($\eta$ steps/$d$)", ylabel="$M_{h2}$")
axes.legend(loc="upper left")
plt.show()
