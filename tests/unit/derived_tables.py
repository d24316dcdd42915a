"""Tables derived from hospital records, cut down to odd extracts and written and read as a record store does it."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

from cbs_analysis import pack as packs
from cbs_analysis.chapters import benchmarking, data_quality, providers_and_market
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.geography import Geography
from cbs_analysis.home import synthetic_records_dir
from cbs_analysis.pack import Pack
from cbs_analysis.pack.similar_areas import similar_code
from cbs_analysis.records import derived_tables
from cbs_analysis.records.store import Store
from cbs_analysis.tables import derived

LEAF, GROUP, WHOLE, NEIGHBOUR, TRUST, SECOND_TRUST, SPECIALTY = "5LE", "SEL", "LON", "5LD", "RJZ", "RJ1", "320"
FINDINGS = {
    data_quality: ("arrived", "errors", "errors_by_provider", "value_in_question", "against_return", "completeness",
                   "breaks", "late"),
    benchmarking: ("day_cases", "length_of_stay", "readmissions", "follow_ups", "best_quarter", "service"),
    providers_and_market: ("who_treats", "by_specialty", "concentration", "catchments", "self_containment",
                           "lead_commissioner"),
}  # fmt: skip
COUNTS = (
    "records", "failed", "with_errors", "in_question", "filled", "valid", "sent", "loaded", "replaced", "quarantined",
    "spells", "bed_days", "priced", "cases", "observed", "appointments", "first", "follow_up", "not_seen",
)  # fmt: skip
MODELS = ("benchmark_providers", "benchmark_areas", "benchmark_models")

Frames = Mapping[str, pd.DataFrame]


@cache
def whole() -> Pack:
    return packs.open_pack(WHOLE, "2011-12")


@cache
def every_table() -> Frames:
    return {table: whole().read(table) for table in derived.TABLES}


def rows_of(frames: Frames, column: str, *values: str) -> Frames:
    """The rows of these values, of the tables that have the column."""
    return {name: frame[frame[column].isin(values)] if column in frame else frame for name, frame in frames.items()}


def of_areas(frames: Frames, *codes: str) -> Frames:
    return rows_of(rows_of(frames, "commissioner_code", *codes), "area_code", *codes)


def set_to(frames: Frames, **values: object) -> Frames:
    """Columns of these names set to a value or to another column, in the tables that have both."""
    return {
        name: frame.assign(
            **{
                column: frame.get(value, value)
                for column, value in values.items()
                if column in frame and (value in frame or value not in COUNTS)
            }
        )
        for name, frame in frames.items()
    }


def with_counts(frames: Frames, change: Callable[[pd.Series], pd.Series]) -> Frames:
    """Every count of records changed, and no model, as none can be made of such counts."""
    changed = {
        name: frame.assign(**{column: change(frame[column]) for column in COUNTS if column in frame})
        for name, frame in frames.items()
    }
    return changed | {name: frames[name].head(0) for name in MODELS}


def without(frames: Frames, *tables: str) -> Frames:
    return {name: frame.head(0) if name in tables else frame for name, frame in frames.items()}


def of_feed(frames: Frames, *feeds: str) -> Frames:
    return {**rows_of(frames, "feed", *feeds), "quality_rules": frames["quality_rules"]}


def extracts() -> dict[str, Frames]:
    """Odd extracts by what is odd of them."""
    every = every_table()
    one_trust = rows_of(every, "provider_code", TRUST)
    others = [area.code for area in whole().peers if area.code not in (LEAF, NEIGHBOUR)]
    return {
        "nothing": without(every, *every),
        "nothing but rules": without(every, *(name for name in every if name != "quality_rules")),
        "one trust": one_trust,
        "one trust with very few": with_counts(one_trust, lambda counts: counts.clip(upper=3)),
        "two trusts": rows_of(every, "provider_code", TRUST, SECOND_TRUST),
        "only trusts outside": rows_of(every, "provider_code", "OUT"),
        "a trust that no list knows": set_to(one_trust, provider_code="XX1"),
        "one area": of_areas(every, LEAF),
        "areas without records": of_areas(every, *others),
        "areas that no geography knows": set_to(every, commissioner_code="XXX", area_code="XXX"),
        "one month": with_counts(rows_of(every, "month", "2010-06"), lambda counts: counts // 12),
        "no spells": without(of_feed(every, "op", "ae"), "spell_flows", *MODELS),
        "one feed": of_feed(every, "apc"),
        "one specialty": rows_of(every, "treatment_function_code", SPECIALTY, "all"),
        "all zero": with_counts(every, lambda counts: counts * 0),
        "no errors": set_to(every, failed=0, with_errors=0, in_question=0, in_question_gbp=0.0),
        "nothing but errors": set_to(every, failed="records", with_errors="records", in_question="records"),
        "counts of 0 to 3": with_counts(every, lambda counts: counts % 4),
        "no prices": set_to(every, price_gbp=0.0, in_question_gbp=0.0, value_gbp=0.0, priced=0),
        "another year": set_to(every, financial_year="2007/08"),
        "no published return": without(every, "records_against_return"),
    }


def stored(frames: Frames, folder: Path) -> dict[str, pd.DataFrame]:
    """The tables as a chapter reads them once a store has written them."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(synthetic_records_dir() / derived.MANIFEST, folder)
    derived_tables.write(frames, Store(folder), "odd", "2010-04 to 2011-03")
    return {table: derived.read(table, folder) for table in derived.TABLES}


def packs_of(tables: dict[str, pd.DataFrame], geography: Geography | None = None, **edition: object) -> list[Pack]:
    """Packs of a leaf, with one similar area, a group and the whole; of a geography of a single leaf only that."""
    geography = geography or with_one_similar_area()
    choices = whole().edition.model_copy(update=edition)
    common = replace(
        whole(), area=geography.whole, geography=geography, edition=choices, everyones=None, _tables=tables, _made={}
    )
    return [
        replace(common, area=geography.areas[code], everyones=common, _made={})
        for code in (LEAF, GROUP, WHOLE)
        if code in geography.areas
    ]


def with_one_similar_area() -> Geography:
    geography = whole().geography
    return geography.with_groups([replace(geography.groups[similar_code(LEAF)], members=(NEIGHBOUR,))])


def single_leaf() -> Geography:
    geography = whole().geography
    return replace(geography, areas={LEAF: replace(geography.areas[LEAF], parent=None)}, groups={})


def results(pack: Pack) -> dict[str, Finding | Note]:
    """What every function of the three chapters gives for a pack, by name."""
    return {name: getattr(chapter, name)(pack) for chapter, names in FINDINGS.items() for name in names}


def sentences(result: Finding | Note) -> list[str]:
    """What a reader reads of a finding beside its numbers."""
    if isinstance(result, Note):
        return [result.text]
    described = [result.chart.description] if result.chart else []
    return [result.title, result.statement, result.period, *result.caveats, *described]
