"""The true effect of each provider on each measure: as the world states it, or drawn anew for a simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cbs_analysis.simulation.providers import check_provider
from cbs_analysis.simulation.random_draws import Array, stream
from cbs_analysis.simulation.world import MEASURES, Measure, World

WITHIN = 2.0  # ordinary providers lie within so many standard deviations


@dataclass(frozen=True)
class TrueEffects:
    """By measure, an effect for each provider, on the log scale (length of stay, follow-ups) or the logit scale."""

    providers: tuple[str, ...]
    values: dict[Measure, Array]

    def table(self) -> pa.Table:
        """One row a measure and provider: measure, provider_code, effect."""
        return pa.table(
            {
                "measure": [measure for measure in MEASURES for _ in self.providers],
                "provider_code": list(self.providers) * len(MEASURES),
                "effect": np.concatenate([self.values[measure] for measure in MEASURES]),
            }
        )


def stated_effects(world: World, providers: tuple[str, ...]) -> TrueEffects:
    """As in world.yml; 0 of a provider it does not name. Raises UserError where it names one that there is not."""
    for measure, values in world.effects.values.items():
        for code in values:
            check_provider(code, providers, f"effects.values.{measure}")
    return TrueEffects(
        providers,
        {each: np.array([world.effects.values[each].get(code, 0.0) for code in providers]) for each in MEASURES},
    )


def drawn_effects(world: World, providers: tuple[str, ...], seed: int) -> TrueEffects:
    """Drawn from the seed: normal within two standard deviations, and as many outliers as the world says, up or down.

    Providers outside London together have none.
    """
    inside = np.array([code != world.providers.outside.code for code in providers])
    values: dict[Measure, Array] = {}
    for measure in MEASURES:
        rng = stream(seed, "effects", measure)
        drawn = rng.normal(size=len(providers))
        while (far := np.abs(drawn) > WITHIN).any():
            drawn = np.where(far, rng.normal(size=len(providers)), drawn)
        outliers = rng.permutation(np.flatnonzero(inside))[: world.effects.outliers_drawn]
        size = rng.uniform(*world.effects.outliers_from_to, size=len(outliers))
        drawn[outliers] = size * rng.choice([-1.0, 1.0], size=len(outliers))
        values[measure] = np.where(inside, drawn * world.effects.spread[measure], 0.0)
    return TrueEffects(providers, values)
