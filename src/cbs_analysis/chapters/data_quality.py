"""Data quality: what hospitals sent about our people, what was refused, and what is wrong in what was not.

For whoever pays by records, and for the trusts that send them. From hospital activity records held against the quality
rules, and beside the published activity return.
"""

import pandas as pd

from cbs_analysis.chapters import figures, record_tables
from cbs_analysis.chapters.arriving import (
    CHAPTER,
    FEEDS,
    against_return,
    arrived,
    breaks,
    completeness,
    late,
    statement,
)
from cbs_analysis.chapters.building import plain_measure, stated
from cbs_analysis.chapters.ranked_areas import ranked_areas
from cbs_analysis.evidence import charts, disclosure
from cbs_analysis.evidence.finding import Chart, Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import interval, number
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates

MOST_RULES = 15
PRICED = (
    "Pounds are national mean costs of 2024/25 by healthcare resource group, for weighing: not what was paid. They are "
    "of admitted care alone; outpatient and A&E prices are not published here."
)
NOT_LOST = "A record in question is not money lost: it is money to ask about before it is paid."


def errors(pack: Pack) -> Finding:
    """Spells with at least one error, in all spells, and the rules that most of them break."""
    rows = record_tables.year_rows(pack, "records_with_errors")
    rows = rows[rows["feed"] == "apc"]
    failed, records = (record_tables.sum_by_leaf(rows, name) for name in ("with_errors", "records"))
    measured = pack.indicators["spells_with_errors_pct"]
    found = record_tables.standing(pack, failed, records, measured, figures.as_proportion)
    return CHAPTER.finding(
        pack,
        "errors",
        title="Spells with an error",
        statement=statement(pack, found, f"{stated(pack, found)} of {pack.area.name}'s spells hold at least one error"),
        standing=found,
        comparisons=record_tables.comparisons(pack, found),
        period=pack.edition.activity_year,
        sources=["records_with_errors", "quality_counts", "quality_rules"],
        caveats=[
            "A record counts once, however many rules it breaks. Warnings, and what is only counted, are not errors.",
            "The errors are the trusts'; a PCT has those of the trusts that treat its people.",
            "Spells that are another again count here; the other chapters leave them out.",
        ],
        table=_rules_broken(pack),
        chart=ranked_areas(pack, found, "Spells with an error (%)"),
    )


def _rules_broken(pack: Pack) -> Table | None:
    """The rules that the area's records break most, with its rate and the whole's."""
    counts = record_tables.year_rows(pack, "quality_counts")
    rules = pack.read("quality_rules").set_index("rule")
    counts = counts[counts["rule"].isin(rules.index[rules["severity"] != "information"])]
    own = record_tables.of_area(pack, counts).groupby("rule")[["records", "failed", "value_gbp"]].sum()
    everyone = record_tables.of_whole(pack, counts).groupby("rule")[["records", "failed"]].sum()
    own = own[own["failed"] > 0].sort_values("failed", ascending=False, kind="stable").head(MOST_RULES)
    if own.empty:
        return None
    frame = own.assign(
        title=rules["title"].reindex(own.index),
        feed=rules["feed"].reindex(own.index).map(FEEDS),
        rate=rates.ratio(own["failed"], own["records"], 1000),
        whole=pd.Series(rates.ratio(everyone["failed"], everyone["records"], 1000), everyone.index).reindex(own.index),
        of_whole=everyone["failed"].reindex(own.index),
    )
    frame["value_gbp"] = frame["value_gbp"].where(frame["value_gbp"] > 0)
    columns = {
        "title": Column("What is wrong"),
        "feed": Column("In"),
        "failed": Column("Records", decimals=0),
        "rate": Column("Per 1,000", decimals=2),
        "whole": Column(f"{pack.geography.whole.name} per 1,000", decimals=2),
        "value_gbp": Column("In question", unit="£", decimals=0),
    }
    title = f"The rules that {pack.area.name}'s records break most, {pack.edition.activity_year}"
    return disclosure.table(
        title,
        frame.reset_index(drop=True),
        columns,
        ["failed"],
        {"rate": "failed", "whole": "of_whole", "value_gbp": "failed"},
    )


