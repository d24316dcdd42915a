"""Tables of data quality: rules by trust, PCT and year; completeness; months that stand out; published totals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from ibis.expr import types as ir
from numpy.typing import NDArray

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.records.quality_checks import QualityResults, failing
from cbs_analysis.records.quality_rules import FILE, KEY, QualityRule, of_feed
from cbs_analysis.records.reference_data import ReferenceData, referenced
from cbs_analysis.stats.calendar import calendar_days, working_days

NO_FIELDS = ("month", "file_id", "row_number")
"""Columns that the record store adds to a feed's own."""
COMPLETENESS_COLUMNS = ("feed", "field", "provider_code", "financial_year", "records", "filled", "valid")


def completeness(table: ir.Table, feed: str, references: ReferenceData, rules: Sequence[QualityRule]) -> pd.DataFrame:
    """One row a field, provider and financial year: feed, field, provider_code ("" where empty), financial_year,
    records, filled (records with the field filled) and valid (with a value that can be true).

    `table` has the feed's fields and `month`. Read in one pass.
    """
    fields = [name for name in table.columns if name not in NO_FIELDS]
    full = referenced(table, feed, references)
    sums = {}
    for name in fields:
        filled = _is_filled(full[name])
        sums[f"filled {name}"] = filled.sum()
        wrong = [failing(full, rule) for rule in _validity(rules, feed, name)]
        valid = filled
        for found in wrong:
            valid = valid & ~found
        sums[f"valid {name}"] = valid.sum()
    keyed = full.mutate(of_provider=full["provider_code"].fill_null(""), of_month=full["month"].fill_null(""))
    counted = keyed.group_by(["of_provider", "of_month"]).agg(records=keyed.count(), **sums).execute()
    return _by_field(counted, feed, fields)


def financial_years(months: pd.Series) -> pd.Series:
    """The financial year, such as 2010/11, of months written 2010-04; "" of a month that is empty."""
    return months.astype(str).map({month: _financial_year(month) for month in months.astype(str).unique()})


def _financial_year(month: str) -> str:
    if not month:
        return ""
    year = int(month[:4]) - (int(month[5:7]) < 4)
    return f"{year}/{(year + 1) % 100:02d}"


def _is_filled(value: ir.Value) -> ir.BooleanValue:
    return value.notnull() & (value != "") if isinstance(value, ir.StringValue) else value.notnull()


def _validity(rules: Sequence[QualityRule], feed: str, field: str) -> list[QualityRule]:
    return [rule for rule in of_feed(tuple(rules), feed, "row") if rule.validity and rule.fields[0] == field]


def _by_field(counted: pd.DataFrame, feed: str, fields: Sequence[str]) -> pd.DataFrame:
    keyed = counted.assign(financial_year=financial_years(counted["of_month"])).drop(columns="of_month")
    summed = keyed.groupby(["of_provider", "financial_year"]).sum().astype("int64")
    parts = [
        pd.DataFrame(
            {
                "records": summed["records"],
                "filled": summed[f"filled {name}"],
                "valid": summed[f"valid {name}"],
            }
        ).assign(feed=feed, field=name)
        for name in fields
    ]
    stacked = pd.concat(parts).rename_axis(["provider_code", "financial_year"]).reset_index()
    return stacked[list(COMPLETENESS_COLUMNS)]


PLACE = ["provider_code", "commissioner_code"]


def counts_by_year(checked: QualityResults) -> pd.DataFrame:
    """Records, failed and value_gbp of each rule by feed, rule, provider_code, commissioner_code and financial_year."""
    frame = _with_year(checked.counts)
    keys = ["feed", "rule", *PLACE, "financial_year"]
    return frame.groupby(keys, observed=True)[["records", "failed", "value_gbp"]].sum().reset_index()


def with_errors(checked: QualityResults, rules: Sequence[QualityRule]) -> pd.DataFrame:
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


def rule_descriptions(rules: Sequence[QualityRule]) -> pd.DataFrame:
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


