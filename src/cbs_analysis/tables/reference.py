"""The reference tables: which areas, geographies, trusts and specialties there are, and which PCT became which.

They are what the codes in every other table are checked against. `geography.py` builds the trees from them;
here they are held to their own description, and to being one tree each.
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.errors import DataError
from cbs_analysis.geography import load_geography
from cbs_analysis.tables.checking import (
    SCHEMA_RULE,
    CheckResult,
    Codes,
    column_codes,
    compared,
    read_table,
    schema_result,
)

TABLES = (
    "areas", "geography_names", "geographies", "boroughs", "pct_successions", "recording_breaks", "providers",
    "treatment_functions",
)  # fmt: skip
NATIONAL_COMMISSIONING_GROUP = "YDD82"


def ons_codes(data: Path) -> Codes:
    """ONS codes that published tables may hold: boroughs, and areas that have one of their own."""
    boroughs, areas = column_codes(data, "boroughs", "borough_code"), column_codes(data, "areas", "ons_code")
    return Codes(boroughs.values | areas.values, f"{boroughs.listed_in} or {areas.listed_in}")


def activity_codes(data: Path) -> Codes:
    """Codes of the organisations that the activity return has rows for, those since succeeded among them."""
    areas = column_codes(data, "areas", "activity_code")
    ended = column_codes(data, "pct_successions", "predecessor_code")
    known = areas.values | ended.values | {NATIONAL_COMMISSIONING_GROUP}
    return Codes(known, f"{areas.listed_in} or {ended.listed_in}")


def successions(data: Path) -> pd.DataFrame:
    """PCTs that became others: predecessor_code, successor_code, from_month (its first, datetime64)."""
    return read_table(data, "pct_successions")


def boroughs(data: Path) -> pd.DataFrame:
    """Boroughs and the PCT that covers each: borough_code, borough_name, pct_code."""
    return read_table(data, "boroughs")


def check(data: Path) -> list[CheckResult]:
    """Every reference table against its description, and every geography as a tree with one whole."""
    results = []
    for table in TABLES:
        try:
            results.append(schema_result(table, read_table(data, table)))
        except DataError as error:
            results.append(CheckResult(table, SCHEMA_RULE, "failed", str(error), (str(error),)))
    if all(result.status == "passed" for result in results):
        results += [_tree(data, name) for name in read_table(data, "geography_names")["geography"]]
    return results


def _tree(data: Path, name: str) -> CheckResult:
    rule = f"{name} is one tree, and no two of its areas share a name"
    try:
        areas = load_geography(name, data).areas.values()
    except DataError as error:
        return CheckResult("geographies", rule, "failed", str(error), (str(error),))
    names = pd.Series([area.name for area in areas])
    shared = [f"{name}: {shared!r} names two areas" for shared in sorted(set(names[names.duplicated()]))]
    return compared("geographies", rule, f"{len(names)} areas", shared)
