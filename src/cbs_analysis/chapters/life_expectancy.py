"""Life expectancy, for the chapter on population and need: as published, with boroughs where it cannot be added up.

Life expectancy is a rate over a life table. London and England have published values; a PCT that is one borough has
that borough's; sectors and PCTs of two boroughs show their boroughs and the range.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import figures
from cbs_analysis.chapters.building import Chapter, beside_title, comparator_role, plain_standing, said
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.drawing import Drawing
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number, signed
from cbs_analysis.pack import Pack

CHAPTER = Chapter("population_and_need", "strategic planning")
SEXES = {"male": "men", "female": "women"}


def life_expectancy_male(pack: Pack) -> Finding:
    """Male life expectancy at birth: the gap to England and the change since 2001-2003."""
    return _life_expectancy(pack, "male")


def life_expectancy_female(pack: Pack) -> Finding:
    """Female life expectancy at birth: the gap to England and the change since 2001-2003."""
    return _life_expectancy(pack, "female")


def _life_expectancy(pack: Pack, sex: str) -> Finding:
    measured = pack.indicators[f"life_expectancy_{sex}_years"]
    published = pack.read("life_expectancy")
    years = published[published["sex"] == sex].pivot(
        index="period", columns="area_code", values="life_expectancy_years"
    )
    first, last = years.index[0], years.index[-1]
    found = {code: _published_area(pack, code) for code in [*pack.geography.areas, pack.geography.national.code]}
    values = pd.Series({code: years[ons].iloc[-1] if ons in years else np.nan for code, ons in found.items()})
    standing = plain_standing(measured, values)
    boroughs = _boroughs(pack)
    inside = [code for code in boroughs.index if code in years]
    own, england = values[pack.area.code], years[pack.geography.national.ons_code]
    series = years.get(found[pack.area.code])
    table = _borough_table(years, boroughs.loc[inside], england)
    beside = {a.name: years[a.ons_code].iloc[-1] for a in reversed(pack.comparators) if a.ons_code in years}
    statement = _life_statement(pack, sex, series, table, england, (first, last), beside)
    caveats = ["The publisher's limits are not in these tables, so no difference is tested."]
    missing = [boroughs[code] for code in boroughs.index if code not in years]
    if missing:
        caveats.append(f"No life expectancy is published for {listed(missing)} itself.")
    without = [said(pack, area) for area in pack.comparators if np.isnan(values.get(area.code, np.nan))]
    if series is not None and without:
        caveats.append(f"It is a rate over a life table and does not add up, so {listed(without)} have no value here.")
    if series is None:
        caveats.append(
            "Life expectancy is a rate over a life table and does not add up, so boroughs are shown instead."
        )
    chart = _life_chart(pack, years, series, boroughs.loc[inside], SEXES[sex])
    return CHAPTER.finding(
        pack,
        f"life_expectancy_{sex}",
        title=f"Life expectancy of {SEXES[sex]}",
        statement=statement,
        standing=standing,
        people=float(figures.people_by_age(pack, pack.edition.population_year)[pack.area.code]),
        period=last,
        sources=["life_expectancy"],
        caveats=caveats,
        table=table_of_boroughs(table, pack, SEXES[sex], first, last),
        members=_life_members(pack, years, SEXES[sex]),
        chart=Chart(chart, f"Line chart of life expectancy of {SEXES[sex]}, {first} to {last}. {statement}")
        if not np.isnan(own) or inside
        else None,
    )


def _published_area(pack: Pack, code: str) -> str:
    """The ONS code whose published value stands for an area: its own, or that of its only borough with a value."""
    area = pack.geography.national if code == pack.geography.national.code else pack.geography.area(code)
    if area.ons_code:
        return area.ons_code
    table, known = pack.read("boroughs"), set(pack.read("life_expectancy")["area_code"])
    inside = [c for c in table.loc[table["pct_code"] == code, "borough_code"] if c in known]
    return inside[0] if area.is_leaf and len(inside) == 1 else ""


def _boroughs(pack: Pack) -> pd.Series:
    """Borough names in the pack's area, indexed by code."""
    table = pack.read("boroughs")
    rows = table[table["pct_code"].isin(pack.geography.leaves(pack.area.code))]
    return rows.set_index("borough_code")["borough_name"]


