"""The feeds: one module for each, which reads its table, checks it, and returns a frame.

`check_all` is the account of every check over every table, failures included, for whoever must decide whether
the figures may be used.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pandas as pd

from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.sources import (
    activity,
    commissioning_paper,
    deprivation,
    emergency_admissions,
    life_expectancy,
    population,
    population_change,
    reference,
)
from cbs_analysis.sources.catalogue import Source, source, sources
from cbs_analysis.sources.checking import SCHEMA_RULE, CheckResult, read_table, schema_result

__all__ = ["READERS", "CheckResult", "Source", "check_all", "read", "source", "sources"]


class Feed(Protocol):
    """What every feed module offers."""

    TABLE: str

    def load(self, data: Path) -> pd.DataFrame: ...

    def read(self, data: Path) -> pd.DataFrame: ...

    def checks(self, frame: pd.DataFrame, data: Path) -> list[CheckResult]: ...


_FEEDS: tuple[Feed, ...] = (
    activity,
    population,
    population_change,
    life_expectancy,
    deprivation,
    emergency_admissions,
    commissioning_paper,
)
READERS: Mapping[str, Feed] = {feed.TABLE: feed for feed in _FEEDS}


def read(table: str, data: Path) -> pd.DataFrame:
    """A table by its name in the data catalogue, checked on the way in.

    Raises DataError where it does not pass, UserError where no feed or reference table has that name.
    """
    if table in READERS:
        return READERS[table].read(data)
    if table in reference.TABLES:
        return read_table(data, table)
    raise UserError(f"table: {table!r} is not a source; {nearest(table, [*READERS, *reference.TABLES])}")


def check_all(data: Path) -> list[CheckResult]:
    """Every check over every table of the data folder, reference tables first.

    A table that cannot be read is a failed result and stops no other.
    """
    results = reference.check(data)
    for table, feed in READERS.items():
        try:
            frame = feed.load(data)
            results.append(schema_result(table, frame))
            results += feed.checks(frame, data)
        except DataError as error:
            results.append(CheckResult(table, SCHEMA_RULE, "failed", str(error), (str(error),)))
    return results
