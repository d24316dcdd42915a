"""How many rare events should we plan for? A steady rate, with the limits of a count, for `forecasts`.

Of a few events in three years, only how often they came is known. On a logarithm an empty month counts as half an
event; here it is what is to be expected.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cbs_analysis.stats.checks import Array

JEFFREYS = 0.5
"""Added to the count that the rate is known from: its share of uncertainty where there are hardly any events."""
TAIL_VARIANCE = 2.0
"""Of Student's t with 4 degrees of freedom, the distribution of drifts, for a scale of 1."""


def rare_events_forecast(
    counts: Array, weights: Array, weights_ahead: Array, levels: Sequence[float], drift: float
) -> tuple[Array, Array]:
    """Value and limits (a lower and an upper for each of `levels`) of each period ahead, and of all of them.

    `counts` may be missing; `weights` are what a period's events are in proportion to: days, and a season. `drift` is
    the scale of a year's drift, as a share. Both results have a row each for the value and the limits, which are whole
    counts. The rate is that of all events; they vary by the negative binomial distribution, with the scatter of the
    counts (Pearson's, at least Poisson's), of the rate that is known from so few, and of the drift.
    Source: McCullagh and Nelder (1989), chapter 6, for the scatter; Gelman and others (2013), section 2.6, for the
    distribution of a count ahead.
    """
    known = ~np.isnan(counts)
    events, exposure = counts[known].sum(), weights[known].sum()
    fitted = events / exposure * weights[known]
    scatter = max(1.0, float(np.sum((counts[known] - fitted) ** 2 / fitted) / max(known.sum() - 1, 1)))
    relative = scatter / (events + JEFFREYS) + TAIL_VARIANCE * drift**2
    mean = events / exposure * weights_ahead
    return _limits(mean, scatter, relative, levels), _limits(np.array([mean.sum()]), scatter, relative, levels)


def _limits(mean: Array, scatter: float, relative: float, levels: Sequence[float]) -> Array:
    variance = scatter * mean + relative * mean**2
    rows = [mean]
    for level in levels:
        lower, upper = (_quantile(chance, mean, variance) for chance in ((1 - level) / 2, (1 + level) / 2))
        # A mean of 0.05 lies between the counts 0 and 1, although 0 alone is likely enough.
        rows += [np.minimum(lower, np.floor(mean)), np.maximum(upper, np.ceil(mean))]
    return np.array(rows)


def _quantile(chance: float, mean: Array, variance: Array) -> Array:
    """The smallest count that a negative binomial draw does not exceed with this chance."""
    successes, share = mean**2 / (variance - mean), mean / variance
    result = np.zeros(len(mean))
    for place in range(len(mean)):
        cumulated, term, count = 0.0, share[place] ** successes[place], 0
        while True:
            cumulated += term
            if cumulated >= chance:
                break
            count += 1
            term *= (successes[place] + count - 1) / count * (1 - share[place])
        result[place] = count
    return result
