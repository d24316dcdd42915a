"""What hospitals sent: how much arrived and when, which fields are filled, and whether it adds up to the return.

For the chapter on data quality, which says beside it what is wrong in what arrived.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import figures, record_tables
from cbs_analysis.chapters.building import Chapter, Standing, plain_measure, sentence, stated
from cbs_analysis.evidence import charts, disclosure
from cbs_analysis.evidence.finding import Chart, Finding, Note
from cbs_analysis.evidence.tables import Column
from cbs_analysis.evidence.wording import listed, number, sentence_case
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates

CHAPTER = Chapter("data_quality", "monitoring")
FEEDS = {"apc": "spells", "op": "outpatient appointments", "ae": "A&E attendances"}
RETURNED = {
    "elective_ordinary_admissions": "Elective ordinary admissions",
    "elective_daycase_admissions": "Day cases",
    "nonelective_admissions": "Non-elective admissions",
    "first_outpatient_attendances": "First outpatient attendances",
}
ALL_READ = "Every row that was sent could be read."
MOST_FIELDS = 15
MAY_BE_EMPTY = ("primary_procedure_opcs4", "procedure_date", "secondary_diagnosis_icd10")
"""Fields that are empty wherever there is nothing to say."""
LATE = "apc_late_submission"


def arrived(pack: Pack) -> Finding:
    """What was sent to the store, what of it could not be read, and how many records are the area's."""
    received = pack.read("records_received").set_index("feed").reindex(FEEDS)
    rows = record_tables.of_area(pack, pack.read("records_with_errors"))
    own = rows[rows["financial_year"] == pack.edition.activity_year].groupby("feed")["records"].sum().reindex(FEEDS)
    frame = received.assign(feed=[sentence_case(noun) for noun in FEEDS.values()], own=own).reset_index(drop=True)
    counts = ["own", "sent", "loaded", "replaced", "quarantined"]
    columns = {
        "feed": Column("Feed"),
        "own": Column(f"{pack.area.name}'s in {pack.edition.activity_year}", decimals=0),
        "sent": Column("Sent, all areas and years", decimals=0),
        "loaded": Column("Loaded", decimals=0),
        "replaced": Column("Took another's place", decimals=0),
        "quarantined": Column("Could not be read", decimals=0),
    }
    unread, sent = received["quarantined"].sum(), received["sent"].sum()
    refused = rates.ratio(unread, sent, 100)
    said = listed(f"{disclosure.said(count)} {noun}" for count, noun in zip(own.fillna(0), FEEDS.values(), strict=True))
    return CHAPTER.finding(
        pack,
        "arrived",
        title="What arrived",
        statement=(
            f"The record store holds {said} of {pack.area.name}'s for {pack.edition.activity_year}. "
            + (
                ALL_READ
                if not unread
                else f"Of all rows that were sent, {disclosure.said(unread)} could not be read."
                if unread < disclosure.FEWEST_EVENTS
                else f"Of all rows that were sent, {number(float(refused), 2)}% could not be read."
            )
        ),
        period=pack.edition.activity_year,
        sources=["records_received", "records_with_errors"],
        caveats=[
            "Rows sent are always loaded, put in another's place, or kept apart with the reason: none is dropped."
        ],
        table=disclosure.table("What was sent, and what became of it", frame, columns, counts),
    )


def against_return(pack: Pack) -> Finding:
    """Records beside the published return, by measure and by month."""
    frame = pack.read("records_against_return")
    leaves = list(pack.geography.leaves(pack.area.code))
    own = frame[frame["area_code"].isin(leaves)]
    months = own.groupby(["measure", "month"])[["records", "published"]].sum(min_count=len(leaves)).reset_index()
    year = [f"{month:%Y-%m}" for month in figures.year_months(pack.edition.activity_year)]
    totals = months[months["month"].isin(year)].groupby("measure")[["records", "published"]].sum(min_count=len(year))
    totals = totals.reindex(RETURNED)
    totals["records"] = disclosure.rounded(totals["records"])
    months["records"] = disclosure.rounded(months["records"])
    shown = totals.assign(
        name=list(RETURNED.values()),
        difference=totals["records"] - totals["published"],
        difference_pct=rates.relative_change(totals["records"], totals["published"]),
    )
    columns = {
        "name": Column("Measure"),
        "published": Column("Published", decimals=0),
        "records": Column("Records", decimals=0),
        "difference_pct": Column("Records against published", unit="%", decimals=2),
    }
    largest = shown.loc[shown["difference_pct"].abs().idxmax()] if shown["difference_pct"].notna().any() else None
    lines = months.assign(
        difference=rates.relative_change(months["records"], months["published"]), series=months["measure"].map(RETURNED)
    )
    return CHAPTER.finding(
        pack,
        "against_return",
        title="Records beside the published return",
        statement=(
            f"{largest['name']} differ most over the year: {pack.area.name}'s records hold "
            f"{number(abs(largest['difference_pct']), 2)}% {'fewer' if largest['difference'] < 0 else 'more'} than the "
            f"return published for {pack.edition.activity_year}."
            if largest is not None
            else f"The return and the records have no whole year in common for {pack.area.name}."
        ),
        period=pack.edition.activity_year,
        sources=["records_against_return"],
        caveats=[
            "The return counts first finished episodes and the records finished spells, so real extracts differ more.",
            "A record whose commissioner is unknown is in nobody's count; a duplicate counts twice.",
        ],
        table=disclosure.table(
            f"Records and the published return, {pack.edition.activity_year}", shown.reset_index(drop=True), columns,
            ["records"], {"difference_pct": "records"},
        ),
        chart=_difference_chart(pack, lines),
    )  # fmt: skip


