"""What records are held against: costs by HRG, trusts, commissioners, practices, areas, specialties, and the return.

Small tables, joined to the records as the reference columns that the rules of `params/quality_rules.yml` may name.
Prices are relative: they come from a later national cost collection, which says so in its own description.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import ibis
import pandas as pd
from ibis.expr import types as ir

from cbs_analysis.tables.descriptions import table_description, table_descriptions
from cbs_analysis.tables.schema_checks import read_table

POINTS = ("daycase", "elective", "nonelective_short_stay", "nonelective_long_stay")
IF_NOT_PRICED = {
    "daycase": ("elective", "nonelective_short_stay", "nonelective_long_stay"),
    "elective": ("daycase", "nonelective_long_stay", "nonelective_short_stay"),
    "nonelective_short_stay": ("nonelective_long_stay", "elective", "daycase"),
    "nonelective_long_stay": ("nonelective_short_stay", "elective", "daycase"),
}
"""Where an HRG has no price at a point of delivery: the others to take it from, the likest first."""
LONG_STAY_NIGHTS = 2
NO_AGE = -1
STAY = ("admission_date", "discharge_date")
PRICED = ("hrg_code", "patient_classification_code", "admission_method_code", *STAY)
"""The fields that say how many nights a record is of, and those that say its price."""
OUTSIDE = "outside"
"""The kind of a provider's entry that stands for all providers elsewhere together."""
RETURN = "monthly_activity_return"
"""The published counts by commissioner and month that records are compared with, where a home has such a table."""
ELECTIVE = ("11", "12", "13")
DAY_CASE = "2"
_AGES = {
    "hrg_min_age": (r"(\d+) years and over", r"between (\d+) and \d+ years"),
    "hrg_max_age": (r"(\d+) years? and under", r"between \d+ and (\d+) years"),
}


@dataclass(frozen=True)
class ReferenceData:
    """The tables, each with one row a code.

    `hrgs`: hrg_code, hrg_min_age and hrg_max_age (years, Int32), and a price in pounds at each of `POINTS`.
    `practices`: gp_practice_code, pct_code. `providers`: provider_code, provider_name, kind. `commissioners`:
    commissioner_code, commissioner_name. `lsoas`: lsoa_code. `treatment_functions`: treatment_function_code.
    `published`: the activity return by commissioner_code and month (text) and its measures, NaN where it has none; no
    rows where the home has no return.
    """

    hrgs: pd.DataFrame
    practices: pd.DataFrame
    providers: pd.DataFrame
    commissioners: pd.DataFrame
    lsoas: pd.DataFrame
    treatment_functions: pd.DataFrame
    published: pd.DataFrame


def load_reference_data(data: Path, practices: pd.DataFrame) -> ReferenceData:
    """The references of the data folder, with the practices of the record store: gp_practice_code, pct_code.

    A commissioner is known where it is a leaf of a geography today. Raises DataError where a table is wrong.
    """
    areas = read_table(data, "areas").rename(
        columns={"area_code": "commissioner_code", "organisation_name": "commissioner_name"}
    )
    published = _published(data, areas)
    tree = read_table(data, "geographies")
    leaves = tree.loc[~tree["area_code"].isin(tree["parent_code"]), "area_code"]
    known = areas[areas["commissioner_code"].isin(leaves)].sort_values("commissioner_code", ignore_index=True)
    return ReferenceData(
        hrgs=hrg_prices(read_table(data, "hrg_reference_costs")),
        practices=practices[["gp_practice_code", "pct_code"]].drop_duplicates("gp_practice_code"),
        providers=read_table(data, "providers")[["provider_code", "provider_name", "kind"]],
        commissioners=known[["commissioner_code", "commissioner_name"]].drop_duplicates("commissioner_code"),
        lsoas=read_table(data, "deprivation_lsoa")[["lsoa_2001_code"]].rename(columns={"lsoa_2001_code": "lsoa_code"}),
        treatment_functions=read_table(data, "treatment_functions")[["treatment_function_code"]],
        published=published,
    )


def _published(data: Path, areas: pd.DataFrame) -> pd.DataFrame:
    """The rows of the return about commissioners: those of the first kind of area that its description names."""
    if RETURN not in [about.table for about in table_descriptions(data)]:
        return pd.DataFrame({"commissioner_code": pd.Series(dtype=object), "month": pd.Series(dtype=object)})
    about, returned = table_description(RETURN, data), read_table(data, RETURN)
    area = next(column for column in about.columns if column.area_kinds)
    measures = [column.name for column in about.columns if column.kind in ("integer", "number")]
    kinds = areas.set_index("commissioner_code")["kind"]
    own = returned[returned[area.name].map(kinds) == area.area_kinds[0]]
    rows = own.assign(month=own["month"].dt.strftime("%Y-%m")).rename(columns={area.name: "commissioner_code"})
    return (
        rows[["commissioner_code", "month", *measures]]
        .astype(dict.fromkeys(measures, "float64"))
        .reset_index(drop=True)
    )


