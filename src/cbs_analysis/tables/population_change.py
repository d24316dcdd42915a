"""Why the population changes: births, deaths and net migration, by borough and year.

Source: Office for National Statistics, components of change.
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.tables import population
from cbs_analysis.tables.checking import CheckResult, compared, complete, raise_failed, read_table

TABLE = "population_change"


def load(data: Path) -> pd.DataFrame:
    """The table held to its description alone; `read` is what an analysis wants."""
    return read_table(data, TABLE)


def read(data: Path) -> pd.DataFrame:
    """Components of change, one row for each borough and year to mid-year.

    Columns: borough_code, mid_year, population, births, deaths, internal_net_migration,
    international_net_migration, all in persons. Raises DataError where the file is wrong, or a population is
    not the one published by age.
    """
    frame = load(data)
    raise_failed(checks(frame, data), data)
    return frame


def checks(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """Does each population equal the one published by age, and is every year there for each borough?"""
    by_age = population.totals(population.load(data)).rename(columns={"area_code": "borough_code"})
    both = frame.merge(by_age, on=["borough_code", "mid_year"])
    wrong = both[both["population"] != both["persons"]]
    differing = [
        f"{row.borough_code} mid-{row.mid_year}: population is {row.population}, by age {row.persons}"
        for row in wrong.itertuples()
    ]
    years = range(frame["mid_year"].min(), frame["mid_year"].max() + 1)
    boroughs = frame["borough_code"].unique()
    return [
        compared(TABLE, "population equals the sum of its ages", f"{len(both)} boroughs and years", differing),
        complete(TABLE, "every borough has every year", frame, {"borough_code": boroughs, "mid_year": years}),
    ]
