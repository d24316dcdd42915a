"""One specialty closely: what each of the area's trusts does in it, what that costs, and how it does.

The 2006 London paper shows cardiology across a sector's acute trusts: capacity, performance and cost. This is that view
for any specialty and any area.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import case_mix_ratios, record_tables
from cbs_analysis.chapters.building import Chapter
from cbs_analysis.evidence import disclosure
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.evidence.tables import Column
from cbs_analysis.evidence.wording import level_name, number
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates

SHOWN = {"length_of_stay": "nights", "readmission": "readmissions", "day_case": "day_cases"}
COST = (
    "Price for each spell is of the cases a trust has, at national mean costs of 2024/25: it is dearer where cases are "
    "harder, and is not what was paid."
)
BEDS = "Beds are all general and acute beds of the trust in April to June 2010, not those of the specialty."


def service_view(pack: Pack, chapter: Chapter, specialty: str | None) -> Finding | Note:
    """A table of the trusts that treat the sector's people in this specialty."""
    if specialty is None:
        return Note("The edition names no specialty to look at closely: set service_view in its file.")
    names = record_tables.specialty_names(pack)
    name = names.get(specialty, specialty)
    group = pack.area if not pack.area.is_leaf else pack.geography.area(pack.area.parent or pack.area.code)
    flows = record_tables.year_rows(pack, "spell_flows")
    flows = flows[flows["treatment_function_code"] == specialty]
    trusts = _trusts(pack, flows, group.code)
    if trusts.empty:
        return Note(f"No trust gives at least a twentieth of {group.name}'s spells in {name.lower()}.")
    frame = trusts.join(_ratios(pack, specialty)).join(_beds(pack))
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
    if group.code == pack.area.code:
        del columns["own"]
    events = {"own": "own_spells", "share": "group_spells", "price": "priced"}
    events |= {column: f"{column}_events" for column in SHOWN.values()}
    return chapter.finding(
        pack,
        "service",
        title=f"{name}, trust by trust",
        statement=(
            f"{frame.iloc[0]['name']} gives {number(frame.iloc[0]['share'])}% of {group.name}'s spells in "
            f"{name.lower()}.{_prices(frame)}"
        ),
        period=pack.edition.activity_year,
        sources=["spell_flows", "benchmark_providers", "beds", "providers", "treatment_functions"],
        methods=["case-mix"],
        caveats=[
            f"Trusts that give at least a twentieth of the spells of {group.name}'s people "
            f"({level_name(group.level)}) in {name.lower()}; ratios are of all that the trust did for PCTs here.",
            COST,
            BEDS,
            "A ratio is observed over expected; 1 is the average trust's.",
        ],
        table=disclosure.table(
            f"{name} at the trusts that treat {group.name}'s people, {pack.edition.activity_year}",
            frame.reset_index(drop=True), columns, ["spells"],
            {rate: events_of for rate, events_of in events.items() if rate in columns},
        ),
    )  # fmt: skip


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


def _trusts(pack: Pack, flows: pd.DataFrame, group: str) -> pd.DataFrame:
    """Trusts that matter to the group, by code, most first: spells (of all), group_spells, share, own, price."""
    everyone = record_tables.of_whole(pack, flows).groupby("provider_code")[["spells", "price_gbp", "priced"]].sum()
    of_group = record_tables.of_area(pack, flows, group).groupby("provider_code")["spells"].sum()
    own = record_tables.of_area(pack, flows).groupby("provider_code")["spells"].sum()
    frame = everyone.assign(
        group_spells=of_group.reindex(everyone.index, fill_value=0),
        own_spells=own.reindex(everyone.index, fill_value=0),
    )
    frame["share"] = rates.ratio(frame["group_spells"], of_group.sum(), 100)
    frame["own"] = rates.ratio(frame["own_spells"], own.sum(), 100)
    price = _near(pd.Series(rates.ratio(frame["price_gbp"], frame["priced"]), frame.index))
    frame["price"] = [disclosure.rounded_rate(*pair, 0) for pair in zip(price, frame["priced"], strict=True)]
    frame["price"] = frame["price"].where(frame["priced"] >= disclosure.FEWEST_EVENTS)
    frame = frame.drop(index=record_tables.OUTSIDE, errors="ignore")
    chosen = frame[
        (frame["share"] >= 100 * record_tables.OWN_SHARE) & (frame["group_spells"] >= disclosure.FEWEST_EVENTS)
    ]
    return chosen.sort_values("share", ascending=False, kind="stable")


def _ratios(pack: Pack, specialty: str) -> pd.DataFrame:
    """The specialty's ratios at every trust, and the events that each rests on."""
    columns = {}
    for measure, column in SHOWN.items():
        found = case_mix_ratios.of_trusts(pack, measure, specialty)
        columns[column] = found.table["ratio"] if found else pd.Series(dtype=float)
        columns[f"{column}_events"] = found.table["observed"] if found else pd.Series(dtype=float)
    return pd.DataFrame(columns)


def _beds(pack: Pack) -> pd.Series:
    beds = pack.read("beds")
    return beds.set_index("provider_code")["available_general_and_acute_beds"].rename("beds")


def _near(price: pd.Series) -> pd.Series:
    """A price to the nearest 10 pounds."""
    return np.round(price, -1)
