"""Benchmarking: how our trusts do on day cases, nights, readmissions and follow-ups, allowing for whom they treat.

For whoever manages a contract. From hospital records by a stated model, shrunk for chance before anything is added up.
"""

from dataclasses import asdict

import numpy as np
import pandas as pd

from cbs_analysis.chapters import record_tables
from cbs_analysis.chapters.area_estimates import stated
from cbs_analysis.chapters.case_mix_ratios import (
    MEASURES,
    TrustRatios,
    of_areas,
    of_trusts,
    potential_of,
    trust_funnel,
    trust_table,
)
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, value_of
from cbs_analysis.chapters.record_tables import activity_year
from cbs_analysis.evidence import disclosure
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import interval, listed, number
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates

CHAPTER = Chapter("benchmarking", "provider management")
MODEL = (
    "Expected is what the average trust would give the same cases, by a model of age, sex, deprivation and case mix "
    "({mix}). What records do not hold, such as how ill a person was, is not allowed for."
)
OF_SPELLS, OF_FIRSTS = "HRG subchapter, elective or emergency", "specialty"
SPREAD = (
    "Limits allow for how much trusts differ anyway. Beyond them a trust stands apart: a question, not an answer. The "
    "line between them is the trusts' own middle, a small one counted nearly as much as a large one: it need not lie "
    "at 1."
)
SOURCES = ["benchmark_areas", "benchmark_providers", "benchmark_models", "spell_flows", "providers"]
SHOWN = {"length_of_stay": "nights", "readmission": "readmissions", "day_case": "day_cases"}
"""The measures that the view of one specialty shows, and its columns for them."""
BEDS = "beds"


def day_cases(pack: Pack) -> Finding | Note:
    """Elective spells done in a day, against what the average trust would have made of them."""
    caveat = "Commissioners differ in their share of day cases for reasons of their own; the model sets those aside."
    return _measured(pack, "day_case", [caveat])


def length_of_stay(pack: Pack) -> Finding | Note:
    """Nights in hospital, against those the average trust would have needed."""
    return _measured(pack, "length_of_stay", ["Day cases are left out. A night more is not always a night too many."])


def readmissions(pack: Pack) -> Finding | Note:
    """Emergency readmissions within 30 days, against those that the average trust would have had."""
    caveat = (
        "A readmission counts to any trust, and for whatever reason. Discharges of the last 60 days of the year are "
        "not judged, because a readmission may not have ended yet."
    )
    return _measured(pack, "readmission", [caveat])


def follow_ups(pack: Pack) -> Finding | Note:
    """Outpatient follow-ups, against those the average trust would have asked for."""
    caveat = "Follow-ups of a year belong in part to first attendances of the year before."
    return _measured(pack, "follow_up", [caveat])


def best_quarter(pack: Pack) -> Finding | Note:
    """What there would be to win if the area's trusts did as well as the best quarter, shrunk for chance."""
    rows = []
    for name, measure in MEASURES.items():
        trusts = of_trusts(pack, name)
        if trusts is not None:
            rows.append({"measure": measure.gained, **asdict(potential_of(pack, trusts))})
    if not rows:
        return _no_model(pack)
    safe, year = _safe_potential(pd.DataFrame(rows)), activity_year(pack)
    gains = [
        f"{number(row['value'])} {row['measure']} ({interval(row['lower'], row['upper'], 0)})"
        for row in safe.to_dict("records")
        if row["value"] == row["value"]
    ]
    whose = "trusts" if pack.area.is_whole else "its trusts"
    columns = {
        "measure": Column("Like the best quarter"),
        "value": Column("Number", unit="events", decimals=0),
        "lower": Column("95% lower limit", unit="events", decimals=0),
        "upper": Column("95% upper limit", unit="events", decimals=0),
        "pounds": Column("At relative prices", unit="£", decimals=0),
        "pounds_lower": Column("Lower", unit="£", decimals=0),
        "pounds_upper": Column("Upper", unit="£", decimals=0),
    }
    return CHAPTER.finding(
        pack,
        "best_quarter",
        title="If like the best quarter",
        statement=f"If {whose} did as well as the best quarter of trusts, {pack.area.name}'s people would have in "
        f"{year}: {listed(gains)}."
        if gains
        else f"{pack.area.name} has too few cases to say what there would be to win.",
        basis=Basis(
            period=year,
            sources=SOURCES,
            methods=["best-quarter", "shrunk-effects", "case-mix"],
            caveats=[
                "Trusts' effects are drawn towards the average by as much as chance explains, so that a trust that was "
                "only unlucky has nothing to win.",
                "A quarter of trusts do as well by definition: not all of it can be had, and lines cannot be added up.",
                f"Pounds are {record_tables.price_basis(pack)}, for weighing: for a day case what an ordinary elective "
                "spell of the same HRG subchapters costs more, for a readmission that of an emergency spell. Nights "
                "and "
                "follow-ups have no price of their own there.",
                MODEL.format(mix=f"{OF_SPELLS}; of follow-ups {OF_FIRSTS}"),
            ],
        ),
        exhibits=Exhibits(table=Table(f"What there would be to win, {year}", safe, columns)),
    )


