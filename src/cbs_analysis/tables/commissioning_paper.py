"""What London's PCTs argued from in 2006, to set beside what the published tables give.

Source: the London commissioning paper of 2006, with its paragraph numbers.
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.tables.checking import CheckResult, read_table

TABLE = "commissioning_paper_2006"


def load(data: Path) -> pd.DataFrame:
    return read_table(data, TABLE)


def read(data: Path) -> pd.DataFrame:
    """The paper's figures: paragraph, measure, area_name, value, unit (of the row's value), paper_year.

    Raises DataError where the file is wrong.
    """
    return load(data)


def checks(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """None: the paper prints no totals to check its figures against."""
    return []
