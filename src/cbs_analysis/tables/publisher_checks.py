"""Does a table hold to what its publisher's own figures allow one to check? Totals and parts, gaps, order, agreement.

Which rules a table is checked by stands in its description in `data/datapackage.json`, under `checks`: each an entry
`{"rule": NAME, ...}` with the names of columns that it is about. A rule is a function of this module in `RULES`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cbs_analysis.errors import DataError, nearest
from cbs_analysis.periods import FREQUENCIES, Frequency, step_starts
from cbs_analysis.tables.descriptions import DESCRIPTION, TableDescription
from cbs_analysis.tables.schema_checks import CheckResult, Status, compared, complete, read_table

SUM_OF_PARTS = "equals the sum of its"


@dataclass(frozen=True)
class Checked:
    """What a rule looks at: a table as read, its description, and the data folder of the other tables."""

    frame: pd.DataFrame
    about: TableDescription
    data: Path

    @property
    def name(self) -> str:
        return self.about.table

    @property
    def time(self) -> str:
        """The column that says when, if the description names one by its frequency."""
        return next((column.name for column in self.about.columns if column.frequency), "")

    @property
    def area(self) -> str:
        """The column of the areas that rows are about: the first of the key that has kinds of area."""
        return next((column.name for column in self.about.columns if column.area_kinds), "")

    @property
    def frequency(self) -> Frequency:
        """The steps of its time; months where the description names none."""
        return FREQUENCIES.get(self.about.column(self.time).frequency, FREQUENCIES["month"])

    def by_step(self) -> "Checked":
        """The same with its time as the starts of steps. Raises DataError for a value that names none."""
        try:
            starts = step_starts(self.frame[self.time], self.frequency)
        except ValueError as error:
            raise DataError(f"{self.data.name}/{self.about.path}: {self.time}: {error}") from None
        return replace(self, frame=self.frame.assign(**{self.time: starts}))

    def when(self, value: Any) -> str:
        """A time as tables write it: 2010-04, 2010-Q2, a week by the date of its Monday, a year by its first."""
        if not isinstance(value, pd.Timestamp):
            return str(value)
        if self.frequency.name == "quarter":
            return f"{value.year}-Q{value.quarter}"
        return format(value, {"week": "%Y-%m-%d", "year": "%Y"}.get(self.frequency.name, "%Y-%m"))

    def row(self, row: Any) -> str:
        """A row by its time and its area, as messages name it: '2010-04 5LE'."""
        keys = [column for column in (self.time, self.area) if column] or list(self.about.key)
        return " ".join(self.when(row[key]) for key in keys)

    def areas(self) -> pd.DataFrame:
        return read_table(self.data, "areas").set_index("area_code")

    def codes_of(self, kinds: Sequence[str]) -> list[str]:
        areas = self.areas()
        return areas.index[areas["kind"].isin(list(kinds))].tolist()

    def successions(self) -> pd.DataFrame:
        try:
            return read_table(self.data, "area_successions")
        except DataError:
            return pd.DataFrame({"predecessor_code": [], "successor_code": [], "from_month": pd.to_datetime([])})


Rule = Callable[..., list[CheckResult]]


def sum_of_columns(
    checked: Checked,
    total: str,
    parts: Sequence[str],
    tolerance: float = 0.0,
    status: Status = "failed",
    text: str = "",
) -> list[CheckResult]:
    """A total is its parts, to within a tolerance for rounding; rows with an empty part are not checked."""
    frame = checked.frame
    added = frame[list(parts)].sum(axis=1, skipna=False)
    different = frame[(frame[total] - added).abs().fillna(0) > tolerance]
    rows = [
        f"{checked.row(row)}: {total} is {row[total]:,.12g}, its parts {added[line]:,.12g}"
        for line, row in different.iterrows()
    ]
    return [compared(checked.name, text or f"{total} is {' plus '.join(parts)}", _size(checked), rows, status)]


def not_more_than(
    checked: Checked, part: str, whole: str, status: Status = "failed", text: str = ""
) -> list[CheckResult]:
    """A part is not more than the whole that holds it."""
    rows = [
        f"{checked.row(row)}: {part} is {row[part]:,.12g}, {whole} {row[whole]:,.12g}"
        for _, row in checked.frame[checked.frame[part] > checked.frame[whole]].iterrows()
    ]
    return [compared(checked.name, text or f"{part} is not more than {whole}", _size(checked), rows, status)]


def in_order(checked: Checked, columns: Sequence[str], text: str) -> list[CheckResult]:
    """Each of these columns is no less than the one before it."""
    falls = (checked.frame[list(columns)].diff(axis=1).iloc[:, 1:] < 0).any(axis=1)
    rows = [f"{checked.row(row)}: out of order" for _, row in checked.frame[falls].iterrows()]
    return [compared(checked.name, text, _size(checked), rows)]


def every_combination(
    checked: Checked, columns: Sequence[str], text: str, status: Status = "gap", ranges: Mapping[str, Any] | None = None
) -> list[CheckResult]:
    """There is a row for each combination of the columns' values; `ranges` gives first and last of whole numbers.

    An area column stands for every area of the kinds that its description says are all there; years run without a gap.
    """
    wanted: dict[str, Any] = {}
    for column in columns:
        values = checked.frame[column]
        if ranges and column in ranges:
            low, high = ranges[column]
            wanted[column] = range(low, high + 1)
        elif all_of := checked.about.column(column).all_of_kinds:
            wanted[column] = sorted({*checked.codes_of(all_of), *values})
        elif column == checked.time and pd.api.types.is_integer_dtype(values):
            wanted[column] = range(int(values.min()), int(values.max()) + 1)
        elif column == checked.time and values.astype(str).str.fullmatch(r"\d{4}/\d{2}").all():
            first = values.str[:4].astype(int)
            wanted[column] = [f"{year}/{(year + 1) % 100:02d}" for year in range(first.min(), first.max() + 1)]
        else:
            wanted[column] = values.unique()
    return [complete(checked.name, text, checked.frame, wanted, status)]


def one_value(checked: Checked, of: str, for_each: str, text: str, status: Status = "failed") -> list[CheckResult]:
    """All rows of one key say the same."""
    different = checked.frame.groupby(for_each)[of].nunique()
    rows = [f"{key}: {number} different" for key, number in different[different > 1].items()]
    return [compared(checked.name, text, f"{len(different):,} of {for_each}", rows, status)]


def filled(checked: Checked, column: str, name: str, text: str) -> list[CheckResult]:
    """A column is filled in every row; where it is not, that is a gap."""
    rows = [f"{row[name]}: no {column}" for _, row in checked.frame[checked.frame[column].isna()].iterrows()]
    return [compared(checked.name, text, _size(checked), rows, "gap")]


def years_long(checked: Checked, column: str, years: int) -> list[CheckResult]:
    """A period such as 2008-2010 is so many years long."""
    periods = checked.frame[column].drop_duplicates()
    ends = periods.str.split("-", expand=True).astype(int)
    rows = [f"period {period}: not {years} years" for period in periods[ends[1] - ends[0] + 1 != years]]
    return [compared(checked.name, f"a period is {years} calendar years", f"{len(periods)} periods", rows)]


def rank_follows_score(checked: Checked, rank: str, score: str, name: str) -> list[CheckResult]:
    """The highest score has the first rank, and only equal scores share one."""
    ranked = checked.frame.sort_values([rank, score], ascending=[True, False])
    before = ranked.shift()
    rises = ranked[score] > before[score]
    shares = ranked[rank].eq(before[rank]) & ranked[score].ne(before[score])
    rows = [
        f"{row[name]}: {rank} {row[rank]} does not fit {score} {row[score]}"
        for _, row in ranked[rises | shares].iterrows()
    ]
    return [compared(checked.name, f"{rank} follows {score}", _size(checked), rows)]


def indirect_rate(
    checked: Checked, rate: str, observed: str, expected: str, standard: str, decimals: int
) -> list[CheckResult]:
    """A rate is observed over expected, times the rate of the standard area in the year of which its events are all
    expected.
    """
    frame, rounding = checked.frame, 0.5 * 10**-decimals
    text = f"{rate} is {observed} over {expected} times the rate of {standard} in the standard's year"
    own = frame[(frame[checked.area] == standard) & (frame[observed] == frame[expected])]
    if len(own) != 1:
        found = f"{standard}: {len(own)} years with {expected} equal to {observed}; there must be one"
        return [CheckResult(checked.name, text, "failed", found, (found,))]
    base = float(own[rate].iloc[0])
    worked = frame[observed] / frame[expected] * base
    tolerance = 2 * rounding * (1 + worked / base + worked / frame[expected])
    rows = [
        f"{checked.row(row)}: {rate} is {row[rate]}, from its parts {worked[line]:.2f}"
        for line, row in frame[(worked - frame[rate]).abs() > tolerance].iterrows()
    ]
    return [compared(checked.name, f"{text} ({own[checked.time].iloc[0]})", f"{len(frame)} rates", rows)]


def sum_of_parts(checked: Checked, total: str, columns: Sequence[str], decimals: int = 0) -> list[CheckResult]:
    """What is published for an area is the sum of the parts that `area_parts` gives one of its codes, each year that
    has all of them. Parts are the areas of the table's first kind.
    """
    frame, time = checked.frame, checked.time
    kinds = checked.about.column(checked.area).area_kinds
    codes = checked.codes_of(kinds[:1])
    parts = frame[frame[checked.area].isin(codes)].groupby(time)
    rows = frame[frame[checked.area] == total].set_index(time)
    whole = rows[parts[checked.area].nunique().reindex(rows.index) == len(codes)]
    results = []
    for column in columns:
        added = parts[column].sum().reindex(whole.index)
        is_rounded = not pd.api.types.is_integer_dtype(frame[column])
        tolerance = 0.5 * 10**-decimals * (len(codes) + 1) if is_rounded else 0
        different = whole[(whole[column] - added).abs() > tolerance]
        found = [
            f"{year} {row[checked.area]}: {column} is {row[column]:,.12g}, its parts {added[year]:,.12g}"
            for year, row in different.iterrows()
        ]
        results.append(compared(checked.name, f"{total} {column} {SUM_OF_PARTS} parts", f"{len(whole)} years", found))
    return results


def agrees_with(
    checked: Checked, column: str, table: str, other: str, on: Mapping[str, str], text: str
) -> list[CheckResult]:
    """A column is what another table has for the same keys, added up over its other columns. `on` names that table's
    column for each of this one's; a financial year there is the calendar year in which it begins.
    """
    theirs = read_table(checked.data, table).groupby(list(on.values()), as_index=False)[other].sum()
    keys = checked.frame[[*on, column]].copy()
    for mine, their in on.items():
        if keys[mine].dtype == object and pd.api.types.is_integer_dtype(theirs[their]):
            keys[mine] = keys[mine].str[:4].astype("int64")
    keys["row"] = [checked.row(row) for _, row in checked.frame.iterrows()]
    both = keys.merge(theirs, left_on=list(on), right_on=list(on.values()), suffixes=("", "_other"))
    there = f"{other}_other" if f"{other}_other" in both else other
    rows = [
        f"{row['row']}: {column} is {row[column]}, in {table} {row[there]}"
        for _, row in both[both[column] != both[there]].iterrows()
    ]
    return [compared(checked.name, text, f"{len(both)} rows", rows)]


def areas_in_their_time(checked: Checked) -> list[CheckResult]:
    """An area that became another has rows only while it exists, and its successor only from then on."""
    checked = checked.by_step()
    frame, successions, time, area = checked.frame, checked.successions(), checked.time, checked.area
    ended = frame.merge(successions, left_on=area, right_on="predecessor_code")
    begun = frame.merge(successions.drop_duplicates("successor_code"), left_on=area, right_on="successor_code")
    late, early = ended[ended[time] >= ended["from_month"]], begun[begun[time] < begun["from_month"]]
    rows = [f"{checked.row(row)}: outside its time" for _, row in pd.concat([late, early]).iterrows()]
    return [compared(checked.name, "an area has rows only while it exists", f"{len(ended) + len(begun)} rows", rows)]


def sum_of_areas(
    checked: Checked,
    total_kinds: Sequence[str],
    part_kinds: Sequence[str],
    parent: str = "",
    since: Mapping[str, str] | None = None,
) -> list[CheckResult]:
    """What is published for areas of one kind equals the sum of those of other kinds, in the months that have them all.

    `parent` is the column that says which total a part belongs to (all belong to the one total without it); `since`
    names parts that have rows only from a month on. Differences recorded in the description are known; others fail.
    """
    checked = checked.by_step()
    frame, time, area = checked.frame, checked.time, checked.area
    columns = measures(checked)
    kind = frame[area].map(checked.areas()["kind"])
    parts, totals = frame[kind.isin(list(part_kinds))], frame[kind.isin(list(total_kinds))]
    if totals.empty or parts.empty:
        return []
    expected = _rows_expected(checked, since or {})
    names = totals.drop_duplicates(area).set_index(area)
    known = {(one.org_code, one.month, one.column, one.difference) for one in checked.about.known_differences}
    results = []
    for code, published in totals.groupby(area):
        own = parts[parts[parent] == code] if parent else parts
        codes = own[area].unique()
        if not len(codes):
            continue
        needed = expected[expected[area].isin(codes)].groupby(time).size()
        grouped = own.groupby(time)[columns]
        is_complete = grouped.count().eq(needed.reindex(grouped.size().index), axis=0)
        added = grouped.sum(min_count=1).where(is_complete)
        values = published.set_index(time)[columns]
        difference = (values - added.reindex(values.index)).stack()
        kept: list[str] = []
        wrong: list[str] = []
        for (month, column), number in difference[difference != 0].items():
            text = (
                f"{checked.when(month)} {code}: {column} is {values.at[month, column]:,.0f}, "
                f"its parts {added.at[month, column]:,.0f}"
            )
            is_known = (code, checked.when(month), column, number) in known
            (kept if is_known else wrong).append(text)
        label = names.loc[code].get("org_name", code)
        rule = f"{label} ({code}) {SUM_OF_PARTS} parts"
        size = f"{len(codes)} parts, {len(difference):,} totals"
        results.append(compared(checked.name, rule, size, wrong or kept, "failed" if wrong else "known difference"))
    return results


def every_step(checked: Checked, since: Mapping[str, str] | None = None) -> list[CheckResult]:
    """Every area has a row in every month of its time; where it has not, that is a gap."""
    checked = checked.by_step()
    time, area = checked.time, checked.area
    expected = _rows_expected(checked, since or {})
    both = expected.merge(checked.frame[[time, area]], how="left", indicator=True)
    absent = both[both["_merge"] == "left_only"]
    per_step = both.groupby(time).size()
    rows = []
    for step, missing in absent.groupby(time)[area]:
        whole = len(missing) == per_step[step]
        each = [f"{checked.when(step)} {code}: no row" for code in missing]
        rows += [f"{checked.when(step)}: no row of any area"] if whole else each
    return [
        compared(
            checked.name,
            f"every area has a row in every {checked.frequency.name}",
            f"{len(expected):,} rows",
            rows,
            "gap",
        )
    ]


def every_cell(checked: Checked) -> list[CheckResult]:
    """Every cell of a measure is filled; where it is not, that is a gap."""
    frame, time, area, columns = checked.frame, checked.time, checked.area, measures(checked)
    rows = []
    size = frame.groupby(time).size()
    for column in columns:
        empty = frame[frame[column].isna()]
        for step, codes in empty.groupby(time)[area]:
            each = [f"{checked.when(step)} {code}: {column} is empty" for code in codes]
            whole = len(codes) == size[step]
            rows += [f"{checked.when(step)}: {column} is empty for every area"] if whole else each
    return [compared(checked.name, "every cell is filled", f"{frame[columns].size:,} cells", rows, "gap")]


RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        sum_of_columns, not_more_than, in_order, every_combination, one_value, filled, years_long, rank_follows_score,
        indirect_rate, sum_of_parts, agrees_with, areas_in_their_time, sum_of_areas, every_step, every_cell,
    )
}  # fmt: skip
ACROSS = ("agrees_with",)
"""Rules that read another table: `cbs check` and the plan of a run apply them, a notebook that reads the table not."""


def measures(checked: Checked) -> list[str]:
    """The counted columns: numbers that are not in the key and are not a time."""
    return [
        column.name
        for column in checked.about.columns
        if column.kind in ("integer", "number") and column.name not in checked.about.key and not column.frequency
    ]


def own_checks(frame: pd.DataFrame, about: TableDescription, data: Path) -> list[CheckResult]:
    """The results of the rules that look at this table alone."""
    return _results(frame, about, data, [rule for rule in about.checks if rule["rule"] not in ACROSS])


def all_checks(
    frame: pd.DataFrame, about: TableDescription, data: Path, tables: Sequence[str] | None = None
) -> list[CheckResult]:
    """The results of every rule of a table, less those about a table that is not among `tables`."""
    rules = [
        rule for rule in about.checks
        if rule["rule"] not in ACROSS or tables is None or rule.get("table") in tables
    ]  # fmt: skip
    return _results(frame, about, data, rules)


def _results(
    frame: pd.DataFrame, about: TableDescription, data: Path, rules: Sequence[Mapping[str, Any]]
) -> list[CheckResult]:
    results: list[CheckResult] = []
    for entry in rules:
        where = f"{data.name}/{DESCRIPTION}, {about.table}: checks"
        name = entry["rule"]
        if name not in RULES:
            raise DataError(f"{where}: {name!r} is not a rule; {nearest(name, RULES)}")
        given = {key: value for key, value in entry.items() if key != "rule"}
        try:
            results += RULES[name](Checked(frame, about, data), **given)
        except (TypeError, KeyError) as error:
            raise DataError(f"{where}: {name}: {' '.join(str(error).split())}") from None
    return results


def _rows_expected(checked: Checked, since: Mapping[str, str]) -> pd.DataFrame:
    """Rows that a table by month and area should have: each area in the months of its time."""
    frame, successions, time, area = checked.frame, checked.successions(), checked.time, checked.area
    first = frame[time].min()
    months = list(pd.date_range(first, frame[time].max(), freq=checked.frequency.starting(first.month).alias))
    ends = successions.set_index("predecessor_code")["from_month"].to_dict()
    begins = successions.groupby("successor_code")["from_month"].max().to_dict()
    begins |= {code: pd.Timestamp(f"{month}-01") for code, month in since.items()}
    rows = [
        (month, code)
        for code in frame[area].unique()
        for month in months
        if begins.get(code, months[0]) <= month and (code not in ends or month < ends[code])
    ]
    return pd.DataFrame(rows, columns=[time, area])


def _size(checked: Checked) -> str:
    return f"{len(checked.frame):,} rows"
