r"""
Heads that can be removed after training
========================================

**Claim.** With more heads than features, the surplus heads can be removed after training at no
loss.

**True as stated** for ``softmax1`` with learned offsets, which uses three of six heads for three
features. **True under conditions** for pooled softmax: heads come in pairs, and one of each has to
go, for removing fewer breaks the balance of the weights; it takes long training for that to cost
less than 1 % of the risk. **Not seen** for ``softmax``: all six heads become different. Before they
do, one is as good as six.
"""

# %%
# Three points :math:`\theta = 2 e_f` and six heads, from random overlaps of 0.01. At two times of
# the training, heads are removed without retraining: the risk of the best 1 to 6 heads.

import matplotlib.pyplot as plt
import numpy as np

import headode as ho
from headode.plotting.style import QUIET, head_look
from headode.trajectory import state_at

heads = np.arange(1, 7)
signal = ho.Signal.one_hot(amplitude=[2.0, 2.0, 2.0])
attentions = {
    "softmax": ("softmax", "zero", (1000.0, 3000.0)),
    "bayes_softmax": ("bayes_softmax", "nishimori", (1000.0, 3000.0)),
    "softmax1, learned offset": ("softmax1", "learned", (300.0, 1000.0)),
    "softmax1, no offset": ("softmax1", "zero", (10.0, 20.0)),
}


def pruned(activation, offset, times):
    """Risks of the best 1 to 6 heads, (times, 6), and the state at the end."""
    model = ho.Model(3, 6, signal, activation, offset=offset)
    state = ho.OrderParameters.random(heads=6, features=3, scale=0.01, seed=0)
    run = ho.integrate(model, state, times=[0.0, *times], tolerance=1e-5, rtol=1e-4)
    ends = [state_at(run, index) for index in (1, 2)]
    risks = [ho.prune(model, end, tolerance=1e-5)["risk"].values for end in ends]
    return np.array(risks), ends[-1]


risks, ends, loss, removable = {}, {}, {}, {}
for name, (activation, offset, times) in attentions.items():
    risks[name], ends[name] = pruned(activation, offset, times)
    loss[name] = 100 * (risks[name] / risks[name][:, -1:] - 1)
    # At a loss of at most 1 % of the risk of all heads.
    removable[name] = 5 - (loss[name] <= 1.0).argmax(axis=1)
    for row, time, number in zip(loss[name], times, removable[name], strict=True):
        text = "".join(f"{value:7.2f}" for value in row[:-1])
        print(f"{name:24} t = {time:4.0f}: loss of 1 to 5 heads {text} %, removable {number}")

assert removable["softmax"].tolist() == [5, 1]
assert removable["bayes_softmax"].tolist() == [0, 3]
assert removable["softmax1, learned offset"].tolist()[1] == 3

# %%
# Which head is where. With learned offsets three heads of ``softmax1`` align with nothing; in
# pooled softmax a pair shares each point.

for name in ("softmax", "bayes_softmax", "softmax1, learned offset"):
    print(name)
    print(ends[name].M.round(1))

idle = np.linalg.norm(ends["softmax1, learned offset"].M, axis=1) < 0.2
nearest = ends["bayes_softmax"].M.argmax(axis=1)
assert idle.sum() == 3
assert (np.bincount(nearest) == 2).all()

# %%
# Without offsets ``softmax1`` adds up the weights of heads that do not look at the tokens, and its
# risk falls with each head that is removed. Before they specialize, all but one of the heads of
# ``softmax`` can go. With seeds 1 and 2, too, three heads of pooled softmax can go at
# :math:`t = 3000`, at losses of 0.96 % and 0.92 %.

assert (np.diff(risks["softmax1, no offset"][-1]) > 0).all()

# %%

figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 2.8), layout="constrained")
for i, name in enumerate(attentions):
    look = head_look(i)
    left.plot(heads, risks[name][1], color=look.color, marker=look.marker, label=name)
    if name == "softmax1, no offset":
        continue  # its losses are far below the panel
    earlier, later = loss[name]
    right.plot(heads, earlier, color=look.color, marker=look.marker, dashes=(3, 1.5))
    right.plot(heads, later, color=look.color, marker=look.marker)
left.axhline(ho.bayes_risk(ho.Model(3, 6, signal)), color=QUIET, linewidth=0.6)
left.annotate("Bayes risk", (1, 0.14), color=QUIET)
left.set(yscale="log", ylim=(0.13, 3), xlabel="heads kept", ylabel="risk at the later time")
left.set_yticks([0.2, 0.5, 1, 2], labels=["0.2", "0.5", "1", "2"])
left.tick_params(which="minor", labelleft=False)
left.legend(loc="upper left")
right.axhline(1, color=QUIET, linewidth=0.6)
right.annotate("1 %", (6, 1.1), color=QUIET, ha="right")
right.set(ylim=(-1, 5), xlabel="heads kept", ylabel="loss (% of the risk of all)")
for dash, label in (((3, 1.5), "earlier time"), ((None, None), "later time")):
    right.plot([], [], color=QUIET, dashes=dash, label=label)
right.legend(loc="upper left")
plt.show()
