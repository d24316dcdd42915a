"""How long people live: life expectancy at birth by sex, over rolling three-year periods.

Source: Office for National Statistics, by way of the London Datastore; London boroughs, London and England.
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.tables import reference
from cbs_analysis.tables.checking import CheckResult, compared, complete, raise_failed, read_table

TABLE = "life_expectancy"


def load(data: Path) -> pd.DataFrame:
    """The table held to its description alone; `read` is what an analysis wants."""
    return read_table(data, TABLE, {"area_code": reference.ons_codes(data)})


def read(data: Path) -> pd.DataFrame:
    """Life expectancy at birth: area_code (ONS), sex (female, male), period, life_expectancy_years.

    It comes from a life table: never add or average it over areas. Raises DataError where the file is wrong.
    """
    frame = load(data)
    raise_failed(checks(frame, data), data)
    return frame


def checks(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """Are periods three years long, and is there a value for each area, sex and period?"""
    periods = frame["period"].drop_duplicates()
    years = periods.str.split("-", expand=True).astype(int)
    wrong = [f"period {period}: not three years" for period in periods[years[1] - years[0] != 2]]
    wanted = {"area_code": reference.ons_codes(data).values, "sex": frame["sex"].unique(), "period": periods}
    return [
        compared(TABLE, "a period is three calendar years", f"{len(periods)} periods", wrong),
        complete(TABLE, "every area has a value for each sex and period", frame, wanted),
    ]
