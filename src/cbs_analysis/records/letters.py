"""Letters on data quality, a workbook each: queries to every trust whose records break a rule, feedback to every PCT.

For the trust's data manager, and the PCT's contract and information managers: counts are exact, for they are of their
own records. Patients are pseudonymised; a record has the trust's own key. The deadline is left to whoever sends it.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pandas as pd

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.files import write_atomically
from cbs_analysis.home import params_dir
from cbs_analysis.records.derived_tables import OpenedStore
from cbs_analysis.records.feedback import HIGHER, LOWER, PER, By, feedback, trend, worst_examples
from cbs_analysis.records.feeds import record_feeds
from cbs_analysis.records.quality_checks import PERSON, QualityResults
from cbs_analysis.records.quality_rules import KEY, QualityRule
from cbs_analysis.records.quality_tables import feed_breaks, rule_descriptions, with_errors
from cbs_analysis.records.reference_data import OUTSIDE
from cbs_analysis.workbooks import Book, Sheet, read

LABEL = "SYNTHETIC: made by this project for trying it out. No record here is of a real person, and no trust sent any."


def write_workbook(path: Path, title: str, sheets: Mapping[str, Callable[[Sheet], None]], is_synthetic: bool) -> None:
    """Write an .xlsx file to `path`. `sheets` says in their order what fills each, by its name. The same content gives
    the same bytes. Raises OSError where it cannot be written.
    """
    content = io.BytesIO()
    with Book(content, title) as book:
        for name, fill in sheets.items():
            sheet = book.sheet(name)
            if is_synthetic:
                sheet.paragraph(LABEL, "warning")
            fill(sheet)
            sheet.close()
    write_atomically(path, content.getvalue())


MOST_VALUE = 5
"""Rules that stand on the first sheet."""
PRICES = (
    "Value is at relative prices of a later national cost collection, of spells alone: prices of outpatients and A&E "
    "are not published there. It says what is at stake, and not what is owed."
)
DECIMALS = {"failed": 0, "rate_per_1000": 1}
RECORD_COLUMNS = {
    "Feed": "feed", "Trust": "provider_code", "Record key": KEY, "Person (pseudonym)": PERSON, "Month": "month",
    "Rule": "title", "Fields to look at": "fields", "Value found": "found", "What would be right": "right",
    "Price (GBP)": "price_gbp", "Rule id": "rule",
}  # fmt: skip


@dataclass(frozen=True)
class Recipient:
    """What one receiver is told: who it is, the rules that its records break, those by year, and what arrived.

    `rules` has columns as `feedback` and what describes a rule; `years` as `trend`; `period` is in words.
    """

    code: str
    name: str
    others: str
    rules: pd.DataFrame
    years: pd.DataFrame
    arrived: int
    period: str


@dataclass(frozen=True)
class LetterFindings:
    """What the rules found for every receiver of one kind; `by` is the column of records with their code.

    `names` are the receivers' names by code, `words` what describes each rule: rule, feed, title, right, fields and
    more. `rules` has a row a receiver and rule that its records break, but for measures; `years` is their trend.
    """

    checked: QualityResults
    by: By
    names: pd.Series
    words: pd.DataFrame
    rules: pd.DataFrame
    years: pd.DataFrame

    def of(self, code: str) -> Recipient:
        """Raises UserError where no record is of this code."""
        arrived = self.checked.arrived[self.checked.arrived[self.by] == code]
        if arrived.empty:
            known = self.checked.arrived[self.by].astype(str).unique()
            raise UserError(f"{self.by.removesuffix('_code')}: no record is of {code!r}; {nearest(code, known)}")
        months = sorted(arrived["month"].astype(str).unique())
        rules = self.rules[self.rules["code"] == code]
        years = self.years[(self.years["code"] == code) & self.years["rule"].isin(rules["rule"])]
        others = "trusts" if self.by == "provider_code" else "PCTs"
        total = int(arrived["records"].sum())
        return Recipient(code, self.names[code], others, rules, years, total, f"{months[0]} to {months[-1]}")

    def records(self, code: str, most: int) -> pd.DataFrame:
        """Of each rule at most so many of the receiver's records, the dearest first, with what describes the rule."""
        order = {rule: place for place, rule in enumerate(self.words["rule"])}
        chosen = worst_examples(self.checked, code, most, self.by).merge(self.words, on=["feed", "rule"])
        return chosen.sort_values("rule", key=lambda rules: rules.map(order), kind="stable", ignore_index=True)


def feed_title(feed: str) -> str:
    """What a letter calls a feed."""
    return _feed_titles(params_dir()).get(feed, feed)


@cache
def _feed_titles(params: Path) -> dict[str, str]:
    return record_feeds(params)


