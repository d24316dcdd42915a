"""How deprived small areas are: Index of Multiple Deprivation 2007 and 2010, score and England rank.

Source: Communities and Local Government; London lower super output areas (LSOA, 2001).
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.tables.checking import CheckResult, compared, raise_failed, read_table

TABLE = "deprivation_lsoa"
LSOAS_IN_ENGLAND = 32_482
YEARS = (2007, 2010)


def load(data: Path) -> pd.DataFrame:
    """The table held to its description alone; `read` is what an analysis wants."""
    return read_table(data, TABLE)


def read(data: Path) -> pd.DataFrame:
    """One row for each LSOA: lsoa_2001_code, borough_code, imd_2007_score, imd_2007_rank, the same for 2010.

    Rank 1 is the most deprived of the 32,482 in England. Raises DataError where the file is wrong, or ranks
    and scores disagree.
    """
    frame = load(data)
    raise_failed(checks(frame, data), data)
    return frame


def checks(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """Do ranks follow scores, the highest score first, and are ranks shared by equal scores only?"""
    return [_order(frame, year) for year in YEARS]


def _order(frame: pd.DataFrame, year: int) -> CheckResult:
    score, rank = f"imd_{year}_score", f"imd_{year}_rank"
    ranked = frame.sort_values([rank, score], ascending=[True, False])
    before = ranked.shift()
    rises = ranked[score] > before[score]
    shares = ranked[rank].eq(before[rank]) & ranked[score].ne(before[score])
    rows = [
        f"{row['lsoa_2001_code']}: {rank} {row[rank]} does not fit {score} {row[score]}"
        for _, row in ranked[rises | shares].iterrows()
    ]
    return compared(TABLE, f"the {year} rank follows the score", f"{len(frame):,} LSOAs", rows)
