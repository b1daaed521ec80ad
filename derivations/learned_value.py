"""A learned value: its equations, its fixed point and what it does to the risk.

Setting. v ← v + (η_v/B) Σ_μ e^μ Σ_l A_l x_l/√d, with the averages over the values of
average_over_values.py. With a = E A_ε and S = E Σ_l A_l²:

    dm_v/dt = η_v (a − m_v S)
    dq_v/dt = 2η_v (m_v a − q_v S) + (η_v²/B) E[2ℓ Σ_l A_l²] .

Result. The residual r_v = q_v − m_v² ≥ 0 obeys a linear equation, as R does,

    dr_v/dt = −2η_v S r_v + (η_v²/B) E[2ℓ Σ_l A_l²] ,

so that it stays nonnegative. The drifts are the gradient of the risk, dm_v/dt = −η_v (∂E/∂m_v +
2 m_v ∂E/∂q_v), and in gradient flow at fixed attention

    dE/dt = −η_v [(a − m_v S)² + S² r_v] ≤ 0 ,

with the fixed point m_v = a/S, r_v = 0 and the risk ½ (1 + Δ² − a²/S). For the Bayes attention
a = S, and the value found is the teacher's, m_v = 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

m, q, rate, noise, kappa = sp.symbols("m_v q_v eta_v Delta kappa", real=True)
a, S = sp.symbols("a S", positive=True)
risk = (1 + noise**2 - 2 * m * a + q * S) / 2
dm = rate * (a - m * S)
dq = 2 * rate * (m * a - q * S) + kappa  # kappa: the learning-rate noise


def check() -> Iterator[str]:
    """Algebra for any attention; then SGD on the value alone, at finite d."""
    residual = q - m**2
    assert sp.expand(dq - 2 * m * dm - (-2 * rate * S * residual + kappa)) == 0
    yield "r_v obeys its own linear equation"
    slope = -rate * (sp.diff(risk, m) + 2 * m * sp.diff(risk, q))
    assert sp.expand(dm - slope) == 0
    flow = sp.diff(risk, m) * dm + sp.diff(risk, q) * dq.subs(kappa, 0)
    assert sp.expand(flow + rate * ((a - m * S) ** 2 + S**2 * residual)) == 0
    yield "the risk falls under gradient flow"
    fixed = sp.solve([dm, dq.subs(kappa, 0)], [m, q], dict=True)
    assert fixed == [{m: a / S, q: a**2 / S**2}]
    assert sp.simplify(risk.subs(fixed[0]) - (1 + noise**2 - a**2 / S) / 2) == 0
    yield "fixed point m_v = a/S, r_v = 0 and its risk"
    yield f"full-vector SGD at d = 400: within {_simulation_deviations():.1f} standard errors"


def _simulation_deviations() -> float:
    """SGD on v with heads at rest, A = (0.6, 0.3, 0.1) always: a closed linear ODE."""
    attention, dimension, steps, runs = np.array([0.6, 0.3, 0.1]), 400, 400, 400
    learning_rate, label_noise = 0.9, 0.5
    rng = np.random.default_rng(0)
    weight, second = attention[0], (attention**2).sum()
    # v = m v* + residual: only v's first coordinate is along v* = √d e_1.
    v = np.zeros((runs, dimension))
    for _ in range(steps):
        x = rng.standard_normal((runs, 3, dimension))
        label = x[:, 0, 0] + label_noise * rng.standard_normal(runs)
        mixed = np.einsum("l,rld->rd", attention, x)
        output = np.einsum("rd,rd->r", mixed, v) / np.sqrt(dimension)
        v += learning_rate * (label - output)[:, None] * mixed / np.sqrt(dimension)
    m_end, q_end = v[:, 0] / np.sqrt(dimension), (v**2).sum(axis=1) / dimension

    # The ODE is linear, its noise 2ℓS with 2ℓ = 1 + Δ² − 2 m a + q S; Euler's steps of 1/d are
    # what SGD itself takes, so that no discretization error is left.
    m_ode, q_ode = 0.0, 0.0
    for _ in range(steps):
        twice_loss = 1 + label_noise**2 - 2 * m_ode * weight + q_ode * second
        dm_ode = learning_rate * (weight - m_ode * second)
        dq_ode = 2 * learning_rate * (m_ode * weight - q_ode * second)
        dq_ode += learning_rate**2 * twice_loss * second
        m_ode, q_ode = m_ode + dm_ode / dimension, q_ode + dq_ode / dimension
    deviations = [
        abs(sample.mean() - ode) / (sample.std() / np.sqrt(runs))
        for sample, ode in ((m_end, m_ode), (q_end, q_ode))
    ]
    # Beside sampling there is an O(1/d) bias of the noise, a fraction of a standard error here.
    assert max(deviations) < 4
    return max(deviations)


if __name__ == "__main__":
    print(__doc__)
    for line in check():
        print("checked:", line)
