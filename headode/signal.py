"""The law P_θ of the signal: a finite mixture of Gaussians on R^F (theory: model)."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from headode._checks import (
    Array,
    check_array,
    check_keys,
    check_number,
    check_option,
    check_positive_semidefinite,
    check_probabilities,
    has_masked,
    plain_data,
)
from headode.errors import ArgumentError

# sign_flips has 2^(number of nonzero amplitudes) support points; beyond this they are a mistake.
LARGEST_SUPPORT = 1 << 16

SIGNAL_KINDS = ("sign_flips", "one_hot", "flipped_one_hot", "gaussian", "discrete", "mixture")


@dataclass(frozen=True, eq=False)
class Signal:
    """A mixture ``Σ_s p_s N(θ̄_s, Σ_s)`` over the F latent directions.

    Use one of the constructors (``Signal.sign_flips`` ...) rather than this class directly.

    Attributes:
        kind: name of the constructor.
        probabilities: (S,) weights of the components, all positive.
        means: (S, F) component means.
        covariances: (S, F, F) component covariances; all zero for a discrete law.
        parameters: what the constructor was given, as plain lists and numbers.
    """

    kind: str
    parameters: Mapping[str, Any]
    probabilities: Array
    means: Array
    covariances: Array

    @classmethod
    def _from_components(
        cls,
        kind: str,
        parameters: Mapping[str, Any],
        means: Array,
        probabilities: Array,
        covariances: Array | None = None,
    ) -> Signal:
        """Drop empty components and merge equal ones, keeping the order of first appearance."""
        if covariances is None:
            covariances = np.zeros((*means.shape, means.shape[1]))
        merged: dict[bytes, int] = {}
        rows: list[int] = []
        weights: list[float] = []
        for s in np.flatnonzero(probabilities > 0):
            # + 0.0 turns -0.0 into 0.0, so that equal points have equal bytes.
            key = (means[s] + 0.0).tobytes() + (covariances[s] + 0.0).tobytes()
            if key in merged:
                weights[merged[key]] += float(probabilities[s])
            else:
                merged[key] = len(rows)
                rows.append(int(s))
                weights.append(float(probabilities[s]))
        plain = {k: plain_data(k, v) for k, v in parameters.items() if v is not None}
        parts = [np.array(weights), means[rows] + 0.0, covariances[rows] + 0.0]
        for part in parts:
            part.setflags(write=False)
        return cls(kind, plain, *parts)

    @classmethod
    def sign_flips(cls, mean: ArrayLike, amplitude: ArrayLike) -> Signal:
        """``θ = mean + Σ_f ± amplitude_f e_f`` with independent fair signs.

        Args:
            mean: (F,) mean of the signal.
            amplitude: (F,) half-distances between the two values of each feature.

        Raises:
            ArgumentError: if the two lengths differ, or there are more than 2¹⁶ support points.
        """
        mean = check_array("mean", mean, (None,))
        amplitude = check_array("amplitude", amplitude, (None,))
        if mean.shape != amplitude.shape:
            raise ArgumentError("amplitude", f"have the {mean.size} entries of mean", amplitude)
        flipped = np.flatnonzero(amplitude)
        if 2**flipped.size > LARGEST_SUPPORT:
            raise ArgumentError("amplitude", "have at most 16 nonzero entries", amplitude)
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=flipped.size)))
        means = np.tile(mean, (len(signs), 1))
        means[:, flipped] += signs * amplitude[flipped]
        return cls._from_components(
            "sign_flips",
            {"mean": mean, "amplitude": amplitude},
            means,
            np.full(len(signs), 1 / len(signs)),
        )

    @classmethod
    def one_hot(cls, amplitude: ArrayLike, probabilities: ArrayLike | None = None) -> Signal:
        """``θ = amplitude_f e_f`` with probability ``p_f`` (all equal by default).

        Args:
            amplitude: (F,) signal strength of each feature.
            probabilities: (F,) nonnegative, summing to 1.
        """
        amplitude = check_array("amplitude", amplitude, (None,))
        weights = check_probabilities("probabilities", probabilities, amplitude.size)
        parameters = {"amplitude": amplitude, "probabilities": probabilities}
        return cls._from_components("one_hot", parameters, np.diag(amplitude), weights)

    @classmethod
    def flipped_one_hot(
        cls, amplitude: ArrayLike, probabilities: ArrayLike | None = None
    ) -> Signal:
        """``θ = ± amplitude_f e_f``: a feature with probability ``p_f``, then a fair sign.

        Args:
            amplitude: (F,) signal strength of each feature.
            probabilities: (F,) nonnegative, summing to 1.
        """
        amplitude = check_array("amplitude", amplitude, (None,))
        weights = check_probabilities("probabilities", probabilities, amplitude.size)
        points = np.concatenate([np.diag(amplitude), -np.diag(amplitude)])
        parameters = {"amplitude": amplitude, "probabilities": probabilities}
        return cls._from_components("flipped_one_hot", parameters, points, np.tile(weights / 2, 2))

    @classmethod
    def gaussian(cls, mean: ArrayLike, covariance: ArrayLike) -> Signal:
        """One Gaussian.

        Args:
            mean: (F,) mean.
            covariance: a number (times the identity), (F,) variances, or an (F, F) matrix.

        Raises:
            ArgumentError: if the covariance is not symmetric positive semidefinite.
        """
        mean = check_array("mean", mean, (None,))
        matrix = _covariance("covariance", covariance, mean)
        parameters = {"mean": mean, "covariance": covariance}
        return cls._from_components("gaussian", parameters, mean[None], np.ones(1), matrix[None])

    @classmethod
    def discrete(cls, points: ArrayLike, probabilities: ArrayLike | None = None) -> Signal:
        """Finitely many points.

        Args:
            points: (S, F) support points.
            probabilities: (S,) nonnegative, summing to 1 (all equal by default).
        """
        points = check_array("points", points, (None, None))
        weights = check_probabilities("probabilities", probabilities, len(points))
        parameters = {"points": points, "probabilities": probabilities}
        return cls._from_components("discrete", parameters, points, weights)

    @classmethod
    def mixture(
        cls,
        means: ArrayLike,
        covariances: ArrayLike,
        probabilities: ArrayLike | None = None,
    ) -> Signal:
        """A finite mixture of Gaussians.

        Args:
            means: (S, F) component means.
            covariances: a number for all components (times the identity), or a list of S
                covariances, each as in :meth:`gaussian`.
            probabilities: (S,) nonnegative, summing to 1 (all equal by default).
        """
        means = check_array("means", means, (None, None))
        count = len(means)
        given: Any = covariances
        shared = not isinstance(given, list | tuple | np.ndarray) or getattr(given, "ndim", 1) == 0
        listed: list[Any] = [given] * count if shared else list(given)
        if len(listed) != count:
            raise ArgumentError("covariances", f"be a number or {count} covariances", covariances)
        matrices = np.array(
            [
                _covariance("covariances", entry, mean)
                for entry, mean in zip(listed, means, strict=True)
            ]
        )
        weights = check_probabilities("probabilities", probabilities, count)
        parameters = {"means": means, "covariances": covariances, "probabilities": probabilities}
        return cls._from_components("mixture", parameters, means, weights, matrices)

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Signal:
        """Build a signal from ``{"kind": ..., **parameters}``, the inverse of :meth:`to_dict`.

        Raises:
            ArgumentError: for an unknown kind, or values the constructor refuses.
        """
        if not isinstance(description, Mapping):
            raise ArgumentError("signal", "be a mapping with the key kind", description)
        kind = check_option("kind", description.get("kind"), SIGNAL_KINDS)
        known = {
            parameter.name: parameter.default is parameter.empty
            for parameter in inspect.signature(getattr(cls, kind)).parameters.values()
        }
        parameters = check_keys("signal", description, ("kind", *known))
        del parameters["kind"]
        for name, required in known.items():
            if required and name not in parameters:
                raise ArgumentError(f"signal.{name}", f"be given for kind {kind}", None)
        signal: Signal = getattr(cls, kind)(**parameters)
        return signal

    def to_dict(self) -> dict[str, Any]:
        """The signal as plain data: its kind and what the constructor was given."""
        return {"kind": self.kind, **self.parameters}

    @property
    def features(self) -> int:
        """F, the number of latent directions."""
        return int(self.means.shape[1])

    @property
    def components(self) -> int:
        """S, the number of mixture components (support points of a discrete law)."""
        return len(self.probabilities)

    @cached_property
    def is_discrete(self) -> bool:
        """Whether every component is a single point."""
        return not self.covariances.any()

    @property
    def mean(self) -> Array:
        """(F,) expectation of θ."""
        result: Array = self.probabilities @ self.means
        return result

    @property
    def covariance(self) -> Array:
        """(F, F) covariance of θ."""
        centered = self.means - self.mean
        between = np.einsum("s,sf,sg->fg", self.probabilities, centered, centered)
        result: Array = between + np.einsum("s,sfg->fg", self.probabilities, self.covariances)
        return result

    @property
    def strength(self) -> float:
        """``(E |θ|²)^(1/2)``, the length that heads have at the points of the law."""
        return float(np.sqrt(np.trace(self.covariance) + self.mean @ self.mean))

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        """Draw ``size`` signals; returns (size, F)."""
        which = rng.choice(self.components, size=size, p=self.probabilities)
        drawn: Array = self.means[which].copy()
        if not self.is_discrete:
            values, vectors = np.linalg.eigh(self.covariances)
            roots = vectors * np.sqrt(np.clip(values, 0.0, None))[:, None, :]
            noise = rng.standard_normal((size, self.features))
            drawn += np.einsum("nfg,ng->nf", roots[which], noise)
        return drawn

    def flip_symmetric_features(self) -> tuple[int, ...]:
        """Features f whose sign can be flipped without changing the law: θ_f → −θ_f."""
        return self._flip_symmetric

    @cached_property  # asked for at every evaluation along a trajectory
    def _flip_symmetric(self) -> tuple[int, ...]:
        reference = self._component_table(self.means, self.covariances)
        symmetric = []
        for f in range(self.features):
            sign = np.ones(self.features)
            sign[f] = -1.0
            flipped = self._component_table(
                self.means * sign, self.covariances * np.outer(sign, sign)
            )
            if flipped.keys() == reference.keys() and all(
                abs(flipped[key] - reference[key]) < 1e-14 for key in reference
            ):
                symmetric.append(f)
        return tuple(symmetric)

    def _component_table(self, means: Array, covariances: Array) -> dict[bytes, float]:
        rows = np.concatenate([means, covariances.reshape(self.components, -1)], axis=1) + 0.0
        return {row.tobytes(): float(p) for row, p in zip(rows, self.probabilities, strict=True)}


def _covariance(name: str, value: Any, mean: Array) -> Array:
    """Read a number, a vector of variances or a matrix as an (F, F) covariance.

    Covariances are measured as E θθᵀ − mean meanᵀ, with the roundoff of these.
    """
    features = mean.size
    if has_masked(value) or isinstance(value, str | bytes | bool | Mapping) or value is None:
        requirement = f"be a number, {features} variances or an ({features}, {features}) matrix"
        raise ArgumentError(name, requirement, value)
    try:
        dimensions = np.ndim(value)
    except ValueError:  # rows of different lengths, refused below
        dimensions = 2
    if dimensions == 0:
        value = check_number(name, value, 0.0) * np.eye(features)
    elif dimensions == 1:
        value = np.diag(check_array(name, value, (features,)))
    return check_positive_semidefinite(
        name,
        value,
        features,
        scale=float(np.abs(mean).max()) ** 2,
        dims=("feature", "feature_2"),
    )