def service(pack: Pack, specialty: str | None = None) -> Finding | Note:
    """One specialty across the trusts that treat the people of the area's group: how much each does, what that costs,
    and how it does. The 2006 paper shows cardiology so; `specialty` is a code, without it that of the edition.
    """
    specialty = specialty or pack.edition.service_view
    if specialty is None:
        return Note("The edition names no specialty to look at closely: set service_view in its file.")
    name = record_tables.specialty_names(pack, [specialty]).get(specialty, specialty)
    parent = pack.area.parent if pack.area.is_leaf else None
    group, year = pack.geography.area(parent) if parent else pack.area, activity_year(pack)
    trusts = _service_trusts(pack, specialty, group)
    if trusts.empty:
        return Note(f"No trust gives at least a twentieth of {group.name}'s spells in {name.lower()}.")
    frame = trusts.join(_service_ratios(pack, specialty))
    beds = []
    if record_tables.has_table(pack, BEDS):
        period = record_tables.period_of(pack, BEDS)
        beds = [f"Beds are all general and acute beds of the trust in {period}, not those of the specialty."]
        available = pack.read(BEDS).set_index("provider_code")["available_general_and_acute_beds"]
        frame = frame.join(available.rename("beds"))
    frame = frame.assign(name=record_tables.named(pack, frame.index))
    columns = {
        "name": Column("Trust"),
        "spells": Column("Spells", decimals=0),
        "share": Column(f"Of {group.name}'s", unit="%", decimals=0),
        "own": Column(f"Of {pack.area.name}'s", unit="%", decimals=0),
        "beds": Column("General and acute beds, all", decimals=0),
        "price": Column("Price for each spell", unit="£", decimals=0),
        "nights": Column("Nights, ratio", decimals=2),
        "readmissions": Column("Readmissions, ratio", decimals=2),
        "day_cases": Column("Day cases, ratio", decimals=2),
    }
    columns = {key: column for key, column in columns.items() if key in frame and (key != "own" or group != pack.area)}
    rests_on: dict[str, disclosure.Events] = {"price": "priced", "share": ("group_spells", "group_total")}
    rests_on |= {"own": ("own_spells", "own_total"), **{column: f"{column}_events" for column in SHOWN.values()}}
    areas, top = record_tables.area_noun(pack, plural=True), frame.iloc[0]
    share = disclosure.share(top["group_spells"], top["group_total"])
    return CHAPTER.finding(
        pack,
        "service",
        title=f"{name}, trust by trust",
        statement=f"{top['name']} gives {record_tables.share_in_words(share, 0)} of {group.name}'s spells in "
        f"{name.lower()}.{_prices(frame)}",
        basis=Basis(
            period=year,
            sources=record_tables.present(
                pack, ["spell_flows", "benchmark_providers", BEDS, "providers", "treatment_functions"]
            ),
            methods=["case-mix"],
            caveats=[
                f"Trusts that give at least a twentieth of the spells of {group.name}'s people "
                f"({group.level_name}) in {name.lower()}; ratios are of all that the trust did for "
                f"{areas} here.",
                f"Price for each spell is of the cases a trust has, at {record_tables.price_basis(pack)}: it is dearer "
                "where cases are harder, and is not what was paid.",
                *beds,
                "A ratio is observed over expected; 1 is the average trust's.",
            ],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                f"{name} at the trusts that treat {group.name}'s people, {year}",
                frame,
                columns,
                ["spells"],
                {rate: events for rate, events in rests_on.items() if rate in columns},
            )
        ),
    )


