"""Where and when records are simulated: all that is read of the figures, and the tables to draw from made of it once.

From one scenario any number of worlds can be drawn, each from a seed of its own. Which tables and columns are read is
said under `figures` in `params/simulation/world.yml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.simulation.calendar import Months, months_between
from cbs_analysis.simulation.clinical_codes import EMERGENCY, ORDINARY, ClinicalCodes, read_clinical_codes
from cbs_analysis.simulation.population import CELLS, ResidentPopulation, by_class, need_by_cell
from cbs_analysis.simulation.providers import Positions, Providers, read_providers
from cbs_analysis.simulation.random_draws import Choices, Floats
from cbs_analysis.simulation.world import COUNTED, WORLD_FILE, Figures, FigureTable, Use, World
from cbs_analysis.tables.descriptions import table_description
from cbs_analysis.tables.schema_checks import read_table

ORDINARY_COUNT, DAY_CASE_COUNT, EMERGENCY_COUNT, FIRST_COUNT = range(4)
LARGEST_SHARE = 10
"""Times the published counts: more than there are, to see how a machine bears it."""
FIT_ROUNDS = 60


@dataclass(frozen=True)
class Scenario:
    """`known_areas`: all areas that can be simulated; `areas`: those that are. `practices`: practice and area.

    `counts`: published counts of each area, months x `COUNTED`. `mixes`: subchapters to choose from, by area, elective
    or emergency, and financial year x CELLS + cell; `clinic_mixes`: specialties of clinics in the same way; `pulls`:
    providers, by use x specialties + specialty. `census_day` is counted from 1970.
    """

    world: World
    clinical: ClinicalCodes
    providers: Providers
    months: Months
    share: float
    census_day: int
    known_areas: tuple[str, ...]
    areas: tuple[str, ...]
    residents: dict[str, ResidentPopulation]
    practices: tuple[tuple[str, str], ...]
    counts: dict[str, NDArray[np.int64]]
    mixes: dict[str, tuple[Choices, Choices]]
    clinic_mixes: dict[str, Choices]
    pulls: dict[str, Choices]
    days: dict[Use, Choices]


def read_scenario(
    world: World, data: Path, areas: Sequence[str] | None = None, months: tuple[str, str] | None = None,
    share: float = 1.0,
) -> Scenario:  # fmt: skip
    """The scenario of these areas (all of them where None), months (first and last; the world's where None) and share
    of the published counts.

    Raises UserError where an area, a month or the share is not valid, DataError where a table is wrong.
    """
    if not 0 < share <= LARGEST_SHARE:
        raise UserError(f"share: must be above 0 and at most {LARGEST_SHARE}, not {share!r}")
    figures = world.figures
    known_areas = _known_areas(data, figures)
    chosen = known_areas if areas is None else tuple(dict.fromkeys(areas))
    for code in chosen:
        if code not in known_areas:
            raise UserError(f"area: {code!r} is not an area that can be simulated; {nearest(code, known_areas)}")
    if not chosen:
        raise UserError("area: none is named; name one or more, or leave them out for all")
    counts, span = _counts(data, world, chosen, months or figures.months, share)
    residents, census_year = _residents(data, known_areas, world)
    specialties = tuple(_read(data, figures.specialties)["specialty"])
    clinical = read_clinical_codes(world, _read(data, figures.costs), specialties)
    codes = tuple(_read(data, figures.providers)["provider"])
    beds, leads = _read(data, figures.beds), _read(data, figures.leads)
    providers = read_providers(world, codes, beds, leads, _positions(data, figures, known_areas), specialties)
    return Scenario(
        world=world, clinical=clinical, providers=providers, months=span, share=share,
        census_day=int(np.datetime64(f"{census_year}-{figures.census_day}").astype(np.int64)),
        known_areas=known_areas, areas=chosen, residents={code: residents[code] for code in chosen},
        practices=tuple((practice, code) for code in known_areas for practice in residents[code].practices),
        counts=counts,
        mixes={code: _mixes(world, clinical, residents[code], span) for code in chosen},
        clinic_mixes={code: _clinic_mix(world, clinical, residents[code], span) for code in chosen},
        pulls={code: providers.choices(known_areas.index(code)) for code in chosen},
        days={
            "elective": span.days(world.calendar.elective),
            "emergency": span.days(world.calendar.emergency),
            "outpatient": span.days(world.calendar.outpatient),
        },
    )  # fmt: skip


def _read(data: Path, described: FigureTable) -> pd.DataFrame:
    """A table of the figures: the columns that the world names, under the names of what they are used for."""
    frame = read_table(data, described["table"])
    columns = {column: use for use, column in described.items() if use != "table"}
    for column in columns:
        if column not in frame:
            near = nearest(column, list(frame))
            raise UserError(f"{WORLD_FILE}: figures: table {described['table']} has no column {column!r}; {near}")
    return frame[list(columns)].rename(columns=columns)


def _known_areas(data: Path, figures: Figures) -> tuple[str, ...]:
    geography = read_table(data, "geographies")
    is_simulated = (geography["geography"] == figures.geography) & (geography["level"] == figures.level)
    if not is_simulated.any():
        raise UserError(
            f"{WORLD_FILE}: figures: no area of level {figures.level!r} in geography {figures.geography!r}; "
            f"geographies are {', '.join(geography['geography'].unique())}"
        )
    return tuple(sorted(geography.loc[is_simulated, "area_code"]))


def _positions(data: Path, figures: Figures, areas: tuple[str, ...]) -> Positions:
    frame = _read(data, figures.positions).dropna().set_index("area")
    for code in areas:
        if code not in frame.index:
            raise DataError(f"{figures.positions['table']}: no position of area {code} on the tile map")
    return {code: (float(frame.at[code, "column"]), float(frame.at[code, "row"])) for code in areas}


def _counts(
    data: Path, world: World, areas: Sequence[str], months: tuple[str, str], share: float
) -> tuple[dict[str, NDArray[np.int64]], Months]:
    """Published counts times the share, as integers, and their months."""
    table = world.figures.totals["table"]
    published = _read(data, world.figures.totals)
    published = published.assign(month=published["month"].dt.strftime("%Y-%m"))
    known = sorted(published["month"].unique())
    for month in months:
        if month not in known:
            raise UserError(f"months: {month!r} is not in {table}, which has {known[0]} to {known[-1]}")
    if months[0] > months[1]:
        raise UserError(f"months: the first, {months[0]}, comes after the last, {months[1]}")
    span = months_between(*months, world.calendar)
    counts = {}
    for code in areas:
        rows = published[published["area"] == code].set_index("month")[list(COUNTED)].reindex(span.names)
        if rows.isna().any(axis=None):
            month = rows.index[rows.isna().any(axis=1)][0]
            raise DataError(f"{table}: no count of {code} in {month} to calibrate to; choose other months")
        counts[code] = np.rint(rows.to_numpy(dtype=np.float64) * share).astype(np.int64)
    return counts, span


def _residents(data: Path, areas: tuple[str, ...], world: World) -> tuple[dict[str, ResidentPopulation], int]:
    """The residents of each area in the newest year published, and that year."""
    figures = world.figures
    population, parts = _read(data, figures.residents), _read(data, figures.parts)
    census_year = int(population["year"].max())
    population = population[population["year"] == census_year]
    deprivation = _read(data, figures.deprivation).sort_values(["part", "small_area"])
    ranks = _highest_rank(data, figures)
    residents = {}
    for number, code in enumerate(areas):
        own = sorted(parts.loc[parts["area"] == code, "part"])
        by_age = population[population["part"].isin(own)].pivot(index="part", columns="age", values="persons")
        if missing := [part for part in own if part not in by_age.index] or ([] if own else [code]):
            raise DataError(f"{figures.residents['table']}: no residents of {missing[0]} in {census_year}")
        small_areas = deprivation[deprivation["part"].isin(own)]
        of_part = small_areas["part"].to_numpy()
        persons = by_age.loc[own].to_numpy(dtype=np.int64)
        practices = max(1, round(int(persons.sum()) / world.people.persons_per_practice))
        residents[code] = ResidentPopulation(
            code=code,
            persons=persons,
            small_areas=tuple(np.flatnonzero(of_part == part).astype(np.int32) for part in own),
            small_area_codes=tuple(small_areas["small_area"]),
            fifths=np.ceil(small_areas["rank"].to_numpy() * 5 / ranks).astype(np.int8),
            practices=tuple(f"X{number:02d}{each:03d}" for each in range(practices)),
        )
    return residents, census_year


def _highest_rank(data: Path, figures: Figures) -> float:
    """The number of small areas that are ranked by deprivation, as the description of the column says."""
    table, rank = figures.deprivation["table"], figures.deprivation["rank"]
    highest = next(each.maximum for each in table_description(table, data).columns if each.name == rank)
    if highest is None:
        raise DataError(f"{table}: the description of column {rank} must give its maximum")
    return highest


def iterative_proportional_fit(start: Floats, rows: Floats, columns: Floats) -> Floats:
    """`start` scaled until its rows and columns add up to the shares given, the rows exactly. Returns each row as
    shares of 1, or 0 where nothing in it is possible.

    Where both cannot hold, because too little of a column is possible in any row, rows win. Source: Deming and Stephan
    (1940).
    """
    table = start.astype(np.float64)
    wanted_rows, wanted_columns = rows / rows.sum(), columns / columns.sum()
    for _ in range(FIT_ROUNDS):
        total = table.sum(axis=0)
        table = table * np.divide(wanted_columns, total, out=np.zeros_like(total), where=total > 0)
        total = table.sum(axis=1)
        table = table * np.divide(wanted_rows, total, out=np.zeros_like(total), where=total > 0)[:, None]
    total = table.sum(axis=1, keepdims=True)
    return np.divide(table, total, out=np.zeros_like(table), where=total > 0)


def _mixes(
    world: World, clinical: ClinicalCodes, residents: ResidentPopulation, span: Months
) -> tuple[Choices, Choices]:
    """Subchapters to choose from, elective and emergency, by financial year and cell.

    People are admitted at the rates of their age, and kinds of care are as common as in the nation: both hold.
    """
    growth = clinical.treats_share @ _growth(world, clinical)
    elective, emergency = (
        _by_year(
            clinical.profiles * clinical.allowed[kind].T, need_by_cell(residents, world.people, use),
            clinical.national[int(kind == EMERGENCY)], growth, span,
        )
        for kind, use in _ADMITTED
    )  # fmt: skip
    return elective, emergency


_ADMITTED: tuple[tuple[int, Use], ...] = ((ORDINARY, "elective"), (EMERGENCY, "emergency"))


def _clinic_mix(world: World, clinical: ClinicalCodes, residents: ResidentPopulation, span: Months) -> Choices:
    """Specialties to choose from for a first attendance, by financial year and cell."""
    share = np.zeros(len(clinical.specialties))
    start = np.zeros((CELLS, len(share)))
    for code, clinic in world.outpatients.specialties.items():
        if str(code) not in clinical.specialties:
            near = nearest(str(code), clinical.specialties)
            raise UserError(f"{WORLD_FILE}: outpatients.specialties: {code} is not known; {near}")
        column = clinical.specialties.index(str(code))
        share[column] = clinic.share
        start[:, column] = np.repeat(by_class(world.profiles[clinic.ages]), 2)
        if column in clinical.women_only:
            start[::2, column] = 0.0
    need = need_by_cell(residents, world.people, "outpatient")
    return _by_year(start, need, share, _growth(world, clinical), span)


def _by_year(start: Floats, need: Floats, share: Floats, growth: Floats, span: Months) -> Choices:
    """Choices by financial year and cell, of kinds of care whose shares grow from year to year."""
    fits = (iterative_proportional_fit(start, need, share * np.exp(growth * year)) for year in _years_from_middle(span))
    return Choices.of_table(np.concatenate(list(fits)))


def _growth(world: World, clinical: ClinicalCodes) -> Floats:
    return np.array([world.growth.get(int(code), 0.0) for code in clinical.specialties])


def _years_from_middle(span: Months) -> Iterator[float]:
    years = int(span.year[-1]) + 1
    return (year - (years - 1) / 2 for year in range(years))
