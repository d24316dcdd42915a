"""How much of what a provider's figure shows is the provider, and how much is chance? Shrunk effects, and flags.

For commissioners who compare a few dozen providers. Figures of small providers lie far out by chance alone; taken at
face value they make the best and the worst of every list. Here each figure is drawn towards the others by as much as
its own chance asks for, and limits allow for an ordinary spread between providers. Both reckon with a few providers out
of the ordinary: such a one must neither be drawn in among the others nor widen what passes for ordinary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from cbs_analysis.stats.checks import Array, check_whole, labels_of, one_dimension, refuse, shared_index
from cbs_analysis.stats.funnel import FEWEST_AREAS, LEVELS, status

Mask = NDArray[np.bool_]
DRAWS = 4_000
SEED = 20_110_401
FARTHER = 5.0
"""How many times as far as ordinary units those out of the ordinary are spread."""
SHARES = np.array([0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.25])
"""Shares of units that may be out of the ordinary, and how likely each is beforehand: a tenth of them on average."""
SHARE_WEIGHTS = np.array([0.15, 0.17, 0.18, 0.19, 0.15, 0.1, 0.06])
STEPS_OF_SPREAD, STEPS_OF_CENTRE, REACH_OF_CENTRE = 50, 11, 3.2
DRAWN_IN = 0.15
"""Share of units at each end whose z-scores are drawn in before spread is judged."""
ROUNDS = 6


@dataclass(frozen=True)
class Shrunk:
    """What `shrunk` found.

    `units` has a row a unit, in the order given: effect and standard_error as given, mean, standard_deviation, lower
    and upper (95% credible), and outlier, the chance that the unit is out of the ordinary; NaN where an effect is
    missing, and reason says so, empty otherwise. `draws` is draws by units of true effects. `centre` and `tau` are
    the ordinary units' mean and spread.
    """

    units: pd.DataFrame
    draws: Array
    centre: float
    tau: float


def shrunk(
    effects: ArrayLike, standard_errors: ArrayLike, *, outliers: bool = True, draws: int = DRAWS, seed: int = SEED
) -> Shrunk:
    """True effects of units, given their estimates, those of all others, and chance.

    `effects` and `standard_errors` are of one dimension, on a scale on which chance is normal (log ratio, logit). True
    effects are normal around a common centre with a standard deviation tau; with `outliers`, a share of units, 0 to
    25%, is spread 5 times as far. The centre is flat beforehand, tau has DuMouchel's prior (its median is the harmonic
    mean of the standard errors); both, and the share, are integrated over a grid. The same input and seed give the
    same draws. Over 28 units the 95% credible intervals hold the truth 95% of the time, whether or not there are units
    out of the ordinary; without `outliers`, where there are, theirs do so 88% of the time if chance is large.
    Raises ValueError where lengths differ, a standard error is not above 0, or fewer than 3 units are known.
    Source: Gelman and others (2013), "Bayesian Data Analysis", chapter 5; Spiegelhalter, Abrams and Myles (2004),
    section 5.7, for the prior of tau; Box and Tiao (1968) for units out of the ordinary.
    """
    values, errors, known = _estimates(effects, standard_errors, "effects", "standard_errors")
    check_whole(draws, "draws", 1)
    check_whole(seed, "seed", 0)
    grid = _grid(values[known], errors[known], outliers)
    mean, deviation, far = _moments(grid, values[known], errors[known])
    drawn = np.full((draws, len(values)), np.nan)
    drawn[:, known] = _drawn(grid, values[known], errors[known], draws, seed)
    units = pd.DataFrame({"effect": values, "standard_error": errors}, index=_index(effects, standard_errors))
    for name, column in (("mean", mean), ("standard_deviation", deviation)):
        units[name] = _spread_out(column, known)
    limits = np.quantile(drawn[:, known], [0.025, 0.975], axis=0)
    units["lower"], units["upper"] = _spread_out(limits[0], known), _spread_out(limits[1], known)
    units["outlier"] = _spread_out(far, known)
    units["reason"] = np.where(known, "", "the effect or its standard error is missing")
    return Shrunk(units, drawn, float(grid.weight @ grid.centre), float(grid.weight @ grid.tau))


def flags(log_ratio: ArrayLike, standard_error: ArrayLike) -> pd.DataFrame:
    """Where each unit's ratio lies: by limits of chance, and by limits that allow for an ordinary spread too.

    `log_ratio` and `standard_error` (of the log ratio) are of one dimension. One row a unit: ratio; chance and widened,
    in the words of `funnel.status`; lower_95, upper_95, lower_998, upper_998 after `chance_` and `widened_`, as ratios;
    and, alike in all rows, centre (a ratio), phi (mean squared z-score, 1 where chance explains the spread) and tau2.
    Limits lie around the centre and add tau2, the variance between units, to each unit's own. Tau2 is such that
    z-scores with it have the spread of normal ones, once 15% of them at each end are drawn in; units then outside the
    99.8% limits are set aside and it is taken again without them, so that they do not widen the limits that they are
    held to. Of 28 units with 3 or 4 at four or five standard deviations, nine in ten of those lie outside the 99.8%
    limits, and one in a thousand of the others. A missing value gives `not known`. Raises ValueError as `shrunk`.
    Source: Spiegelhalter (2005), "Handling over-dispersion of performance indicators", for winsorised z-scores and an
    added variance, there with 10% at each end, of chance alone, and once; Paule and Mandel (1982) for tau2.
    """
    values, errors, known = _estimates(log_ratio, standard_error, "log_ratio", "standard_error")
    centre, tau2 = _ordinary(values[known], errors[known])
    phi = _mean_square(values[known] - centre, errors[known])
    frame = pd.DataFrame({"ratio": np.exp(values)}, index=_index(log_ratio, standard_error))
    found = {}
    for name, variance in (("chance", errors**2), ("widened", errors**2 + tau2)):
        limits = pd.DataFrame(index=frame.index)
        for level, confidence in LEVELS.items():
            reach = ndtri((1 + confidence) / 2) * np.sqrt(variance)
            limits[f"lower_{level}"], limits[f"upper_{level}"] = np.exp(centre - reach), np.exp(centre + reach)
        frame[name] = status(frame["ratio"], limits)
        found[name] = limits.add_prefix(f"{name}_")
    return frame.join([*found.values()]).assign(centre=np.exp(centre), phi=phi, tau2=tau2)


def _estimates(effects: ArrayLike, errors: ArrayLike, name: str, error_name: str) -> tuple[Array, Array, Mask]:
    """Both as floats, and which units have both."""
    shared_index(effects, errors, name, error_name)
    values, chance = one_dimension(effects, name), one_dimension(errors, error_name)
    if values.shape != chance.shape:
        raise ValueError(f"{name} has shape {values.shape} and {error_name} {chance.shape}; give as many of each")
    refuse(chance <= 0, chance, error_name, "must be above 0", labels_of(errors, effects))
    known = ~(np.isnan(values) | np.isnan(chance))
    if known.sum() < FEWEST_AREAS:
        raise ValueError(f"{name}: {known.sum()} are known; spread between units needs at least {FEWEST_AREAS}")
    return values, chance, known


def _index(*given: object) -> pd.Index | None:
    return next((item.index for item in given if isinstance(item, pd.Series)), None)


def _spread_out(values: Array, known: Mask) -> Array:
    """A value for each unit known, NaN for the others."""
    whole = np.full(len(known), np.nan)
    whole[known] = values
    return whole


@dataclass(frozen=True)
class _Grid:
    """Points of centre, tau and share of units out of the ordinary, with their weights given all estimates."""

    centre: Array
    tau: Array
    share: Array
    weight: Array


def _grid(values: Array, errors: Array, outliers: bool) -> _Grid:
    typical = len(errors) / (1 / errors).sum()
    top = 3 * max(float(values.std(ddof=1)), typical)
    along = (np.arange(STEPS_OF_SPREAD) + 0.5) / STEPS_OF_SPREAD
    tau = top * along**2
    before = along * typical / (typical + tau) ** 2
    shares, share_before = (SHARES, SHARE_WEIGHTS) if outliers else (np.zeros(1), np.ones(1))
    spreads, parts = (item.ravel() for item in np.meshgrid(tau, shares, indexing="ij"))
    prior = np.outer(before, share_before).ravel()
    middle, error = _centres(values, errors, spreads, parts)
    off = np.linspace(-REACH_OF_CENTRE, REACH_OF_CENTRE, STEPS_OF_CENTRE)
    centre = (middle[:, None] + error[:, None] * off).ravel()
    spreads, parts = np.repeat(spreads, STEPS_OF_CENTRE), np.repeat(parts, STEPS_OF_CENTRE)
    ordinary, far = _densities(values, errors, centre, spreads, parts)
    likelihood = np.log(ordinary + far + np.finfo(float).tiny).sum(axis=1)
    weight = np.exp(likelihood - likelihood.max()) * np.repeat(prior * error, STEPS_OF_CENTRE)
    kept = weight > weight.max() * 1e-7
    return _Grid(centre[kept], spreads[kept], parts[kept], weight[kept] / weight[kept].sum())


def _centres(values: Array, errors: Array, tau: Array, share: Array) -> tuple[Array, Array]:
    """For each tau and share, the likeliest centre and about how sure it is: where to lay the grid of centres."""
    near = 1 / (errors**2 + tau[:, None] ** 2)
    away = 1 / (errors**2 + (FARTHER * tau[:, None]) ** 2)
    centre = np.full(len(tau), float(np.median(values)))
    precision = near
    for _ in range(8):
        ordinary, far = _densities(values, errors, centre, tau, share)
        outside = far / (ordinary + far + np.finfo(float).tiny)
        precision = (1 - outside) * near + outside * away
        centre = (precision @ values) / precision.sum(axis=1)
    return centre, 1 / np.sqrt(precision.sum(axis=1))


def _densities(values: Array, errors: Array, centre: Array, tau: Array, share: Array) -> tuple[Array, Array]:
    """Points by units: the density of each estimate as an ordinary unit's, and as another's, times their shares."""
    apart = (values - centre[:, None]) ** 2
    found = []
    for part, times in ((1 - share, 1.0), (share, FARTHER)):
        variance = errors**2 + (times * tau[:, None]) ** 2
        found.append(part[:, None] * np.exp(-apart / (2 * variance)) / np.sqrt(variance))
    return found[0], found[1]


def _given_point(grid: _Grid, values: Array, errors: Array) -> tuple[list[Array], list[Array], Array]:
    """Points by units: mean and variance of the true effect as ordinary and as another, and the chance of the other."""
    means, variances = [], []
    for times in (1.0, FARTHER):
        between = (times * grid.tau[:, None]) ** 2
        kept = between / (between + errors**2)
        means.append(grid.centre[:, None] + kept * (values - grid.centre[:, None]))
        variances.append(kept * errors**2)
    ordinary, far = _densities(values, errors, grid.centre, grid.tau, grid.share)
    return means, variances, far / (ordinary + far + np.finfo(float).tiny)


def _moments(grid: _Grid, values: Array, errors: Array) -> tuple[Array, Array, Array]:
    means, variances, far = _given_point(grid, values, errors)
    first = grid.weight @ ((1 - far) * means[0] + far * means[1])
    parts = [variance + (mean - first) ** 2 for mean, variance in zip(means, variances, strict=True)]
    second = grid.weight @ ((1 - far) * parts[0] + far * parts[1])
    return first, np.sqrt(second), grid.weight @ far


def _drawn(grid: _Grid, values: Array, errors: Array, draws: int, seed: int) -> Array:
    """Draws by units; points of the grid, and normal draws of a unit, are taken at even steps of their chance."""
    rng = np.random.default_rng(seed)
    steps = (np.arange(draws) + 0.5) / draws
    places = np.minimum(np.searchsorted(np.cumsum(grid.weight), steps), len(grid.weight) - 1)
    means, variances, far = _given_point(grid, values, errors)
    is_far = rng.random((draws, len(values))) < far[places]
    mean = np.where(is_far, means[1][places], means[0][places])
    variance = np.where(is_far, variances[1][places], variances[0][places])
    normal = ndtri(rng.permuted(np.tile(steps[:, None], len(values)), axis=0))
    return mean + np.sqrt(variance) * normal


def _ordinary(values: Array, errors: Array) -> tuple[float, float]:
    """Centre and variance between ordinary units, those out of the ordinary set aside."""
    reach = ndtri((1 + LEVELS["998"]) / 2)
    kept = np.ones(len(values), dtype=bool)
    centre, tau2 = _centre_and_variance(values, errors)
    for _ in range(ROUNDS):
        inside = np.abs(values - centre) <= reach * np.sqrt(errors**2 + tau2)
        if (inside == kept).all() or inside.sum() < FEWEST_AREAS:
            break
        kept = inside
        centre, tau2 = _centre_and_variance(values[kept], errors[kept])
    return centre, tau2


def _centre_and_variance(values: Array, errors: Array) -> tuple[float, float]:
    """The variance at which drawn-in z-scores have the spread of normal ones, and the centre that goes with it."""

    def excess(tau2: float) -> float:
        apart = values - _centre(values, errors, tau2)
        return _mean_square(apart, np.sqrt(errors**2 + tau2)) * len(values) / (len(values) - 1) - 1

    if excess(0) <= 0:
        return _centre(values, errors, 0), 0.0
    top = float(((values - np.median(values)) ** 2).max()) * 10
    tau2 = float(brentq(excess, 0, top)) if excess(top) < 0 else top
    return _centre(values, errors, tau2), tau2


def _centre(values: Array, errors: Array, tau2: float) -> float:
    """The mean weighted by precision, with far values drawn in."""
    deviation = np.sqrt(errors**2 + tau2)
    centre = float(np.median(values))
    for _ in range(3):
        z = _drawn_in((values - centre) / deviation)
        centre += float((z / deviation).sum() / (1 / deviation**2).sum())
    return centre


def _mean_square(apart: Array, deviation: Array) -> float:
    """The mean squared z-score, far ones drawn in, over what it is of normal ones: 1 where `deviation` explains all."""
    bound = -ndtri(DRAWN_IN)
    density = np.exp(-(bound**2) / 2) / np.sqrt(2 * np.pi)
    normal = 2 * (ndtr(bound) - 0.5 - bound * density) + 2 * DRAWN_IN * bound**2
    return float(np.mean(_drawn_in(apart / deviation) ** 2) / normal)


def _drawn_in(z: Array) -> Array:
    return np.clip(z, *np.quantile(z, [DRAWN_IN, 1 - DRAWN_IN]))
