"""The feeds: one module for each, which reads its table, checks it, and returns a frame.

`check_all` is the account of every check over every table, failures included, for whoever must decide whether
the figures may be used.
"""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pandas as pd

from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.files import stamp as stamp_of
from cbs_analysis.home import files_under
from cbs_analysis.prepared import descriptions
from cbs_analysis.tables import (
    activity,
    beds,
    commissioning_paper,
    deprivation,
    emergency_admissions,
    hrg_costs,
    lead_commissioners,
    life_expectancy,
    population,
    population_change,
    prepared,
    reference,
)
from cbs_analysis.tables.catalogue import Source, source, sources
from cbs_analysis.tables.checking import SCHEMA_RULE, CheckResult, read_table, schema_result

__all__ = ["READERS", "READ_EVENT", "CheckResult", "Source", "check_all", "is_settled", "read", "source",
           "sources", "stamp"]  # fmt: skip


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
    beds,
    hrg_costs,
    lead_commissioners,
)
READERS: Mapping[str, Feed] = {feed.TABLE: feed for feed in _FEEDS}
READ_EVENT = "cbs_analysis.tables.read"
NANOSECONDS_TO_SETTLE = 2_000_000_000

Stamp = tuple[tuple[str, tuple[int, ...]], ...]
_read: dict[str, tuple[tuple[Path, Stamp], pd.DataFrame]] = {}


def read(table: str, data: Path) -> pd.DataFrame:
    """A table by its name in the data catalogue, checked on the way in. Do not change its values in place.

    Read and checked once for as long as no file of the data folder changes. Raises DataError where it does not pass,
    UserError where no feed or reference table has that name. Raises the auditing event READ_EVENT with the table.
    """
    sys.audit(READ_EVENT, table)
    now = data, stamp(data)
    known = _read.get(table)
    if known is None or known[0] != now:
        known = now, _checked(table, data)
        if is_settled(now[1]):
            _read[table] = known
    return known[1].copy(deep=False)


def _checked(table: str, data: Path) -> pd.DataFrame:
    if table in READERS:
        return READERS[table].read(data)
    if table in reference.TABLES:
        return read_table(data, table)
    if table in prepared.TABLES:
        return prepared.read(table, data)
    known = [*READERS, *reference.TABLES, *prepared.TABLES]
    raise UserError(f"table: {table!r} is not a source; {nearest(table, known)}")


def stamp(folder: Path) -> Stamp:
    """Which files lie in a folder, each with its stamp."""
    return tuple((str(path), stamp_of(path)) for path in files_under(folder))


def is_settled(found: Stamp) -> bool:
    """A file changed just now may change again without its time saying so: clocks of file systems are coarse."""
    return all(times[-1] < time.time_ns() - NANOSECONDS_TO_SETTLE for _, times in found if times)


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
    return results + [_prepared(table, data) for table in descriptions(data)]


def _prepared(table: str, data: Path) -> CheckResult:
    """A table made from hospital records is there, with the columns described: it was checked when it was made."""
    try:
        return schema_result(table, prepared.read(table, data))
    except DataError as error:
        return CheckResult(table, SCHEMA_RULE, "failed", str(error), (str(error),))
