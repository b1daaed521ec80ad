r"""
Stages: one feature after another, at predicted times
=====================================================

**Claim.** Heads first align with the mean signal and then split along one feature after another, in
the order of :math:`\operatorname{Var} \theta_f`, about :math:`\ln(1/\delta_0)/\lambda_f` after a
start with differences :math:`\delta_0`, where
:math:`\lambda_f = \kappa \operatorname{Var} \theta_f`.

**True under conditions.** The order is as stated, and integrating the growth of the differences
predicts the dates from the start to 1 %. The closed formula does not: from overlaps of
:math:`10^{-4}` it is 13 % late for feature 2, along which the heads split before they are at the
fixed point that :math:`\lambda_2` belongs to, and a third too early for feature 3, along which they
then grow apart at about half of :math:`\lambda_3`.
"""

# %%
# Four heads, :math:`\theta = (2, \pm 1.8, \pm 1.2)`, one random start at four scales. A split is
# dated when the spread of the heads, the standard deviation of :math:`M_{hf}`, reaches half of that
# of :math:`\theta_f`.

import matplotlib.pyplot as plt
import numpy as np

import headode as ho
from headode.plotting.style import QUIET, head_look

signal = ho.Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, 1.8, 1.2])
model = ho.Model(3, 4, signal)
unspecialized = ho.unspecialized_state(model, tolerance=1e-4)
features, half = (2, 3), (0.9, 0.6)
scales = (1e-1, 1e-2, 1e-3, 1e-4)


def date(run, feature, level):
    """When the spread along a feature first exceeds a level."""
    logarithm = np.log(run["M"].sel(feature=feature).std("head").values / level)
    after = int((logarithm > 0).argmax())
    around = slice(after - 1, after + 1)
    return np.interp(0.0, logarithm[around], run["time"].values[around])


runs, predictions = [], []
for scale in scales:
    state = ho.OrderParameters.random(heads=4, features=3, scale=scale, seed=0)
    runs.append(ho.integrate(model, state, time=1200.0, tolerance=1e-5, rtol=1e-4))
    prediction = ho.predict_specialization(model, state, time=1200.0, fixed_point=unspecialized)
    predictions.append(prediction.sel(feature=list(features)))


def predicted(name):
    """A variable of all predictions, (scales, features)."""
    return np.array([prediction[name].values for prediction in predictions])


levels = list(zip(features, half, strict=True))
integrated = np.array([[date(run, feature, level) for feature, level in levels] for run in runs])
times, formula = predicted("specialization_time"), predicted("fixed_point_time")
print("overlaps  feature  integrated  predicted  formula")
for i, scale in enumerate(scales):
    for f, feature in enumerate(features):
        row = f"{integrated[i, f]:10.0f} {times[i, f]:10.0f} {formula[i, f]:8.0f}"
        print(f"{scale:8g} {feature:8} {row}")

assert (integrated[:, 0] < integrated[:, 1]).all()
assert np.allclose(times[1:], integrated[1:], rtol=0.01)
assert (formula[2:, 0] > 1.05 * integrated[2:, 0]).all()
assert (formula[:, 1] < 0.75 * integrated[:, 1]).all()

# %%
# Where the formula fails. When the spread is a tenth of the final one, the mean head has come only
# so far towards the mean signal, and the spread grows at another rate than at the fixed point.

alignment, rate = predicted("alignment"), predicted("departure_rate")
ratio = rate / predicted("fixed_point_rate")
for i, scale in enumerate(scales):
    for f, feature in enumerate(features):
        text = f"at {alignment[i, f]:.2f} of the mean, {ratio[i, f]:.2f} of the formula's rate"
        print(f"overlaps {scale:g}, feature {feature}: {text}")

# %%
# The fixed point of feature 3 is another one by then: two heads at each of :math:`(2, \pm 1.8, 0)`.

pairs = ho.OrderParameters(np.array([[2.0, 1.8, 0.0], [2.0, -1.8, 0.0]] * 2), np.zeros((4, 4)))
modes = ho.linear_stability(model, pairs, tolerance=1e-4)
after_split = float(modes["growth_rate"][0])
before, later = predictions[0]["fixed_point_rate"].values
print(f"{modes['name'].values[0]}: rate {after_split:.4f}, before the split {later:.4f}")

assert modes.attrs["drift"] < 1e-6
assert abs(after_split / later - 0.588) < 0.01
assert (ratio[:, 0] > 1.05).all()
assert (ratio[:, 1] < 0.7).all()

# %%

figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.8), layout="constrained")
for f, feature in enumerate(features):
    look = head_look(f)
    left.plot(scales, times[:, f], color=look.color)
    left.plot(scales, formula[:, f], color=look.color, linewidth=0.8, dashes=(4, 2))
    left.plot(scales, integrated[:, f], look.marker, color=look.color)
    left.annotate(f"feature {feature}", (1.3e-4, (235, 760)[f]), color=look.color)
for line in ({"marker": "o", "ls": ""}, {"ls": "-"}, {"dashes": (4, 2), "linewidth": 0.8}):
    left.plot([], [], color=QUIET, **line)
labels = ("integrated", "predicted", r"$\ln(\sigma_f/2\delta_0)/\lambda_f$")
left.legend(left.lines[-3:], labels, loc="upper right")
left.set(xscale="log", ylim=(0, 850), xlabel="initial overlaps", ylabel="split at time $t$")

time = runs[-1]["time"].values
for f, feature in enumerate(features):
    look = head_look(f)
    spread = runs[-1]["M"].sel(feature=feature).std("head").values
    right.plot(time, spread, color=look.color, label=f"feature {feature}")
    right.plot(times[-1, f], half[f], look.marker, color=look.color)
# Slopes to compare with, each beside its curve.
for start, level, slope, length, text in (
    (65, 4e-3, before, 65, r"$\lambda_2$"),
    (20, 3e-5, later, 110, r"$\lambda_3$"),
    (300, 4e-3, after_split, 200, r"$\lambda_3$ after the first split"),
):
    span = np.array([0, length])
    right.plot(start + span, level * np.exp(slope * span), color=QUIET, linewidth=0.8)
    middle = (start + 0.5 * length + 20, level * np.exp(0.5 * slope * length))
    right.annotate(text, middle, color=QUIET, va="top")
right.set(yscale="log", xlim=(0, 1000), xlabel=r"time $t$ ($\eta$ steps/$d$)")
right.set(ylabel="spread of $M_{hf}$ over heads")
right.legend(loc="lower right")
plt.show()
