"""Tables: data sets with a description, read from the home's `data` folder and checked on the way in.

`read` gives one table; `check_tables` is the account of every check over the tables asked for, failures included, for
whoever must decide whether the figures may be used.
"""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cbs_analysis.errors import DataError
from cbs_analysis.files import stamp as stamp_of
from cbs_analysis.home import files_under
from cbs_analysis.tables import derived
from cbs_analysis.tables.descriptions import TableDescription, table_description, table_descriptions

if TYPE_CHECKING:
    import pandas as pd

    from cbs_analysis.tables.schema_checks import CheckResult

__all__ = ["READ_EVENT", "TableDescription", "check_tables", "is_settled", "read", "stamp", "table_description",
           "table_descriptions"]  # fmt: skip

READ_EVENT = "cbs_analysis.tables.read"
NANOSECONDS_TO_SETTLE = 2_000_000_000
TREES = "geographies"

Stamp = tuple[tuple[str, tuple[int, ...]], ...]
_read: "dict[str, tuple[tuple[Path, Stamp], pd.DataFrame]]" = {}


def read(table: str, data: Path) -> "pd.DataFrame":
    """A table by its name in the data catalogue, checked on the way in. Do not change its values in place.

    Read and checked once for as long as no file of the data folder, or of the record store in use, changes. Raises
    DataError where it does not pass, UserError where no table has that name. Raises the auditing event READ_EVENT with
    the table.
    """
    sys.audit(READ_EVENT, table)
    now = data, stamp(data) + (_stamp_of_store() if table in derived.TABLES else ())
    known = _read.get(table)
    if known is None or known[0] != now:
        known = now, _checked(table, data)
        if is_settled(now[1]):
            _read[table] = known
    return known[1].copy(deep=False)


def _checked(table: str, data: Path) -> "pd.DataFrame":
    from cbs_analysis.tables.publisher_checks import own_checks
    from cbs_analysis.tables.schema_checks import raise_failed, read_table

    if table in derived.TABLES:
        return derived.read(table)
    about = table_description(table, data)
    frame = read_table(data, table)
    raise_failed(own_checks(frame, about, data), data)
    return frame


def stamp(folder: Path) -> Stamp:
    """Which files lie in a folder, each with its stamp."""
    return tuple((str(path), stamp_of(path)) for path in files_under(folder))


def _stamp_of_store() -> Stamp:
    return tuple((str(path), stamp_of(path)) for path in derived.files())


def is_settled(files: Stamp) -> bool:
    """A file changed just now may change again without its time saying so: clocks of file systems are coarse."""
    return all(times[-1] < time.time_ns() - NANOSECONDS_TO_SETTLE for _, times in files if times)


def check_tables(data: Path, tables: Iterable[str] | None = None) -> "list[CheckResult]":
    """Every check over the reference tables and these others, or over all that are described.

    A table that cannot be read is a failed result and stops no other.
    """
    from cbs_analysis.geography import geography_names

    described = table_descriptions(data)
    wanted = {about.table for about in described} if tables is None else set(tables)
    results: list[CheckResult] = []
    for about in sorted(described, key=lambda each: not each.is_reference):
        if about.is_reference or about.table in wanted:
            results += _results(about, data, sorted(wanted))
        if about.table == TREES and not any(result.status == "failed" for result in results):
            results += [_tree(data, name) for name in geography_names(data)]
    return results


def _results(about: TableDescription, data: Path, tables: list[str]) -> "list[CheckResult]":
    from cbs_analysis.tables.publisher_checks import all_checks
    from cbs_analysis.tables.schema_checks import SCHEMA_RULE, CheckResult, read_table, schema_result

    table = about.table
    try:
        if table in derived.TABLES:
            return [schema_result(table, derived.read(table))]
        frame = read_table(data, table)
        return [schema_result(table, frame), *_to_complete(about), *all_checks(frame, about, data, tables)]
    except DataError as error:
        return [CheckResult(table, SCHEMA_RULE, "failed", str(error), (str(error),))]


def _to_complete(about: TableDescription) -> "list[CheckResult]":
    from cbs_analysis.tables.schema_checks import CheckResult

    rows = [f"{part}: still to complete" for part in about.to_complete]
    rule = "its description is complete"
    return [CheckResult(about.table, rule, "gap", f"{len(rows)} still TO COMPLETE", tuple(rows))] if rows else []


def _tree(data: Path, name: str) -> "CheckResult":
    import pandas as pd

    from cbs_analysis.geography import load_geography
    from cbs_analysis.tables.schema_checks import CheckResult, compared

    rule = f"{name} is one tree, and no two of its areas share a name"
    try:
        areas = load_geography(name, data).areas.values()
    except DataError as error:
        return CheckResult(TREES, rule, "failed", str(error), (str(error),))
    names = pd.Series([area.name for area in areas], dtype=object)
    shared = [f"{name}: {shared!r} names two areas" for shared in sorted(set(names[names.duplicated()]))]
    return compared(TREES, rule, f"{len(names)} areas", shared)