def completeness(pack: Pack) -> Finding | Note:
    """Which fields are least often filled and valid in what the area's trusts send, beside all others."""
    rows = record_tables.year_rows(pack, "records_completeness")
    rows = rows[(rows["provider_code"] != record_tables.OUTSIDE) & ~rows["field"].isin(MAY_BE_EMPTY)]
    own = record_tables.own_providers(pack)
    mine = rows[rows["provider_code"].isin(own)].groupby(["feed", "field"])[["records", "filled", "valid"]].sum()
    rest = rows[~rows["provider_code"].isin(own)].groupby(["feed", "field"])[["records", "valid"]].sum()
    frame = mine.assign(
        filled_pct=rates.ratio(mine["filled"], mine["records"], 100),
        valid_pct=rates.ratio(mine["valid"], mine["records"], 100),
        others_pct=rates.ratio(rest["valid"], rest["records"], 100) if len(rest) else np.nan,
        of_others=rest["valid"] if len(rest) else np.nan,
        others=rest["records"] if len(rest) else np.nan,
    ).reset_index()
    frame = frame.sort_values("valid_pct", kind="stable").head(MOST_FIELDS)
    frame["name"] = [
        f"{field.replace('_', ' ')} ({FEEDS[feed]})" for feed, field in zip(frame["feed"], frame["field"], strict=True)
    ]
    columns = {
        "name": Column("Field"),
        "filled_pct": Column("Filled", unit="%", decimals=2),
        "valid_pct": Column("Valid", unit="%", decimals=2),
        "others_pct": Column("Valid at other trusts", unit="%", decimals=2),
    }
    if pack.area.is_whole or not len(rest):
        del columns["others_pct"]
    known = frame[
        (frame["valid"] >= disclosure.FEWEST_EVENTS) & ~disclosure.is_small(frame["records"] - frame["valid"])
    ]
    if known.empty:
        return Note(f"Too few records of {pack.area.name}'s trusts are there to say how complete they are.")
    least = known.iloc[0]
    whose = "the trusts" if pack.area.is_whole else f"{pack.area.name}'s trusts"
    return CHAPTER.finding(
        pack,
        "completeness",
        title="Fields filled, and with values that can be true",
        function="provider management",
        statement=(
            f"In what {whose} sent for {pack.edition.activity_year}, {least['name']} is least often valid: in "
            f"{number(least['valid_pct'], 2)}% of records."
        ),
        period=pack.edition.activity_year,
        sources=["records_completeness", "spell_flows", "providers"],
        caveats=["Valid is a value that can be true, such as a code that exists: not one that is known to be true."],
        table=disclosure.table(
            f"The {len(frame)} fields least often valid",
            frame,
            columns,
            [],
            {
                "filled_pct": ("filled", "records"),
                "valid_pct": ("valid", "records"),
                "others_pct": ("of_others", "others"),
            },
        ),
    )


