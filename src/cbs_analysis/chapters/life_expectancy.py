"""Life expectancy, for the chapter on population and need: as published, with parts where it cannot be added up.

Life expectancy is a rate over a life table. An area has the value published for it, or for the one part that it is made
of; a group, or an area of several parts, shows the parts and their range.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters.area_estimates import beside_title, comparator_role, in_sentence, plain_estimates
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, value_of
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.drawing import Drawing
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number, sentence_case, signed
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack
from cbs_analysis.pack.measures import people_by_age
from cbs_analysis.pack.series import area_column

CHAPTER = Chapter("population_and_need", "strategic planning")
TABLE = "life_expectancy"
SEXES = {"male": "men", "female": "women"}


def life_expectancy_male(pack: Pack) -> Finding:
    """Male life expectancy at birth: the gap to the nation and the change since the first period."""
    return _life_expectancy(pack, "male")


def life_expectancy_female(pack: Pack) -> Finding:
    """Female life expectancy at birth: the gap to the nation and the change since the first period."""
    return _life_expectancy(pack, "female")


def _life_expectancy(pack: Pack, sex: str) -> Finding:
    measured = pack.indicators[f"life_expectancy_{sex}_years"]
    published, area = pack.read(TABLE), area_column(pack, TABLE)
    years = published[published["sex"] == sex].pivot(index="period", columns=area.name, values="life_expectancy_years")
    first, last = years.index[0], years.index[-1]
    codes = {code: _published(pack, code, years) for code in [*pack.geography.areas, *pack.geography.nation_codes]}
    values = pd.Series({code: years[own].iloc[-1] if own else np.nan for code, own in codes.items()}, dtype=float)
    estimates = plain_estimates(measured, values)
    parts = _parts(pack, years)
    inside = [code for code in parts.index if code in years]
    nation = _nation(pack, codes, years)
    series = years[codes[pack.area.code]] if codes[pack.area.code] else None
    table = _part_table(years, parts.loc[inside], nation)
    others = {a.name: years[codes[a.code]].iloc[-1] for a in reversed(pack.comparators) if codes.get(a.code)}
    statement = _statement(pack, sex, series, table, nation, (first, last), others)
    caveats = ["The publisher's limits are not in these tables, so no difference is tested."]
    missing = [parts[code] for code in parts.index if code not in years]
    if missing:
        caveats.append(f"No life expectancy is published for {listed(missing)} itself.")
    without = [in_sentence(pack, area) for area in pack.comparators if np.isnan(values.get(area.code, np.nan))]
    if series is not None and without:
        caveats.append(f"It is a rate over a life table and does not add up, so {listed(without)} have no value here.")
    if series is None:
        caveats.append(
            f"Life expectancy is a rate over a life table and does not add up, so {_part_words(pack)[1]} are shown "
            "instead."
        )
    chart = _chart(pack, years, codes, series, parts.loc[inside], SEXES[sex])
    return CHAPTER.finding(
        pack,
        f"life_expectancy_{sex}",
        title=f"Life expectancy of {SEXES[sex]}",
        statement=statement,
        value=value_of(
            pack, estimates, people=float(people_by_age(pack, pack.period("population").year)[pack.area.code])
        ),
        basis=Basis(period=last, sources=[TABLE], caveats=caveats),
        exhibits=Exhibits(
            table=_table(table, pack, SEXES[sex], first, last),
            members=_members(pack, years),
            chart=Chart(chart, f"Line chart of life expectancy of {SEXES[sex]}, {first} to {last}. {statement}")
            if chart
            else None,
        ),
    )


def _published(pack: Pack, code: str, years: pd.DataFrame) -> str:
    """The code whose published value stands for an area: its own, or that of its only part with a value."""
    return pack.geography.published_code(code, years.columns)


def _nation(pack: Pack, codes: dict[str, str], years: pd.DataFrame) -> pd.Series | None:
    """The nation's value by period; None where there is none."""
    nation = pack.geography.nation
    return years[codes[nation.code]] if nation and codes.get(nation.code) else None


def _parts(pack: Pack, years: pd.DataFrame) -> pd.Series:
    """Names of the parts of the area that could have a value, indexed by code: its leaves where they have one."""
    codes = _part_codes(pack, pack.area, years)
    return pd.Series({code: pack.geography.names[code] for code in codes}, dtype=object)


def _part_codes(pack: Pack, area: Area, years: pd.DataFrame) -> list[str]:
    leaves = pack.geography.leaves(area.code)
    own = [code for code in leaves if code in years]
    kinds = {pack.geography.kinds.get(str(code)) for code in years.columns}
    return own or [code for code in pack.geography.parts_of(area.code) if pack.geography.kinds[code] in kinds]


