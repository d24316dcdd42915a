"""Feedback to one PCT as a workbook: what was found in the records that it pays for, trust by trust and year by year.

For the PCT's own contract and information managers: counts are exact, for they are of the PCT's own records. People
stand under their pseudonym, records under their trust's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cbs_analysis.records.checking_records import Checked
from cbs_analysis.records.feedback import PER
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
from cbs_analysis.records.quality import with_errors
from cbs_analysis.records.rules import Rule
from cbs_analysis.workbooks import Sheet, read

EXAMPLES = 10
"""Of each rule, the dearest first: enough to talk over with a trust, which has all of its own in its letter."""
NOT_KNOWN = "not a provider that we know"


def errors_by_trust(checked: Checked, rules: Sequence[Rule], names: pd.Series) -> pd.DataFrame:
    """Records with at least one error, each once, all years together, most first: feed, provider_code, name,
    commissioner_code, records, with_errors, rate_per_1000, and of spells in_question and in_question_gbp.

    `names` are the providers' by code.
    """
    keys = ["feed", "provider_code", "commissioner_code"]
    counts = ["records", "with_errors", "in_question", "in_question_gbp"]
    every = with_errors(checked, rules).astype(dict.fromkeys(keys, str))
    summed = every.groupby(keys)[counts].sum().reset_index()
    is_priced = summed["feed"] == "apc"
    made = summed.assign(
        name=summed["provider_code"].map(names).fillna(NOT_KNOWN),
        rate_per_1000=PER * summed["with_errors"] / summed["records"],
        in_question=summed["in_question"].where(is_priced),
        in_question_gbp=summed["in_question_gbp"].where(is_priced),
    )
    return made.sort_values("with_errors", ascending=False, kind="stable", ignore_index=True)


def write_pct_feedback(path: Path, found: Found, errors: pd.DataFrame, code: str, is_synthetic: bool) -> None:
    """Write the feedback of the PCT with this code to `path`, an .xlsx file. The same records give the same bytes.

    `found` is by commissioner; `errors` are those of all, as `errors_by_trust` gives them. Raises UserError where no
    record is of this commissioner, OSError where it cannot be written.
    """
    told = found.of(code)
    own = errors[errors["commissioner_code"] == code]
    examples = found.records(code, EXAMPLES)
    sheets = {
        "Summary": lambda sheet: _summary(sheet, told, own),
        "Rules": lambda sheet: rules_table(sheet, told),
        "By trust": lambda sheet: _by_trust(sheet, own),
        "By year": lambda sheet: years_table(sheet, told),
        "Worst examples": lambda sheet: records_table(sheet, examples, has_trust=True),
    }
    write_workbook(path, f"Data quality feedback: {told.name}", sheets, is_synthetic)


def _summary(sheet: Sheet, told: Told, errors: pd.DataFrame) -> None:
    sheet.title(f"Data quality feedback: {told.name}")
    sheet.paragraph(
        f"We held {told.arrived:,} hospital records that {told.name} ({told.code}) pays for, {told.period}, against "
        f"our rules of data quality. {len(told.rules)} rules found something, {told.rules['failed'].sum():,} times in "
        "all. The most is at stake here:"
    )
    tell_rules(sheet, told)
    tell_value(sheet, told)
    sheet.paragraph(
        f"Each record counted once, {errors['with_errors'].sum():,.0f} have an error, and not only a warning. Among "
        f"them are {errors['in_question'].sum():,.0f} spells whose whole price is in question, "
        f"{errors['in_question_gbp'].sum():,.0f} pounds. The sheet By trust says whose they are."
    )
    sheet.paragraph(
        "The sheet Rules says what each rule looks for, why it matters, and how you compare with other PCTs; the sheet "
        f"By year says how that has changed. {STANDING} The sheet Worst examples has up to {EXAMPLES} records of each "
        "rule, the dearest first. London's acute and specialist trusts are asked to correct theirs in letters of their "
        "own; other providers are not, and are yours to ask."
    )
    sheet.paragraph(
        "Counts here are exact, because these are your own records. Do not pass this workbook on, and do not publish "
        "it or anything from it: the pages of the handbook withhold small counts and round the others, and this "
        "workbook does not."
    )
    sheet.paragraph("People stand under a pseudonym, records under their trust's key. Nothing here names anybody.")


def _by_trust(sheet: Sheet, errors: pd.DataFrame) -> None:
    heads = ("Feed", "Trust code", "Trust", "Records", "With errors", "Rate per 1,000", "Spells in question",
             "Their price (GBP)")  # fmt: skip
    rows = [
        (
            FEED_NAMES[row.feed], row.provider_code, row.name, read(row.records, 0), read(row.with_errors, 0),
            read(row.rate_per_1000, 1), read(row.in_question, 0), read(row.in_question_gbp, 0),
        )
        for row in errors.itertuples()
    ]  # fmt: skip
    sheet.table(heads, rows)
