"""Where and when a synthetic London is set: all that is read from the data folder, and tables made of it once.

From one setting any number of worlds can be drawn, each from a seed of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.simulation.calendar import Months, months_between
from cbs_analysis.simulation.clinical_codes import EMERGENCY, ORDINARY, Care, read_care
from cbs_analysis.simulation.population import CELLS, Place, by_class, need_by_cell
from cbs_analysis.simulation.providers import Trusts, check_provider, read_trusts
from cbs_analysis.simulation.random_draws import Array, Choices
from cbs_analysis.simulation.world import Use, World
from cbs_analysis.tables.checking import read_table

GEOGRAPHY = "sector_2009"
COUNTED = (
    "elective_ordinary_admissions", "elective_daycase_admissions", "nonelective_admissions",
    "first_outpatient_attendances",
)  # fmt: skip
ORDINARY_COUNT, DAY_CASE_COUNT, EMERGENCY_COUNT, FIRST_COUNT = range(4)
CENSUS = "06-30"
LARGEST_SHARE = 10
"""Times the published counts: more than London, to see how a machine bears it."""
RANKED = 32_482  # lower super output areas of England, of which the ranks of deprivation are


@dataclass(frozen=True)
class Setting:
    """`pcts` are all those of London, `areas` those to make. `counts`: published counts of each area, months x
    `COUNTED`. `mixes`: subchapters to choose from, by area, elective or emergency, and financial year x CELLS + cell;
    `clinic_mixes` the same for specialties of clinics; `pulls` providers by use x specialties + specialty.
    """

    world: World
    care: Care
    trusts: Trusts
    months: Months
    share: float
    census_day: int
    pcts: tuple[str, ...]
    areas: tuple[str, ...]
    places: dict[str, Place]
    practices: tuple[tuple[str, str], ...]
    counts: dict[str, NDArray[np.int64]]
    mixes: dict[str, tuple[Choices, Choices]]
    clinic_mixes: dict[str, Choices]
    pulls: dict[str, Choices]
    days: dict[Use, Choices]


def read_setting(
    world: World, data: Path, areas: Sequence[str] | None = None, months: tuple[str, str] = ("2008-04", "2011-03"),
    share: float = 1.0,
) -> Setting:  # fmt: skip
    """The setting of these PCTs (all of London where None), months (first and last) and share of the published counts.

    Raises UserError where an area, a month or the share is not right, DataError where a table is wrong.
    """
    if not 0 < share <= LARGEST_SHARE:
        raise UserError(f"share: must be above 0 and at most {LARGEST_SHARE}, not {share!r}")
    geography = read_table(data, "geographies")
    leaves = geography[(geography["geography"] == GEOGRAPHY) & (geography["level"] == "pct")]
    pcts = tuple(sorted(leaves["area_code"]))
    chosen = pcts if areas is None else tuple(dict.fromkeys(areas))
    for code in chosen:
        if code not in pcts:
            raise UserError(f"area: {code!r} is no PCT of London; {nearest(code, pcts)}")
    if not chosen:
        raise UserError("area: no PCT named; name one of London's, or none of them for all")
    counts, span = _counts(data, chosen, months, share)
    population = read_table(data, "population_by_age")
    census_year = int(population["mid_year"].max())
    places = _places(data, population[population["mid_year"] == census_year], pcts, world)
    functions = read_table(data, "treatment_functions")
    care = read_care(world, read_table(data, "hrg_reference_costs"), functions)
    described = read_table(data, "areas").set_index("area_code")
    tiles = {pct: (float(described.at[pct, "tile_column"]), float(described.at[pct, "tile_row"])) for pct in pcts}
    trusts = read_trusts(
        world, read_table(data, "providers"), read_table(data, "beds"), read_table(data, "lead_commissioners_2006"),
        tiles, pcts, care.treatment_functions,
    )  # fmt: skip
    for each in world.breaks:
        check_provider(each.provider, trusts.codes, "breaks")
    for code in world.errors.more_at:
        check_provider(code, trusts.codes, "errors.more_at")
    return Setting(
        world=world, care=care, trusts=trusts, months=span, share=share,
        census_day=int(np.datetime64(f"{census_year}-{CENSUS}").astype(np.int64)),
        pcts=pcts, areas=chosen, places={code: places[code] for code in chosen},
        practices=tuple((practice, code) for code in pcts for practice in places[code].practices),
        counts=counts,
        mixes={code: _mixes(world, care, places[code], span) for code in chosen},
        clinic_mixes={code: _clinic_mix(world, care, places[code], span) for code in chosen},
        pulls={code: trusts.choices(pcts.index(code)) for code in chosen},
        days={
            "elective": span.days(world.calendar.elective),
            "emergency": span.days(world.calendar.emergency),
            "outpatient": span.days(world.calendar.outpatient),
        },
    )  # fmt: skip


def _counts(
    data: Path, areas: Sequence[str], months: tuple[str, str], share: float
) -> tuple[dict[str, NDArray[np.int64]], Months]:
    """Published counts times the share, in whole numbers, and the months they are of."""
    published = read_table(data, "monthly_activity_return")
    published = published.assign(month=published["month"].dt.strftime("%Y-%m"))
    known = sorted(published["month"].unique())
    for month in months:
        if month not in known:
            raise UserError(f"months: {month!r} is not in the activity return, which has {known[0]} to {known[-1]}")
    if months[0] > months[1]:
        raise UserError(f"months: the first, {months[0]}, comes after the last, {months[1]}")
    span = months_between(*months)
    found = {}
    for code in areas:
        rows = published[published["org_code"] == code].set_index("month")[list(COUNTED)].reindex(span.names)
        if rows.isna().any(axis=None):
            month = rows.index[rows.isna().any(axis=1)][0]
            raise DataError(
                f"monthly_activity_return: no count of {code} in {month} to calibrate to; choose other months"
            )
        found[code] = np.rint(rows.to_numpy(dtype=np.float64) * share).astype(np.int64)
    return found, span


def _places(data: Path, population: pd.DataFrame, pcts: tuple[str, ...], world: World) -> dict[str, Place]:
    boroughs = read_table(data, "boroughs")
    deprivation = read_table(data, "deprivation_lsoa").sort_values(["borough_code", "lsoa_2001_code"])
    places = {}
    for number, code in enumerate(pcts):
        parts = sorted(boroughs.loc[boroughs["pct_code"] == code, "borough_code"])
        by_age = population[population["area_code"].isin(parts)].pivot(
            index="area_code", columns="age", values="persons"
        )
        rows = deprivation[deprivation["borough_code"].isin(parts)]
        of_part = rows["borough_code"].to_numpy()
        persons = by_age.loc[parts].to_numpy(dtype=np.int64)
        practices = max(1, round(int(persons.sum()) / world.people.persons_per_practice))
        places[code] = Place(
            code=code,
            persons=persons,
            lsoas=tuple(np.flatnonzero(of_part == part).astype(np.int32) for part in parts),
            lsoa_codes=tuple(rows["lsoa_2001_code"]),
            fifths=np.ceil(rows["imd_2010_rank"].to_numpy() * 5 / RANKED).astype(np.int8),
            practices=tuple(f"X{number:02d}{each:03d}" for each in range(practices)),
        )
    return places


def _mixes(world: World, care: Care, place: Place, span: Months) -> tuple[Choices, Choices]:
    """Subchapters to choose from, elective and emergency, by financial year and cell."""
    made = []
    kinds: tuple[tuple[int, Use], ...] = ((ORDINARY, "elective"), (EMERGENCY, "emergency"))
    for kind, use in kinds:
        start = care.profiles * care.allowed[kind].T
        need = need_by_cell(place, world.people, use)
        growth = care.treats_share @ _growth(world, care)
        tables = [
            fitted(start, need, care.national[int(kind == EMERGENCY)] * np.exp(growth * year))
            for year in _years_from_middle(span)
        ]
        made.append(Choices.of_table(np.concatenate(tables)))
    return made[0], made[1]


def _clinic_mix(world: World, care: Care, place: Place, span: Months) -> Choices:
    """Specialties to choose from for a first attendance, by financial year and cell."""
    clinics = world.outpatients.specialties
    share = np.zeros(len(care.treatment_functions))
    start = np.zeros((CELLS, len(share)))
    for code, clinic in clinics.items():
        if str(code) not in care.treatment_functions:
            near = nearest(str(code), care.treatment_functions)
            raise UserError(f"params/simulation/world.yml: outpatients.specialties: {code} is not known; {near}")
        column = care.treatment_functions.index(str(code))
        share[column] = clinic.share
        start[:, column] = np.repeat(by_class(world.profiles[clinic.ages]), 2)
        if code in WOMENS:
            start[::2, column] = 0.0
    need = need_by_cell(place, world.people, "outpatient")
    growth = _growth(world, care)
    tables = [fitted(start, need, share * np.exp(growth * year)) for year in _years_from_middle(span)]
    return Choices.of_table(np.concatenate(tables))


WOMENS = (501, 502)


def _growth(world: World, care: Care) -> Array:
    return np.array([world.growth.get(int(code), 0.0) for code in care.treatment_functions])


def _years_from_middle(span: Months) -> list[float]:
    years = int(span.year[-1]) + 1
    return [year - (years - 1) / 2 for year in range(years)]


ROUNDS = 60


def fitted(start: Array, rows: Array, columns: Array) -> Array:
    """`start` scaled until its rows and columns add up to the shares given, the rows exactly.

    Where both cannot hold, because too little of a column may stand in any row, rows win. Returns each row as shares
    of 1; a row of which nothing may stand is 0.
    """
    table = start.astype(np.float64)
    wanted_rows, wanted = rows / rows.sum(), columns / columns.sum()
    for _ in range(ROUNDS):
        found = table.sum(axis=0)
        table = table * np.divide(wanted, found, out=np.zeros_like(found), where=found > 0)
        found = table.sum(axis=1)
        scale = np.divide(wanted_rows, found, out=np.zeros_like(found), where=found > 0)
        table = table * scale[:, None]
    found = table.sum(axis=1, keepdims=True)
    return np.divide(table, found, out=np.zeros_like(table), where=found > 0)
