"""Series of two heads' ring times: the joint density ρ(x, y) and P(T_h < x, T_k < y).

Both are tilted by e^{−αx − α'y}. Spectra are kept as real and imaginary parts at (k, l) and at
(k, −l); the other two quadrants are their conjugates. Laws of the marked token with the same
covariance have the same moduli and differ by phases only: their sums are products of matrices.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headode._checks import Array
from headode.expectation.field_laws import FieldLaws
from headode.expectation.race.softmax.head_series import HeadFrame
from headode.expectation.race.softmax.ring_times import Complex, RingTimes
from headode.expectation.race.softmax.symmetric_grid import multiply
from headode.expectation.race.softmax.waves import ROTATIONS, HalfWaves, PairGrids, waves_of
from headode.kernels._compile import compiled


class PairSide(NamedTuple):
    """One head of a pair.

    Attributes:
        frame: tilt, smallest frequency and center.
        repeat: what P(T < x) has of its repetitions.
        moduli: (K + 1,) or more, of Γ(1 − α + ik).
        phases: likewise.
        waves: on its grid, (K + 1, half).
        growth: (points,) e^{α(x − center)}.
        weight: (points,) the null token's survival times the step.
        survival: (2, points) P(T > x) of an unmarked token and of the marked one.
    """

    frame: HeadFrame
    repeat: float
    moduli: Array
    phases: Complex
    waves: HalfWaves
    growth: Array
    weight: Array
    survival: Array


class PairLaws(NamedTuple):
    """Laws of a pair's scores, and their parts of the series.

    Attributes:
        means: (S + 1, 2).
        covariances: (S + 1, 2, 2).
        factors: (S + 1,) 1/(B B'), times the component's probability.
    """

    means: Array
    covariances: Array
    factors: Array


class Run(NamedTuple):
    """Laws begin … end − 1 of one token, which share a covariance: number ``kind`` of these."""

    begin: int
    end: int
    kind: int


class LawPhases(NamedTuple):
    """Phases of the characteristic functions at the frequencies of either head.

    Attributes:
        one: (S + 1, 2, K + 1) cosines and sines.
        two: (S + 1, 2, K' + 1).
        sizes: (S + 1,) e^{tilted mean} and the law's factor.
        scales: (S + 1,) the same without the component's probability.
    """

    one: Array
    two: Array
    sizes: Array
    scales: Array


class InverseSlopes(NamedTuple):
    """1/(α − ik) at the frequencies of either head: (2, K + 1) and (2, K' + 1), real, imaginary."""

    one: Array
    two: Array


@compiled
def pair_side(times: RingTimes, grids: PairGrids, h: int, k: int) -> PairSide:
    """Head h, as it is in its pair with k."""
    boxes, points = times.boxes, 2 * grids.halves[h]
    return PairSide(
        HeadFrame(boxes.tilts[h], boxes.bases[h], grids.centers[h]),
        boxes.repeats[h],
        times.moduli[h],
        times.phases[h],
        waves_of(grids, h, boxes.sizes[h, k] + 1),
        grids.growth[h, :points],
        grids.weight[h, :points],
        grids.survival[h, :, :points],
    )


@compiled
def pair_laws(laws: FieldLaws, h: int, k: int, bases: Array) -> PairLaws:
    """The laws of two heads' scores."""
    means, covariances = laws.means, laws.covariances
    count = means.shape[0]
    mean, covariance, factors = np.empty((count, 2)), np.empty((count, 2, 2)), np.empty(count)
    for s in range(count):
        mean[s, 0], mean[s, 1] = means[s, h], means[s, k]
        covariance[s, 0, 0], covariance[s, 1, 1] = covariances[s, h, h], covariances[s, k, k]
        covariance[s, 0, 1], covariance[s, 1, 0] = covariances[s, h, k], covariances[s, k, h]
        factors[s] = bases[h] * bases[k] / (4.0 * math.pi**2)
        if s:
            factors[s] *= laws.probabilities[s - 1]
    return PairLaws(mean, covariance, factors)


@compiled
def runs_of(covariances: Array) -> NDArray[np.int64]:
    """(n, 3): begin, end and kind of each :class:`Run`; the unmarked token's law is the first."""
    count = covariances.shape[0]
    runs = np.zeros((count, 3), dtype=np.int64)
    last, kind = 0, 0
    runs[0, 1] = 1
    for s in range(1, count):
        other = (covariances[s] != covariances[s - 1]).any()
        kind += other
        if s == 1 or other:
            last += 1
            runs[last, 0], runs[last, 2] = s, kind
        runs[last, 1] = s + 1
    return runs[: last + 1]


@compiled
def _fill_moduli(one: PairSide, two: PairSide, covariance: Array, moduli: Array) -> None:
    """Moduli (2, K + 1, K' + 1) of the characteristic function at (k, l) and (k, −l).

    The factors of the tilts are left out.
    """
    base, base_two = one.frame.base, two.frame.base
    along_one = 0.5 * covariance[0, 0] * base**2
    along_two = 0.5 * covariance[1, 1] * base_two**2
    across = covariance[0, 1] * base * base_two
    for j in range(moduli.shape[1]):
        for m in range(moduli.shape[2]):
            size = one.moduli[j] * two.moduli[m]
            exponent = -along_one * (j * j) - along_two * (m * m)
            moduli[0, j, m] = size * math.exp(exponent - across * (j * m))
            moduli[1, j, m] = size * math.exp(exponent + across * (j * m))


@compiled
def _fill_phases(base: float, shift: float, phases: Complex, law: Array) -> None:
    """Cosines and sines (2, K + 1) of a law's phases: those of Γ, and −k times ``shift``."""
    angle = -base * shift
    step = complex(math.cos(angle), math.sin(angle))
    wave = 1.0 + 0.0j
    for j in range(law.shape[1]):
        if j % ROTATIONS == 0:
            wave = complex(math.cos(j * angle), math.sin(j * angle))
        phase = wave * phases[j]
        law[0, j], law[1, j] = phase.real, phase.imag
        wave *= step


@compiled
def phases_of(one: PairSide, two: PairSide, laws: PairLaws) -> LawPhases:
    """The phases of all laws."""
    count = laws.means.shape[0]
    rows, columns = one.waves.cosines.shape[0], two.waves.cosines.shape[0]
    result = LawPhases(
        np.empty((count, 2, rows)), np.empty((count, 2, columns)), np.empty(count), np.empty(count)
    )
    tilt, base, center = one.frame
    tilt_two, base_two, center_two = two.frame
    for s in range(count):
        mean, covariance = laws.means[s], laws.covariances[s]
        # A tilted Gaussian has its mean shifted.
        shift = tilt * covariance[0, 0] + tilt_two * covariance[0, 1]
        shift_two = tilt_two * covariance[1, 1] + tilt * covariance[0, 1]
        _fill_phases(base, mean[0] + shift + center, one.phases, result.one[s])
        _fill_phases(base_two, mean[1] + shift_two + center_two, two.phases, result.two[s])
        exponent = tilt * (mean[0] + 0.5 * shift + center)
        tilted = math.exp(exponent + tilt_two * (mean[1] + 0.5 * shift_two + center_two))
        result.sizes[s], result.scales[s] = laws.factors[s] * tilted, laws.factors[0] * tilted
    return result


@compiled
def _add_run(phases: LawPhases, run: Run, moduli: Array, spectrum: Array) -> None:
    """Add the characteristic functions of a run's laws to ``spectrum``.

    moduli: (2, (K + 1)(K' + 1)); spectrum: (4, (K + 1)(K' + 1)) real and imaginary parts at (k, l)
    and at (k, −l).
    """
    one, two = phases.one[run.begin : run.end], phases.two[run.begin : run.end]
    sizes = phases.sizes[run.begin : run.end]
    count, _, rows = one.shape
    columns = two.shape[2]
    # Cosines, then sines, of k; with each of them, cosines and sines of h.
    planes, product = np.empty((2, count, columns)), np.empty((2, 2 * rows, columns))
    for p in range(2):
        for i in range(count):
            for m in range(columns):
                planes[p, i, m] = sizes[i] * two[i, p, m]
        multiply(one.reshape((count, 2 * rows)).T, planes[p], product[p])
    blocks = product.reshape((4, rows * columns))
    cos_cos, sin_cos, cos_sin, sin_sin = blocks[0], blocks[1], blocks[2], blocks[3]
    for a in range(cos_cos.size):
        spectrum[0, a] += moduli[0, a] * (cos_cos[a] - sin_sin[a])
        spectrum[1, a] += moduli[0, a] * (sin_cos[a] + cos_sin[a])
        spectrum[2, a] += moduli[1, a] * (cos_cos[a] + sin_sin[a])
        spectrum[3, a] += moduli[1, a] * (sin_cos[a] - cos_sin[a])


@compiled
def fill_spectra(
    one: PairSide,
    two: PairSide,
    laws: PairLaws,
    phases: LawPhases,
    runs: NDArray[np.int64],
    spectra: Array,
) -> Array:
    """Fill the spectra (2, 4, K + 1, K' + 1) of the joint density, and return moduli by kind.

    The first spectrum is that of an unmarked token, the second one the marked token's on average.
    """
    rows, columns = spectra.shape[2], spectra.shape[3]
    moduli = np.empty((runs[-1, 2] + 1, 2, rows, columns))
    flat_moduli = moduli.reshape((moduli.shape[0], 2, rows * columns))
    flat_spectra = spectra.reshape((2, 4, rows * columns))
    for i in range(runs.shape[0]):
        run = Run(runs[i, 0], runs[i, 1], runs[i, 2])
        if i == 0 or run.kind > runs[i - 1, 2]:
            _fill_moduli(one, two, laws.covariances[run.begin], moduli[run.kind])
        _add_run(phases, run, flat_moduli[run.kind], flat_spectra[min(i, 1)])
    return flat_moduli


@compiled
def _inverse_slopes_of(frame: HeadFrame, size: int) -> Array:
    """(2, size): real and imaginary parts of 1/(α − ik)."""
    result = np.empty((2, size))
    for j in range(size):
        k = j * frame.base
        norm = 1.0 / (frame.tilt**2 + k * k)
        result[0, j], result[1, j] = frame.tilt * norm, k * norm
    return result


@compiled
def inverse_slopes(one: PairSide, two: PairSide) -> InverseSlopes:
    """1/(α − ik) and 1/(α' − il)."""
    return InverseSlopes(
        _inverse_slopes_of(one.frame, one.waves.cosines.shape[0]),
        _inverse_slopes_of(two.frame, two.waves.cosines.shape[0]),
    )


@compiled
def fill_series(spectrum: Array, inverses: InverseSlopes, at: int, series: Array) -> None:
    """Series of ρ, number ``at``, and of P(T_h < x, T_k < y), the next one.

    series: (2, K + 1, 2, 4, K' + 1), of cosines and sines of x, of cosines and sines of y.
    """
    one, two = inverses
    for j in range(spectrum.shape[1]):
        re, im = one[0, j], one[1, j]
        for m in range(spectrum.shape[2]):
            weight = (2.0 if j else 1.0) * (1.0 if m else 0.5)
            plus, i_plus = weight * spectrum[0, j, m], weight * spectrum[1, j, m]
            minus, i_minus = weight * spectrum[2, j, m], weight * spectrum[3, j, m]
            series[0, j, 0, at, m] = plus + minus
            series[1, j, 1, at, m] = minus - plus
            series[1, j, 0, at, m] = i_plus + i_minus
            series[0, j, 1, at, m] = i_plus - i_minus
            # Times 1/(α − ik) and 1/(α' ∓ il).
            a, b = re * two[0, m], im * two[1, m]
            c, d = re * two[1, m], im * two[0, m]
            plus, i_plus = plus * (a - b) - i_plus * (c + d), plus * (c + d) + i_plus * (a - b)
            minus, i_minus = (
                minus * (a + b) - i_minus * (d - c),
                minus * (d - c) + i_minus * (a + b),
            )
            series[0, j, 0, at + 1, m] = plus + minus
            series[1, j, 1, at + 1, m] = minus - plus
            series[1, j, 0, at + 1, m] = i_plus + i_minus
            series[0, j, 1, at + 1, m] = i_plus - i_minus


@compiled
def fill_transposed_series(
    response: Array, inverses: InverseSlopes, at: int, spectrum: Array
) -> None:
    """The transpose of :func:`fill_series`: derivatives with respect to the spectrum, from those
    with respect to the series."""
    one, two = inverses
    for j in range(spectrum.shape[1]):
        re, im = one[0, j], one[1, j]
        for m in range(spectrum.shape[2]):
            weight = (2.0 if j else 1.0) * (1.0 if m else 0.5)
            cc, ss = response[0, j, 0, at + 1, m], response[1, j, 1, at + 1, m]
            sc, cs = response[1, j, 0, at + 1, m], response[0, j, 1, at + 1, m]
            plus, i_plus, minus, i_minus = cc - ss, sc + cs, cc + ss, sc - cs
            a, b = re * two[0, m], im * two[1, m]
            c, d = re * two[1, m], im * two[0, m]
            plus, i_plus = plus * (a - b) + i_plus * (c + d), i_plus * (a - b) - plus * (c + d)
            minus, i_minus = (
                minus * (a + b) + i_minus * (d - c),
                i_minus * (a + b) - minus * (d - c),
            )
            cc, ss = response[0, j, 0, at, m], response[1, j, 1, at, m]
            sc, cs = response[1, j, 0, at, m], response[0, j, 1, at, m]
            spectrum[0, j, m] = weight * (plus + cc - ss)
            spectrum[1, j, m] = weight * (i_plus + sc + cs)
            spectrum[2, j, m] = weight * (minus + cc + ss)
            spectrum[3, j, m] = weight * (i_minus + sc - cs)


@compiled
def _times_slopes(frame: HeadFrame, phases: Array, result: Array) -> None:
    """Phases (2, K + 1) times α − ik, the factor of a derivative with respect to the mean."""
    for j in range(phases.shape[1]):
        k = j * frame.base
        result[0, j] = frame.tilt * phases[0, j] + k * phases[1, j]
        result[1, j] = frame.tilt * phases[1, j] - k * phases[0, j]


@compiled
def fill_law_derivatives(
    frames: tuple[HeadFrame, HeadFrame],
    phases: LawPhases,
    run: Run,
    moduli: Array,
    response: Array,
    first: Array,
    second: Array,
) -> None:
    """Derivatives with respect to the means of a run's laws, over their probabilities.

    Args:
        frames: of h and k.
        phases: of the laws.
        run: which laws.
        moduli: (2, (K + 1)(K' + 1)).
        response: (4, (K + 1)(K' + 1)) derivatives with respect to the spectrum.
        first: (S + 1, 2) receives the first derivatives.
        second: (S + 1, 2, 2) receives the second ones.
    """
    one, two = phases.one[run.begin : run.end], phases.two[run.begin : run.end]
    count, _, rows = one.shape
    columns = two.shape[2]
    # What multiplies cosines and sines of h with cosines of k, then with sines of k.
    form = np.empty((4, rows * columns))
    for a in range(form.shape[1]):
        plus, i_plus = moduli[0, a] * response[0, a], moduli[0, a] * response[1, a]
        minus, i_minus = moduli[1, a] * response[2, a], moduli[1, a] * response[3, a]
        form[0, a], form[1, a] = minus + plus, i_plus + i_minus
        form[2, a], form[3, a] = i_plus - i_minus, minus - plus
    # Of h, times no slope, one and two; then summed over k.
    steep, summed = np.empty((count, 3, 2, rows)), np.empty((2, 3 * count, columns))
    for i in range(count):
        for j in range(rows):
            steep[i, 0, 0, j], steep[i, 0, 1, j] = one[i, 0, j], one[i, 1, j]
        _times_slopes(frames[0], steep[i, 0], steep[i, 1])
        _times_slopes(frames[0], steep[i, 1], steep[i, 2])
    flat, forms = steep.reshape((3 * count, 2 * rows)), form.reshape((2, 2 * rows, columns))
    for p in range(2):
        multiply(flat, forms[p], summed[p])
    once, twice = np.empty((2, columns)), np.empty((2, columns))
    for i in range(count):
        _times_slopes(frames[1], two[i], once)
        _times_slopes(frames[1], once, twice)
        by_one, by_two, by_one_one, by_one_two, by_two_two = 0.0, 0.0, 0.0, 0.0, 0.0
        for p in range(2):
            none, once_one, twice_one = (
                summed[p, 3 * i],
                summed[p, 3 * i + 1],
                summed[p, 3 * i + 2],
            )
            for m in range(columns):
                by_one += once_one[m] * two[i, p, m]
                by_two += none[m] * once[p, m]
                by_one_one += twice_one[m] * two[i, p, m]
                by_one_two += once_one[m] * once[p, m]
                by_two_two += none[m] * twice[p, m]
        at, scale = run.begin + i, phases.scales[run.begin + i]
        first[at, 0], first[at, 1] = scale * by_one, scale * by_two
        second[at, 0, 0], second[at, 1, 1] = scale * by_one_one, scale * by_two_two
        second[at, 0, 1] = second[at, 1, 0] = scale * by_one_two
