"""Data quality: what hospitals sent about our people, what was refused, and what is wrong in what was not.

For whoever pays by records, and for the trusts that send them. From hospital activity records checked against the
quality rules, and compared with the published activity return.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import record_tables
from cbs_analysis.chapters.area_estimates import AreaEstimates, as_proportion, plain_measure, stated
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, Value, value_of
from cbs_analysis.chapters.ranked_areas import ranked_areas
from cbs_analysis.chapters.record_tables import FEEDS, SPELLS, activity_year, trusts_of
from cbs_analysis.evidence import charts, disclosure
from cbs_analysis.evidence.finding import Chart, Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import interval, listed, number, plural, sentence_case
from cbs_analysis.pack import Pack
from cbs_analysis.periods import FREQUENCIES
from cbs_analysis.stats import rates

CHAPTER = Chapter("data_quality", "monitoring")
RETURNED = {
    "elective_ordinary_admissions": "Elective ordinary admissions",
    "elective_daycase_admissions": "Day cases",
    "nonelective_admissions": "Non-elective admissions",
    "first_outpatient_attendances": "First outpatient attendances",
}
FIRST_DRAWN = "nonelective_admissions"
BECAME = ("loaded", "replaced", "quarantined")
"""What becomes of rows that are sent: the three add up to all of them."""
MAY_BE_EMPTY = ("primary_procedure_opcs4", "procedure_date", "secondary_diagnosis_icd10")
"""Fields that are empty wherever there is nothing to say."""
LATE = "apc_late_submission"
MOST_FIELDS, MOST_RULES, FEWEST_TRUSTS = 15, 15, 3
NOT_LOST = "A record in question is not money lost: it is money to ask about before it is paid."


def arrived(pack: Pack) -> Finding:
    """What was sent to the store, what of it could not be read, and how many records are the area's."""
    year = activity_year(pack)
    received = pack.read("records_received").set_index("feed").reindex(list(FEEDS)).fillna(0)
    rows = record_tables.of_area(pack, record_tables.year_rows(pack, "records_with_errors"))
    own = rows.groupby("feed")["records"].sum().reindex(list(FEEDS))
    frame = received.assign(feed=[sentence_case(noun) for noun in FEEDS.values()], own=own).reset_index(drop=True)
    columns = {
        "feed": Column("Feed"),
        "own": Column(f"{pack.area.name}'s in {year}", decimals=0),
        "sent": Column("Sent, all areas and years", decimals=0),
        "loaded": Column("Loaded", decimals=0),
        "replaced": Column("Took another's place", decimals=0),
        "quarantined": Column("Could not be read", decimals=0),
    }
    sent, unread = received["sent"].sum(), received["quarantined"].sum()
    share = float(disclosure.share(unread, sent))
    counts = (
        f"{disclosure.count_in_words(count)} {noun}" for count, noun in zip(own.fillna(0), FEEDS.values(), strict=True)
    )
    if not sent:
        read = "No row was sent."
    elif not unread:
        read = "Every row that was sent could be read."
    elif np.isnan(share):
        few = disclosure.count_in_words(unread) if unread < disclosure.FEWEST_EVENTS else "nearly all"
        read = f"Of all rows that were sent, {few} could not be read."
    else:
        read = f"Of all rows that were sent, {number(share, 2)}% could not be read."
    return CHAPTER.finding(
        pack,
        "arrived",
        title="What arrived",
        statement=f"The record store holds {listed(counts)} of {pack.area.name}'s for {year}. {read}",
        basis=Basis(
            period=year,
            sources=["records_received", "records_with_errors"],
            caveats=[
                "Rows sent are always loaded, put in another's place, or kept apart with the reason: none is dropped."
            ],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                "What was sent, and what became of it",
                frame,
                columns,
                ["own", "sent", *BECAME],
                totals={"sent": BECAME},
            )
        ),
    )


