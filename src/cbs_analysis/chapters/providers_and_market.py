"""Providers and market: which trusts treat our people, how far one trust has it all, and which areas belong together.

For whoever leads a contract, or asks with whom to commission. From hospital spells by area, trust and specialty.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import patient_flows, record_tables
from cbs_analysis.chapters.area_estimates import as_proportion, stated
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, value_of
from cbs_analysis.chapters.patient_flows import spells
from cbs_analysis.chapters.record_tables import LEADS, activity_year, area_noun, article, population_year
from cbs_analysis.evidence import disclosure
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.evidence.tables import WITHHELD, Column, Table
from cbs_analysis.evidence.wording import listed, number
from cbs_analysis.pack import Pack
from cbs_analysis.pack.measures import people_by_age
from cbs_analysis.stats import markets, rates

CHAPTER = Chapter("providers_and_market", "provider management")
MOST_TRUSTS, MOST_SPECIALTIES = 12, 22
FEWEST_SPELLS = 50
"""Spells of a specialty below which shares of trusts say little."""
RESIDENTS = "population_by_age"
ONCE = "Spells that are another again are left out here; the chapter on data quality counts them."
ALL_KINDS = (
    "Spells of every kind, planned and not: people choose where to go for planned care more than for emergencies."
)


def who_treats(pack: Pack) -> Finding | Note:
    """The trusts that give most of the area's spells, with their shares, on the map; each leaf's main trust beside."""
    flows, year = spells(pack), activity_year(pack)
    counts = pd.DataFrame(
        {
            "numerator": record_tables.sum_of_leaves(pack, flows.max(axis=1)),
            "denominator": record_tables.sum_of_leaves(pack, flows.sum(axis=1)),
        }
    )
    limits = as_proportion(counts["numerator"], counts["denominator"], 100)
    measured = pack.indicators["main_provider_share_pct"]
    result = record_tables.from_table(measured, counts.join(limits), is_part=True)
    every = flows[flows.index.isin(pack.geography.leaves(pack.area.code))].sum()
    own = every.sort_values(ascending=False, kind="stable")
    own = own[own >= disclosure.FEWEST_EVENTS]
    if own.empty:
        return _no_spells(pack)
    frame = pd.DataFrame(
        {
            "name": record_tables.named(pack, own.index),
            "spells": own,
            "share": rates.ratio(own, every.sum(), 100),
            "total": every.sum(),
            "shown": disclosure.share(own, pd.Series(every.sum(), own.index)),
        }
    )
    columns = {
        "name": Column("Trust"),
        "spells": Column("Spells", decimals=0),
        "share": Column("Share", unit="%", decimals=1),
    }
    main, others = frame.iloc[0], frame.iloc[1:3]
    then = listed(f"{name} {number(share, 1)}%" for name, share in zip(others["name"], others["shown"], strict=True))
    areas, each = area_noun(pack, plural=True), result.own(pack).value
    share = record_tables.share_in_words(main["shown"], 1)
    if pack.area.is_leaf and not np.isnan(each):
        share = stated(pack, result)
    of_each = (
        f" Its {areas}' own main trusts gave {stated(pack, result)} of theirs."
        if not pack.area.is_leaf and not np.isnan(each)
        else ""
    )
    return CHAPTER.finding(
        pack,
        "who_treats",
        title="Who treats our people",
        statement=f"{main['name']} gave {share} of {pack.area.name}'s spells in "
        f"{year}{f', {then}' if then else ''}.{of_each}",
        value=value_of(pack, result, comparisons=record_tables.comparisons(pack, result)),
        basis=Basis(
            period=year,
            sources=record_tables.present(pack, ["spell_flows", "providers", LEADS]),
            caveats=[
                ALL_KINDS,
                f"Of a group of {areas} the share is that at each one's own main trust, taken together.",
                ONCE,
            ],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                f"Trusts that treated {pack.area.name}'s people, {year}",
                frame.head(MOST_TRUSTS),
                columns,
                ["spells"],
                {"share": ("spells", "total")},
            ),
            chart=patient_flows.flow_map(pack),
        ),
    )


def by_specialty(pack: Pack) -> Finding | Note:
    """For each specialty the main trust, its share, and how concentrated care is."""
    rows = record_tables.of_area(pack, record_tables.year_rows(pack, "spell_flows"))
    names = record_tables.specialty_names(pack, rows["treatment_function_code"])
    rows = rows[rows["treatment_function_code"].isin(names.index)]
    counts = rows.groupby(["treatment_function_code", "provider_code"])["spells"].sum().unstack(fill_value=0)
    counts = counts.reindex(names.index.intersection(counts.index))
    counts = counts[counts.sum(axis=1) >= FEWEST_SPELLS]
    if counts.empty:
        return Note(f"No specialty has {FEWEST_SPELLS} spells or more of {pack.area.name}'s people.")
    frame = pd.DataFrame(
        {
            "name": names.reindex(counts.index),
            "spells": counts.sum(axis=1),
            "trust": record_tables.named(pack, counts.idxmax(axis=1)),
            "at_main": counts.max(axis=1),
            "share": rates.ratio(counts.max(axis=1), counts.sum(axis=1), 100),
            "index": markets.herfindahl(counts.to_numpy()),
        }
    ).sort_values("spells", ascending=False, kind="stable")
    columns = {
        "name": Column("Specialty"),
        "spells": Column("Spells", decimals=0),
        "trust": Column("Main trust"),
        "share": Column("Its share", unit="%", decimals=1),
        "index": Column("Concentration, of 10,000", decimals=0),
    }
    shown = frame[disclosure.share(frame["at_main"], frame["spells"]).notna()]
    if shown.empty:
        return Note(f"Nearly all of {pack.area.name}'s spells in every specialty are at one trust.")
    most, least = shown.loc[shown["index"].idxmax()], shown.loc[shown["index"].idxmin()]
    return CHAPTER.finding(
        pack,
        "by_specialty",
        title="Specialty by specialty",
        statement=f"{most['name']} is the most concentrated: {most['trust']} gives {number(most['share'], 0)}% of "
        f"{pack.area.name}'s spells."
        + (
            f" {least['name']} is spread widest: {least['trust']} gives most, {number(least['share'], 0)}%."
            if least["index"] < most["index"]
            else ""
        ),
        basis=Basis(
            period=activity_year(pack),
            sources=["spell_flows", "providers", "treatment_functions"],
            methods=["concentration"],
            caveats=[f"Specialties with fewer than {FEWEST_SPELLS} spells are left out."],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                f"Specialties and their main trusts, {activity_year(pack)}",
                frame.head(MOST_SPECIALTIES),
                columns,
                ["spells"],
                {"share": ("at_main", "spells"), "index": ("at_main", "spells")},
            )
        ),
    )


def concentration(pack: Pack) -> Finding | Note:
    """The Herfindahl-Hirschman index of the area's spells over trusts, beside other areas'."""
    flows, measured = spells(pack), pack.indicators["provider_concentration"]
    index = pd.Series(markets.herfindahl(flows.to_numpy(dtype=float)), flows.index)
    # A main trust that has all but a few spells would give those few away.
    total = flows.sum(axis=1).where(disclosure.share(flows.max(axis=1), flows.sum(axis=1)).notna())
    weighed, cases = (record_tables.sum_of_leaves(pack, each) for each in (index * total, total))
    result = record_tables.from_table(measured, pd.DataFrame({"value": rates.ratio(weighed, cases)}))
    value, noun = result.own(pack).value, area_noun(pack)
    if np.isnan(value):
        return _no_spells(pack)
    alike, leaf = number(markets.WHOLE_MARKET / value, 1), pack.area.is_leaf
    whose = "its" if leaf else f"{article(noun)}'s"
    return CHAPTER.finding(
        pack,
        "concentration",
        title="How concentrated care is",
        statement=record_tables.statement(
            pack,
            result,
            f"{pack.area.name}'s index of concentration is {number(value)}"
            + ("" if leaf else f", its {area_noun(pack, plural=True)}' mean")
            + f", as if {alike} trusts of one size shared {whose} care",
            "",
        ),
        value=value_of(pack, result, comparisons=record_tables.comparisons(pack, result)),
        basis=Basis(
            period=activity_year(pack),
            sources=["spell_flows"],
            methods=["concentration"],
            caveats=[
                "Concentration is neither good nor bad: one trust near by may be what people want, and leaves a "
                "commissioner with nobody else to turn to.",
                f"A group's index is the mean of its {area_noun(pack, plural=True)}', each weighed by its spells. "
                "Trusts "
                f"outside {pack.geography.whole.name} count as one.",
                ONCE,
            ],
        ),
    )


def catchments(pack: Pack) -> Finding | Note:
    """How many people each of the area's trusts serves, in proportion to the shares of every leaf's spells."""
    if not record_tables.has_table(pack, RESIDENTS):
        return Note("No table of residents is at hand to share among trusts.")
    flows, year = spells(pack), population_year(pack)
    people = people_by_age(pack, year).reindex(flows.index)
    own_flows = flows[flows.index.isin(pack.geography.leaves(pack.area.code))]
    counts = {"people": flows.sum(), "own": own_flows.sum()}
    frame = pd.DataFrame(
        {
            "people": markets.catchments(flows, people),
            "own": markets.catchments(own_flows, people.reindex(own_flows.index)),
        }
    )
    # To the nearest hundred people is as near as catchments are known: they are worked out from shares.
    frame["share"] = rates.ratio(frame["own"], frame["people"], 100)
    frame[["people", "own"]] = np.round(frame[["people", "own"]], -2)
    frame = frame.reindex(record_tables.own_providers(pack)).dropna(subset=["people"])
    too_few = pd.DataFrame(counts).reindex(frame.index).lt(disclosure.FEWEST_EVENTS)
    frame = frame.mask(too_few.assign(share=too_few["own"]))
    frame = frame.assign(name=record_tables.named(pack, frame.index))
    frame = frame.sort_values("people", ascending=False, kind="stable")
    shown = frame.dropna(subset=["people", "own"])
    if shown.empty:
        return _no_spells(pack)
    columns = {
        "name": Column("Trust"),
        "people": Column("Catchment", unit="people", decimals=0),
        "own": Column(f"Of {pack.area.name}", unit="people", decimals=0),
        "share": Column("Share of the catchment", unit="%", decimals=0),
    }
    if pack.area.is_whole:
        del columns["own"], columns["share"]
    top, noun = shown.iloc[0], article(area_noun(pack))
    depends = shown.sort_values("share", ascending=False, kind="stable").iloc[0]
    after = (
        ""
        if pack.area.is_whole
        else f" {depends['name']} depends most on {pack.area.name}, for {number(depends['share'])}% of its people."
    )
    return CHAPTER.finding(
        pack,
        "catchments",
        title="Catchments",
        statement=f"{top['name']} serves {number(top['people'])} of {pack.geography.whole.name}'s people.{after}",
        basis=Basis(
            period=f"{activity_year(pack)} spells, mid-{year} residents",
            sources=record_tables.present(pack, ["spell_flows", "providers", RESIDENTS]),
            methods=["catchments"],
            caveats=[
                f"{noun[:1].upper()}{noun[1:]}'s residents are shared among trusts as its spells are. Specialist "
                "trusts "
                "draw on far more people than their catchment says, for less of each one's care.",
            ],
        ),
        exhibits=Exhibits(
            table=Table(
                f"Catchments of {pack.area.name}'s trusts",
                frame[list(columns)]
                .astype(object)
                .where(frame[list(columns)].notna(), WITHHELD)
                .reset_index(drop=True),
                columns,
                notes=(disclosure.NOTE,) if len(shown) < len(frame) else (),
            )
        ),
    )


def self_containment(pack: Pack) -> Finding | Note:
    """Whether published groupings, or groups found from flows, keep most of their people's care within them."""
    return patient_flows.compared_groupings(pack, CHAPTER)


