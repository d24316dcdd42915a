"""What the rules found, as tables that chapters read: by trust, PCT and year, each record with errors counted once."""

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from cbs_analysis.records.checking_records import Checked
from cbs_analysis.records.completeness import financial_years
from cbs_analysis.records.rules import KEY, Rule

PLACE = ["provider_code", "commissioner_code"]


def counts_by_year(checked: Checked) -> pd.DataFrame:
    """Records, failed and value_gbp of each rule by feed, rule, provider_code, commissioner_code and financial_year."""
    frame = _with_year(checked.counts)
    keys = ["feed", "rule", *PLACE, "financial_year"]
    return frame.groupby(keys, observed=True)[["records", "failed", "value_gbp"]].sum().reset_index()


def with_errors(checked: Checked, rules: Sequence[Rule]) -> pd.DataFrame:
    """Records with at least one error, each once: feed, provider_code, commissioner_code, financial_year, records,
    price_gbp (of all), with_errors, in_question (those whose whole price a rule puts in question), in_question_gbp.
    """
    errors = {rule.id for rule in rules if rule.severity == "error"}
    priced = {rule.id for rule in rules if rule.severity == "error" and rule.value == "price"}
    keys = ["feed", *PLACE, "financial_year"]
    arrived = _with_year(checked.arrived).groupby(keys, observed=True)[["records", "price_gbp"]].sum()
    found = _records_breaking(checked.failures, errors)
    in_question = _records_breaking(checked.failures, priced)
    sums = {
        "with_errors": found.groupby(keys, observed=True).size(),
        "in_question": in_question.groupby(keys, observed=True).size(),
        "in_question_gbp": in_question.groupby(keys, observed=True)["price_gbp"].sum(),
    }
    return arrived.join(pd.DataFrame(sums)).fillna(0).reset_index()


def duplicates(failures: pa.Table, feed: str) -> pd.DataFrame:
    """Records of a feed that are another record again: provider_code, cds_unique_identifier."""
    found = failures.filter(pa.compute.equal(failures["rule"], f"{feed}_duplicate"))
    return found.select(["provider_code", KEY]).to_pandas().drop_duplicates(ignore_index=True)


def described(rules: Sequence[Rule]) -> pd.DataFrame:
    """The rules themselves: rule, feed, kind, severity, title, what, why."""
    names = ["feed", "kind", "severity", "title", "what", "why"]
    return pd.DataFrame([{"rule": rule.id, **{name: getattr(rule, name) for name in names}} for rule in rules])


def _records_breaking(failures: pa.Table, rules: set[str]) -> pd.DataFrame:
    chosen = failures.filter(pa.compute.is_in(failures["rule"], pa.array(sorted(rules), pa.string())))
    columns = ["feed", *PLACE, "month", KEY, "price_gbp"]
    once = chosen.select(columns).to_pandas().drop_duplicates(["feed", "provider_code", KEY])
    return _with_year(once)


def _with_year(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(financial_year=financial_years(frame["month"]))
