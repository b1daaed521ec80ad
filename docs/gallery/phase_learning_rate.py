r"""
Phase diagram: learning rate against signal strength
====================================================

**Claim.** At a finite learning rate SGD specializes within a window: smaller rates have not got the
time, larger ones lose the signal in the noise of their steps, and the largest fail to learn at all.

**True under conditions.** At :math:`t = 25`, with a label noise of :math:`\Delta = 2`, rates of 1.4
to 3.4 resolve the weakest signals. Up to 0.6 the boundary is where gradient flow splits by
:math:`\eta t`, and from there on the noise costs more and more of what a larger rate would gain.
Failing is a matter of time: large rates make the risk rise first, and then it comes back.
"""

# %%
# The packaged example ``phase_learning_rate`` until :math:`t = 25` instead of 50, with 7 rates up
# to 20 instead of 8 up to 30, and a looser integrator. The whole one takes two minutes on one core:
#
# .. code-block:: sh
#
#     headode example phase_learning_rate > rates.yaml
#     headode phase-diagram rates.yaml --plot rates.pdf

from importlib.resources import files

import numpy as np

import headode as ho


def recovery_time(point):
    """Last time when the risk is what it was at the start, or higher."""
    risk = point.run["risk"].values
    return point.run["time"].values[np.flatnonzero(risk >= risk[0])[-1]]


config = ho.load_config(files("headode") / "examples" / "phase_learning_rate.yaml")
time = 25.0
rates = {"start": 0.1, "stop": 20.0, "count": 7, "spacing": "log"}
strengths = {"start": 0.5, "stop": 2.9, "count": 7}
diagram = ho.phase_diagram(
    config,
    axes={"training.learning_rate": rates, "signal.amplitude.1": strengths},
    measures=["phase", recovery_time],
    training={"learning_rate": 1.0, "time": time},
    integrator={"rtol": 1e-3, "atol": 1e-6},
)
ho.plot(diagram.drop_vars("recovery_time"))

# %%
# What is seen: a valley. The weakest signal that SGD resolves, beside that of gradient flow until
# :math:`\eta t`, which has no noise:

flow = ho.phase_diagram(
    config,
    axes={"rate": rates, "signal.amplitude.1": strengths},
    derived={"training.time": lambda parameters: time * parameters["rate"]},
    training={"learning_rate": "gradient_flow"},
)
amplitude = diagram["signal.amplitude.1"].values


def weakest(phase):
    """The least strength at which the heads specialize, for each rate."""
    specialized = phase.values == "specialized"
    first = amplitude[specialized.argmax(axis=1)]
    least = np.where(specialized.any(axis=1), first, np.inf)
    # Whatever is stronger is resolved, too.
    assert (specialized == (amplitude >= least[:, np.newaxis])).all()
    return least


eta = diagram["training.learning_rate"].values
sgd, without_noise = weakest(diagram["phase"]), weakest(flow["phase"])
recovered = diagram["recovery_time"].values
print("learning rate   SGD   flow   risk above the start until t =")
for i, rate in enumerate(eta):
    print(f"{rate:13.2f} {sgd[i]:5.1f} {without_noise[i]:6.1f} {recovered[i].max():12.1f}")

lost = np.arange(eta.size)[np.isfinite(sgd)]
loss = (sgd[lost] - without_noise[lost]).round(6)
assert set(eta[sgd == sgd.min()].round(1)) == {1.4, 3.4}
assert (loss[eta[lost] < 1] == 0).all()
assert (np.diff(loss[eta[lost] > 0.5]) > 0).all()
assert (np.diff(without_noise[lost]) < 0).all()

# %%
# All points at a rate of 20 fail: at :math:`t = 25` the risk is above where it started. So it was
# at 8.3 until :math:`t = 9.5`, but for the strongest signal, and at 3.4 for a moment. At a rate of
# 20 it is back at :math:`t = 43` (an integration of ten seconds, not run here): the heads' overlaps
# with the features grow faster than the noise in their scores, until these tell the marked token.

assert (diagram["phase"].values[-1] == "fails").all()
assert (diagram["phase"].values[:-1] != "fails").all()
assert (recovered[eta < 2] == 0).all()
assert (recovered[4] < 1).all()
assert 8 < recovered[5].max() < 11