SMALLEST_BREAK = 0.45
"""Of the logarithm: a fall by 36% or a rise by 57%. Trusts seldom change so much in one month."""
NOISE_MULTIPLE = 4.5
"""Robust standard deviations of the trust's own months about its line, of which a break has to be as many."""
FEWEST_USUAL = 50
"""Records of a usual month below which chance alone moves the count too far to judge."""
FEWEST_MONTHS = 13
"""Months before which neither growth nor season can be told."""
GROWTH_ABOUT_GROUP = 0.10
"""A year, of the logarithm: how far a trust's growth may lie from the median trust's. More is a step, not growth."""
YEAR = 12
ROUNDS = 3
BREAK_COLUMNS = ("rule", "feed", "provider_code", "month", "measure", "records", "expected")

Floats = NDArray[np.float64]


def feed_breaks(checked: QualityResults, rules: Sequence[QualityRule]) -> pd.DataFrame:
    """Months in which a provider's records depart by far from its usual, a row a rule, provider and month.

    Columns rule, feed, provider_code, month (text), measure (the one that departs furthest, where a rule has several),
    records, and expected, what the provider's other months lead one to expect.
    """
    parts = [
        _breaks_of_measure(checked.measures, rule, measure)
        for rule in rules
        if rule.kind == "series"
        for measure in rule.measures
    ]
    found = pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=[*BREAK_COLUMNS, "distance"])])
    furthest = found.sort_values("distance", ascending=False, kind="stable")
    once = furthest.drop_duplicates(["rule", "provider_code", "month"])
    return once.sort_values(["rule", "provider_code", "month"], ignore_index=True)[list(BREAK_COLUMNS)]