def errors(pack: Pack) -> Finding | Note:
    """Spells with at least one error, in all spells, and the rules that most of them break."""
    rows = _spells_with_errors(pack)
    if rows.empty:
        return _no_spells(pack)
    failed, records = (record_tables.sum_by_leaf(rows, name) for name in ("with_errors", "records"))
    measured = pack.indicators["spells_with_errors_pct"]
    result = record_tables.estimates_of(pack, failed, records, measured, as_proportion)
    is_ranked = result.table.loc[[area.code for area in pack.peers], "value"].notna().any()
    noun = record_tables.area_noun(pack)
    return CHAPTER.finding(
        pack,
        "errors",
        title="Spells with an error",
        statement=_of_spells(pack, result, "{} of {}'s spells hold at least one error", "holds an error"),
        value=value_of(pack, result, comparisons=record_tables.comparisons(pack, result)),
        basis=Basis(
            period=activity_year(pack),
            sources=["records_with_errors", "quality_counts", "quality_rules"],
            caveats=[
                "A record counts once, however many rules it breaks. Warnings, and what is only counted, are not "
                "errors.",
                f"The errors are the trusts'; {record_tables.article(noun)} has those of the trusts that treat its "
                "people.",
                "Spells that are another again count here; the other chapters leave them out.",
            ],
        ),
        exhibits=Exhibits(
            table=_rules_broken(pack),
            chart=ranked_areas(pack, result, "Spells with an error (%)") if is_ranked else None,
        ),
    )


def _rules_broken(pack: Pack) -> Table | None:
    """The rules that the area's records break most, with its rate and that of the whole geography."""
    counts = record_tables.year_rows(pack, "quality_counts")
    rules = pack.read("quality_rules").set_index("rule")
    counts = counts[counts["rule"].isin(rules.index[rules["severity"] != "information"])]
    own = record_tables.of_area(pack, counts).groupby("rule")[["records", "failed", "value_gbp"]].sum()
    every = record_tables.of_whole(pack, counts).groupby("rule")[["records", "failed"]].sum()
    own = own[own["failed"] > 0].sort_values("failed", ascending=False, kind="stable").head(MOST_RULES)
    if own.empty:
        return None
    frame = own.join(every.add_prefix("whole_")).assign(
        title=rules["title"].reindex(own.index),
        feed=rules["feed"].reindex(own.index).map(FEEDS),
        rate=rates.ratio(own["failed"], own["records"], 1000),
        whole=rates.ratio(every["failed"], every["records"], 1000).reindex(own.index),
        value_gbp=own["value_gbp"].where(own["value_gbp"] > 0),
    )
    columns = {
        "title": Column("What is wrong"),
        "feed": Column("In"),
        "failed": Column("Records", decimals=0),
        "rate": Column("Per 1,000", decimals=2),
        "whole": Column(f"{pack.geography.whole.name} per 1,000", decimals=2),
        "value_gbp": Column("In question", unit="£", decimals=0),
    }
    rests_on: dict[str, disclosure.Events] = {"rate": ("failed", "records"), "value_gbp": "failed"}
    rests_on["whole"] = ("whole_failed", "whole_records")
    title = f"The rules that {pack.area.name}'s records break most, {activity_year(pack)}"
    return disclosure.table(title, frame.reset_index(drop=True), columns, ["failed"], rests_on)


def errors_by_provider(pack: Pack) -> Finding | Note:
    """Each trust's share of spells with an error, within limits; the area's own trusts named."""
    rows = record_tables.inside(pack, record_tables.of_whole(pack, _spells_with_errors(pack)))
    totals = rows.groupby("provider_code")[["with_errors", "records"]].sum()
    totals = totals[disclosure.share(totals["with_errors"], totals["records"]).notna()]
    if len(totals) < FEWEST_TRUSTS:
        return Note("Too few trusts are in the records to set them side by side.")
    limits = rates.proportion(totals["with_errors"], totals["records"], per=100)
    for name in limits:
        pairs = zip(limits[name], totals["with_errors"], strict=True)
        limits[name] = [disclosure.rounded_rate(value, events) for value, events in pairs]
    together = float(rates.ratio(totals["with_errors"].sum(), totals["records"].sum(), 100))
    own, year = record_tables.own_providers(pack), activity_year(pack)
    frame = limits.assign(
        name=record_tables.named(pack, totals.index),
        failed=totals["with_errors"],
        records=totals["records"],
        role=[record_tables.role(pack, code, own) for code in totals.index],
    ).sort_values("value", ascending=False, kind="stable")
    mine = frame[frame.index.isin(own)]
    if mine.empty:
        return Note(f"Too few spells with an error are at {trusts_of(pack)} to set them beside others.")
    drawn = charts.ranked_intervals(
        frame.sort_index()[["name", "value", "lower", "upper", "role"]],
        title="Spells with an error, by trust",
        subtitle=f"{pack.geography.whole.name}'s spells, {year}, 95% intervals",
        value_title="Spells with an error (%)",
        reference=("All trusts", together),
    )
    columns = {
        "name": Column("Trust"),
        "failed": Column("Spells with an error", decimals=0),
        "records": Column("Spells", decimals=0),
        "value": Column("With an error (%)", decimals=2),
        "lower": Column("95% lower limit", decimals=2),
        "upper": Column("95% upper limit", decimals=2),
    }
    top, among = mine.iloc[0], "" if pack.area.is_whole else f" of {pack.area.name}'s trusts"
    return CHAPTER.finding(
        pack,
        "errors_by_provider",
        title="Errors by trust",
        statement=f"{top['name']} has the largest share{among}: {number(top['value'], 2)}% "
        f"({interval(top['lower'], top['upper'], 2)}) of its spells hold an error, against "
        f"{number(together, 2)}% of all trusts together."
        + ("" if (mine["lower"] > together).any() else " None lies above all trusts together."),
        basis=Basis(
            period=year,
            sources=["records_with_errors", "spell_flows", "providers"],
            methods=["proportions", "proportion-intervals"],
            caveats=[f"{pack.area.name}'s trusts are those that give at least a twentieth of its spells."]
            if not pack.area.is_whole
            else [],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                f"Spells with an error by trust, {year}",
                frame,
                columns,
                ["failed", "records"],
                dict.fromkeys(["value", "lower", "upper"], ("failed", "records")),
            ),
            chart=Chart(
                drawn, f"{len(frame)} trusts by their share of spells with an error. {top['name']} has most{among}."
            ),
        ),
        function="provider management",
    )