def letter_findings(checked: QualityResults, rules: Sequence[QualityRule], names: pd.Series, by: By) -> LetterFindings:
    """Count once what all receivers are told. `names` are theirs by code: a receiver's rates are held beside those of
    the others among them, and of no unknown code.
    """
    known = replace(checked, counts=checked.counts[checked.counts[by].isin(names.index)])
    words = rule_descriptions(rules).assign(
        right=[rule.right for rule in rules], fields=[", ".join(rule.fields) for rule in rules]
    )
    broken = feedback(known, rules, by).query("failed > 0").merge(words, on=["feed", "rule"])
    return LetterFindings(checked, by, names, words, broken[broken["severity"] != "information"], trend(known, by))


def tell_rules(sheet: Sheet, told: Recipient) -> None:
    """The rules with most value at stake, a paragraph each."""
    worst = told.rules.sort_values(["value_gbp", "failed"], ascending=False, kind="stable").head(MOST_VALUE)
    for row in worst.itertuples():
        at_stake = f", {row.value_gbp:,.0f} pounds at stake" if row.value_gbp else ""
        against = f", a rate {row.standing} than other {told.others}" if row.standing in (HIGHER, LOWER) else ""
        sheet.paragraph(
            f"{feed_title(row.feed)}: {row.title}: {row.failed:,} of {row.records:,} records{at_stake}{against}."
        )


STANDING = (
    "Beside the others a rate is higher or lower only beyond limits that allow for chance and for how much they differ "
    "anyway (99.8%): it may differ from theirs by more than chance, and be like others all the same."
)


def tell_value(sheet: Sheet, told: Recipient) -> None:
    if value := told.rules["value_gbp"].sum():
        sheet.paragraph(
            f"The value at stake adds to {value:,.0f} pounds; a record under two rules counts under each. {PRICES}"
        )


def rules_table(sheet: Sheet, told: Recipient) -> None:
    heads = (
        "Feed", "Rule", "Severity", "Records", "To correct", "Rate per 1,000", "95% lower", "95% upper",
        f"Other {told.others} per 1,000", f"Beside other {told.others}", "Value (GBP)", "What is wrong",
        "Why it matters", "Rule id",
    )  # fmt: skip
    rows = [
        (
            feed_title(row.feed), row.title, row.severity, read(row.records, 0), read(row.failed, 0),
            read(row.rate_per_1000, 1), read(row.lower_per_1000, 1), read(row.upper_per_1000, 1),
            read(row.others_per_1000, 1),
            row.standing, read(row.value_gbp or None, 0), row.what, row.why,
            row.rule,
        )
        for row in told.rules.itertuples()
    ]  # fmt: skip
    sheet.table(heads, rows)


def years_table(sheet: Sheet, told: Recipient) -> None:
    """A row a rule, two columns a financial year; both are empty where the rule applies to no record of the year."""
    years = sorted(told.years["financial_year"].unique())
    wide = told.years.pivot(index="rule", columns="financial_year", values=["failed", "rate_per_1000"])
    pairs = [(name, year) for year in years for name in DECIMALS]
    heads = [f"{year} {'to correct' if name == 'failed' else 'per 1,000'}" for name, year in pairs]
    rows = [
        (
            feed_title(row.feed),
            row.title,
            *(read(wide.loc[row.rule, pair], DECIMALS[pair[0]]) for pair in pairs),
            row.rule,
        )
        for row in told.rules.itertuples()
    ]
    sheet.table(("Feed", "Rule", *heads, "Rule id"), rows)


def records_table(sheet: Sheet, records: pd.DataFrame, has_trust: bool) -> None:
    """Records as `LetterFindings.records` gives them, with the code of each one's trust or without."""
    heads = [head for head in RECORD_COLUMNS if has_trust or head != "Trust"]
    price = [read(value, 0) for value in records["price_gbp"]]
    shown = records.assign(
        feed=records["feed"].map(feed_title), price_gbp=pd.Series(price, records.index, dtype=object)
    )
    sheet.table(heads, list(shown[[RECORD_COLUMNS[head] for head in heads]].itertuples(index=False)))


MOST_RECORDS = 250_000
"""Records in one letter, the dearest of each rule first: more than a trust corrects by hand."""


def write_query_letter(path: Path, found: LetterFindings, months: pd.DataFrame, code: str, is_synthetic: bool) -> None:
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


