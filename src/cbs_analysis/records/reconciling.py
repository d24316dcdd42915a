"""Do a commissioner's records add up to what it was published to have done? Records against the activity return."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.records.checking_records import Checked
from cbs_analysis.records.references import References
from cbs_analysis.records.rules import FILE, Rule

TOLERANCE = 0.01
"""Of the published count: a difference up to this share is late correction on either side, and no failure."""
COLUMNS = (
    "rule", "feed", "measure", "commissioner_code", "month", "records", "published", "difference",
    "is_beyond_tolerance",
)  # fmt: skip


def totals(checked: Checked, references: References, rules: Sequence[Rule]) -> pd.DataFrame:
    """Records beside the published count, one row a rule, measure, commissioner and month that has records at all.

    Columns rule, feed, measure (the return's own column), commissioner_code, month (text), records, published,
    difference (records less published) and is_beyond_tolerance. Commissioners and months that the return has no count
    of are left out; a measure of which a commissioner has no record in a month counts 0. Raises
    UserError where a rule's measure is no column of the return.
    """
    parts = [
        _of_measure(checked, references.published, rule, measure)
        for rule in rules
        if rule.kind == "total"
        for measure in rule.measures
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _of_measure(checked: Checked, published: pd.DataFrame, rule: Rule, measure: str) -> pd.DataFrame:
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
    return made.sort_values(keys, ignore_index=True)[list(COLUMNS)]
