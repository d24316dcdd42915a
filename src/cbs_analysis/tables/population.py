"""How many people live where, by age: for rates, age profiles and growth.

Source: Office for National Statistics mid-year estimates, London boroughs and England.
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.tables import reference
from cbs_analysis.tables.checking import CheckResult, compared, complete, raise_failed, read_table

TABLE = "population_by_age"
OLDEST = 90
AGES = frozenset(range(OLDEST + 1))


def load(data: Path) -> pd.DataFrame:
    """The table held to its description alone; `read` is what an analysis wants."""
    return read_table(data, TABLE, {"area_code": reference.ons_codes(data)})


def read(data: Path) -> pd.DataFrame:
    """Residents by area, year and age: area_code (ONS), mid_year, age (90 is 90 and over), persons.

    One row for each area, year and age. Raises DataError where the file or an age is wrong or missing.
    """
    frame = load(data)
    raise_failed(checks(frame, data), data)
    return frame


def totals(frame: pd.DataFrame) -> pd.DataFrame:
    """Residents of all ages: area_code, mid_year, persons."""
    return frame.groupby(["area_code", "mid_year"], as_index=False)["persons"].sum()


def checks(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """Is every age there in each area and year, and every year for each area?"""
    ages = frame.groupby(["area_code", "mid_year"])["age"].nunique()
    short = [
        f"{area} mid-{year}: {len(AGES) - number} of {len(AGES)} ages missing"
        for (area, year), number in ages[ages < len(AGES)].items()
    ]
    years = range(frame["mid_year"].min(), frame["mid_year"].max() + 1)
    checked = f"{len(ages)} areas and years"
    return [
        compared(TABLE, "every age from 0 to 90 and over is there", checked, short),
        complete(
            TABLE,
            "every area has every year",
            frame,
            {"area_code": frame["area_code"].unique(), "mid_year": years},
        ),
    ]