def _part_words(pack: Pack) -> tuple[str, str]:
    """What the parts of areas are called, one and several: ('borough', 'boroughs')."""
    parts = pack.geography.parts_of(pack.area.code)
    if not parts:
        return pack.peers[0].level_name, pack.peers[0].level_plural
    return pack.geography.kind_words[pack.geography.kinds[parts[0]]]


def _part_table(years: pd.DataFrame, parts: pd.Series, nation: pd.Series | None) -> pd.DataFrame:
    frame = pd.DataFrame({"area": parts, "first": years.iloc[0][parts.index], "last": years.iloc[-1][parts.index]})
    frame["change"] = frame["last"] - frame["first"]
    frame["gap"] = frame["last"] - (np.nan if nation is None else nation.iloc[-1])
    return frame.sort_values("last", ascending=False)


def _table(frame: pd.DataFrame, pack: Pack, who: str, first: str, last: str) -> Table:
    """The parts of an area: first and last value, change and gap to the nation."""
    one, several = _part_words(pack)
    columns = {
        "area": Column(sentence_case(one)),
        "first": Column(first, "years", 1),
        "last": Column(last, "years", 1),
        "change": Column("Change", "years", 1),
    }
    if frame["gap"].notna().any() and pack.geography.nation:
        columns["gap"] = Column(f"Gap to {pack.geography.nation.name}", "years", 1)
    return Table(f"Life expectancy of {who}: {several} of {pack.area.name}", frame, columns)


def _statement(
    pack: Pack,
    sex: str,
    series: pd.Series | None,
    table: pd.DataFrame,
    nation: pd.Series | None,
    span: tuple[str, str],
    others: dict[str, float],
) -> str:
    first, last = span
    only = pack.area.is_leaf and len(table) == 1 and len(pack.geography.parts_of(pack.area.code)) > 1
    who, area = SEXES[sex].capitalize(), pack.area.name
    nation_name = pack.geography.nation.name if pack.geography.nation else ""
    if series is not None:
        value, moved = series.iloc[-1], series.iloc[-1] - series.iloc[0]
        where = f"{area} ({table['area'].iloc[0]} only)" if only else area
        gaps = listed(_gap(value, other, name) for name, other in others.items())
        theirs = f" ({nation_name} {signed(nation.iloc[-1] - nation.iloc[0], 1)})" if nation is not None else ""
        return (
            f"{who} in {where} live {number(value, 1)} years at the death rates of {last}"
            f"{f', {gaps}' if gaps else ''}; that is {signed(moved, 1)} years since {first}{theirs}."
        )
    if table.empty:
        return f"No life expectancy is published for {area}."
    high, low = table.iloc[0], table.iloc[-1]
    below, above = (
        f" ({signed(row['gap'], 1)}{f' on {nation_name}' if row is low else ''})" if nation is not None else ""
        for row in (low, high)
    )
    return (
        f"{who}'s life expectancy in {area}'s {_part_words(pack)[1]} in {last} ranges from {number(low['last'], 1)} "
        f"years in {low['area']}{below} to {number(high['last'], 1)} in {high['area']}{above}."
    )


def _gap(value: float, other: float, name: str) -> str:
    """'1.4 below England (78.4)': between the values as they are shown, for whoever takes one from the other."""
    gap = float(f"{value:.1f}") - float(f"{other:.1f}")
    if not gap:
        return f"the same as {name} ({number(other, 1)})"
    return f"{number(abs(gap), 1)} {'above' if gap > 0 else 'below'} {name} ({number(other, 1)})"


def _chart(
    pack: Pack, years: pd.DataFrame, codes: dict[str, str], series: pd.Series | None, parts: pd.Series, who: str
) -> Drawing | None:
    lines = {pack.area.name: ("area", series)} if series is not None else {}
    if series is None:
        lines |= {name: ("area" if len(parts) <= 2 else "peer", years[code]) for code, name in parts.items()}
    lines |= {a.name: (comparator_role(pack, a), years[codes[a.code]]) for a in pack.comparators if codes.get(a.code)}
    if series is None and not len(parts):
        return None
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
        subtitle=f"{pack.area.name}, by published period",
        x_title="Period",
        value_title="Years",
        x_type="ordinal",
    )


def _members(pack: Pack, years: pd.DataFrame) -> Table:
    """The lowest and the highest part of each area beside the pack's own."""
    rows = []
    for area in pack.beside:
        values = years.iloc[-1].reindex(_part_codes(pack, area, years)).dropna()
        low, high = (values.min(), values.max()) if len(values) else (np.nan, np.nan)
        rows.append({"area": area.name, "low": low, "high": high})
    one, _ = _part_words(pack)
    columns = {
        "area": Column("Area"),
        "low": Column(f"Lowest {one}", "years", 1),
        "high": Column(f"Highest {one}", "years", 1),
    }
    title = f"{beside_title(pack)}: lowest and highest {one}"
    return Table(title, pd.DataFrame(rows), columns, emphasis=pack.area.name)