def _borough_table(years: pd.DataFrame, boroughs: pd.Series, england: pd.Series) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"area": boroughs, "first": years.iloc[0][boroughs.index], "last": years.iloc[-1][boroughs.index]}
    )
    frame["change"] = frame["last"] - frame["first"]
    frame["gap"] = frame["last"] - england.iloc[-1]
    return frame.sort_values("last", ascending=False)


def table_of_boroughs(frame: pd.DataFrame, pack: Pack, who: str, first: str, last: str) -> Table:
    """Boroughs of an area: first and last value, change and gap to England."""
    columns = {
        "area": Column("Borough"),
        "first": Column(first, "years", 1),
        "last": Column(last, "years", 1),
        "change": Column("Change", "years", 1),
        "gap": Column("Gap to England", "years", 1),
    }
    return Table(f"Life expectancy of {who}: boroughs of {pack.area.name}", frame, columns)


def _life_statement(
    pack: Pack,
    sex: str,
    series: pd.Series | None,
    table: pd.DataFrame,
    england: pd.Series,
    span: tuple[str, str],
    beside: dict[str, float],
) -> str:
    first, last = span
    only = pack.area.is_leaf and len(table) == 1 and len(_boroughs(pack)) > 1
    who, area = SEXES[sex].capitalize(), pack.area.name
    if series is not None:
        value, moved = series.iloc[-1], series.iloc[-1] - series.iloc[0]
        where = f"{area} ({table['area'].iloc[0]} only)" if only else area
        gaps = listed(_gap(value, other, name) for name, other in beside.items())
        return (
            f"{who} in {where} live {number(value, 1)} years at the death rates of {last}"
            f"{f', {gaps}' if gaps else ''}; that is {signed(moved, 1)} years since {first} "
            f"(England {signed(england.iloc[-1] - england.iloc[0], 1)})."
        )
    if table.empty:
        return f"No life expectancy is published for {area}."
    high, low = table.iloc[0], table.iloc[-1]
    return (
        f"{who}'s life expectancy in {area}'s boroughs in {last} ranges from {number(low['last'], 1)} years in "
        f"{low['area']} ({signed(low['gap'], 1)} on England) to {number(high['last'], 1)} in {high['area']} "
        f"({signed(high['gap'], 1)})."
    )


def _gap(value: float, other: float, name: str) -> str:
    """'1.4 below England (78.4)': between the values as they are shown, for whoever takes one from the other."""
    gap = float(f"{value:.1f}") - float(f"{other:.1f}")
    if not gap:
        return f"the same as {name} ({number(other, 1)})"
    return f"{number(abs(gap), 1)} {'above' if gap > 0 else 'below'} {name} ({number(other, 1)})"


def _life_chart(pack: Pack, years: pd.DataFrame, series: pd.Series | None, boroughs: pd.Series, who: str) -> Drawing:
    lines = {pack.area.name: ("area", series)} if series is not None else {}
    if series is None:
        lines |= {name: ("area" if len(boroughs) <= 2 else "peer", years[code]) for code, name in boroughs.items()}
    lines |= {a.name: (comparator_role(pack, a), years[a.ons_code]) for a in pack.comparators if a.ons_code in years}
    frame = pd.concat(
        [
            pd.DataFrame({"x": years.index, "series": name, "value": values.to_numpy(), "role": role})
            for name, (role, values) in lines.items()
        ],
        ignore_index=True,
    )
    return charts.lines(
        frame,
        title=f"Life expectancy at birth of {who}",
        subtitle=f"{pack.area.name}, three-year periods",
        x_title="Period",
        value_title="Years",
        x_type="ordinal",
    )


def _life_members(pack: Pack, years: pd.DataFrame, who: str) -> Table:
    """Every borough of the areas beside the pack's own, ranked; groups show their lowest and highest borough."""
    table = pack.read("boroughs")
    rows = []
    for area in pack.beside:
        codes = table.loc[table["pct_code"].isin(pack.geography.leaves(area.code)), "borough_code"]
        values = years.iloc[-1].reindex(codes).dropna()
        low, high = (values.min(), values.max()) if len(values) else (np.nan, np.nan)
        rows.append({"area": area.name, "low": low, "high": high})
    frame = pd.DataFrame(rows)
    columns = {
        "area": Column("Area"),
        "low": Column("Lowest borough", "years", 1),
        "high": Column("Highest borough", "years", 1),
    }
    return Table(f"{beside_title(pack)}: lowest and highest borough", frame, columns, emphasis=pack.area.name)
