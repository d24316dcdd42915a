"""Providers and market: which trusts treat our people, how far one trust has it all, and which areas belong together.

For whoever leads a contract, or asks with whom to commission. From hospital spells by PCT, trust and specialty.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import figures, record_tables
from cbs_analysis.chapters.building import Chapter, Standing, sentence, stated
from cbs_analysis.chapters.groupings import compared_groupings
from cbs_analysis.chapters.patient_flows import flow_map
from cbs_analysis.evidence import disclosure
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number
from cbs_analysis.pack import Pack
from cbs_analysis.stats import markets, rates

CHAPTER = Chapter("providers_and_market", "provider management")
MOST_TRUSTS, MOST_SPECIALTIES = 12, 22
FEWEST_SPELLS = 50
"""Spells of a specialty below which shares of trusts say little."""
NO_SPELLS = "The records hold too few spells of {name}'s people, or none, to say where they are treated."
ONCE = "Spells that are another again are left out here; the chapter on data quality counts them."
ALL_KINDS = (
    "Spells of every kind, planned and not: people choose where to go for planned care more than for emergencies."
)


def spells(pack: Pack) -> pd.DataFrame:
    """Spells of the year, a row a PCT and a column a trust, by code; only of the geography's PCTs."""

    def make() -> pd.DataFrame:
        rows = record_tables.of_whole(pack.common, record_tables.year_rows(pack.common, "spell_flows"))
        return rows.pivot_table(
            index="commissioner_code", columns="provider_code", values="spells", aggfunc="sum", fill_value=0
        )

    return pack.common.once("spells by trust", make)


def of_areas(pack: Pack) -> pd.DataFrame:
    """The same for every area of the geography, and the pack's similar areas: a row an area."""
    leaves = spells(pack).reindex([area.code for area in pack.peers])
    return pd.DataFrame(
        {code: leaves.loc[list(pack.geography.leaves(code))].sum(min_count=1) for code in pack.geography.areas}
    ).T


def _of_members(pack: Pack, values: pd.Series) -> pd.Series:
    """A count of each PCT as one of every area: a group's is its members' added up, not of its spells as a whole."""
    leaves = values.reindex([area.code for area in pack.peers])
    return pd.Series(
        {code: leaves.loc[list(pack.geography.leaves(code))].sum(min_count=1) for code in pack.geography.areas}
    )


def who_treats(pack: Pack) -> Finding | Note:
    """The trusts that give most of the area's spells, with their shares, on the map; each PCT's main trust beside."""
    every, flows = of_areas(pack), spells(pack)
    measured = pack.indicators["main_provider_share_pct"]
    counts = pd.DataFrame(
        {"numerator": _of_members(pack, flows.max(axis=1)), "denominator": _of_members(pack, flows.sum(axis=1))}
    )
    limits = figures.as_proportion(counts["numerator"], counts["denominator"], 100)
    found = record_tables.from_table(pack, measured, counts.join(limits))
    own = every.loc[pack.area.code].sort_values(ascending=False, kind="stable")
    own = own[own >= disclosure.FEWEST_EVENTS]
    if own.empty:
        return Note(NO_SPELLS.format(name=pack.area.name))
    main, *others = record_tables.named(pack, own.index[:3])
    share = pd.Series(rates.ratio(own, every.loc[pack.area.code].sum(), 100), index=own.index)
    frame = pd.DataFrame({"name": record_tables.named(pack, own.index), "spells": own, "share": share})
    columns = {
        "name": Column("Trust"),
        "spells": Column("Spells", decimals=0),
        "share": Column("Share", unit="%", decimals=1),
    }
    then = listed(f"{name} {number(value, 1)}%" for name, value in zip(others, share.iloc[1:3], strict=False))
    return CHAPTER.finding(
        pack,
        "who_treats",
        title="Who treats our people",
        statement=(
            f"{main} gave {stated(pack, found) if pack.area.is_leaf else f'{number(share.iloc[0], 1)}%'} of "
            f"{pack.area.name}'s spells in {pack.edition.activity_year}{f', {then}' if then else ''}."
            + ("" if pack.area.is_leaf else f" Its PCTs' own main trusts gave {stated(pack, found)} of theirs.")
        ),
        standing=found,
        comparisons=record_tables.comparisons(pack, found),
        period=pack.edition.activity_year,
        sources=["spell_flows", "providers", "lead_commissioners_2006"],
        caveats=[ALL_KINDS, "Of a group of PCTs the share is that at each one's own main trust, taken together.", ONCE],
        table=disclosure.table(
            f"Trusts that treated {pack.area.name}'s people, {pack.edition.activity_year}",
            frame.head(MOST_TRUSTS).reset_index(drop=True), columns, ["spells"], {"share": "spells"},
        ),
        chart=flow_map(pack, spells(pack)),
    )  # fmt: skip