def expected_counts(counts: Floats, days: Floats, month_of_year: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """What each month of each series is expected to be, and how far its months usually lie from that.

    `counts` has a row a month and a column a series, NaN before a series begins; `days` are the days of each month
    and `month_of_year` 0 to 11. The first result is like `counts`; the second has one number a series, a robust
    standard deviation of the logarithm.
    """
    logs = np.log(np.maximum(counts, 0.5) / days[:, None])
    logs[np.isnan(counts)] = np.nan
    places = np.arange(len(logs))[:, None]
    slope = _growth(logs)
    season = np.zeros(YEAR)
    for _ in range(ROUNDS):
        level = _median(logs - slope * places - season[month_of_year][:, None])
        away = logs - slope * places - level
        season = _season(away, month_of_year)
    level = _median(logs - slope * places - season[month_of_year][:, None])
    fitted = level + slope * places + season[month_of_year][:, None]
    noise = 1.4826 * _median(np.abs(logs - fitted))
    return np.exp(fitted) * days[:, None], noise


def _breaks_of_measure(measures: pd.DataFrame, rule: QualityRule, measure: str) -> pd.DataFrame:
    rows = measures[
        (measures["rule"] == rule.id) & (measures["measure"] == measure) & (measures["provider_code"] != "")
    ]
    if rows.empty:
        return pd.DataFrame(columns=[*BREAK_COLUMNS, "distance"])
    summed = rows.astype({"month": str, "provider_code": str}).groupby(["month", "provider_code"])["records"].sum()
    table = summed.unstack("provider_code")
    months = pd.period_range(table.index.min(), table.index.max(), freq="M")
    table = table.reindex(months.strftime("%Y-%m"))
    began = table.notna().cummax()
    counts = table.fillna(0).where(began)
    counts = counts.loc[:, began.sum() >= FEWEST_MONTHS]
    if counts.empty or counts.shape[1] == 0:
        return pd.DataFrame(columns=[*BREAK_COLUMNS, "distance"])
    days = (working_days if rule.days == "working" else calendar_days)(months).astype(float)
    values = counts.to_numpy(dtype=float)
    expected, noise = expected_counts(values, days, months.month.to_numpy() - 1)
    distance = np.abs(np.log(np.maximum(values, 0.5) / expected))
    reach = np.maximum(SMALLEST_BREAK, NOISE_MULTIPLE * noise)
    is_break = (distance > reach) & (_median(values) >= FEWEST_USUAL)
    at, which = np.nonzero(is_break)
    return pd.DataFrame(
        {
            "rule": rule.id,
            "feed": rule.feed,
            "provider_code": counts.columns.to_numpy()[which],
            "month": counts.index.to_numpy()[at],
            "measure": measure,
            "records": values[at, which].astype("int64"),
            "expected": expected[at, which],
            "distance": distance[at, which],
        }
    )


def _growth(logs: Floats) -> Floats:
    """A month's growth of each series, from months twelve apart: no season is in it."""
    if len(logs) <= YEAR:
        return np.zeros(logs.shape[1])
    own = _median(logs[YEAR:] - logs[:-YEAR])
    group = float(np.nanmedian(own)) if np.isfinite(own).any() else 0.0
    held = np.clip(np.where(np.isnan(own), group, own), group - GROWTH_ABOUT_GROUP, group + GROWTH_ABOUT_GROUP)
    return np.asarray(held / YEAR)


def _season(away: Floats, month_of_year: NDArray[np.int64]) -> Floats:
    """The median distance from their lines of all series' months of one name, with mean 0 over the year."""
    season = np.zeros(YEAR)
    for month in np.unique(month_of_year):
        known = away[month_of_year == month]
        known = known[~np.isnan(known)]
        season[month] = np.median(known) if known.size else 0.0
    return season - season.mean()


def _median(values: Floats) -> Floats:
    """The median of each column's known values, NaN where it has none."""
    empty = np.isnan(values).all(axis=0)
    return np.asarray(np.where(empty, np.nan, np.nanmedian(np.where(empty, 0.0, values), axis=0)))


TOLERANCE = 0.01
"""Of the published count: a difference up to this share is late correction on either side, and no failure."""
TOTAL_COLUMNS = (
    "rule", "feed", "measure", "commissioner_code", "month", "records", "published", "difference",
    "is_beyond_tolerance",
)  # fmt: skip


def totals(checked: QualityResults, references: ReferenceData, rules: Sequence[QualityRule]) -> pd.DataFrame:
    """Records beside the published count, one row a rule, measure, commissioner and month that has records at all.

    Columns rule, feed, measure (the return's own column), commissioner_code, month (text), records, published,
    difference (records less published) and is_beyond_tolerance. Commissioners and months that the return has no count
    of are left out; a measure of which a commissioner has no record in a month counts 0. Raises
    UserError where a rule's measure is no column of the return.
    """
    parts = [
        _totals_of_measure(checked, references.published, rule, measure)
        for rule in rules
        if rule.kind == "total"
        for measure in rule.measures
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(TOTAL_COLUMNS))


def _totals_of_measure(
    checked: QualityResults, published: pd.DataFrame, rule: QualityRule, measure: str
) -> pd.DataFrame:
    keys = ["commissioner_code", "month"]
    arrived = checked.arrived[checked.arrived["feed"] == rule.feed].astype(dict.fromkeys(keys, str))
    places = arrived[keys].drop_duplicates()
    if measure not in published:
        raise UserError(
            f"{FILE}, {rule.id}: measures: no measure {measure!r} in the return; {nearest(measure, published.columns)}"
        )
    chosen = (checked.measures["rule"] == rule.id) & (checked.measures["measure"] == measure)
    counted = checked.measures[chosen].astype(dict.fromkeys(keys, str)).groupby(keys)["records"].sum().reset_index()
    beside = published[[*keys, measure]].dropna().rename(columns={measure: "published"})
    joined = places.merge(beside, on=keys).merge(counted, on=keys, how="left").fillna({"records": 0})
    difference = joined["records"] - joined["published"]
    made = joined.assign(
        rule=rule.id,
        feed=rule.feed,
        measure=measure,
        records=joined["records"].astype("int64"),
        difference=difference,
        is_beyond_tolerance=difference.abs() > TOLERANCE * joined["published"],
    )
    return made.sort_values(keys, ignore_index=True)[list(TOTAL_COLUMNS)]