def breaks(pack: Pack) -> Finding:
    """Months in which one of the area's trusts sent far fewer or more records than usual."""
    frame = pack.read("records_breaks")
    own = record_tables.own_providers(pack)
    rows = frame[frame["provider_code"].isin(own)].sort_values(["month", "provider_code", "feed"], kind="stable")
    shown = rows.assign(
        name=record_tables.named(pack, rows["provider_code"]),
        what=rows["feed"].map(FEEDS),
        change=rates.relative_change(rows["records"], rows["expected"]),
    )
    columns = {
        "month": Column("Month"),
        "name": Column("Trust"),
        "what": Column("Records"),
        "records": Column("Sent", decimals=0),
        "expected": Column("Expected", decimals=0),
        "change": Column("Difference", unit="%", decimals=0),
    }
    whose = "the trusts" if pack.area.is_whole else f"{pack.area.name}'s trusts"
    trusts = list(dict.fromkeys(shown["name"]))
    times = len(shown[["month", "provider_code"]].drop_duplicates())
    statement = (
        f"{number(times)} {'month' if times == 1 else 'months'} of a trust {'stands' if times == 1 else 'stand'} out "
        f"among what {whose} sent, with far fewer or more records than usual: {listed(trusts)}."
        if times
        else f"No month stands out in how many records {whose} sent."
    )
    months = pack.read("records_months")["month"]
    return CHAPTER.finding(
        pack,
        "breaks",
        title="Months that stand out",
        statement=statement,
        measured=plain_measure("Months that stand out", "months of a trust", 0),
        value=float(times),
        period=f"{months.min()} to {months.max()}",
        sources=["records_breaks", "records_months", "spell_flows", "providers"],
        methods=["recording-breaks"],
        caveats=["A month that stands out is a lead to look at: records may be missing, or care may have changed."],
        table=disclosure.table(
            "Months that stand out",
            shown.reset_index(drop=True),
            columns,
            ["records", "expected"],
            {"change": "records"},
        )
        if len(shown)
        else None,
    )


def late(pack: Pack) -> Finding | Note:
    """Spells sent more than 60 days after their month, by the trusts that sent them."""
    rows = record_tables.year_rows(pack, "quality_counts")
    rows = rows[rows["rule"] == LATE]
    if rows.empty:
        return Note("No rule says what late is.")
    failed, records = (record_tables.sum_by_leaf(rows, name) for name in ("failed", "records"))
    measured = plain_measure("Spells sent late", "%", 1, per=100, polarity="low is good")
    found = record_tables.standing(pack, failed, records, measured, figures.as_proportion)
    own = record_tables.of_area(pack, rows).groupby("provider_code")[["failed", "records"]].sum()
    frame = own.assign(
        name=record_tables.named(pack, own.index), late=rates.ratio(own["failed"], own["records"], 100)
    ).sort_values("late", ascending=False, kind="stable")
    columns = {
        "name": Column("Trust"),
        "failed": Column("Sent late", decimals=0),
        "records": Column("Spells", decimals=0),
        "late": Column("Late", unit="%", decimals=1),
    }
    return CHAPTER.finding(
        pack,
        "late",
        title="Sent late",
        statement=statement(pack, found, f"{stated(pack, found)} of {pack.area.name}'s spells were sent late"),
        standing=found,
        comparisons=record_tables.comparisons(pack, found),
        period=pack.edition.activity_year,
        sources=["quality_counts", "providers"],
        methods=["proportions"],
        caveats=["Late is more than 60 days after the end of the month of discharge."],
        table=disclosure.table(
            f"Spells sent late by trust, {pack.edition.activity_year}", frame.reset_index(drop=True), columns,
            ["failed", "records"], {"late": "failed"},
        ),
    )  # fmt: skip


def _difference_chart(pack: Pack, months: pd.DataFrame) -> Chart | None:
    """How far records lie from the return, month by month, a line a measure."""
    known = months.dropna(subset=["difference"])
    if known.empty:
        return None
    frame = known.assign(
        x=pd.to_datetime(known["month"]), value=known["difference"],
        role=["area" if measure == "nonelective_admissions" else "peer" for measure in known["measure"]],
    )  # fmt: skip
    drawn = charts.lines(
        frame[["x", "series", "value", "role"]],
        title="Records against the published return",
        subtitle=f"{pack.area.name}, difference in % of the published count, by month; numbers are of the last",
        value_title="More or fewer records than published (%)",
        x_type="month",
        reference=("As published", 0.0),
        peers_label="Other measures",
    )
    low, high = known["difference"].min(), known["difference"].max()
    description = (
        f"Lines of four measures by month. The records differ from the published counts by {number(low, 1)}% to "
        f"{number(high, 1)}%."
    )
    return Chart(drawn, description)


def statement(pack: Pack, found: Standing, opening: str) -> str:
    """The area's value and where it stands; or that there is none."""
    if np.isnan(found.own(pack).value):
        return f"{pack.area.name} has no figure for {pack.edition.activity_year}: too few records, or none."
    said = sentence(pack, found)
    return f"{opening} in {pack.edition.activity_year}{', ' + said if said else ''}."
