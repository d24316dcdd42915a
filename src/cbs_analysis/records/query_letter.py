"""A query letter to one trust as a workbook: what was found in its records, and which records to correct.

For the trust's data manager, who knows the records: counts are exact, for they are the trust's own. People stand under
their pseudonym, records under the trust's own key. By when an answer is asked for is left to whoever sends it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cbs_analysis.records.letter_sheet import write_workbook
from cbs_analysis.records.letter_tables import (
    FEED_NAMES,
    STANDING,
    Found,
    Told,
    records_table,
    rules_table,
    tell_rules,
    tell_value,
    years_table,
)
from cbs_analysis.workbooks import Sheet, read

MOST_RECORDS = 250_000
"""Records in one letter, the dearest of each rule first: more than a trust corrects by hand."""


def write_query_letter(path: Path, found: Found, months: pd.DataFrame, code: str, is_synthetic: bool) -> None:
    """Write the letter of the provider with this code to `path`, an .xlsx file. The same records give the same bytes.

    `found` is by provider; `months` are those of all providers that stand out, as `breaks` gives them. Raises UserError
    where no record is of this provider, OSError where it cannot be written.
    """
    told = found.of(code)
    own = months[months["provider_code"] == code].merge(found.words, on=["feed", "rule"])
    records = _each_rules_share(found.records(code, MOST_RECORDS))
    sheets = {
        "Letter": lambda sheet: _letter(sheet, told, own),
        "Rules": lambda sheet: rules_table(sheet, told),
        "By year": lambda sheet: years_table(sheet, told),
        "Months to check": lambda sheet: _months(sheet, own),
        "Records to correct": lambda sheet: _records(sheet, told, records),
    }
    if own.empty:
        del sheets["Months to check"]
    write_workbook(path, f"Data quality queries: {told.name}", sheets, is_synthetic)


def _each_rules_share(records: pd.DataFrame) -> pd.DataFrame:
    """At most `MOST_RECORDS`: the first of every rule, then the second, so that no rule crowds another out."""
    place = records.groupby("rule", sort=False).cumcount()
    kept = place.sort_values(kind="stable").index[:MOST_RECORDS]
    return records.loc[records.index.isin(kept)]


def _letter(sheet: Sheet, told: Told, months: pd.DataFrame) -> None:
    sheet.title(f"Data quality queries: {told.name}")
    sheet.paragraph(
        f"We held {told.arrived:,} records of {told.name} ({told.code}), {told.period}, against our rules of data "
        f"quality. {len(told.rules)} rules found something to ask about, {told.rules['failed'].sum():,} times in all."
    )
    tell_rules(sheet, told)
    sheet.paragraph(
        "What we ask: please look at each record in the sheet Records to correct, correct it at its source, and send "
        "it again under the same key. Where the record is right as it stands, tell us why, and we will change the rule."
    )
    if len(months):
        plural = "s" if len(months) > 1 else ""
        sheet.paragraph(
            f"The sheet Months to check has {len(months)} month{plural} of a feed with far fewer or far more records "
            "than your other months lead us to expect: please check whether everything was sent, and sent once."
        )
    sheet.paragraph(
        "The sheet Rules says what each rule looks for, why it matters, and how you compare with other trusts; the "
        f"sheet By year says how that has changed. {STANDING}"
    )
    tell_value(sheet, told)
    sheet.paragraph("People stand under a pseudonym, records under your own key. Nothing here names anybody.")


def _months(sheet: Sheet, months: pd.DataFrame) -> None:
    heads = ("Feed", "What", "Month", "What was counted", "Records sent", "Records expected", "Rule id")
    rows = [
        (
            FEED_NAMES[row.feed], row.title, row.month, row.measure.replace("_", " "), read(row.records, 0),
            read(row.expected, 0), row.rule,
        )
        for row in months.itertuples()
    ]  # fmt: skip
    sheet.table(heads, rows)


def _records(sheet: Sheet, told: Told, records: pd.DataFrame) -> None:
    total = told.rules["failed"].sum()
    if len(records) < total:
        sheet.paragraph(f"{len(records):,} of {total:,} are listed: of each rule, those with most at stake.", "warning")
    records_table(sheet, records, has_trust=False)
