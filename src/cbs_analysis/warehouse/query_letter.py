"""A query letter to one trust as a workbook: what was found in its records, and which records to correct.

For the trust's data manager, who knows the records: counts are exact, for they are the trust's own. People stand under
their pseudonym, records under the trust's own key. By when an answer is asked for is left to whoever sends it.
"""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.files import write_atomically
from cbs_analysis.warehouse.checking_records import PERSON, Checked
from cbs_analysis.warehouse.feedback import HIGHER, LOWER, feedback, records_of
from cbs_analysis.warehouse.rules import KEY, Rule

MADE = datetime.datetime(2006, 4, 1)  # the same records give the same bytes, so no clock
MOST_RECORDS = 20_000
"""Records in one letter, the dearest of each rule first: more than a trust corrects by hand."""
LABEL = "SYNTHETIC: made by this project for trying it out. No record here is of a real person, and no trust sent any."
FEED_NAMES = {"apc": "Admitted patient care", "op": "Outpatients", "ae": "A&E"}
WIDEST = 60
LONGEST_TEXT = 32_767
STANDINGS = {HIGHER: "higher than other trusts", LOWER: "lower than other trusts"}
PRICES = (
    "Value is at relative prices of a later national cost collection, of spells alone: prices of outpatients and A&E "
    "are not published there. It says what is at stake, and not what is owed."
)
STYLES: Mapping[str, Mapping[str, Any]] = {
    "title": {"bold": True, "font_size": 16},
    "label": {"bold": True, "bg_color": "#FFF4DC"},
    "text": {"text_wrap": True, "valign": "top"},
    "head": {"bold": True, "text_wrap": True, "valign": "bottom", "bottom": 2},
    "cell": {"valign": "top"},
    "whole": {"valign": "top", "num_format": "#,##0"},
    "rate": {"valign": "top", "num_format": "#,##0.0"},
}
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class _Asked:
    """What one letter says: the trust, its rules that failed with their counts, and its records to correct."""

    code: str
    name: str
    rules: pd.DataFrame
    records: pd.DataFrame
    total: int
    arrived: int
    period: str


def write_query_letter(
    path: Path, checked: Checked, rules: Sequence[Rule], code: str, name: str, is_synthetic: bool
) -> None:
    """Write the letter of the provider with this code to `path`, an .xlsx file. The same records give the same bytes.

    `name` is the trust's. Raises UserError where no record is of this provider, OSError where it cannot be written.
    """
    asked = _asked(checked, rules, code, name)
    content = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(content, options)
    book.set_properties({"title": f"Data quality queries: {name}", "created": MADE})
    formats = {style: book.add_format(dict(about)) for style, about in STYLES.items()}
    for title, fill in (("Letter", _letter), ("Rules", _rules), ("Records to correct", _records)):
        sheet = _Sheet(book.add_worksheet(title), formats)
        if is_synthetic:
            sheet.line(LABEL, "label")
        fill(sheet, asked)
        sheet.close()
    book.close()
    write_atomically(path, content.getvalue())


def _asked(checked: Checked, rules: Sequence[Rule], code: str, name: str) -> _Asked:
    arrived = checked.arrived[checked.arrived["provider_code"] == code]
    if arrived.empty:
        known = checked.arrived["provider_code"].astype(str).unique()
        raise UserError(f"provider: no record is of {code!r}; {nearest(code, known)}")
    order = {rule.id: place for place, rule in enumerate(rules)}
    described = pd.DataFrame([{"rule": rule.id, **_described(rule)} for rule in rules])
    own = feedback(checked, rules).query("code == @code and failed > 0").merge(described, on="rule", how="left")
    own = own[own["severity"] != "information"]
    found = records_of(checked.failures, code).merge(described[["rule", "title", "right", "fields"]], on="rule")
    dearest = found.sort_values(
        ["price_gbp", KEY], ascending=[False, True], na_position="last", kind="stable"
    ).sort_values("rule", key=lambda column: column.map(order), kind="stable")
    months = sorted(arrived["month"].astype(str).unique())
    return _Asked(
        code, name, own, _each_rules_share(dearest), len(found), int(arrived["records"].sum()),
        f"{months[0]} to {months[-1]}",
    )  # fmt: skip


def _described(rule: Rule) -> dict[str, str]:
    return {
        "title": rule.title, "what": rule.what, "why": rule.why, "severity": rule.severity, "right": rule.right,
        "fields": ", ".join(rule.fields),
    }  # fmt: skip


def _each_rules_share(found: pd.DataFrame) -> pd.DataFrame:
    """At most `MOST_RECORDS`: the first of every rule, then the second, so that no rule crowds another out."""
    place = found.groupby("rule", sort=False).cumcount()
    kept = place.sort_values(kind="stable").index[:MOST_RECORDS]
    return found.loc[found.index.isin(kept)]


