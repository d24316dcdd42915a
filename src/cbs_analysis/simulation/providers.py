"""The providers: which of them treats whom, and the true effect of each on each measure.

A provider lies where the areas that lead on it lie on the tile map. Its pull on an area's people falls with distance
and grows with its beds. Providers of a few specialties draw patients from everywhere for those, and offer no others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.simulation.random_draws import Booleans, Choices, Floats, stream
from cbs_analysis.simulation.world import EFFECT_MEASURES, WORLD_FILE, EffectMeasure, PlannedUse, World

USES: tuple[PlannedUse, ...] = ("elective", "emergency", "outpatient")
ELECTIVE_USE, EMERGENCY_USE, OUTPATIENT_USE = range(3)
Positions = dict[str, tuple[float, float]]
"""Where each area or provider lies on the tile map: column and row."""
SITES_BY_BEDS = ((450.0, 2), (700.0, 3))  # the fewest beds of a provider with two sites, and with three
SITE_WEIGHTS = (0.6, 0.25, 0.15)
WITHIN = 2.0  # true effects that are no outliers lie within this many standard deviations


@dataclass(frozen=True)
class Providers:
    """The providers, in the order of their table. `pull`: by area, use x specialties + specialty, and provider."""

    codes: tuple[str, ...]
    pull: Floats
    offers_emergency: Booleans
    has_attendances: Booleans
    sites: NDArray[np.int64]

    def choices(self, area: int) -> Choices:
        """The providers to choose from for people of one area, by use x specialties + specialty."""
        return Choices.of_table(self.pull[area])

    def site_choices(self) -> Choices:
        """The sites of each provider to choose from, numbered from 0."""
        return Choices.of([(np.arange(number), SITE_WEIGHTS[:number]) for number in self.sites])


def read_providers(
    world: World, codes: tuple[str, ...], beds: pd.DataFrame, leads: pd.DataFrame, positions: Positions,
    specialties: tuple[str, ...],
) -> Providers:  # fmt: skip
    """The providers with these codes, and their pull on the areas of `positions`.

    `beds`: provider, beds. `leads`: provider, area. Raises UserError where the world names a provider that is not
    there, or a provider has no position or no beds.
    """
    _check_names(world, codes)
    stated, away = world.providers, world.providers.outside.code
    known_beds = dict(zip(beds["provider"], beds["beds"], strict=True))
    size = {code: _beds(world, code, known_beds) for code in codes if code != away}
    offered = _offered(world, codes, specialties)
    chance = stream(world.seed, "spread by specialty").normal(0.0, stated.spread_by_specialty, offered.shape[1:])
    offered_spread = offered * np.exp(chance)
    strength = np.array([_strength(world, code, size.get(code, 0.0)) for code in codes]).T
    reach = np.array([_reach(world, code) for code in codes]).T
    places = [(0.0, 0.0) if code == away else _position(world, code, leads, positions) for code in codes]
    distance = _distances(positions, places)
    pull = np.zeros((len(positions), len(USES) * len(specialties), len(codes)))
    for row, leaving in enumerate(_leaving(world, positions)):
        table = (strength * np.exp(-distance[row] / reach))[:, None, :] * offered_spread
        if away in codes:
            table[:, :, codes.index(away)] = 0.0
            table[:, :, codes.index(away)] = table.sum(axis=2) * leaving / (1 - leaving)
        pull[row] = table.reshape(-1, len(codes))
    general = np.array([code not in stated.specialists for code in codes])
    steps = np.array([sum(size.get(code, 0.0) >= at for at, _ in SITES_BY_BEDS) for code in codes])
    return Providers(codes, pull, offered[EMERGENCY_USE].T, general, np.where(general, 1 + steps, 1))


def check_provider(code: str, known: tuple[str, ...], where: str) -> None:
    if code not in known:
        raise UserError(f"{WORLD_FILE}: {where}: {code!r} is not a provider code; {nearest(code, known)}")


def _check_names(world: World, codes: tuple[str, ...]) -> None:
    """Raises UserError where any part of the world names a provider that is not there."""
    stated = world.providers
    only_at = [code for places in stated.only_at.values() for code in places]
    named = [
        ("providers", [*stated.places, *stated.specialists, stated.outside.code, *only_at]),
        ("submission.late_share_at", world.submission.late_share_at),
        ("breaks", [each.provider for each in world.breaks]),
        ("errors.more_at", world.errors.more_at),
        *((f"effects.values.{measure}", values) for measure, values in world.effects.values.items()),
    ]
    for where, those in named:
        for code in those:
            check_provider(code, codes, where)


def _strength(world: World, code: str, beds: float) -> list[float]:
    """How strongly a provider draws people who live beside it, by use."""
    special = world.providers.specialists.get(code)
    strength = beds**world.providers.pull_of_beds
    return [strength * (special.emergencies if special and use == "emergency" else 1.0) for use in USES]


def _reach(world: World, code: str) -> list[float]:
    """How far a provider draws people from, in tiles, by use."""
    special = world.providers.specialists.get(code)
    return [special.reach if special else world.providers.reach[use] for use in USES]


def _distances(positions: Positions, places: list[tuple[float, float]]) -> Floats:
    """Tiles from each area to each of these places."""
    area, place = np.array(list(positions.values())), np.array(places)
    return np.hypot(area[:, None, 0] - place[:, 0], area[:, None, 1] - place[:, 1])


def _leaving(world: World, positions: Positions) -> Floats:
    """The share of each area's care that is given by providers outside."""
    outside = world.providers.outside
    from_middle = _distances(positions, [outside.middle])[:, 0]
    return outside.at_middle + (outside.at_edge - outside.at_middle) * from_middle / from_middle.max()


