"""Expected updates by token factorization: a race of clocks replaces the sum over tokens.

For pooled activations one clock per token suffices: what matters of a token is the law of its
pooled log-rate y, an average over the rank of Q, whatever the number of tokens. For per-head
activations each head has a clock of its own, and the risk is a sum over pairs of heads
(theory: tokens); with exponential scores the laws of their ring times are known.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from headode.expectation.assembly import Assembly
from headode.expectation.clock import Clock, run_race
from headode.expectation.clock_functions import SLOPES, Lattice
from headode.expectation.clock_noise import HIGHEST, race_noise
from headode.expectation.clock_pairs import PairGradients, pair_gradients
from headode.expectation.common_mode import TokenRule
from headode.expectation.field_laws import FieldLaws, state_laws
from headode.expectation.gaussian_rule import LAW, grouped
from headode.expectation.log_rates import LogRates
from headode.expectation.moments import Moments
from headode.expectation.race.setting import LossWeights, Race
from headode.expectation.race.softmax.races import softmax_races
from headode.expectation.sharpness import score_sharpness
from headode.expectation.terms import ExpectedUpdate
from headode.expectation.threads import run_all, single_threaded_blas
from headode.kernels.load import load_token_law
from headode.kernels.token_rule import Precision
from headode.model import Model
from headode.order_parameters import OrderParameters

# An evaluation at a nominal tolerance is accurate to about a hundredth of it. The result comes from
# one at FINE times the asked tolerance; the reported error is SAFETY times its distance to one at
# COARSE times, whose own error is ten times larger but may by chance be small in every entry.
FINE, COARSE, SAFETY = 0.3, 3.0, 3.0
# Roundoff below; above, the rules' error formulas do not apply.
SMALLEST_TOLERANCE, LARGEST_TOLERANCE = 1e-11, 1e-2
ROUNDOFF = 1e-12
# Where a score function is sharper than its derivatives tell: factors of the number of nodes.
SHARPER, LARGEST_SHARPNESS = 1.5, 60.0
# Tolerance of the lattice and the clock's step for the noise, as a fraction of the others'.
WIDER = 0.03
# Along a trajectory the error is estimated anew at every so many evaluations, and kept in between.
CHECK_EVERY = 8
# Gaussian nodes of one law: beyond, the tensor rule is not worth its time.
LARGEST_NODES = 1 << 20


class Effort(NamedTuple):
    """How much one evaluation takes: all that it depends on beside the state.

    Attributes:
        tolerance: nominal; of exponential scores an evaluation is accurate to a hundredth of it.
        sharpness: factor of the nodes along each direction of the fields, on top of what the score
            function's derivatives tell.
        shifted: other nodes for the fields, with errors of the same size and another sign.
    """

    tolerance: float
    sharpness: float = 1.0
    shifted: bool = False


class Factorized:
    """Evaluates risk, G and C of one model with a normalized activation; N of a pooled one.

    The first call estimates the error, and every eighth one after it; others repeat the last one.

    Args:
        model: its activation must be per head or pooled.
        noise: also the learning-rate noise; only of a pooled activation.
        tolerance: target of the largest error of any term.
        largest_nodes: of one law of a pooled activation.
    """

    def __init__(
        self,
        model: Model,
        *,
        noise: bool = False,
        tolerance: float = 1e-6,
        largest_nodes: int = LARGEST_NODES,
    ) -> None:
        self._model, self._noise = model, noise
        self._largest_nodes = min(largest_nodes, LARGEST_NODES)
        self._tolerance = min(max(tolerance, SMALLEST_TOLERANCE), LARGEST_TOLERANCE)
        # Raised where an error turns out too large, and left so for the rest of a trajectory.
        self._effort = Effort(self._tolerance)
        self._calls, self._last_error = 0, 0.0
        self._law = load_token_law(model.activation)
        # Adding a number to all the fields shifts the log-rate.
        self._shifts = model.activation.is_exponential
        self._scale = 1.0 / model.heads if model.activation.average else 1.0

    def __call__(self, state: OrderParameters) -> ExpectedUpdate:
        """The expected updates at this state; N is None unless asked for.

        Raises:
            TooManyNodes: if the fields of a pooled activation vary in too many directions.
        """
        self._calls += 1
        if self._calls % CHECK_EVERY != 1:
            return self.assemble(state, self._scaled(FINE), self._last_error)
        terms = self._evaluate(state)
        while terms.error > self._tolerance and self._raise_effort(terms.error):
            terms = self._evaluate(state)
        self._last_error = terms.error
        return terms

    def _scaled(self, factor: float) -> Effort:
        return self._effort._replace(tolerance=factor * self._effort.tolerance)

    def _raise_effort(self, error: float) -> bool:
        """Make the next evaluation more accurate; False where nothing more can be done."""
        tolerance, sharpness = self._effort.tolerance, self._effort.sharpness
        shrink = min(0.5, 0.5 * self._tolerance / error)
        nominal = max(shrink * tolerance, SMALLEST_TOLERANCE)
        # The tolerance alone makes steps that converge slowly hardly smaller.
        if not self._shifts and sharpness < LARGEST_SHARPNESS:
            sharpness *= SHARPER
        raised = Effort(nominal, sharpness)
        if raised == self._effort:
            return False
        self._effort = raised
        return True

    def _evaluate(self, state: OrderParameters) -> ExpectedUpdate:
        """The terms with the current effort, and their error."""
        fine = self.assemble(state, self._scaled(FINE))
        coarse = self.assemble(state, self._scaled(COARSE))
        error = max(ROUNDOFF, SAFETY * _distance(fine, coarse))
        if not self._shifts:
            shifted = self.assemble(state, self._scaled(FINE)._replace(shifted=True))
            error = max(error, SAFETY * _distance(fine, shifted))
        return replace(fine, error=error)

    def assemble(
        self, state: OrderParameters, effort: Effort, error: float = 0.0
    ) -> ExpectedUpdate:
        """The terms with this effort, said to have this error."""
        model, laws = self._model, state_laws(self._model, state)
        sharpness = effort.sharpness * score_sharpness(model.activation, laws)
        effort = effort._replace(sharpness=sharpness)
        if model.tokens == 1 and model.activation.null == 0.0:
            moments = self._single_token(state, laws)
        elif model.activation.normalization == "pooled":
            moments = self._pooled(state, laws, effort)
        else:
            moments = self._per_head(state, laws, effort)
        return Assembly.of(model, state).terms(moments, method="factorized", error=error)

    def _single_token(self, state: OrderParameters, laws: FieldLaws) -> Moments:
        """A single token without a rival gets all the weight, whatever its score."""
        heads = self._model.heads
        pooled = self._model.activation.normalization == "pooled"
        weight = 1.0 if pooled else self._scale * heads
        sums = replace(Moments.zero(*laws.means.shape), marked=weight, squared=weight**2)
        if self._noise:
            loss = self._model.label_variance - 2 * state.m_v * weight
            sums.noise = np.zeros((heads, heads))
            sums.value_noise = (loss + state.q_v * weight**2) * weight**2
        return sums

    def _pooled(self, state: OrderParameters, laws: FieldLaws, effort: Effort) -> Moments:
        """One race of all heads together."""
        model, value = self._model, (state.m_v, state.q_v)
        sums, rates, clock = self._race(laws, value, effort)
        if self._noise:
            sums.noise, sums.value_noise = race_noise(
                rates,
                clock,
                model.signal.probabilities,
                (model.tokens, model.activation.null),
                value,
                model.label_noise,
            )
        return sums

    def _race(
        self, laws: FieldLaws, alpha: tuple[float, float], effort: Effort
    ) -> tuple[Moments, LogRates, Clock]:
        """A race of rates Σ_h w_h, with derivatives with respect to the fields of the heads.

        Also returns the laws of the tokens and the clock.
        """
        model, tolerance = self._model, effort.tolerance
        # The noise's powers of a clock are six at most, instead of two: its spectrum is wider.
        lattice = Lattice.of(WIDER * tolerance if self._noise else tolerance)
        rule = partial(
            TokenRule.cheapest,
            precision=self._precision(effort),
            limit=self._largest_nodes,
            shifts=self._shifts,
        )
        rules = grouped(laws.covariances, rule)
        rates = LogRates.of(self._law, laws.means, rules, lattice, shifts=self._shifts)
        powers = HIGHEST if self._noise else SLOPES
        clock = Clock.covering(rates, model.tokens, tolerance, powers)
        given = model.tokens, model.activation.null
        race = run_race(rates, clock, model.signal.probabilities, given, alpha)
        first, second = rates.gradients(race.potentials(rates, clock))
        nodes = rates.groups[0].y[0].size
        return Moments(race.marked, race.squared, first, second, nodes), rates, clock

    def _precision(self, effort: Effort) -> Precision:
        """That of rules for the fields."""
        return Precision(
            LAW * effort.tolerance, self._model.tokens, effort.sharpness, effort.shifted
        )

    def _per_head(self, state: OrderParameters, laws: FieldLaws, effort: Effort) -> Moments:
        """A race for each head, and one with two clocks for each pair of heads."""
        model, H, scale = self._model, self._model.heads, self._scale
        # An entry of G and C is a sum of H terms with the factor scale²; the risk, of H².
        terms = (scale * H) ** 2 if scale == 1.0 else scale**2 * H
        effort = effort._replace(tolerance=effort.tolerance / terms)
        alpha = (scale * state.m_v, scale**2 * state.q_v)
        if self._shifts:
            race = Race(model.tokens, model.activation.null)
            total = softmax_races(laws, race, LossWeights(*alpha), effort.tolerance)
        else:
            total = self._race_pairs(laws, alpha, effort)
        total.marked *= scale
        total.squared *= scale**2
        return total

    @single_threaded_blas()
    def _race_pairs(self, laws: FieldLaws, alpha: tuple[float, float], effort: Effort) -> Moments:
        """The races of heads and pairs of heads whose scores are no exponentials."""
        model, H = self._model, self._model.heads
        total = Moments.zero(*laws.means.shape)
        windows = []
        for h in range(H):
            one, _, clock = self._race(laws.of_heads([h]), alpha, effort)
            windows.append(clock.window)
            total.marked += one.marked
            total.squared += one.squared
            total.first[:, h] += one.first[:, 0]
            total.second[:, h, h] += one.second[:, 0, 0]
            total.nodes += one.nodes
        pairs = [(h, k) for h in range(H) for k in range(h)]
        results: list[PairGradients | None] = [None] * len(pairs)

        def evaluate(index: int) -> None:
            pair = list(pairs[index])
            results[index] = pair_gradients(
                self._law,
                laws.of_heads(pair).means,
                laws.of_heads(pair).covariances,
                [windows[head] for head in pair],
                model.signal.probabilities,
                (model.tokens, model.activation.null),
                effort.tolerance,
                self._precision(effort),
            )

        run_all(evaluate, [(index,) for index in range(len(pairs))], parallel=len(pairs) > 1)
        for pair, result in zip(pairs, results, strict=True):
            assert result is not None
            total.squared += 2 * result.overlap
            index = np.array(pair)
            total.first[:, index] += alpha[1] * result.first
            total.second[:, index[:, None], index] += alpha[1] * result.second
        return total


def _distance(one: ExpectedUpdate, two: ExpectedUpdate) -> float:
    """The largest difference of two evaluations."""
    return float(np.abs(one.entries() - two.entries()).max())
