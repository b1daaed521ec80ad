r"""
Phase diagram: when the heads specialize
========================================

**Claim.** The heads split first along the feature of the larger variance, about
:math:`\ln(\sigma_f / 2\delta_0) / (\kappa \operatorname{Var} \theta_f)` after a start with
differences :math:`\delta_0`. The other feature does not matter.

**True under conditions.** The larger variance is first everywhere. Up to a standard deviation of
1.5 heads are 6 to 17 % earlier than that, for they leave before they are at the fixed point that
:math:`\kappa` belongs to, and a weaker second feature shifts the date by less than 2 %. Beyond, the
time levels off near 95: stronger signals part the heads ever earlier, but then they take long to
get far, and a second feature speeds them up by up to a quarter.
"""

# %%
# The packaged example ``phase_specialization_time`` on a coarser grid, 7 × 7 points instead of
# 11 × 11. The whole one takes two minutes on one core:
#
# .. code-block:: sh
#
#     headode example phase_specialization_time > times.yaml
#     headode phase-diagram times.yaml --plot times.pdf

from importlib.resources import files

import numpy as np

import headode as ho


def departure_time(point):
    """When the first heads are a tenth of their final distance apart."""
    return ho.specialization_times(point.run)["departure_time"].min()


config = ho.load_config(files("headode") / "examples" / "phase_specialization_time.yaml")
strengths = {"start": 0.6, "stop": 2.4, "count": 7}
diagram = ho.phase_diagram(
    config,
    axes={"signal.amplitude.1": strengths, "signal.amplitude.2": strengths},
    measures=["specialization_time", "feature_order", departure_time],
)
ho.plot(diagram.drop_vars("departure_time"))

# %%
# What is seen: corners. Lines of equal time run along the axes and turn at the diagonal, for it is
# the larger variance alone that decides, and there the order changes. (One number alone: the
# other feature has not split by :math:`t = 2000`.)

sigma = diagram["signal.amplitude.1"].values
order = diagram["feature_order"].values
difference = np.subtract.outer(sigma, sigma)
assert np.strings.startswith(order[difference > 0], "2").all()
assert np.strings.startswith(order[difference < 0], "3").all()

times = diagram["specialization_time"].values
for i, alone in enumerate(times[:, 0]):
    if i > 1:
        part = times[i, :i].min() / alone
        print(f"sigma_2 = {sigma[i]:.1f}, a weaker feature 3: down to {part:.2f} of it")
        assert part > (0.98 if sigma[i] < 1.6 else 0.75)

# %%
# The law, with :math:`\kappa` from the Jacobian at the unspecialized fixed point and
# :math:`\delta_0` from the random start, along the lower edge, where feature 2 is the stronger one.

signal = ho.Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, 1.5, 0.6])
model = ho.Model(3, 4, signal)
unspecialized = ho.unspecialized_state(model, tolerance=1e-5)
modes = ho.linear_stability(model, unspecialized, tolerance=1e-5)
kappa = float(modes["growth_rate"].max()) / 1.5**2
start = ho.OrderParameters.random(heads=4, features=3, scale=0.01, seed=0)
delta = start.M[:, 1].std()
law = np.log(sigma / (2 * delta)) / (kappa * sigma**2)
departures = diagram["departure_time"].values[:, 0]

print(f"kappa = {kappa:.5f}, initial spread {delta:.4f}")
print("sigma_2    law   split   split/law   a tenth apart")
for row in zip(sigma, law, times[:, 0], times[:, 0] / law, departures, strict=True):
    print("{:7.1f} {:6.0f} {:7.0f} {:11.2f} {:15.0f}".format(*row))

ratio = times[:, 0] / law
weak = sigma < 1.6
assert ((ratio[weak] > 0.82) & (ratio[weak] < 0.95)).all()
assert ratio[-1] > 1.4
assert abs(times[-1, 0] / times[-2, 0] - 1) < 0.05
assert (np.diff(departures) < 0).all()