def _letter(sheet: Sheet, told: Recipient, months: pd.DataFrame) -> None:
    sheet.title(f"Data quality queries: {told.name}")
    sheet.paragraph(
        f"We checked {told.arrived:,} records of {told.name} ({told.code}), {told.period}, "
        "against our data quality rules. "
        f"{len(told.rules)} rules found something to ask about, {told.rules['failed'].sum():,} times in all."
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
    sheet.paragraph("Patients are pseudonymised; records have your own key. No patient is named.")


def _months(sheet: Sheet, months: pd.DataFrame) -> None:
    heads = ("Feed", "What", "Month", "What was counted", "Records sent", "Records expected", "Rule id")
    rows = [
        (
            feed_title(row.feed), row.title, row.month, row.measure.replace("_", " "), read(row.records, 0),
            read(row.expected, 0), row.rule,
        )
        for row in months.itertuples()
    ]  # fmt: skip
    sheet.table(heads, rows)


def _records(sheet: Sheet, told: Recipient, records: pd.DataFrame) -> None:
    total = told.rules["failed"].sum()
    if len(records) < total:
        sheet.paragraph(f"{len(records):,} of {total:,} are listed: of each rule, those with most at stake.", "warning")
    records_table(sheet, records, has_trust=False)


EXAMPLES = 10
"""Of each rule, the dearest first: enough to talk over with a trust, which has all of its own in its letter."""
NOT_KNOWN = "not a provider that we know"


def errors_by_trust(checked: QualityResults, rules: Sequence[QualityRule], names: pd.Series) -> pd.DataFrame:
    """Records with at least one error, each once, all years together, most first: feed, provider_code, name,
    commissioner_code, records, with_errors, rate_per_1000, and of spells in_question and in_question_gbp.

    `names` are the providers' by code.
    """
    keys = ["feed", "provider_code", "commissioner_code"]
    counts = ["records", "with_errors", "in_question", "in_question_gbp"]
    every = with_errors(checked, rules).astype(dict.fromkeys(keys, str))
    summed = every.groupby(keys)[counts].sum().reset_index()
    is_priced = summed["feed"].isin(every.loc[every["price_gbp"] > 0, "feed"])
    made = summed.assign(
        name=summed["provider_code"].map(names).fillna(NOT_KNOWN),
        rate_per_1000=PER * summed["with_errors"] / summed["records"],
        in_question=summed["in_question"].where(is_priced),
        in_question_gbp=summed["in_question_gbp"].where(is_priced),
    )
    return made.sort_values("with_errors", ascending=False, kind="stable", ignore_index=True)


def write_pct_feedback(path: Path, found: LetterFindings, errors: pd.DataFrame, code: str, is_synthetic: bool) -> None:
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


def _summary(sheet: Sheet, told: Recipient, errors: pd.DataFrame) -> None:
    sheet.title(f"Data quality feedback: {told.name}")
    sheet.paragraph(
        f"We checked {told.arrived:,} hospital records that {told.name} ({told.code}) pays for, {told.period}, against "
        f"our data quality rules. {len(told.rules)} rules found something, {told.rules['failed'].sum():,} times in "
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
    sheet.paragraph("Patients are pseudonymised; records have their trust's key. No patient is named.")


def _by_trust(sheet: Sheet, errors: pd.DataFrame) -> None:
    heads = ("Feed", "Trust code", "Trust", "Records", "With errors", "Rate per 1,000", "Spells in question",
             "Their price (GBP)")  # fmt: skip
    rows = [
        (
            feed_title(row.feed), row.provider_code, row.name, read(row.records, 0), read(row.with_errors, 0),
            read(row.rate_per_1000, 1), read(row.in_question, 0), read(row.in_question_gbp, 0),
        )
        for row in errors.itertuples()
    ]  # fmt: skip
    sheet.table(heads, rows)


def write_letters(checked: QualityResults, held: OpenedStore, folder: Path, is_synthetic: bool) -> tuple[int, int]:
    """Write `trusts/<code>.xlsx` for each known trust with records to correct, and `pcts/<code>.xlsx` for each known
    PCT that pays for such records; how many of each. Counts in them are exact: they are for who sent or pays for the
    records. The entry for all providers outside London gets none. Raises OSError where one cannot be written.
    """
    with _in_place_of(folder.resolve()) as draft:
        return _write_all(checked, held, draft, is_synthetic)


@contextmanager
def _in_place_of(folder: Path) -> Iterator[Path]:
    """A folder to write to, which takes the place of another once all is in it: no letter of records that have since
    been corrected stays to be sent, and none goes before there are others.
    """
    draft = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    yield draft
    if folder.exists():
        shutil.rmtree(folder)
    draft.rename(folder)


def _write_all(checked: QualityResults, held: OpenedStore, folder: Path, is_synthetic: bool) -> tuple[int, int]:
    providers = held.references.providers.set_index("provider_code")
    names = providers["provider_name"]
    of_trusts = letter_findings(checked, held.rules, names[providers["kind"] != OUTSIDE], "provider_code")
    months = feed_breaks(checked, held.rules)
    trusts = sorted({*of_trusts.rules["code"]})
    for code in trusts:
        write_query_letter(folder / "trusts" / f"{code}.xlsx", of_trusts, months, code, is_synthetic)
    pct_names = held.references.commissioners.set_index("commissioner_code")["commissioner_name"]
    of_pcts = letter_findings(checked, held.rules, pct_names, "commissioner_code")
    errors = errors_by_trust(checked, held.rules, names)
    pcts = sorted({*of_pcts.rules["code"]})
    for code in pcts:
        write_pct_feedback(folder / "pcts" / f"{code}.xlsx", of_pcts, errors, code, is_synthetic)
    return len(trusts), len(pcts)
