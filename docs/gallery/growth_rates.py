r"""
Differences between heads grow in proportion to the variance
============================================================

**Claim.** Near the unspecialized state the heads grow apart along feature :math:`f` at the rate
:math:`\lambda_f = \kappa \operatorname{Var} \theta_f`, with the same :math:`\kappa` for all
features.

**True as stated** at the unspecialized fixed point, **true under conditions** before it. On the way
there pooled softmax keeps the proportionality, with a :math:`\kappa` that changes; with ``softmax``
a constant comes on top, which is negative and outweighs the variance, so that heads approach each
other.
"""

# %%
# Four heads and :math:`\theta = (2, \pm a_2, \pm a_3)`. The unspecialized state is found for each
# pair of amplitudes, and the growth rates are eigenvalues of the Jacobian of the full ODE.

import matplotlib.pyplot as plt
import numpy as np

import headode as ho
from headode.plotting.style import QUIET, head_look

H = 4
amplitudes = [(0.3, 0.6), (0.9, 1.2), (1.5, 1.8)]
variances = np.square(amplitudes).ravel()


def rates(activation, part=None):
    """Growth rates for all variances, at the fixed point or at a part of the mean signal."""
    found = []
    for pair in amplitudes:
        signal = ho.Signal.sign_flips(mean=[2.0, 0.0, 0.0], amplitude=[0.0, *pair])
        model = ho.Model(3, H, signal, activation)
        if part is None:
            state = ho.unspecialized_state(model, tolerance=1e-5)
            assert np.allclose(state.M, [2.0, 0.0, 0.0], atol=1e-4)
        else:
            state = ho.OrderParameters(np.tile(part * signal.mean, (H, 1)), np.zeros((H, H)))
        modes = ho.linear_stability(model, state, tolerance=1e-5)
        for feature in (2, 3):
            named = modes["name"] == f"heads apart along feature {feature}"
            found.append(float(modes["growth_rate"][named].item()))
    return np.array(found)


activations = ("bayes_softmax", "softmax")
at_rest = {activation: rates(activation) for activation in activations}
kappa = {activation: values / variances for activation, values in at_rest.items()}
for activation, values in kappa.items():
    print(f"{activation}: rate/variance from {values.min():.5g} to {values.max():.5g}")

# %%
# The same :math:`\kappa` by its formula, an expectation over the three scores of identical heads
# (:doc:`theory </theory>`), with a Gauss-Hermite rule.

nodes, weights = np.polynomial.hermite_e.hermegauss(40)
scores = 2.0 * np.stack(np.meshgrid(nodes, nodes, nodes, indexing="ij"), axis=-1) + [4.0, 0.0, 0.0]
weights = np.einsum("i,j,k->ijk", weights, weights, weights) / weights.sum() ** 3
p = np.exp(scores - scores.max(axis=-1, keepdims=True))
p /= p.sum(axis=-1, keepdims=True)
marked = p[..., 0]
brier = ((p - [1.0, 0.0, 0.0]) ** 2).sum(axis=-1)
formula = {
    "bayes_softmax": (weights * marked * brier).sum() / H,
    "softmax": (weights * marked * (1 - 2 * marked) * brier).sum() / H,
}
for activation, value in formula.items():
    print(f"{activation}: formula {value:.5g}")
    assert np.allclose(kappa[activation], value, rtol=1e-3)

# %%
# On the way to the fixed point, at :math:`M_h = 0.6\, \mathbb{E}\,\theta`, the rates are still on a
# straight line.

early = {activation: rates(activation, part=0.6) for activation in activations}
lines = {name: np.polyfit(variances, values, 1) for name, values in early.items()}
for name, (slope, constant) in lines.items():
    print(f"{name}: {slope:.5f} times the variance {constant:+.5f}")
    assert np.allclose(early[name], np.polyval(lines[name], variances), atol=1e-5)

assert abs(lines["bayes_softmax"][1]) < 1e-5
assert lines["softmax"][1] < -0.004
assert (early["softmax"] < 0).all()

# %%

figure, panels = plt.subplots(1, 2, figsize=(6.2, 2.7), layout="constrained")
reach = np.array([0.0, 3.5])
for panel, activation in zip(panels, activations, strict=True):
    panel.axhline(0, color=QUIET, linewidth=0.6, zorder=0)
    for i, (values, line, where) in enumerate(
        (
            (at_rest[activation], (formula[activation], 0.0), "at the fixed point"),
            (early[activation], lines[activation], r"at $0.6\,\mathrm{E}\,\theta$"),
        )
    ):
        look = head_look(i)
        panel.plot(reach, np.polyval(line, reach), color=look.color, linewidth=0.8)
        panel.plot(variances, values, look.marker, color=look.color, label=where)
    panel.set(title=activation, xlim=reach, xlabel=r"$\mathrm{Var}\,\theta_f$")
panels[0].set_ylabel(r"growth rate $\lambda_f$ ($d/\eta\,$steps)")
panels[0].legend(loc="upper left")
plt.show()
