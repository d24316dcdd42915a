"""Is a table what its description says? If not, one line says what is wrong, where, and what would be right.

Every file is read through `read_table`, which checks columns, types, ranges, keys and codes against
`data/datapackage.json` with pandera. What a publisher's own totals allow beside that is in `publisher_checks`.
"""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from cbs_analysis.errors import DataError, nearest
from cbs_analysis.tables.csv_files import read_cells
from cbs_analysis.tables.descriptions import ColumnDescription, TableDescription, table_description

Status = Literal["passed", "known difference", "gap", "failed"]

SCHEMA_RULE = "columns, types, ranges, keys and codes are as described"
WRITTEN = {"integer": re.compile(r"-?[0-9]+"), "number": re.compile(r"-?[0-9]+(\.[0-9]+)?")}


@dataclass(frozen=True)
class CheckResult:
    """What one rule found in one table.

    A `known difference` is the publisher's own, and kept; a `gap` is a figure that is not there, kept as
    missing. `rows` names the rows concerned, one line each.
    """

    table: str
    rule: str
    status: Status
    found: str
    rows: tuple[str, ...] = ()


class Codes(NamedTuple):
    """The codes a column may hold, and where they are listed."""

    values: frozenset[str]
    listed_in: str


class Fault(NamedTuple):
    """One cell, or one row where `column` is empty, that breaks a rule."""

    line: int
    column: str
    value: str
    rule: str


def compared(table: str, rule: str, checked: str, rows: Sequence[str], status: Status = "failed") -> CheckResult:
    """The result of a rule over what was `checked`: passed without `rows`, else `status` with them."""
    if not rows:
        return CheckResult(table, rule, "passed", f"{checked}: no exception")
    number = f"{len(rows):,} exception{'s' if len(rows) > 1 else ''}"
    return CheckResult(table, rule, status, f"{checked}: {number}", tuple(rows))


def complete(
    table: str, rule: str, frame: pd.DataFrame, wanted: Mapping[str, Iterable[Hashable]], status: Status = "gap"
) -> CheckResult:
    """Has `frame` a row for every combination of the `wanted` values of its columns? If not, a gap, or as `status`."""
    every = pd.MultiIndex.from_product([list(values) for values in wanted.values()])
    absent = every.difference(pd.MultiIndex.from_frame(frame[list(wanted)]))
    rows = [f"{' '.join(str(value) for value in key)}: no row" for key in absent]
    return compared(table, rule, f"{len(every):,} combinations", rows, status)


def schema_result(table: str, frame: pd.DataFrame) -> CheckResult:
    return CheckResult(table, SCHEMA_RULE, "passed", f"{len(frame):,} rows, {frame.shape[1]} columns")


def raise_failed(results: Iterable[CheckResult], data: Path) -> None:
    """Raises DataError for the first failed rule, with its first row, where any failed."""
    failed = [result for result in results if result.status == "failed"]
    if failed:
        first = failed[0]
        more = _more(sum(len(result.rows) for result in failed) - 1)
        shown = _shown(data, table_description(first.table, data))
        raise DataError(f"{shown}, {first.rows[0]}; must hold: {first.rule}{more}")


def column_codes(data: Path, table: str, *columns: str) -> Codes:
    """The codes that stand in `columns` of a table, empty cells left out."""
    about = table_description(table, data)
    cells = _cells(data, about)
    values = {value for column in columns for value in cells[column]} - {""}
    return Codes(frozenset(values), _shown(data, about))


def area_codes(data: Path, kinds: Sequence[str]) -> Codes:
    """The codes of areas of these kinds, or of every area where none is named."""
    about = table_description("areas", data)
    cells = _cells(data, about)
    codes = cells.loc[cells["kind"].isin(list(kinds)), "area_code"] if kinds else cells["area_code"]
    listed = f"{_shown(data, about)} of kind {' or '.join(kinds)}" if kinds else _shown(data, about)
    return Codes(frozenset(codes), listed)


def read_table(data: Path, table: str) -> pd.DataFrame:
    """A table of the data folder, checked against its description; columns as described there.

    Text is str or None, months are datetime64 at the month's start, numbers are float64 with NaN where empty;
    whole numbers that may not be empty are int64. Codes must be those of the description's foreign keys and kinds of
    area. Raises DataError for the first fault, and says how many more there are.
    """
    about = table_description(table, data)
    allowed = {
        **{key.column: column_codes(data, key.table, key.other_column) for key in about.foreign_keys},
        **{column.name: area_codes(data, column.area_kinds) for column in about.columns if column.area_kinds},
    }
    cells = _cells(data, about)
    typed, faults = _typed(cells, about)
    if not faults:
        faults = _schema_faults(typed, cells, about, allowed)
    if faults:
        raise DataError(_message(_shown(data, about), faults))
    return _finished(typed, about)


def _cells(data: Path, about: TableDescription) -> pd.DataFrame:
    columns = [column.name for column in about.columns]
    return read_cells(data / about.path, _shown(data, about), columns, may_be_empty=about.is_reference)


def _shown(data: Path, about: TableDescription) -> str:
    return f"{data.name}/{about.path}"