def value_in_question(pack: Pack) -> Finding | Note:
    """What the spells cost whose payment an error puts in question."""
    rows = record_tables.of_area(pack, _spells_with_errors(pack))
    if rows.empty:
        return _no_spells(pack)
    by_trust = rows.groupby("provider_code")[["in_question", "in_question_gbp", "price_gbp"]].sum()
    by_trust = by_trust.sort_values("in_question_gbp", ascending=False, kind="stable")
    own, year = by_trust.sum(), activity_year(pack)
    frame = by_trust.assign(name=record_tables.named(pack, by_trust.index))
    columns = {
        "name": Column("Trust"),
        "in_question": Column("Spells in question", decimals=0),
        "in_question_gbp": Column("In question", unit="£", decimals=0),
    }
    shown = disclosure.pounds(own["in_question_gbp"], own["in_question"])
    share = float(rates.ratio(own["in_question_gbp"], own["price_gbp"], 100))
    if not own["price_gbp"] > 0:
        statement = f"No price is known of {pack.area.name}'s spells, so nothing is said of what errors are worth."
    elif np.isnan(shown):
        statement = f"Too few of {pack.area.name}'s spells are in question to say what they are worth."
    else:
        statement = (
            f"Spells worth £{number(shown)} of {pack.area.name}'s, {number(share, 2)}% of the price of all, "
            "hold an error that puts their payment in question."
        )
    return CHAPTER.finding(
        pack,
        "value_in_question",
        title="What the errors are worth",
        statement=statement,
        value=Value(plain_measure("Price of spells in question", "£", 0), shown if own["price_gbp"] > 0 else None),
        basis=Basis(
            period=year,
            sources=["records_with_errors", "providers"],
            caveats=[
                NOT_LOST,
                f"Pounds are {record_tables.price_basis(pack)} by healthcare resource group, for weighing: not what "
                "was "
                "paid. They are of admitted care alone; outpatient and A&E prices are not published here.",
            ],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                f"Spells in question by trust, {year}",
                frame,
                columns,
                ["in_question"],
                {"in_question_gbp": "in_question"},
            )
        ),
    )