def errors_by_provider(pack: Pack) -> Finding | Note:
    """Each trust's share of spells with an error, within limits; the area's own trusts named."""
    rows = record_tables.of_whole(pack, record_tables.year_rows(pack, "records_with_errors"))
    trusts = record_tables.provider_names(pack).index.drop(record_tables.OUTSIDE)
    rows = rows[(rows["feed"] == "apc") & rows["provider_code"].isin(trusts)]
    totals = rows.groupby("provider_code")[["with_errors", "records"]].sum()
    totals = totals[totals["with_errors"] >= disclosure.FEWEST_EVENTS]
    if len(totals) < 3:
        return Note("Too few trusts are in the records to set them side by side.")
    limits = rates.proportion(totals["with_errors"], totals["records"], per=100)
    for name in limits:
        pairs = zip(limits[name], totals["with_errors"], strict=True)
        limits[name] = [disclosure.rounded_rate(value, events) for value, events in pairs]
    everyone = rates.ratio(totals["with_errors"].sum(), totals["records"].sum(), 100)
    own = record_tables.own_providers(pack)
    frame = limits.assign(
        name=record_tables.named(pack, totals.index), failed=totals["with_errors"], records=totals["records"]
    )
    frame["role"] = ["area" if code in own and not pack.area.is_whole else "peer" for code in frame.index]
    worst = frame.sort_values("value", ascending=False, kind="stable")
    mine = worst[worst.index.isin(own)]
    drawn = charts.ranked_intervals(
        disclosure.safe_points(frame, "failed")[["name", "value", "lower", "upper", "role"]],
        title="Spells with an error, by trust",
        subtitle=f"{pack.geography.whole.name}'s spells, {pack.edition.activity_year}, 95% intervals",
        value_title="Spells with an error (%)",
        reference=("All trusts", float(everyone)),
    )
    first = mine if len(mine) else worst
    columns = {
        "name": Column("Trust"),
        "failed": Column("Spells with an error", decimals=0),
        "records": Column("Spells", decimals=0),
        "value": Column("With an error (%)", decimals=2),
        "lower": Column("95% lower limit", decimals=2),
        "upper": Column("95% upper limit", decimals=2),
    }
    table = disclosure.table(
        f"Spells with an error by trust, {pack.edition.activity_year}", worst.reset_index(drop=True), columns,
        ["failed", "records"], dict.fromkeys(["value", "lower", "upper"], "failed"),
    )  # fmt: skip
    top = first.iloc[0]
    among = "" if pack.area.is_whole else f" of {pack.area.name}'s trusts"
    return CHAPTER.finding(
        pack,
        "errors_by_provider",
        title="Errors by trust",
        function="provider management",
        statement=(
            f"{top['name']} has the largest share{among}: {number(top['value'], 2)}% "
            f"({interval(top['lower'], top['upper'], 2)}) of its spells hold an error, against "
            f"{number(float(everyone), 2)}% of all trusts together."
            + ("" if (first["lower"] > everyone).any() else " None lies above all trusts together.")
        ),
        period=pack.edition.activity_year,
        sources=["records_with_errors", "spell_flows", "providers"],
        methods=["proportions", "proportion-intervals"],
        caveats=[f"{pack.area.name}'s trusts are those that give at least a twentieth of its spells."]
        if not pack.area.is_whole
        else [],
        table=table,
        chart=Chart(
            drawn, f"{len(frame)} trusts by their share of spells with an error. {top['name']} has most{among}."
        ),
    )


def value_in_question(pack: Pack) -> Finding:
    """What the spells cost whose payment an error puts in question."""
    rows = record_tables.of_area(pack, record_tables.year_rows(pack, "records_with_errors"))
    rows = rows[rows["feed"] == "apc"]
    by_trust = rows.groupby("provider_code")[["in_question", "in_question_gbp", "price_gbp"]].sum()
    by_trust = by_trust.sort_values("in_question_gbp", ascending=False, kind="stable")
    own = by_trust.sum()
    frame = by_trust.assign(name=record_tables.named(pack, by_trust.index)).reset_index(drop=True)
    columns = {
        "name": Column("Trust"),
        "in_question": Column("Spells in question", decimals=0),
        "in_question_gbp": Column("In question", unit="£", decimals=0),
    }
    shown = disclosure.pounds(own["in_question_gbp"], own["in_question"])
    share = rates.ratio(own["in_question_gbp"], own["price_gbp"], 100)
    return CHAPTER.finding(
        pack,
        "value_in_question",
        title="What the errors are worth",
        statement=(
            f"Spells worth £{number(shown)} of {pack.area.name}'s, {number(float(share), 2)}% of the price of all, "
            "hold an error that puts their payment in question."
            if shown == shown
            else f"Too few of {pack.area.name}'s spells are in question to say what they are worth."
        ),
        measured=plain_measure("Price of spells in question", "£", 0),
        value=shown,
        period=pack.edition.activity_year,
        sources=["records_with_errors", "providers"],
        caveats=[NOT_LOST, PRICED],
        table=disclosure.table(
            f"Spells in question by trust, {pack.edition.activity_year}", frame, columns, ["in_question"],
            {"in_question_gbp": "in_question"},
        ),
    )  # fmt: skip


__all__ = [
    "against_return",
    "arrived",
    "breaks",
    "completeness",
    "errors",
    "errors_by_provider",
    "late",
    "value_in_question",
]
