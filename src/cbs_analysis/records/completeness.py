"""How many records have each field filled, and filled with a value that can be true, trust by trust.

A value cannot be true where a rule with `validity: true` fails whose first field it is; a field without such a rule is
valid wherever it is filled.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from ibis.expr import types as ir

from cbs_analysis.records.checking_records import failing
from cbs_analysis.records.references import References, referenced
from cbs_analysis.records.rules import Rule, of_feed

NO_FIELDS = ("month", "file_id", "row_number")
"""Columns that the record store adds to a feed's own."""
COLUMNS = ("feed", "field", "provider_code", "financial_year", "records", "filled", "valid")


def completeness(table: ir.Table, feed: str, references: References, rules: Sequence[Rule]) -> pd.DataFrame:
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


def _validity(rules: Sequence[Rule], feed: str, field: str) -> list[Rule]:
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
    return stacked[list(COLUMNS)]