def _service_trusts(pack: Pack, specialty: str, group: Area) -> pd.DataFrame:
    """Trusts that matter to the group in a specialty, by code, most first: spells (of all areas), share (of the
    group's), own (of the area's), price, and the counts that these rest on.
    """
    flows = record_tables.year_rows(pack, "spell_flows")
    flows = flows[flows["treatment_function_code"] == specialty]
    frame = record_tables.of_whole(pack, flows).groupby("provider_code")[["spells", "price_gbp", "priced"]].sum()
    for name, column, code in (("group", "share", group.code), ("own", "own", pack.area.code)):
        counts = record_tables.of_area(pack, flows, code).groupby("provider_code")["spells"].sum()
        frame[f"{name}_spells"] = counts.reindex(frame.index, fill_value=0)
        frame[f"{name}_total"] = counts.sum()
        frame[column] = rates.ratio(frame[f"{name}_spells"], frame[f"{name}_total"], 100)
    price = np.round(rates.ratio(frame["price_gbp"], frame["priced"]), -1)
    frame["price"] = [disclosure.rounded_rate(*pair, 0) for pair in zip(price, frame["priced"], strict=True)]
    frame["price"] = frame["price"].where(frame["priced"] >= disclosure.FEWEST_EVENTS)
    frame = frame.drop(index=record_tables.outside(pack), errors="ignore")
    matters = (frame["share"] >= 100 * record_tables.OWN_SHARE) & (frame["group_spells"] >= disclosure.FEWEST_EVENTS)
    return frame[matters].sort_values("share", ascending=False, kind="stable")


def _service_ratios(pack: Pack, specialty: str) -> pd.DataFrame:
    """The specialty's ratios at every trust, and the events that each rests on."""
    columns = {}
    for measure, column in SHOWN.items():
        trusts = of_trusts(pack, measure, specialty)
        columns[column] = trusts.table["ratio"] if trusts else pd.Series(dtype=float)
        columns[f"{column}_events"] = trusts.table["observed"] if trusts else pd.Series(dtype=float)
    return pd.DataFrame(columns)


def _prices(frame: pd.DataFrame) -> str:
    """The dearest and the cheapest trust in words; nothing where fewer than two have a price."""
    priced = frame.dropna(subset=["price"]).sort_values("price", kind="stable")
    if len(priced) < 2:
        return ""
    cheapest, dearest = priced.iloc[0], priced.iloc[-1]
    return (
        f" A spell's price runs from £{number(cheapest['price'])} at {cheapest['name']} to "
        f"£{number(dearest['price'])} at {dearest['name']}."
    )


def _safe_potential(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers to the nearest 5, pounds to the nearest hundred; what is less than eight is none that can be shown."""
    safe = frame.copy()
    too_few = frame["value"].abs() < disclosure.FEWEST_EVENTS
    for name in ("value", "lower", "upper"):
        safe[name] = (frame[name] / disclosure.ROUNDED_TO).round() * disclosure.ROUNDED_TO
    for name in ("pounds", "pounds_lower", "pounds_upper"):
        safe[name] = (frame[name] / disclosure.POUNDS_ROUNDED_TO).round() * disclosure.POUNDS_ROUNDED_TO
    safe.loc[too_few, [name for name in safe if name != "measure"]] = np.nan
    return safe


def _measured(pack: Pack, name: str, caveats: list[str]) -> Finding | Note:
    """The area's ratio on one measure, with its trusts beside all others in a funnel."""
    trusts, areas = of_trusts(pack, name), of_areas(pack, name)
    if trusts is None or areas is None:
        return _no_model(pack)
    measure, year = MEASURES[name], activity_year(pack)
    result = record_tables.from_table(pack.indicators[measure.indicator], areas)
    statement = record_tables.statement(
        pack,
        result,
        f"{pack.area.name} had {stated(pack, result)} times the {measure.noun} expected",
        record_tables.no_figure(pack, measure.noun),
    )
    return CHAPTER.finding(
        pack,
        measure.finding,
        title=measure.title,
        statement=statement + _apart(pack, trusts),
        value=value_of(pack, result, comparisons=record_tables.comparisons(pack, result)),
        basis=Basis(
            period=year,
            sources=SOURCES,
            methods=["shrunk-effects"],
            caveats=[*caveats, MODEL.format(mix=OF_FIRSTS if name == "follow_up" else OF_SPELLS), SPREAD],
        ),
        exhibits=Exhibits(table=trust_table(pack, trusts), chart=trust_funnel(pack, trusts)),
    )


def _no_model(pack: Pack) -> Note:
    return Note(
        f"Too few trusts have cases enough in {activity_year(pack)} to be set side by side, or the records do not hold "
        "the whole of that financial year."
    )


def _apart(pack: Pack, trusts: TrustRatios) -> str:
    """Which of the area's trusts lie beyond the limits that allow for how much trusts differ anyway."""
    own = record_tables.own_providers(pack)
    outside = trusts.table[trusts.table.index.isin(own) & trusts.table["widened"].str.contains("99.8", regex=False)]
    whose = f"{pack.area.name}'s"
    if outside.empty:
        return f" None of {whose} trusts stands apart from the others by more than trusts differ anyway."
    parts = [
        f"{name} ({number(ratio, 2)})"
        for name, ratio in zip(record_tables.named(pack, outside.index), outside["ratio"], strict=True)
    ]
    return f" Of {whose} trusts, {listed(parts)} {'stands' if len(parts) == 1 else 'stand'} apart from the others."