def _position(world: World, code: str, leads: pd.DataFrame, positions: Positions) -> tuple[float, float]:
    stated = world.providers.places
    areas = [stated[code]] if code in stated else leads.loc[leads["provider"] == code, "area"].tolist()
    if not areas:
        table = world.figures.leads["table"]
        raise UserError(f"{WORLD_FILE}: providers.places: no area leads on {code} in {table}; give it a place")
    columns, rows = zip(*(positions[area] for area in areas), strict=True)
    return float(np.mean(columns)), float(np.mean(rows))


def _beds(world: World, code: str, known: dict[str, float]) -> float:
    special = world.providers.specialists.get(code)
    if special is None and code not in known:
        raise UserError(f"{world.figures.beds['table']}: no row of provider {code}; the simulation needs its beds")
    return special.beds if special else known[code]


def _offered(world: World, codes: tuple[str, ...], specialties: tuple[str, ...]) -> Booleans:
    """Whether a provider offers a specialty, by use, specialty and provider."""
    stated = world.providers
    offered = np.ones((len(USES), len(specialties), len(codes)), dtype=bool)
    for column, code in enumerate(codes):
        if special := stated.specialists.get(code):
            treats = np.array([int(specialty) in special.treats for specialty in specialties])
            offered[:, :, column] = treats
            offered[EMERGENCY_USE, :, column] = treats & (special.emergencies > 0)
    for specialty, places in stated.only_at.items():
        if str(specialty) not in specialties:
            near = nearest(str(specialty), specialties)
            raise UserError(f"{WORLD_FILE}: providers.only_at: {specialty} is not known; {near}")
        specialists = [code for code, each in stated.specialists.items() if specialty in each.treats]
        allowed = {*places, *specialists, stated.outside.code}
        offered[:, specialties.index(str(specialty)), :] &= np.array([code in allowed for code in codes])
    return offered


@dataclass(frozen=True)
class TrueEffects:
    """By measure, an effect for each provider, on the log scale (length of stay, follow-ups) or the logit scale."""

    providers: tuple[str, ...]
    values: dict[EffectMeasure, Floats]

    def table(self) -> pa.Table:
        """One row a measure and provider: measure, provider_code, effect."""
        return pa.table(
            {
                "measure": [measure for measure in EFFECT_MEASURES for _ in self.providers],
                "provider_code": list(self.providers) * len(EFFECT_MEASURES),
                "effect": np.concatenate([self.values[measure] for measure in EFFECT_MEASURES]),
            }
        )


def true_effects(world: World, providers: tuple[str, ...], seed: int, drawn: bool = False) -> TrueEffects:
    """The effects that the world states, 0 where it names no value; drawn from the seed where it or the caller says so.

    Drawn effects are normal within two standard deviations, with as many outliers as the world says, up or down.
    Providers outside have none.
    """
    if not drawn and not world.effects.drawn:
        stated = world.effects.values
        return TrueEffects(
            providers, {each: np.array([stated[each].get(code, 0.0) for code in providers]) for each in EFFECT_MEASURES}
        )
    inside = np.array([code != world.providers.outside.code for code in providers])
    values: dict[EffectMeasure, Floats] = {}
    for measure in EFFECT_MEASURES:
        rng = stream(seed, "effects", measure)
        effect = rng.normal(size=len(providers))
        while (far := np.abs(effect) > WITHIN).any():
            effect = np.where(far, rng.normal(size=len(providers)), effect)
        outliers = rng.permutation(np.flatnonzero(inside))[: world.effects.outliers_drawn]
        size = rng.uniform(*world.effects.outliers_from_to, size=len(outliers))
        effect[outliers] = size * rng.choice([-1.0, 1.0], size=len(outliers))
        values[measure] = np.where(inside, effect * world.effects.spread[measure], 0.0)
    return TrueEffects(providers, values)
