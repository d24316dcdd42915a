"""How many beds each hospital trust had, open and in use: what could be treated there overnight.

Source: Department of Health, KH03, London, the first quarter of 2010/11.
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.tables.checking import CheckResult, compared, read_table

TABLE = "beds"
SECTORS = ("general_and_acute", "learning_disability", "maternity", "mental_illness")
ROUNDING = 0.25
"""Published to one decimal: a total and four parts may differ by so much and be the same."""


def load(data: Path) -> pd.DataFrame:
    return read_table(data, TABLE)


def read(data: Path) -> pd.DataFrame:
    """A row for each quarter and provider: quarter, provider_code, provider_name, and average daily overnight beds as
    float64, `available_<sector>_beds` and `occupied_<sector>_beds` for each sector of care and `total`.

    Raises DataError where the file is wrong.
    """
    return load(data)


def checks(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """Are totals their parts, and no more beds in use than there are?"""
    return [_parts(frame, "available"), _parts(frame, "occupied"), _within(frame)]


def _parts(frame: pd.DataFrame, what: str) -> CheckResult:
    added = sum(frame[f"{what}_{sector}_beds"] for sector in SECTORS)
    total = frame[f"{what}_total_beds"]
    differing = frame[(added - total).abs() > ROUNDING]
    rows = [
        f"{row.quarter} {row.provider_code}: {what} beds are {total[row.Index]:.1f}, its sectors {added[row.Index]:.1f}"
        for row in differing.itertuples()
    ]
    rule = f"{what} beds are the sum of their sectors"
    return compared(TABLE, rule, f"{len(frame)} providers", rows, "known difference")


def _within(frame: pd.DataFrame) -> CheckResult:
    over = frame[frame["occupied_total_beds"] > frame["available_total_beds"]]
    rows = [
        f"{row.quarter} {row.provider_code}: {row.occupied_total_beds:.1f} of {row.available_total_beds:.1f}"
        for row in over.itertuples()
    ]
    rule = "no more beds are occupied than are available"
    return compared(TABLE, rule, f"{len(frame)} providers", rows, "known difference")
