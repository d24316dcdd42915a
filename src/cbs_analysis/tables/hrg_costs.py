"""What an episode of each healthcare resource group costs in England: prices to weigh kinds of care by.

Source: NHS England, National Cost Collection 2024/25. Modern prices and a later design of the groups: relative prices.
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.tables.checking import CheckResult, compared, read_table

TABLE = "hrg_reference_costs"


def load(data: Path) -> pd.DataFrame:
    return read_table(data, TABLE)


def read(data: Path) -> pd.DataFrame:
    """A row for each group and point of delivery: hrg_code, hrg_name, point_of_delivery, national_activity (episodes),
    national_unit_cost_gbp.

    Raises DataError where the file is wrong.
    """
    return load(data)


def checks(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """Has a group one name, however care was given?"""
    names = frame.groupby("hrg_code")["hrg_name"].nunique()
    rows = [f"{code}: {number} names" for code, number in names[names > 1].items()]
    return [compared(TABLE, "a group has one name", f"{len(names):,} groups", rows, "known difference")]
