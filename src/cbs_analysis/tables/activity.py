"""What was done, month by month: admissions, referrals and first outpatient attendances by commissioner.

Source: the Department of Health's Monthly Activity Return, commissioner based. Counts are of general and
acute specialties; admissions are first finished consultant episodes. An empty cell or absent row is missing,
never zero.
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.errors import DataError, nearest
from cbs_analysis.tables import reference
from cbs_analysis.tables.catalogue import source
from cbs_analysis.tables.checking import CheckResult, compared, raise_failed, read_table

TABLE = "monthly_activity_return"
PCT, SHA, ENGLAND, NATIONAL_GROUP = "pct", "sha", "england", "national_commissioning_group"
KEY_COLUMNS = ("month", "org_type", "org_code", "org_name", "sha_code")
SUM_OF_PCTS = "equals the sum of its PCTs"


def load(data: Path) -> pd.DataFrame:
    """The table held to its description alone; `read` is what an analysis wants."""
    frame = read_table(data, TABLE, {"org_code": reference.activity_codes(data)})
    return frame.astype(dict.fromkeys(measures(frame), "float64"))


def read(data: Path) -> pd.DataFrame:
    """One row for each month and organisation that has one; a month that is absent stays absent.

    Columns: month (datetime64, its first day), org_type (england, sha, pct, national_commissioning_group),
    org_code, org_name, sha_code (of PCTs, else None), and each measure as float64 with NaN where empty.
    Raises DataError where the file is wrong, or a total is not its parts and that difference is not known to
    be the publisher's.
    """
    frame = load(data)
    raise_failed(checks(frame, data), data)
    return frame


def measures(frame: pd.DataFrame) -> list[str]:
    """The counted columns of the return."""
    return [column for column in frame.columns if column not in KEY_COLUMNS]


def leaf_activity(frame: pd.DataFrame, successions: pd.DataFrame) -> pd.DataFrame:
    """Activity of every PCT of today, a row for every PCT and month: area_code, month, and the measures.

    A successor's history is the sum of its predecessors. A count is NaN in a month for which the return has
    no row of the PCT, or of any one predecessor: gaps are neither bridged nor filled.
    """
    pcts = frame[frame["org_type"] == PCT]
    successor = successions.set_index("predecessor_code")["successor_code"]
    folded = pcts.assign(area_code=pcts["org_code"].replace(successor.to_dict()))
    grouped = folded.groupby(["area_code", "month"])[measures(frame)]
    totals, present = grouped.sum(min_count=1), grouped.count()
    expected = _rows_expected(totals.index, successions)
    every = pd.MultiIndex.from_product([sorted(folded["area_code"].unique()), _months(frame)], names=totals.index.names)
    return totals.where(present.eq(expected, axis=0)).reindex(every).reset_index()


def published_row(frame: pd.DataFrame, activity_code: str) -> pd.DataFrame:
    """One organisation's own row in every month: month, and the measures, NaN where there is no row.

    Raises DataError where the return has no row with this code at all.
    """
    rows = frame[frame["org_code"] == activity_code]
    if rows.empty:
        near = nearest(activity_code, frame["org_code"].unique())
        raise DataError(f"{TABLE}: org_code {activity_code!r} has no row; {near}")
    every = _months(frame)
    return rows.set_index("month")[measures(frame)].reindex(every).rename_axis("month").reset_index()


def checks(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """Do totals equal their parts, is every month there for each organisation, and is every cell filled?"""
    successions = reference.successions(data)
    expected = _expected(frame, successions)
    return [
        _codes_in_their_time(frame, successions),
        *_authorities(frame, expected, data),
        _england(frame),
        _parts(frame, "elective_total_admissions", "elective_ordinary_admissions", "elective_daycase_admissions"),
        _parts(frame, "planned_total_admissions", "planned_ordinary_admissions", "planned_daycase_admissions"),
        _within(frame, "gp_referrals_made", "gp_referrals_made_all_specialties"),
        _within(frame, "gp_referrals_seen", "gp_referrals_seen_all_specialties"),
        _months_there(frame, expected),
        _cells_there(frame),
    ]


def _months(frame: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.date_range(frame["month"].min(), frame["month"].max(), freq="MS", name="month")


def _rows_expected(index: pd.MultiIndex, successions: pd.DataFrame) -> list[int]:
    """How many rows make up each area's month: one, or its predecessors' before it began."""
    began = successions.groupby("successor_code")["from_month"].max().to_dict()
    predecessors = successions["successor_code"].value_counts().to_dict()
    return [predecessors[area] if area in began and month < began[area] else 1 for area, month in index]


def _expected(frame: pd.DataFrame, successions: pd.DataFrame) -> pd.DataFrame:
    """Rows the return should have, month and org_code: each organisation in the months of its time."""
    months = list(_months(frame))
    ends = successions.set_index("predecessor_code")["from_month"].to_dict()
    begins = successions.groupby("successor_code")["from_month"].max().to_dict()
    group = frame.loc[frame["org_type"] == NATIONAL_GROUP]
    begins |= group.groupby("org_code")["month"].min().to_dict()
    rows = [
        (month, code)
        for code in frame["org_code"].unique()
        for month in months
        if begins.get(code, months[0]) <= month and (code not in ends or month < ends[code])
    ]
    return pd.DataFrame(rows, columns=["month", "org_code"])


def _codes_in_their_time(frame: pd.DataFrame, successions: pd.DataFrame) -> CheckResult:
    ended = frame.merge(successions, left_on="org_code", right_on="predecessor_code")
    begun = frame.merge(successions.drop_duplicates("successor_code"), left_on="org_code", right_on="successor_code")
    late, early = ended[ended["month"] >= ended["from_month"]], begun[begun["month"] < begun["from_month"]]
    rows = [f"{row.month:%Y-%m} {row.org_code}: outside its time" for row in pd.concat([late, early]).itertuples()]
    return compared(TABLE, "a PCT has rows only while it exists", f"{len(ended) + len(begun)} rows", rows)


def _authorities(frame: pd.DataFrame, expected: pd.DataFrame, data: Path) -> list[CheckResult]:
    pcts = frame[frame["org_type"] == PCT]
    authority = pcts.drop_duplicates("org_code").set_index("org_code")["sha_code"]
    needed = expected.assign(sha_code=expected["org_code"].map(authority)).groupby(["sha_code", "month"]).size()
    grouped = pcts.groupby(["sha_code", "month"])[measures(frame)]
    is_complete = grouped.count().eq(needed.reindex(grouped.size().index), axis=0)
    added = grouped.sum(min_count=1).where(is_complete)
    known = {
        (each.org_code, each.month, each.column, each.difference)
        for each in source(TABLE, data).known_differences
        if each.rule == SUM_OF_PCTS
    }
    authorities = frame[frame["org_type"] == SHA].set_index(["org_code", "month"])
    return [
        _authority(rows, added.loc[code], known, int(authority.eq(code).sum()))
        for code, rows in authorities.groupby(level="org_code")
        if code in added.index
    ]


def _authority(
    rows: pd.DataFrame, added: pd.DataFrame, known: set[tuple[str, str, str, float]], pcts: int
) -> CheckResult:
    """One authority against its PCTs. Differences recorded in the description are known; any other fails."""
    code = str(rows.index[0][0])
    published = rows.droplevel("org_code")[added.columns]
    difference = (published - added.reindex(published.index)).stack()
    differing = difference[difference != 0]
    kept: list[str] = []
    wrong: list[str] = []
    for (month, column), number in differing.items():
        text = (
            f"{month:%Y-%m} {code}: {column} is {published.at[month, column]:,.0f}, "
            f"its PCTs {added.at[month, column]:,.0f}"
        )
        is_known = (code, f"{month:%Y-%m}", column, number) in known
        (kept if is_known else wrong).append(text)
    rule = f"{rows['org_name'].iloc[0]} ({code}) {SUM_OF_PCTS}"
    checked = f"{pcts} PCTs, {len(difference):,} totals"
    return compared(TABLE, rule, checked, wrong or kept, "failed" if wrong else "known difference")


def _england(frame: pd.DataFrame) -> CheckResult:
    columns = measures(frame)
    authorities = frame[frame["org_type"] == SHA]
    grouped = authorities.groupby("month")[columns]
    number = authorities["org_code"].nunique()
    added = grouped.sum(min_count=1).where(grouped.count() == number)
    group = frame[frame["org_type"] == NATIONAL_GROUP].set_index("month")[columns]
    since = added.index[added.index >= group.index.min()]
    added.loc[since] += group.reindex(since)
    published = frame[frame["org_type"] == ENGLAND].set_index("month")[columns]
    difference = (published - added.reindex(published.index)).stack()
    rows = [
        f"{month:%Y-%m} ENG: {column} is {published.at[month, column]:,.0f}, its parts {added.at[month, column]:,.0f}"
        for month, column in difference[difference != 0].index
    ]
    rule = "England equals its strategic health authorities and the National Commissioning Group"
    return compared(TABLE, rule, f"{number} authorities, {len(difference):,} totals", rows)


def _parts(frame: pd.DataFrame, total: str, *parts: str) -> CheckResult:
    added = frame[list(parts)].sum(axis=1, skipna=False)
    rows = [
        f"{row['month']:%Y-%m} {row['org_code']}: {total} is {row[total]:,.0f}, its parts {added[line]:,.0f}"
        for line, row in frame[(frame[total] - added).fillna(0) != 0].iterrows()
    ]
    rule = f"{total} is {' plus '.join(parts)}"
    return compared(TABLE, rule, f"{len(frame):,} organisation-months", rows, "known difference")


def _within(frame: pd.DataFrame, part: str, whole: str) -> CheckResult:
    rows = [
        f"{row['month']:%Y-%m} {row['org_code']}: {part} is {row[part]:,.0f}, {whole} {row[whole]:,.0f}"
        for _, row in frame[frame[part] > frame[whole]].iterrows()
    ]
    rule = f"{part} is not more than {whole}"
    return compared(TABLE, rule, f"{len(frame):,} organisation-months", rows, "known difference")


def _months_there(frame: pd.DataFrame, expected: pd.DataFrame) -> CheckResult:
    both = expected.merge(frame[["month", "org_code"]], how="left", indicator=True)
    absent = both[both["_merge"] == "left_only"]
    per_month = both.groupby("month").size()
    rows = []
    for month, missing in absent.groupby("month")["org_code"]:
        whole = len(missing) == per_month[month]
        each = [f"{month:%Y-%m} {code}: no row" for code in missing]
        rows += [f"{month:%Y-%m}: no row of any organisation"] if whole else each
    checked = f"{len(expected):,} organisation-months"
    return compared(TABLE, "every organisation has a row in every month", checked, rows, "gap")


def _cells_there(frame: pd.DataFrame) -> CheckResult:
    rows = []
    size = frame.groupby("month").size()
    for measure in measures(frame):
        empty = frame[frame[measure].isna()]
        for month, codes in empty.groupby("month")["org_code"]:
            each = [f"{month:%Y-%m} {code}: {measure} is empty" for code in codes]
            whole = len(codes) == size[month]
            rows += [f"{month:%Y-%m}: {measure} is empty for every organisation"] if whole else each
    checked = f"{frame[measures(frame)].size:,} cells"
    return compared(TABLE, "every cell is filled", checked, rows, "gap")