def against_return(pack: Pack) -> Finding | Note:
    """Records compared with the published return, by measure and by month."""
    frame, year = pack.read("records_against_return"), activity_year(pack)
    if frame.empty:
        return Note("There is no published activity return to compare the records with.")
    leaves = list(pack.geography.leaves(pack.area.code))
    months = frame[frame["area_code"].isin(leaves)].groupby(["measure", "month"])[["records", "published"]]
    months = months.sum(min_count=len(leaves)).reset_index()
    of_year = [f"{month:%Y-%m}" for month in pack.period("activity").steps(FREQUENCIES["month"])]
    totals = months[months["month"].isin(of_year)].groupby("measure")[["records", "published"]]
    totals = totals.sum(min_count=len(of_year)).reindex(list(RETURNED))
    totals["records"], months["records"] = (disclosure.rounded(each["records"]) for each in (totals, months))
    shown = totals.assign(
        name=list(RETURNED.values()),
        difference=totals["records"] - totals["published"],
        difference_pct=rates.relative_change(totals["records"], totals["published"]),
    )
    if shown["difference_pct"].isna().all():
        return Note(f"The return and the records have no whole year in common for {pack.area.name}.")
    largest = shown.loc[shown["difference_pct"].abs().idxmax()]
    columns = {
        "name": Column("Measure"),
        "published": Column("Published", decimals=0),
        "records": Column("Records", decimals=0),
        "difference_pct": Column("Records against published", unit="%", decimals=2),
    }
    return CHAPTER.finding(
        pack,
        "against_return",
        title="Records beside the published return",
        statement=f"{largest['name']} differ most over the year: {pack.area.name}'s records hold "
        f"{number(abs(largest['difference_pct']), 2)}% {'fewer' if largest['difference'] < 0 else 'more'} than the "
        f"return published for {year}.",
        basis=Basis(
            period=year,
            sources=["records_against_return"],
            caveats=[
                "The return counts first finished episodes and the records finished spells, so real extracts differ "
                "more.",
                "A record whose commissioner is unknown is in nobody's count; a duplicate counts twice.",
            ],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                f"Records and the published return, {year}", shown, columns, ["records"], {"difference_pct": "records"}
            ),
            chart=_difference_chart(pack, months),
        ),
    )


def _difference_chart(pack: Pack, months: pd.DataFrame) -> Chart | None:
    """How far records lie from the return, month by month, a line a measure."""
    known = months.assign(
        x=pd.to_datetime(months["month"]),
        value=rates.relative_change(months["records"], months["published"]),
        series=months["measure"].map(RETURNED),
        role=np.where(months["measure"] == FIRST_DRAWN, "area", "peer"),
    ).dropna(subset=["value", "series"])
    if known.empty:
        return None
    drawn = charts.lines(
        known[["x", "series", "value", "role"]],
        title="Records against the published return",
        subtitle=f"{pack.area.name}, difference in % of the published count, by month; numbers are of the last",
        value_title="More or fewer records than published (%)",
        x_type="month",
        reference=("As published", 0.0),
        peers_label="Other measures",
    )
    description = (
        f"Lines of {plural(known['series'].nunique(), 'measure')} by month. The records differ from the published "
        f"counts by {number(known['value'].min(), 1)}% to {number(known['value'].max(), 1)}%."
    )
    return Chart(drawn, description)


def completeness(pack: Pack) -> Finding | Note:
    """Which fields are least often filled and valid in what the area's trusts send, beside all others."""
    rows = record_tables.year_rows(pack, "records_completeness")
    rows = rows[~rows["provider_code"].isin(record_tables.outside(pack)) & ~rows["field"].isin(MAY_BE_EMPTY)]
    is_own = rows["provider_code"].isin(record_tables.own_providers(pack))
    mine, others = (
        part.groupby(["feed", "field"])[["records", "filled", "valid"]].sum() for part in (rows[is_own], rows[~is_own])
    )
    frame = mine.join(others.add_prefix("others_"))
    for name, part, whole in (
        ("filled_pct", "filled", "records"),
        ("valid_pct", "valid", "records"),
        ("others_pct", "others_valid", "others_records"),
    ):
        frame[name] = rates.ratio(frame[part], frame[whole], 100)
    frame = frame.sort_values("valid_pct", kind="stable").head(MOST_FIELDS).reset_index()
    frame["name"] = frame["field"].str.replace("_", " ") + " (" + frame["feed"].map(FEEDS).fillna(frame["feed"]) + ")"
    columns = {
        "name": Column("Field"),
        "filled_pct": Column("Filled", unit="%", decimals=2),
        "valid_pct": Column("Valid", unit="%", decimals=2),
        "others_pct": Column("Valid at other trusts", unit="%", decimals=2),
    }
    if pack.area.is_whole or others.empty:
        del columns["others_pct"]
    known = frame[disclosure.share(frame["valid"], frame["records"]).notna()]
    if known.empty:
        return Note(f"Too few records of {pack.area.name}'s trusts are there to say how complete they are.")
    least = known.iloc[0]
    return CHAPTER.finding(
        pack,
        "completeness",
        title="Fields filled, and with values that can be true",
        statement=f"In what {trusts_of(pack)} sent for {activity_year(pack)}, {least['name']} is least often valid: in "
        f"{number(least['valid_pct'], 2)}% of records.",
        basis=Basis(
            period=activity_year(pack),
            sources=["records_completeness", "spell_flows", "providers"],
            caveats=[
                "Valid is a value that can be true, such as a code that exists: not one that is known to be true."
            ],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                f"The {len(frame)} fields least often valid",
                frame,
                columns,
                [],
                {
                    "filled_pct": ("filled", "records"),
                    "valid_pct": ("valid", "records"),
                    "others_pct": ("others_valid", "others_records"),
                },
            )
        ),
        function="provider management",
    )