def by_specialty(pack: Pack) -> Finding | Note:
    """For each specialty the main trust, its share, and how concentrated care is."""
    rows = record_tables.of_area(pack, record_tables.year_rows(pack, "spell_flows"))
    table = rows.pivot_table(
        index="treatment_function_code", columns="provider_code", values="spells", aggfunc="sum", fill_value=0
    )
    table = table.reindex(record_tables.specialty_names(pack).index.intersection(table.index))
    table = table[table.sum(axis=1) >= FEWEST_SPELLS]
    if table.empty:
        return Note(f"No specialty has {FEWEST_SPELLS} spells or more of {pack.area.name}'s people.")
    frame = pd.DataFrame(
        {
            "name": record_tables.specialty_names(pack).reindex(table.index),
            "spells": table.sum(axis=1),
            "trust": record_tables.named(pack, table.idxmax(axis=1)),
            "at_main": table.max(axis=1),
            "share": rates.ratio(table.max(axis=1), table.sum(axis=1), 100),
            "index": markets.herfindahl(table.to_numpy()),
        }
    ).sort_values("spells", ascending=False, kind="stable")
    columns = {
        "name": Column("Specialty"),
        "spells": Column("Spells", decimals=0),
        "trust": Column("Main trust"),
        "share": Column("Its share", unit="%", decimals=1),
        "index": Column("Concentration, of 10,000", decimals=0),
    }
    most, least = frame.loc[frame["index"].idxmax()], frame.loc[frame["index"].idxmin()]
    return CHAPTER.finding(
        pack,
        "by_specialty",
        title="Specialty by specialty",
        statement=(
            f"{most['name']} is the most concentrated: {most['trust']} gives {number(most['share'], 0)}% of "
            f"{pack.area.name}'s spells."
            + (
                f" {least['name']} is spread widest: {least['trust']} gives most, {number(least['share'], 0)}%."
                if least["index"] < most["index"]
                else ""
            )
        ),
        period=pack.edition.activity_year,
        sources=["spell_flows", "providers", "treatment_functions"],
        methods=["concentration"],
        caveats=[f"Specialties with fewer than {FEWEST_SPELLS} spells are left out."],
        table=disclosure.table(
            f"Specialties and their main trusts, {pack.edition.activity_year}",
            frame.head(MOST_SPECIALTIES).reset_index(drop=True), columns, ["spells"],
            {"share": "at_main", "index": "at_main"},
        ),
    )  # fmt: skip


def concentration(pack: Pack) -> Finding | Note:
    """The Herfindahl-Hirschman index of the area's spells over trusts, beside other areas'."""
    flows, measured = spells(pack), pack.indicators["provider_concentration"]
    total = flows.sum(axis=1)
    weighed = _of_members(pack, pd.Series(markets.herfindahl(flows.to_numpy()), flows.index) * total)
    mean = rates.ratio(weighed, _of_members(pack, total))
    found = record_tables.from_table(pack, measured, pd.DataFrame({"value": mean}, index=weighed.index))
    own = found.own(pack)
    if np.isnan(own.value):
        return Note(NO_SPELLS.format(name=pack.area.name))
    return CHAPTER.finding(
        pack,
        "concentration",
        title="How concentrated care is",
        statement=_statement(
            pack,
            found,
            f"{pack.area.name}'s index of concentration is {number(own.value)}"
            + ("" if pack.area.is_leaf else ", its PCTs' mean")
            + f", as if {number(markets.WHOLE_MARKET / own.value, 1)} trusts of one size shared "
            + ("its care," if pack.area.is_leaf else "a PCT's care,"),
        ),
        standing=found,
        comparisons=record_tables.comparisons(pack, found),
        period=pack.edition.activity_year,
        sources=["spell_flows"],
        methods=["concentration"],
        caveats=[
            "Concentration is neither good nor bad: one trust near by may be what people want, and leaves a "
            "commissioner with nobody else to turn to.",
            "A group's index is the mean of its PCTs', each weighed by its spells. Trusts outside London count as one.",
            ONCE,
        ],
    )


