"""What a trust's letter and a PCT's feedback share: what was found, counted once for all, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.records.checking_records import PERSON, Checked
from cbs_analysis.records.feedback import HIGHER, LOWER, By, feedback, trend, worst_examples
from cbs_analysis.records.quality import described
from cbs_analysis.records.rules import KEY, Rule
from cbs_analysis.workbooks import Sheet, read

FEED_NAMES = {"apc": "Admitted patient care", "op": "Outpatients", "ae": "A&E"}
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
class Told:
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
class Found:
    """What the rules found for every receiver of one kind; `by` is the column of records with their code.

    `names` are the receivers' names by code, `words` what describes each rule: rule, feed, title, right, fields and
    more. `rules` has a row a receiver and rule that its records break, but for measures; `years` is their trend.
    """

    checked: Checked
    by: By
    names: pd.Series
    words: pd.DataFrame
    rules: pd.DataFrame
    years: pd.DataFrame

    def of(self, code: str) -> Told:
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
        return Told(code, self.names[code], others, rules, years, total, f"{months[0]} to {months[-1]}")

    def records(self, code: str, most: int) -> pd.DataFrame:
        """Of each rule at most so many of the receiver's records, the dearest first, with what describes the rule."""
        order = {rule: place for place, rule in enumerate(self.words["rule"])}
        chosen = worst_examples(self.checked, code, most, self.by).merge(self.words, on=["feed", "rule"])
        return chosen.sort_values("rule", key=lambda rules: rules.map(order), kind="stable", ignore_index=True)


def find(checked: Checked, rules: Sequence[Rule], names: pd.Series, by: By) -> Found:
    """Count once what all receivers are told. `names` are theirs by code: a receiver's rates are held beside those of
    the others among them, and of no unknown code.
    """
    known = replace(checked, counts=checked.counts[checked.counts[by].isin(names.index)])
    words = described(rules).assign(
        right=[rule.right for rule in rules], fields=[", ".join(rule.fields) for rule in rules]
    )
    broken = feedback(known, rules, by).query("failed > 0").merge(words, on=["feed", "rule"])
    return Found(checked, by, names, words, broken[broken["severity"] != "information"], trend(known, by))


def tell_rules(sheet: Sheet, told: Told) -> None:
    """The rules with most value at stake, a paragraph each."""
    worst = told.rules.sort_values(["value_gbp", "failed"], ascending=False, kind="stable").head(MOST_VALUE)
    for row in worst.itertuples():
        at_stake = f", {row.value_gbp:,.0f} pounds at stake" if row.value_gbp else ""
        against = f", a rate {row.standing} than other {told.others}" if row.standing in (HIGHER, LOWER) else ""
        sheet.paragraph(
            f"{FEED_NAMES[row.feed]}: {row.title}: {row.failed:,} of {row.records:,} records{at_stake}{against}."
        )


STANDING = (
    "Beside the others a rate is higher or lower only beyond limits that allow for chance and for how much they differ "
    "anyway (99.8%): it may differ from theirs by more than chance, and be like others all the same."
)


def tell_value(sheet: Sheet, told: Told) -> None:
    if value := told.rules["value_gbp"].sum():
        sheet.paragraph(
            f"The value at stake adds to {value:,.0f} pounds; a record under two rules counts under each. {PRICES}"
        )


def rules_table(sheet: Sheet, told: Told) -> None:
    heads = (
        "Feed", "Rule", "Severity", "Records", "To correct", "Rate per 1,000", "95% lower", "95% upper",
        f"Other {told.others} per 1,000", f"Beside other {told.others}", "Value (GBP)", "What is wrong",
        "Why it matters", "Rule id",
    )  # fmt: skip
    rows = [
        (
            FEED_NAMES[row.feed], row.title, row.severity, read(row.records, 0), read(row.failed, 0),
            read(row.rate_per_1000, 1), read(row.lower_per_1000, 1), read(row.upper_per_1000, 1),
            read(row.others_per_1000, 1),
            row.standing, read(row.value_gbp or None, 0), row.what, row.why,
            row.rule,
        )
        for row in told.rules.itertuples()
    ]  # fmt: skip
    sheet.table(heads, rows)


def years_table(sheet: Sheet, told: Told) -> None:
    """A row a rule, two columns a financial year; both are empty where the rule applies to no record of the year."""
    years = sorted(told.years["financial_year"].unique())
    wide = told.years.pivot(index="rule", columns="financial_year", values=["failed", "rate_per_1000"])
    pairs = [(name, year) for year in years for name in DECIMALS]
    heads = [f"{year} {'to correct' if name == 'failed' else 'per 1,000'}" for name, year in pairs]
    rows = [
        (
            FEED_NAMES[row.feed],
            row.title,
            *(read(wide.loc[row.rule, pair], DECIMALS[pair[0]]) for pair in pairs),
            row.rule,
        )
        for row in told.rules.itertuples()
    ]
    sheet.table(("Feed", "Rule", *heads, "Rule id"), rows)


def records_table(sheet: Sheet, records: pd.DataFrame, has_trust: bool) -> None:
    """Records as `Found.records` gives them, with the code of each one's trust or without."""
    heads = [head for head in RECORD_COLUMNS if has_trust or head != "Trust"]
    price = [read(value, 0) for value in records["price_gbp"]]
    shown = records.assign(
        feed=records["feed"].map(FEED_NAMES), price_gbp=pd.Series(price, records.index, dtype=object)
    )
    sheet.table(heads, list(shown[[RECORD_COLUMNS[head] for head in heads]].itertuples(index=False)))