def hrg_prices(costs: pd.DataFrame) -> pd.DataFrame:
    """One row an HRG from one an HRG and point of delivery: the ages that its name says, and a price at each point.

    `costs` has hrg_code, hrg_name, point_of_delivery, national_unit_cost_gbp. A point without a price takes that of
    the likest point that has one.
    """
    wide = costs.pivot_table(index="hrg_code", columns="point_of_delivery", values="national_unit_cost_gbp")
    wide = wide.reindex(columns=list(POINTS)).astype("float64")
    priced = pd.DataFrame({point: wide[[point, *IF_NOT_PRICED[point]]].bfill(axis=1).iloc[:, 0] for point in POINTS})
    names = costs.drop_duplicates("hrg_code").set_index("hrg_code")["hrg_name"].reindex(priced.index)
    for place, (column, patterns) in enumerate(_AGES.items()):
        found = [names.str.extract(f"(?i){pattern}")[0] for pattern in patterns]
        priced.insert(place, column, found[0].fillna(found[1]).astype("float64").astype("Int32"))
    return priced.reset_index()


def referenced(table: ir.Table, feed: str, references: ReferenceData, only: Collection[str] | None = None) -> ir.Table:
    """The records with the reference columns of their feed beside them, one row a record as before.

    `table` has the feed's fields; columns as `rules.columns` names them, or of those `only` some, which takes less
    time. A record whose code is empty is of no known code. A feed has the columns that its fields allow. Records of
    stays with an HRG have prices: day cases are priced as such, then elective admissions, then others as long stays
    from two nights.
    """
    every = {
        "provider_code": _lookup(references.providers[["provider_code"]], "provider"),
        "commissioner_code": _lookup(references.commissioners[["commissioner_code"]], "commissioner"),
        "gp_practice_code": _lookup(references.practices, "practice"),
        "lsoa_code": _lookup(references.lsoas, "lsoa"),
        "treatment_function_code": _lookup(references.treatment_functions, "tfc"),
        "hrg_code": _lookup(_without_gaps(references.hrgs), "hrg"),
    }
    lookups = {code: lookup for code, lookup in every.items() if code in table.columns}
    joined, made = table, dict[str, ir.Value]()
    for code, lookup in lookups.items():
        columns = _columns_of(table, lookup)
        wanted = {name: value for name, value in columns.items() if only is None or name in only}
        if wanted:
            joined = joined.left_join(lookup, table[code] == lookup[0])
            made |= wanted
    if set(STAY) <= set(table.columns) and (only is None or "nights" in only):
        made["nights"] = _nights(table)
    return joined.select(*(table[name] for name in table.columns), **made)


def _without_gaps(hrgs: pd.DataFrame) -> pd.DataFrame:
    """Ages as plain whole numbers: Spark takes a column of them with gaps for one of nothing but gaps."""
    return hrgs.assign(**{age: hrgs[age].fillna(NO_AGE).astype("int32") for age in _AGES})


def _lookup(frame: pd.DataFrame, name: str) -> ir.Table:
    """A reference table whose columns share no name with a record's: the code as `of_<name>`, the rest after it."""
    code, *others = frame.columns
    return ibis.memtable(frame.rename(columns={code: f"of_{name}", **{each: f"of_{name}_{each}" for each in others}}))


def _columns_of(table: ir.Table, lookup: ir.Table) -> dict[str, ir.Value]:
    """The reference columns that a lookup gives the records joined to it."""
    name = lookup.columns[0].removeprefix("of_")
    made: dict[str, ir.Value] = {f"{name}_is_known": lookup[0].notnull()}
    if name == "practice":
        made["practice_pct_code"] = lookup["of_practice_pct_code"]
    if name == "hrg":
        made |= {age: lookup[f"of_hrg_{age}"].nullif(NO_AGE) for age in _AGES}
        if set(PRICED) <= set(table.columns):
            made["price_gbp"] = _price(table, lookup)
    return made


def _nights(table: ir.Table) -> ir.IntegerValue:
    return table["discharge_date"].delta(table["admission_date"], unit="day")


def _price(table: ir.Table, hrgs: ir.Table) -> ir.FloatingValue:
    price = {point: hrgs[f"of_hrg_{point}"] for point in POINTS}
    return ibis.cases(
        (table["patient_classification_code"] == DAY_CASE, price["daycase"]),
        (table["admission_method_code"].isin(ELECTIVE), price["elective"]),
        (_nights(table) >= LONG_STAY_NIGHTS, price["nonelective_long_stay"]),
        else_=price["nonelective_short_stay"],
    )
