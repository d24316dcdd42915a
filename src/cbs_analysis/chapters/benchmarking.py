"""Benchmarking: how our trusts do on day cases, nights, readmissions and follow-ups, allowing for whom they treat.

For whoever manages a contract. From hospital records by a stated model, shrunk for chance before anything is added up.
"""

from dataclasses import asdict

import numpy as np
import pandas as pd

from cbs_analysis.chapters import record_tables
from cbs_analysis.chapters.building import Chapter, Standing, sentence, stated
from cbs_analysis.chapters.case_mix_ratios import (
    MEASURES,
    Adjusted,
    of_areas,
    of_trusts,
    potential_of,
    trust_funnel,
    trust_table,
)
from cbs_analysis.chapters.service_view import service_view
from cbs_analysis.evidence import disclosure
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import interval, listed, number
from cbs_analysis.pack import Pack

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
NO_MODEL = (
    "Too few trusts have cases enough in {year} to be set side by side, or the records do not hold the whole of that "
    "financial year."
)


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
        found = of_trusts(pack, name)
        if found is None:
            continue
        own = potential_of(pack, found)
        rows.append({"measure": measure.gained, **asdict(own)})
    if not rows:
        return Note(NO_MODEL.format(year=pack.edition.activity_year))
    frame = pd.DataFrame(rows)
    safe = _safe_potential(frame)
    said = [
        f"{number(row['value'])} {row['measure']} ({interval(row['lower'], row['upper'], 0)})"
        for row in safe.to_dict("records")
        if row["value"] == row["value"]
    ]
    whose = "its trusts" if not pack.area.is_whole else "trusts"
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
        statement=(
            f"If {whose} did as well as the best quarter of trusts, {pack.area.name}'s people would have in "
            f"{pack.edition.activity_year}: {listed(said)}."
            if said
            else f"{pack.area.name} has too few cases to say what there would be to win."
        ),
        period=pack.edition.activity_year,
        sources=SOURCES,
        methods=["best-quarter", "shrunk-effects", "case-mix"],
        caveats=[
            "Trusts' effects are drawn towards the average by as much as chance explains, so that a trust that was "
            "only unlucky has nothing to win.",
            "A quarter of trusts do as well by definition: not all of it can be had, and lines cannot be added up.",
            "Pounds are national mean costs of 2024/25, for weighing: for a day case what an ordinary elective spell "
            "of the same HRG subchapters costs more, for a readmission that of an emergency spell. Nights and "
            "follow-ups have no price of their own there.",
            MODEL.format(mix=f"{OF_SPELLS}; of follow-ups {OF_FIRSTS}"),
        ],
        table=Table(f"What there would be to win, {pack.edition.activity_year}", safe, columns),
    )


def service(pack: Pack, specialty: str | None = None) -> Finding | Note:
    """One specialty across the area's trusts: how much each does, what it costs, how it does."""
    return service_view(pack, CHAPTER, specialty or pack.edition.service_view)


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
        return Note(NO_MODEL.format(year=pack.edition.activity_year))
    measure = MEASURES[name]
    standing = record_tables.from_table(pack, pack.indicators[measure.indicator], areas)
    return CHAPTER.finding(
        pack,
        measure.finding,
        title=measure.title,
        statement=_statement(pack, standing, measure.noun) + _apart(pack, trusts),
        standing=standing,
        comparisons=record_tables.comparisons(pack, standing),
        period=pack.edition.activity_year,
        sources=SOURCES,
        methods=["shrunk-effects"],
        caveats=[*caveats, MODEL.format(mix=OF_FIRSTS if name == "follow_up" else OF_SPELLS), SPREAD],
        table=trust_table(pack, trusts),
        chart=trust_funnel(pack, trusts),
    )


def _statement(pack: Pack, standing: Standing, noun: str) -> str:
    if np.isnan(standing.own(pack).value):
        return f"{pack.area.name} has too few {noun} in {pack.edition.activity_year} to say."
    said = sentence(pack, standing)
    return (
        f"{pack.area.name} had {stated(pack, standing)} times the {noun} expected in {pack.edition.activity_year}"
        f"{', ' + said if said else ''}."
    )


def _apart(pack: Pack, trusts: Adjusted) -> str:
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


__all__ = ["best_quarter", "day_cases", "follow_ups", "length_of_stay", "readmissions", "service"]