def _letter(sheet: _Sheet, asked: _Asked) -> None:
    sheet.line(f"Data quality queries: {asked.name}", "title")
    value = asked.rules["value_gbp"].sum()
    sheet.paragraph(
        f"We held {asked.arrived:,} records of {asked.name} ({asked.code}), {asked.period}, against our rules of data "
        f"quality. {len(asked.rules)} rules found something to ask about, {asked.total:,} times in all."
    )
    worst = asked.rules.sort_values(["value_gbp", "failed"], ascending=False, kind="stable").head(5)
    for row in worst.itertuples():
        at_stake = f", {row.value_gbp:,.0f} pounds at stake" if row.value_gbp else ""
        against = f", a rate {STANDINGS[row.standing]}" if row.standing in STANDINGS else ""
        sheet.paragraph(
            f"{FEED_NAMES[row.feed]}: {row.title}: {row.failed:,} of {row.records:,} records{at_stake}{against}."
        )
    sheet.paragraph(
        "What we ask: please look at each record in the sheet Records to correct, correct it at its source, and send "
        "it again under the same key. Where the record is right as it stands, tell us why, and we will change the rule."
    )
    sheet.paragraph(
        "The sheet Rules says what each rule looks for, why it matters, and how you compare with other trusts."
    )
    if value:
        sheet.paragraph(
            f"The value at stake adds to {value:,.0f} pounds; a record under two rules counts under each. {PRICES}"
        )
    sheet.paragraph("People stand under a pseudonym, records under your own key. Nothing here names anybody.")


def _rules(sheet: _Sheet, asked: _Asked) -> None:
    heads = (
        "Feed", "Rule", "Severity", "Records", "To correct", "Rate per 1,000", "95% lower", "95% upper",
        "Other trusts per 1,000", "Beside other trusts", "Value (GBP)", "What is wrong", "Why it matters", "Rule id",
    )  # fmt: skip
    rows = [
        (
            FEED_NAMES[row.feed], row.title, row.severity, row.records, row.failed, row.rate_per_1000,
            row.lower_per_1000, row.upper_per_1000, row.others_per_1000, row.standing, row.value_gbp, row.what, row.why,
            row.rule,
        )
        for row in asked.rules.itertuples()
    ]  # fmt: skip
    sheet.table(heads, rows, {3: "whole", 4: "whole", 5: "rate", 6: "rate", 7: "rate", 8: "rate", 10: "whole"})


def _records(sheet: _Sheet, asked: _Asked) -> None:
    if len(asked.records) < asked.total:
        sheet.line(
            f"{len(asked.records):,} of {asked.total:,} are listed: of each rule, those with most at stake.", "label"
        )
    heads = ("Feed", "Record key", "Person (pseudonym)", "Month", "Rule", "Fields to look at", "Value found",
             "What would be right", "Price (GBP)", "Rule id")  # fmt: skip
    columns = ["feed", KEY, PERSON, "month", "title", "fields", "found", "right", "price_gbp", "rule"]
    rows = [(FEED_NAMES[feed], *rest) for feed, *rest in asked.records[columns].itertuples(index=False)]
    sheet.table(heads, rows, {8: "whole"})


class _Sheet:
    """One worksheet, filled from the top down. Text is always written as text, whatever it starts with."""

    def __init__(self, sheet: Any, formats: Mapping[str, Any]) -> None:
        self._sheet, self._formats = sheet, formats
        self._row = 0
        self._widths: dict[int, float] = {}
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        sheet.set_footer("&L&A&RPage &P of &N")

    def line(self, text: str, style: str) -> None:
        self._write(0, text, style)
        self._row += 1

    def paragraph(self, text: str) -> None:
        """Text over eight columns, as high as it needs."""
        self._sheet.merge_range(self._row, 0, self._row, 7, "", self._formats["text"])
        self._write(0, text, "text")
        self._sheet.set_row(self._row, 15.5 * max(1, -(-len(text) // 95)) + 4)
        self._row += 1

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Mapping[int, str]) -> None:
        """A table whose header stays in sight. `numbers` gives the format of each column of numbers."""
        for column, head in enumerate(heads):
            self._write(column, head, "head")
            self._widths[column] = len(head[:16])
        self._sheet.freeze_panes(self._row + 1, 0)
        self._sheet.repeat_rows(self._row)
        for row in rows:
            self._row += 1
            for column, value in enumerate(row):
                if value is None or value != value or value == "":
                    continue
                if column in numbers:
                    self._sheet.write_number(self._row, column, value, self._formats[numbers[column]])
                else:
                    self._write(column, str(value), "cell")
                    self._widths[column] = max(self._widths[column], len(str(value)))
        self._row += 1

    def close(self) -> None:
        for column, width in self._widths.items():
            self._sheet.set_column(column, column, min(width * 1.1 + 2, WIDEST))

    def _write(self, column: int, text: str, style: str) -> None:
        plain = " ".join(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text).split())
        self._sheet.write_string(self._row, column, plain[:LONGEST_TEXT], self._formats[style])
