"""Which trust treats whom: pull of each trust on each PCT's people, by specialty and use.

A trust lies where the PCTs that led on it in 2006 lie on the tile map. Its pull falls with distance and grows with its
beds; trusts of a few specialties draw on all London for those, and have no others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.simulation.random_draws import Array, Choices, Flags, stream
from cbs_analysis.simulation.world import MEASURES, Measure, Planned, World

USES: tuple[Planned, ...] = ("elective", "emergency", "outpatient")
Tiles = dict[str, tuple[float, float]]
"""Where each PCT lies on the tile map: column and row."""
ELECTIVE_USE, EMERGENCY_USE, OUTPATIENT_USE = range(3)
SITES_BY_BEDS = ((450.0, 2), (700.0, 3))  # from so many beds on, so many sites; one below
SITE_WEIGHTS = (0.6, 0.25, 0.15)
ATTENDED = 300  # A&E is where general medicine is


@dataclass(frozen=True)
class Trusts:
    """The providers (P), in the order of their table. `pull` is by PCT, use x specialties + specialty, and provider."""

    codes: tuple[str, ...]
    pull: Array
    offers_emergency: Flags
    has_attendances: Flags
    sites: NDArray[np.int64]

    def choices(self, pct: int) -> Choices:
        """Providers to choose from for people of one PCT, by use x specialties + specialty."""
        return Choices.of_table(self.pull[pct])

    def site_choices(self) -> Choices:
        """Sites, from 0, to choose from by provider."""
        return Choices.of([(np.arange(number), SITE_WEIGHTS[:number]) for number in self.sites])


def read_trusts(
    world: World, providers: pd.DataFrame, beds: pd.DataFrame, leads: pd.DataFrame, tiles: Tiles,
    pcts: tuple[str, ...], functions: tuple[str, ...],
) -> Trusts:  # fmt: skip
    """The trusts' pull on each of the PCTs, whose places on the map are in `tiles`.

    Raises UserError where the world names a provider that is not in the table, or a trust has no place or no beds.
    """
    codes = tuple(providers["provider_code"])
    stated = world.providers
    known = dict(zip(beds["provider_code"], beds["available_general_and_acute_beds"], strict=True))
    only_at = [code for places in stated.only_at.values() for code in places]
    for code in (*stated.places, *stated.specialists, stated.outside.code, *only_at):
        check_provider(code, codes, "providers")
    for code in world.submission.late_share_at:
        check_provider(code, codes, "submission.late_share_at")
    away = stated.outside.code
    places = {code: _place(world, code, leads, tiles) for code in codes if code != away}
    size = {code: _beds(world, code, known) for code in codes if code != away}
    offered = _offered(world, codes, functions)
    offered_spread = offered * np.exp(
        stream(world.seed, "spread by specialty").normal(0.0, stated.spread_by_specialty, offered.shape[1:])
    )
    drawn = np.array([_drawn(world, code, size.get(code, 0.0)) for code in codes]).T
    reaches = np.array([_reaches(world, code) for code in codes]).T
    distances = _distances(tiles, pcts, [places.get(code, (0.0, 0.0)) for code in codes])
    pull = np.zeros((len(pcts), len(USES) * len(functions), len(codes)))
    for row, leaving in enumerate(_leaving(world, tiles, pcts)):
        by_use = drawn * np.exp(-distances[row] / reaches)
        table = by_use[:, None, :] * offered_spread
        if away in codes:
            table[:, :, codes.index(away)] = 0.0
            table[:, :, codes.index(away)] = table.sum(axis=2) * leaving / (1 - leaving)
        pull[row] = table.reshape(-1, len(codes))
    general = np.array([code not in stated.specialists for code in codes])
    steps = [sum(size.get(code, 0.0) >= at for at, _ in SITES_BY_BEDS) for code in codes]
    sites = np.array([1 if code in stated.specialists else 1 + step for code, step in zip(codes, steps, strict=True)])
    return Trusts(codes, pull, offered[EMERGENCY_USE].T, general, sites)


def _drawn(world: World, code: str, beds: float) -> list[float]:
    """How strongly a provider draws people who live beside it, by use."""
    special = world.providers.specialists.get(code)
    strength = beds**world.providers.pull_of_beds
    return [strength * (special.emergencies if special and use == "emergency" else 1.0) for use in USES]


def _reaches(world: World, code: str) -> list[float]:
    """How far a provider draws people from, in tiles, by use."""
    special = world.providers.specialists.get(code)
    return [special.reach if special else world.providers.reach[use] for use in USES]


def _distances(tiles: Tiles, pcts: tuple[str, ...], places: list[tuple[float, float]]) -> Array:
    """Tiles from each PCT to each provider's place."""
    here, there = np.array([tiles[pct] for pct in pcts]), np.array(places)
    return np.hypot(here[:, None, 0] - there[:, 0], here[:, None, 1] - there[:, 1])


def _leaving(world: World, tiles: Tiles, pcts: tuple[str, ...]) -> Array:
    """The share of each PCT's care that is given outside London."""
    outside = world.providers.outside
    from_middle = _distances(tiles, pcts, [outside.middle])[:, 0]
    return outside.at_middle + (outside.at_edge - outside.at_middle) * from_middle / from_middle.max()


def check_provider(code: str, known: tuple[str, ...], where: str) -> None:
    if code not in known:
        raise UserError(f"params/simulation/world.yml: {where}: {code!r} is no provider's code; {nearest(code, known)}")


def _place(world: World, code: str, leads: pd.DataFrame, tiles: Tiles) -> tuple[float, float]:
    leading = leads.loc[leads["provider_code"] == code, "lead_pct_code"].tolist()
    found = [tiles[pct] for pct in ([world.providers.places[code]] if code in world.providers.places else leading)]
    if not found:
        raise UserError(f"params/simulation/world.yml: providers.places: {code} led by nobody in 2006 needs a place")
    return float(np.mean([x for x, _ in found])), float(np.mean([y for _, y in found]))


def _beds(world: World, code: str, known: dict[str, float]) -> float:
    special = world.providers.specialists.get(code)
    if special is None and code not in known:
        raise UserError(f"data/published/beds.csv: no row of provider {code}; the synthetic London needs its beds")
    return special.beds if special else known[code]


def _offered(world: World, codes: tuple[str, ...], functions: tuple[str, ...]) -> Flags:
    """Whether a provider has a specialty, by use, specialty and provider."""
    stated = world.providers
    offered = np.ones((len(USES), len(functions), len(codes)), dtype=bool)
    for column, code in enumerate(codes):
        if special := stated.specialists.get(code):
            treats = np.array([int(function) in special.treats for function in functions])
            offered[:, :, column] = treats
            offered[EMERGENCY_USE, :, column] = treats & (special.emergencies > 0)
    for function, places in stated.only_at.items():
        row = functions.index(str(function)) if str(function) in functions else None
        if row is None:
            raise UserError(
                f"params/simulation/world.yml: providers.only_at: {function} is not known; "
                f"{nearest(str(function), functions)}"
            )
        specialists = [code for code, each in stated.specialists.items() if function in each.treats]
        allowed = {*places, *specialists, stated.outside.code}
        offered[:, row, :] &= np.array([code in allowed for code in codes])
    return offered


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