def lead_commissioner(pack: Pack) -> Finding | Note:
    """Who leads for each of the area's trusts, and what share of the trust's spells the leader pays for."""
    flows, leads, noun = spells(pack), patient_flows.lead_areas(pack), area_noun(pack)
    codes = [code for code in record_tables.own_providers(pack) if code in leads.index and code in flows]
    of_list = record_tables.period_of(pack, LEADS)
    if not codes:
        return Note(f"No list names a lead {noun} for any of {pack.area.name}'s trusts.")
    total, largest = flows[codes].sum(), flows[codes].idxmax()
    led = pd.Series({code: flows[code].reindex(leads[code]).sum() for code in codes})
    own = flows[codes].reindex(list(pack.geography.leaves(pack.area.code))).sum()
    frame = pd.DataFrame(
        {
            "name": record_tables.named(pack, codes),
            "lead": [listed(pack.geography.area(lead).name for lead in leads[code]) for code in codes],
            "spells": total,
            "led": led,
            "lead_share": rates.ratio(led, total, 100),
            "largest": [pack.geography.area(str(code)).name for code in largest],
            "own": own,
            "own_share": rates.ratio(own, total, 100),
        }
    )
    columns = {
        "name": Column("Trust"),
        "lead": Column(f"Lead {noun}, {of_list}"),
        "lead_share": Column("Its share of the trust's spells", unit="%", decimals=0),
        "largest": Column(f"{noun} that pays for most"),
        "own_share": Column(f"{pack.area.name}'s share", unit="%", decimals=0),
    }
    if pack.area.is_whole:
        del columns["own_share"]
    agree = sum(str(code) in leads[trust] for trust, code in largest.items())
    shown = frame[disclosure.share(led, total).notna()]
    least = shown.loc[shown["lead_share"].idxmin()] if len(shown) else None
    smallest = (
        f" At {least['name']} the lead's share is smallest, {number(least['lead_share'])}%."
        if least is not None
        else ""
    )
    whose = f"the trusts with a lead {noun}" if pack.area.is_whole else f"{pack.area.name}'s trusts"
    return CHAPTER.finding(
        pack,
        "lead_commissioner",
        title="Who leads, and for how much",
        statement=f"For {agree} of {len(frame)} of {whose}, the lead {noun} of {of_list} pays for more spells than "
        "any other."
        f"{smallest}",
        basis=Basis(
            period=activity_year(pack),
            sources=["spell_flows", LEADS, "providers"],
            caveats=[
                f"Shares are of spells that {area_noun(pack, plural=True)} of the geography paid for.",
                f"Trusts have merged since {of_list}: one that several {area_noun(pack, plural=True)} led for has all "
                "of "
                "them as its lead.",
            ],
        ),
        exhibits=Exhibits(
            table=disclosure.table(
                f"Lead {area_noun(pack, plural=True)} of {pack.area.name}'s trusts",
                frame,
                columns,
                [],
                {"lead_share": ("led", "spells"), "own_share": ("own", "spells")},
            )
        ),
    )


def _no_spells(pack: Pack) -> Note:
    return Note(
        f"The records hold too few spells of {pack.area.name}'s people, or none, to say where they are treated."
    )
