"""What a trust or a commissioner is told of its records: each rule's count and rate beside the others', and examples.

Counts here are exact: they are for the trust that sent the records, and for the commissioner that received them. Pages
and downloads for others hold them back below eight and round them, in a module of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from cbs_analysis.records.quality_checks import QualityResults
from cbs_analysis.records.quality_rules import KEY, QualityRule
from cbs_analysis.records.quality_tables import financial_years
from cbs_analysis.stats import funnel
from cbs_analysis.stats.intervals import proportion_interval
from cbs_analysis.tables.derived import FEWEST_EVENTS

PER = 1000
METHOD: funnel.OverdispersionMethod = "winsorised"
HIGHER, LOWER, LIKE_OTHERS, NOT_JUDGED = "higher", "lower", "like others", "not judged"
_SAID = {"high (99.8%)": HIGHER, "low (99.8%)": LOWER, "not known": NOT_JUDGED}
By = Literal["provider_code", "commissioner_code"]


def feedback(checked: QualityResults, rules: Sequence[QualityRule], by: By = "provider_code") -> pd.DataFrame:
    """One row a code and rule with records that it applies to, in the order of the rules, then of the codes.

    Columns: feed, rule, code, records, failed, value_gbp, rate_per_1000 with lower_per_1000 and upper_per_1000 (95%,
    Wilson), others_per_1000 (all other codes together, to one decimal; NaN of fewer than two, or of 1 to 7 failures),
    and standing: `higher` or `lower` than others beyond 99.8% limits that allow for how much they differ anyway, `like
    others`, or `not judged` where fewer than three have records, or nothing failed at all.
    """
    counts = checked.counts
    summed = counts.groupby(["feed", "rule", by], observed=True, sort=False)[["records", "failed", "value_gbp"]].sum()
    table = summed.reset_index().rename(columns={by: "code"}).astype({"feed": str, "rule": str, "code": str})
    parts = []
    for rule in rules:
        own = table[table["rule"] == rule.id].sort_values("code", ignore_index=True)
        if not own.empty:
            parts.append(own.assign(**_rates(own), standing=_standing(own)))
    return pd.concat(parts, ignore_index=True) if parts else table.assign(**_rates(table), standing=[])


def trend(checked: QualityResults, by: By = "provider_code") -> pd.DataFrame:
    """Failures by year: feed, rule, code, financial_year, records, failed, value_gbp and rate_per_1000."""
    year = financial_years(checked.counts["month"])
    keys = ["feed", "rule", by, "financial_year"]
    keyed = checked.counts.assign(financial_year=year)
    summed = keyed.groupby(keys, observed=True, sort=False)[["records", "failed", "value_gbp"]].sum().reset_index()
    named = summed.rename(columns={by: "code"}).astype({"feed": str, "rule": str, "code": str})
    made = named.assign(rate_per_1000=PER * named["failed"] / named["records"])
    return made.sort_values(["feed", "rule", "code", "financial_year"], ignore_index=True)


def worst_examples(checked: QualityResults, code: str, most: int, by: By = "provider_code") -> pd.DataFrame:
    """The records of a code to look at first: of each rule at most so many, the dearest first.

    Columns as `QualityResults.failures`. Patients are pseudonymised. Records without a price come
    last, by key.
    """
    rows = checked.failures.filter(pc.equal(checked.failures[by], code)).to_pandas()
    ordered = rows.sort_values(["price_gbp", KEY], ascending=[False, True], na_position="last", kind="stable")
    return ordered.groupby("rule", sort=False).head(most).reset_index(drop=True)


def _rates(table: pd.DataFrame) -> dict[str, object]:
    failed, records = table["failed"].to_numpy(dtype=float), table["records"].to_numpy(dtype=float)
    lower, upper = proportion_interval(failed, records)
    # Beside one other alone its rate would be that one's own; and of few failures it would tell how many.
    of_others = failed.sum() - failed
    is_told = (len(table) >= funnel.FEWEST_AREAS) & ((of_others == 0) | (of_others >= FEWEST_EVENTS))
    with np.errstate(invalid="ignore", divide="ignore"):
        others = np.round(PER * of_others / (records.sum() - records), 1)
        return {
            "rate_per_1000": PER * failed / records,
            "lower_per_1000": PER * np.asarray(lower),
            "upper_per_1000": PER * np.asarray(upper),
            "others_per_1000": np.where(is_told, others, np.nan),
        }


def _standing(table: pd.DataFrame) -> list[str]:
    failed, records = table["failed"].to_numpy(dtype=float), table["records"].to_numpy(dtype=float)
    if len(table) < funnel.FEWEST_AREAS or failed.sum() == 0:
        return [NOT_JUDGED] * len(table)
    around = funnel.around_average(failed, records, METHOD)
    places = funnel.status(failed / records, around.widened)
    return [_SAID.get(place, LIKE_OTHERS) for place in places]