def catchments(pack: Pack) -> Finding | Note:
    """How many people each of the area's trusts serves, in proportion to the shares of every PCT's spells."""
    flows = spells(pack)
    people = figures.people_by_age(pack, pack.edition.population_year).reindex(flows.index)
    served = markets.catchments(flows, people)
    inside = list(pack.geography.leaves(pack.area.code))
    own = markets.catchments(flows.loc[flows.index.intersection(inside)], people.loc[people.index.intersection(inside)])
    codes = record_tables.own_providers(pack)
    if not codes:
        return Note(NO_SPELLS.format(name=pack.area.name))
    frame = pd.DataFrame({"people": served, "own": own}).reindex(codes)
    frame["share"] = rates.ratio(frame["own"], frame["people"], 100)
    frame = frame.assign(name=record_tables.named(pack, frame.index)).sort_values(
        "people", ascending=False, kind="stable"
    )
    columns = {
        "name": Column("Trust"),
        "people": Column("Catchment", unit="people", decimals=0),
        "own": Column(f"Of {pack.area.name}", unit="people", decimals=0),
        "share": Column("Share of the catchment", unit="%", decimals=0),
    }
    if pack.area.is_whole:
        del columns["own"], columns["share"]
    top = frame.iloc[0]
    depends = frame.sort_values("share", ascending=False, kind="stable").iloc[0]
    after = (
        ""
        if pack.area.is_whole
        else f" {depends['name']} depends most on {pack.area.name}, for {number(depends['share'])}% of its people."
    )
    return CHAPTER.finding(
        pack,
        "catchments",
        title="Catchments",
        statement=(
            f"{top['name']} serves {number(_hundreds(top['people']))} of {pack.geography.whole.name}'s people.{after}"
        ),
        period=f"{pack.edition.activity_year} spells, mid-{pack.edition.population_year} residents",
        sources=["spell_flows", "providers", "population_by_age", "boroughs"],
        methods=["catchments"],
        caveats=[
            "A PCT's residents are shared among trusts as its spells are. Specialist trusts draw on far more people "
            "than their catchment says, for less of each one's care.",
        ],
        table=Table(
            f"Catchments of {pack.area.name}'s trusts",
            frame.assign(people=_hundreds(frame["people"]), own=_hundreds(frame["own"])).reset_index(drop=True),
            columns,
        ),
    )


def self_containment(pack: Pack) -> Finding | Note:
    """Whether sectors of 2006, of 2009, or groups found from flows keep most of their people's care within them."""
    return compared_groupings(pack, CHAPTER, spells(pack))


def lead_commissioner(pack: Pack) -> Finding | Note:
    """Who leads for each of the area's trusts, and what share of the trust's spells the leader pays for."""
    flows = spells(pack)
    leads = pack.read("lead_commissioners_2006").dropna(subset=["provider_code"])
    leads_of = leads.groupby("provider_code")["lead_pct_code"].agg(lambda codes: list(dict.fromkeys(codes)))
    codes = [code for code in record_tables.own_providers(pack) if code in leads_of.index]
    if not codes:
        return Note(f"None of {pack.area.name}'s trusts has a lead PCT in the list of 2006.")
    total, largest = flows[codes].sum(), flows[codes].idxmax()
    led = pd.Series({code: flows[code].reindex(leads_of[code]).sum() for code in codes})
    own = flows[codes].reindex(list(pack.geography.leaves(pack.area.code))).sum()
    frame = pd.DataFrame(
        {
            "name": record_tables.named(pack, codes),
            "lead": [listed(pack.geography.area(lead).name for lead in leads_of[code]) for code in codes],
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
        "lead": Column("Lead PCT, 2006"),
        "lead_share": Column("Its share of the trust's spells", unit="%", decimals=0),
        "largest": Column("PCT that pays for most"),
        "own_share": Column(f"{pack.area.name}'s share", unit="%", decimals=0),
    }
    if pack.area.is_whole:
        del columns["own_share"]
    agree = sum(str(code) in leads_of[trust] for trust, code in largest.items())
    shown = frame[frame["led"] >= disclosure.FEWEST_EVENTS]
    least = shown.loc[shown["lead_share"].idxmin()] if len(shown) else None
    smallest = (
        f" At {least['name']} the lead's share is smallest, {number(least['lead_share'])}%."
        if least is not None
        else ""
    )
    whose = "the trusts with a lead PCT" if pack.area.is_whole else f"{pack.area.name}'s trusts"
    return CHAPTER.finding(
        pack,
        "lead_commissioner",
        title="Who leads, and for how much",
        statement=(
            f"For {agree} of {len(frame)} of {whose}, the lead PCT of 2006 pays for more spells than any other."
            f"{smallest}"
        ),
        period=pack.edition.activity_year,
        sources=["spell_flows", "lead_commissioners_2006", "providers"],
        caveats=[
            "Shares are of spells that PCTs of the geography paid for.",
            "Trusts have merged since 2006: one that several PCTs led for has all of them as its lead.",
        ],
        table=disclosure.table(
            f"Lead PCTs of {pack.area.name}'s trusts", frame.reset_index(drop=True), columns, [],
            {"lead_share": "led", "own_share": "own"},
        ),
    )  # fmt: skip


def _hundreds(people: "pd.Series | float") -> "pd.Series | float":
    """Catchments are worked out from shares: to the nearest hundred people is as near as they are known."""
    return np.round(people, -2)


def _statement(pack: Pack, found: Standing, opening: str) -> str:
    said = sentence(pack, found)
    return f"{opening.rstrip(',')} in {pack.edition.activity_year}{', ' + said if said else ''}."


__all__ = [
    "by_specialty",
    "catchments",
    "concentration",
    "lead_commissioner",
    "self_containment",
    "who_treats",
]
