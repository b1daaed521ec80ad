r"""
Which attention can do best, and how well
=========================================

**Claim.** With one head for each point of the support of :math:`P_\theta`, pooled softmax reaches
the Bayes risk at every signal strength; ``softmax1`` with an offset comes next, then ``softmax``,
and linear attention is last.

**True under conditions.** It is true of all three signals, whose points are equally likely, and of
all strengths, if ``softmax1`` learns its offsets. With a fixed offset ``softmax`` does better at
weak signals. With none ``softmax1`` is worse than linear attention on two of the three signals, and
there, at most strengths, worse than no attention at all, 1/2. How much is gained differs:
``softmax`` makes next to nothing of a flipped sign beside a mean.
"""

# %%
# Three signals of strength :math:`a`. The least risk over all overlaps is sought from four starts
# at the lowest strength; from then on one search starts from the optimum before, and another from
# heads at the points of the signal.

import matplotlib.pyplot as plt
import numpy as np

import headode as ho
from headode.plotting.style import INK, head_look

strengths = np.linspace(0.5, 3.0, 6)
signals = {
    "one_hot": lambda a: ho.Signal.one_hot([a, a, a]),
    "flipped_one_hot": lambda a: ho.Signal.flipped_one_hot([a, a]),
    "sign_flips": lambda a: ho.Signal.sign_flips(mean=[2.0, 0.0], amplitude=[0.0, a]),
}
attentions = {
    "softmax1, no offset": ("softmax1", "zero"),
    "linear": ("linear", "zero"),
    "softmax1, fixed offset": ("softmax1", "fixed"),
    "softmax": ("softmax", "zero"),
    "softmax1, learned offset": ("softmax1", "learned"),
    "bayes_softmax": ("bayes_softmax", "nishimori"),
}


def least_risks(signal, activation, offset):
    """The least risk of an activation for all strengths, and the Bayes risk."""
    if offset == "fixed":
        # The offset |θ|²/2 of heads at the points, where a = 2.
        offset = float((signal(2.0).means[0] ** 2).sum() / 2)
    rows, starts = [], ()
    for a in strengths:
        points = signal(a)
        model = ho.Model(3, points.components, points, activation, offset=offset)
        restarts = 1 if starts else 4
        best = ho.optimal_risk(model, restarts=restarts, starts=starts, tolerance=1e-5)
        rows.append((best.risk, best.bayes_risk))
        starts = (best.state,)
    return np.array(rows).T


risk, bayes = {}, {}
for signal in signals:
    for name, (activation, offset) in attentions.items():
        risk[signal, name], bayes[signal] = least_risks(signals[signal], activation, offset)

# %%

for signal in signals:
    print(f"{signal}, strength" + "".join(f"{a:8g}" for a in strengths))
    for name in attentions:
        print(f"  {name:24}" + "".join(f"{value:8.4f}" for value in risk[signal, name]))
    print(f"  {'Bayes risk':24}" + "".join(f"{value:8.4f}" for value in bayes[signal]))

# %%
# Learned offsets can make ``softmax1`` a single head of ``softmax``, with one offset at
# :math:`-\infty` and the others at :math:`\infty`. They do better than all of its heads together,
# by:

for signal in signals:
    gain = risk[signal, "softmax"] - risk[signal, "softmax1, learned offset"]
    print(f"{signal:16} {gain.min():.1e} to {gain.max():.1e}")

for signal in signals:
    none, linear, fixed, softmax, learned, pooled = (risk[signal, name] for name in attentions)
    assert np.allclose(pooled, bayes[signal], atol=2e-5)
    assert (pooled < learned).all()
    assert (learned < softmax).all()
    assert (softmax < linear).all()
    # With a fixed offset: at weak signals and, if there are flips, not at strong ones.
    assert fixed[0] > softmax[0] + 1e-3
    assert (fixed[-1] < softmax[-1]) == (signal != "one_hot")
    assert (none > linear).all() == (signal != "sign_flips")
    assert ((none > 0.5).sum() > 3) == (signal != "sign_flips")

flips = risk["sign_flips", "softmax"]
assert flips[0] - flips[-1] < 0.001

# %%

figure, panels = plt.subplots(1, 3, figsize=(6.4, 3.2), sharey=True, layout="constrained")
titles = (
    r"one_hot, $\theta = a\,e_f$",
    r"flipped_one_hot, $\theta = \pm a\,e_f$",
    r"sign_flips, $\theta = (2, \pm a)$",
)
for panel, signal, title in zip(panels, signals, titles, strict=True):
    for i, name in enumerate(attentions):
        look = head_look(i)
        panel.plot(strengths, risk[signal, name], color=look.color, marker=look.marker, label=name)
    panel.plot(
        strengths, bayes[signal], color=INK, linewidth=0.8, dashes=(2, 2), label="Bayes risk"
    )
    panel.set(title=title, xlabel="signal strength $a$", xlim=(0.3, 3.2), yscale="log")
panels[0].set(ylim=(1e-2, 1.3), ylabel="least risk")
handles = panels[0].get_legend_handles_labels()
figure.legend(*handles, loc="outside lower center", ncols=4)
plt.show()
