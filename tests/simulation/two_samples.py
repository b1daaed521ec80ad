"""Do two ensembles of overlaps have the same law?

Every overlap is compared by itself (mean, variance, Kolmogorov–Smirnov), and so are random linear
combinations and products of the standardized overlaps, which see their joint law.
"""

import numpy as np
from scipy.stats import ks_2samp, norm

from headode.simulation.vectors import Overlaps

PROJECTIONS = 30


def flat(overlaps):
    """All distinct overlaps as one vector."""
    upper = np.triu_indices(len(overlaps.R))
    parts = overlaps._replace(R=overlaps.R[upper])
    return np.concatenate([np.ravel(part) for part in parts])


def names(overlaps):
    """Their names, for messages."""
    upper = np.triu_indices(len(overlaps.R))
    parts = overlaps._replace(R=overlaps.R[upper])._asdict()
    return [f"{name}{i}" for name, part in parts.items() for i in range(np.size(part))]


def smallest_p_value(first, second):
    """The smallest p-value of all comparisons, times their number (Bonferroni), and its name.

    Args:
        first: list of Overlaps, independent of each other.
        second: likewise.
    """
    assert isinstance(first[0], Overlaps)
    a, b = (np.array([flat(each) for each in sample]) for sample in (first, second))
    labels = np.array(names(first[0]))
    # A known value has constant overlaps: those must be the same, to roundoff.
    pooled = np.concatenate([a, b])
    varies = pooled.std(axis=0) > 1e-12
    np.testing.assert_allclose(
        a[:, ~varies].mean(axis=0), b[:, ~varies].mean(axis=0), rtol=0, atol=1e-12
    )
    low, center, high = np.quantile(pooled[:, varies], [0.25, 0.5, 0.75], axis=0)
    # Nearly linear for most runs. Large steps make a few very large overlaps, whose mean and
    # variance by themselves would not be normal after any affordable number of runs.
    a, b = (np.arcsinh((each[:, varies] - center) / (high - low)) for each in (a, b))
    labels = list(labels[varies])
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((a.shape[1], 2 * PROJECTIONS)) / np.sqrt(a.shape[1])
    combined_a, combined_b = a @ directions, b @ directions
    a = np.column_stack([a, combined_a, combined_a[:, ::2] * combined_a[:, 1::2]])
    b = np.column_stack([b, combined_b, combined_b[:, ::2] * combined_b[:, 1::2]])
    labels += ["combination"] * 2 * PROJECTIONS + ["product"] * PROJECTIONS
    p_values = {
        "mean": _mean_p(a, b),
        "variance": _mean_p((a - a.mean(axis=0)) ** 2, (b - b.mean(axis=0)) ** 2),
        "Kolmogorov-Smirnov": np.array(
            [ks_2samp(x, y, method="asymp").pvalue for x, y in zip(a.T, b.T, strict=True)]
        ),
    }
    test, p = min(p_values.items(), key=lambda item: item[1].min())
    count = sum(each.size for each in p_values.values())
    return min(1.0, count * float(p.min())), f"{test} of {labels[int(p.argmin())]}"


def _mean_p(a, b):
    """Two-sided p-values of equal means, for a thousand samples or more."""
    error = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
    return 2 * norm.sf(np.abs(a.mean(axis=0) - b.mean(axis=0)) / error)
