"""Per-head softmax: no quadrature nodes, since the law of the ring times is known.

A token with the exponential score u rings at the logarithmic time T = log E − u, where E is a
standard exponential. For Gaussian scores the characteristic function of the T of all heads is
known, so that on a box that holds nearly all of the law everything is a Fourier series.

| symbol | in the code | where |
|---|---|---|
| T = log E − u | ring time | `ring_times` |
| α, k₁, B = 2π/k₁ | `tilt`, `base`, length of the box | `boxes` |
| Γ(1 − α + ik) | `moduli`, `phases` | `ring_times` |
| n(x) = P(T > x) | `survival` | `head_race`; of two heads `pair_race` |
| r(x), the density of T | `density` | `head_race` |
| q = E[(e^x w)² exp(−e^x w)] = r − r' | `squared_rate` | `head_race` |
| ρ(x, y), the joint density of T_h and T_k | `density` | `pair_race` |
| Z(x), the null token's survival | `weight`, times the step of the grid | `waves` |
| E p_ε, E Σ p² of one head | `marked`, `squared` | `head_race.race_heads` |
| E p_h·p_k | `overlaps` | `pair_race.overlap_pairs` |
| a derivative by the mean of a score, α − ik | `slope` | `head_series`, `pair_series` |

`races` puts them together.
"""