def breaks(pack: Pack) -> Finding | Note:
    """Months in which one of the area's trusts sent far fewer or more records than usual."""
    frame, months = pack.read("records_breaks"), pack.read("records_months")["month"]
    months = months[months != ""]
    if months.empty:
        return Note("The record store holds no records, so no month can be told from others.")
    rows = frame[frame["provider_code"].isin(record_tables.own_providers(pack))]
    rows = rows.sort_values(["month", "provider_code", "feed"], kind="stable")
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
    times = len(shown[["month", "provider_code"]].drop_duplicates())
    statement = (
        f"{number(times)} {'month' if times == 1 else 'months'} of a trust {'stands' if times == 1 else 'stand'} out "
        f"among what {trusts_of(pack)} sent, with far fewer or more records than usual: "
        f"{listed(dict.fromkeys(shown['name']))}."
        if times
        else f"No month stands out in how many records {trusts_of(pack)} sent."
    )
    return CHAPTER.finding(
        pack,
        "breaks",
        title="Months that stand out",
        statement=statement,
        value=Value(plain_measure("Months that stand out", "months of a trust", 0), float(times)),
        basis=Basis(
            period=f"{months.min()} to {months.max()}",
            sources=["records_breaks", "records_months", "spell_flows", "providers"],
            methods=["recording-breaks"],
            caveats=["A month that stands out is a lead to look at: records may be missing, or care may have changed."],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                "Months that stand out", shown, columns, ["records", "expected"], {"change": "records"}
            )
            if len(shown)
            else None
        ),
    )


def late(pack: Pack) -> Finding | Note:
    """Spells sent more than 60 days after their month, by the trusts that sent them."""
    rows = record_tables.year_rows(pack, "quality_counts")
    rows, year = rows[rows["rule"] == LATE], activity_year(pack)
    if LATE not in set(pack.read("quality_rules")["rule"]):
        return Note("No rule says what late is.")
    if rows.empty:
        return _no_spells(pack)
    failed, records = (record_tables.sum_by_leaf(rows, name) for name in ("failed", "records"))
    measured = plain_measure("Spells sent late", "%", 1, per=100, polarity="low is good")
    result = record_tables.estimates_of(pack, failed, records, measured, as_proportion)
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
        statement=_of_spells(pack, result, "{} of {}'s spells were sent late", "was sent late"),
        value=value_of(pack, result, comparisons=record_tables.comparisons(pack, result)),
        basis=Basis(
            period=year,
            sources=["quality_counts", "providers"],
            methods=["proportions"],
            caveats=["Late is more than 60 days after the end of the month of discharge."],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                f"Spells sent late by trust, {year}",
                frame,
                columns,
                ["failed", "records"],
                {"late": ("failed", "records")},
            )
        ),
    )


def _spells_with_errors(pack: Pack) -> pd.DataFrame:
    rows = record_tables.year_rows(pack, "records_with_errors")
    return rows[rows["feed"] == SPELLS]


def _no_spells(pack: Pack) -> Note:
    return Note(f"The records hold no spells of {pack.area.name}'s people in {activity_year(pack)}.")


def _of_spells(pack: Pack, result: AreaEstimates, sentence: str, verb: str) -> str:
    """What share of the area's spells it is and how that compares; or that it is none, or too few to say."""
    own = result.own(pack)
    none = f"Not one of {pack.area.name}'s spells {verb} in {activity_year(pack)}."
    otherwise = none if own.numerator == 0 and own.denominator > 0 else record_tables.no_figure(pack, "records")
    return record_tables.statement(pack, result, sentence.format(stated(pack, result), pack.area.name), otherwise)