def _typed(cells: pd.DataFrame, about: TableDescription) -> tuple[pd.DataFrame, list[Fault]]:
    typed: dict[str, pd.Series] = {}
    faults: list[Fault] = []
    for column in about.columns:
        texts = cells[column.name]
        if column.kind in WRITTEN:
            typed[column.name], unreadable = _numbers(texts, column.kind)
            faults += [Fault(line, column.name, texts[line], _must_be(column)) for line in texts.index[unreadable]]
        else:
            typed[column.name] = texts.where(texts.ne(""), None)
    return pd.DataFrame(typed), faults


def _numbers(texts: pd.Series, kind: str) -> tuple[pd.Series, pd.Series]:
    """Values as float64, and which cells are not numbers. Each different text is looked at once."""
    which, different = pd.factorize(texts)
    well_formed = np.array([not text or bool(WRITTEN[kind].fullmatch(text)) for text in different], dtype=bool)
    values = pd.to_numeric(pd.Series(different), errors="coerce").to_numpy(dtype="float64")
    values[~well_formed] = np.nan
    unreadable = ~well_formed | np.isinf(values)
    return pd.Series(values[which], index=texts.index), pd.Series(unreadable[which], index=texts.index)


def _schema_faults(
    typed: pd.DataFrame, cells: pd.DataFrame, about: TableDescription, allowed: Mapping[str, Codes]
) -> list[Fault]:
    import pandera.errors
    import pandera.pandas as pa

    schema = pa.DataFrameSchema(
        {column.name: _column_schema(column, allowed.get(column.name)) for column in about.columns},
        strict=True,
        ordered=True,
        unique=list(about.key),
        report_duplicates="exclude_first",
    )
    try:
        schema.validate(typed, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return _faults(errors.failure_cases, typed, cells, about, allowed)
    return []


def _column_schema(column: ColumnDescription, codes: Codes | None) -> Any:
    import pandera.pandas as pa

    checks = []
    if column.kind in WRITTEN:
        if column.minimum is not None:
            checks.append(pa.Check.ge(column.minimum))
        if column.maximum is not None:
            checks.append(pa.Check.le(column.maximum))
        return pa.Column("float64", checks, nullable=not column.required)
    if column.kind == "yearmonth":
        checks.append(pa.Check.str_matches(r"^[0-9]{4}-(0[1-9]|1[0-2])$"))
    if column.pattern:
        checks.append(pa.Check.str_matches(column.pattern))
    if column.choices:
        checks.append(pa.Check.isin(column.choices))
    if codes:
        checks.append(pa.Check(lambda values: values.isin(codes.values), name="known_code"))
    return pa.Column(object, checks, nullable=not column.required)


def _faults(
    cases: pd.DataFrame, typed: pd.DataFrame, cells: pd.DataFrame, about: TableDescription, allowed: Mapping[str, Codes]
) -> list[Fault]:
    columns = {column.name: column for column in about.columns}
    faults: dict[tuple[int, str], Fault] = {}
    for case in cases.itertuples():
        if case.column not in columns or pd.isna(case.index) or case.check == "multiple_fields_uniqueness":
            continue
        line, name = int(case.index), str(case.column)
        value = cells.at[line, name]
        rule = _must_be(columns[name])
        if case.check == "known_code":
            rule = f"a code in {allowed[name].listed_in}; {nearest(value, allowed[name].values)}"
        faults.setdefault((line, name), Fault(line, name, value, rule))
    key = list(about.key)
    for line in typed.index[typed.duplicated(key)]:
        same = typed[key].eq(typed.loc[line, key]).all(axis=1)
        values = ", ".join(f"{name} {cells.at[line, name]}" for name in key)
        faults[(line, "")] = Fault(line, "", values, f"unique, and stands on line {same.idxmax()} already")
    return sorted(faults.values())


def _must_be(column: ColumnDescription) -> str:
    empty = "" if column.required else ", or empty"
    if column.choices:
        return f"one of {', '.join(column.choices)}{empty}"
    if column.kind in WRITTEN:
        noun = "a whole number" if column.kind == "integer" else "a number"
        if column.minimum is not None and column.maximum is not None:
            return f"{noun} from {column.minimum} to {column.maximum}{empty}"
        return f"{noun}{'' if column.minimum is None else f', {column.minimum} or more'}{empty}"
    return f"written like {column.example}{empty}" if column.example else f"some text{empty}"


def _message(shown: str, faults: Sequence[Fault]) -> str:
    first = faults[0]
    subject = f"{first.column} is {first.value!r}" if first.value else f"{first.column} is empty"
    if not first.column:
        subject = f"duplicate key {first.value}"
    return f"{shown}, line {first.line}: {subject}, must be {first.rule}{_more(len(faults) - 1)}"


def _more(number: int) -> str:
    return f" (and {number} more)" if number > 0 else ""


def _finished(typed: pd.DataFrame, about: TableDescription) -> pd.DataFrame:
    frame = typed.reset_index(drop=True)
    for column in about.columns:
        if column.kind == "yearmonth":
            frame[column.name] = pd.to_datetime(frame[column.name], format="%Y-%m")
        elif column.kind == "integer" and column.required:
            frame[column.name] = frame[column.name].astype("int64")
    return frame
