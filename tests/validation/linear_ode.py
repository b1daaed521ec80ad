"""The ODE of linear attention, every expectation by hand: a readable twin of the theory.

A_l = c (h + S_l) with S_l = Σ_h χ_lh Gaussian of variance σ² = 1ᵀQ1, mean μ = 1ᵀMθ on the marked
token, and h = H − Σ_h b_h. All derivatives ∂A_j/∂χ_lh = c δ_jl are the same for all heads.
Each term can be spoilt, to see whether a validation notices.
"""

import numpy as np
from scipy.integrate import solve_ivp

from headode.trajectory import trajectory_dataset

MISTAKES = (
    "sign of G",
    "sign of C M",
    "no noise",
    "noise without label noise",
    "no nishimori drift",
    "batch size ignored",
    "no weight decay",
    "no value noise",
    "sign of the offset drift",
)


def moments(model, M, R, m_v, q_v, offset):
    """E over θ and the fields: every number that the ODE of linear attention needs."""
    c, L = model.prefactor, model.tokens
    h = model.heads - offset.sum()
    ones = np.ones(model.heads)
    variance = ones @ (M @ M.T + R) @ ones
    weights, points = model.signal.probabilities, model.signal.means
    mu = points @ M.T @ ones
    marked = c * (h + mu)  # E[A_ε | θ]
    # Given θ, Σ A² is a noncentral χ²: mean, and covariance with A_ε, and second moment.
    centers = (h + mu) ** 2 + (L - 1) * h**2
    squares = c**2 * (centers + L * variance)
    marked_squares = marked * squares + 2 * c**3 * variance * (h + mu)
    squares_2 = squares**2 + c**4 * (2 * L * variance**2 + 4 * variance * centers)
    noise = 1 + model.label_noise**2
    return {
        "A": weights @ marked,
        "A²": weights @ squares,
        "A θ": weights @ (marked[:, None] * points),
        "Σ A": weights @ marked + (L - 1) * c * h,
        "2ℓ": noise - 2 * m_v * (weights @ marked) + q_v * (weights @ squares),
        "2ℓ A²": weights @ (noise * squares - 2 * m_v * marked_squares + q_v * squares_2),
        "label noise": model.label_noise**2,
    }


def derivatives(model, training, state, mistake):
    """dM, dR, dm_v, dq_v, db at one state; η, B, λ and the mistake as asked."""
    M, R, m_v, q_v, offset = state
    if model.is_nishimori:
        offset = 0.5 * np.diag(M @ M.T + R)
    c, L, eta, B = model.prefactor, model.tokens, training.learning_rate, training.batch_size
    e = moments(model, M, R, m_v, q_v, offset)
    ones = np.ones((model.heads, model.heads))
    G = np.outer(ones[0], c * (q_v * e["A θ"] - m_v * model.signal.mean))
    C = L * q_v * c**2 * ones
    offset_gradient = -c * (q_v * e["Σ A"] - m_v) * ones[0]
    if model.is_nishimori and mistake != "no nishimori drift":
        C = C + np.diag(offset_gradient)
    loss = e["2ℓ"] - (e["label noise"] if mistake == "noise without label noise" else 0)
    squared_error = m_v**2 - 2 * m_v * q_v * e["A"] + q_v**2 * e["A²"]
    N = c**2 * (L * q_v * loss + 2 * squared_error) * ones
    if mistake == "no noise":
        N = 0 * N
    if mistake == "batch size ignored":
        B = 1
    decay = 0.0 if mistake == "no weight decay" else training.weight_decay
    G = -G if mistake == "sign of G" else G
    CM = -C @ M if mistake == "sign of C M" else C @ M
    value_noise = 0.0 if mistake == "no value noise" else e["2ℓ A²"]
    eta_v = training.value_learning_rate
    sign = -1 if mistake == "sign of the offset drift" else 1
    return (
        -eta * (G + CM + decay * M),
        -eta * (C @ R + R @ C.T + 2 * decay * R) + eta**2 / B * N,
        eta_v * (e["A"] - m_v * e["A²"]),
        2 * eta_v * (m_v * e["A"] - q_v * e["A²"]) + eta_v**2 / B * value_noise,
        -sign * training.offset_learning_rate * offset_gradient,
    )


def linear_trajectory(model, state, training, times, mistake=None):
    """The trajectory as ``headode.integrate`` would give it, to 1e-9."""
    assert mistake is None or mistake in MISTAKES
    H, F = model.heads, model.features
    ends = np.cumsum([H * F, H * H, 1, 1])
    learns = (1.0, 1.0, float(model.learns_value), float(model.learns_value), model.learns_offset)

    def unpack(vector):
        M, R, m_v, q_v, offset = np.split(vector, ends)
        return M.reshape(H, F), R.reshape(H, H), m_v[0], q_v[0], offset

    def right_hand_side(_, vector):
        parts = derivatives(model, training, unpack(vector), mistake)
        return np.concatenate([np.ravel(part) * on for part, on in zip(parts, learns, strict=True)])

    start = [state.M, state.R, state.m_v, state.q_v, model.offsets(state)]
    solution = solve_ivp(
        right_hand_side,
        (0.0, times[-1]),
        np.concatenate([np.ravel(part) for part in start]),
        t_eval=times,
        rtol=1e-9,
        atol=1e-11,
        method="DOP853",
    )
    rows = [unpack(vector) for vector in solution.y.T]
    variables = {
        name: np.array([row[i] for row in rows])
        for i, name in enumerate(("M", "R", "m_v", "q_v", "offset"))
    }
    offsets = variables["offset"]
    if model.is_nishimori:
        offsets = [0.5 * np.diag(M @ M.T + R) for M, R, *_ in rows]
    variables["risk"] = [
        0.5 * moments(model, *row[:4], b)["2ℓ"] for row, b in zip(rows, offsets, strict=True)
    ]
    if not model.learns_value:
        del variables["m_v"], variables["q_v"]
    if not model.learns_offset:
        del variables["offset"]
    configuration = {"training": training.to_dict(), "integrator": {"rtol": 1e-9, "atol": 1e-11}}
    return trajectory_dataset(times, variables, kind="integration", configuration=configuration)
