"""How a chapter makes a finding: comparisons, side-by-side tables, key figures and citations put together one way."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cbs_analysis.edition import Function, Indicator, Measure
from cbs_analysis.evidence import disclosure
from cbs_analysis.evidence.comparing import NOT_COMPARED, Comparison, comparison, estimates, optional, value_range
from cbs_analysis.evidence.finding import Chart, Citation, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import (
    AS_A_COMPARATOR,
    MISSING,
    against,
    interval,
    level_name,
    listed,
    measure,
    number,
)
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack
from cbs_analysis.tables.catalogue import source

NOT_RANKED = "flagged, not ranked"
NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Standing:
    """A measure for every area: `table` as found (see `comparing.estimates`), `held` as a comparator.

    `held` is `table` without flagged leaves in any group; it is `table` itself where nothing is flagged.
    `without` names the flagged areas that are left out of each group in `held`.
    """

    measured: Measure
    table: pd.DataFrame
    held: pd.DataFrame
    without: dict[str, tuple[str, ...]]

    def own(self, pack: Pack) -> pd.Series:
        return self.table.loc[pack.area.code]


@dataclass(frozen=True)
class Chapter:
    """A chapter's name and the commissioning function it belongs to."""

    name: str
    function: Function

    def finding(
        self,
        pack: Pack,
        name: str,
        *,
        title: str,
        statement: str,
        period: str,
        sources: Sequence[str],
        methods: Sequence[str] = (),
        standing: Standing | None = None,
        measured: Measure | None = None,
        value: float | None = None,
        lower: float | None = None,
        upper: float | None = None,
        comparisons: Sequence[Comparison] | None = None,
        caveats: Sequence[str] = (),
        flag_reason: str = "",
        caution: str = "",
        people: float | None = None,
        table: Table | None = None,
        members: Table | None = None,
        chart: Chart | None = None,
        function: Function | None = None,
    ) -> Finding:
        """A finding of this chapter about the pack's area.

        With a `standing`, the value, limits, comparisons, key figures and side-by-side table are made from it; without,
        they are as given. `flag_reason` flags the finding; `caution` is what to check before acting on it. `methods`
        are pages of `book/methods`, beside the one of its indicator. `people` is
        how many lie between the area and its headline comparator, where it is not the difference times the
        denominator.
        """
        numerator = denominator = spread = peers = None
        if standing:
            measured, own = standing.measured, standing.own(pack)
            value, lower, upper = own.value, own.lower, own.upper
            numerator, denominator = optional(own.numerator), optional(own.denominator)
            comparisons = compared(pack, standing) if comparisons is None else comparisons
            members = members or side_by_side(pack, standing)
            compared_values = _peer_values(pack, standing)
            spread, peers = optional(compared_values.std()), value_range(compared_values)
            people = _people_between(pack, standing) if people is None else people
            without = left_out(pack, standing).values() if comparisons else []
            caveats = [*caveats, *(f"{AS_A_COMPARATOR}{part}, whose figures are flagged." for part in without)]
        comparisons = comparisons or ()
        found = Finding(
            id=f"{self.name}.{name}",
            title=title,
            area_code=pack.area.code,
            area_name=pack.area.name,
            level=pack.area.level,
            chapter=self.name,
            function=function or self.function,
            statement=statement,
            indicator=measured.id if isinstance(measured, Indicator) else None,
            value=optional(value),
            lower=optional(lower),
            upper=optional(upper),
            unit=measured.unit if measured else "",
            period=period,
            numerator=numerator,
            denominator=denominator,
            comparisons=tuple(comparisons),
            headline=pack.headline.code if pack.headline else "",
            spread=spread,
            peers=peers,
            people=people,
            flagged=bool(flag_reason),
            flag_reason=flag_reason,
            caution=caution,
            source=tuple(cited(pack, name) for name in sources),
            methods=tuple(dict.fromkeys([*([measured.method] if isinstance(measured, Indicator) else []), *methods])),
            caveats=tuple(dict.fromkeys(caveats)),
            key_figures=key_figures(pack, measured, value, lower, upper, comparisons) if measured else None,
            table=table,
            members=members,
            chart=chart,
        )
        return disclosure.checked(found).labelled()


def cited(pack: Pack, table: str) -> Citation:
    """The data catalogue's entry for a table, as a citation. Raises UndeclaredSourceError where it is not declared."""
    pack.must_declare(table)
    found = source(table)
    return Citation(found.table, found.title, found.publisher, found.licence, found.synthetic)


def compared(pack: Pack, standing: Standing) -> list[Comparison]:
    """The area against each of its comparators, nearest first."""
    own = standing.table.loc[[pack.area.code]]
    held = pd.concat([own, standing.held.drop(index=pack.area.code, errors="ignore")])
    return [comparison(pack.area, other, held, standing.measured) for other in pack.comparators]


def sentence(pack: Pack, standing: Standing) -> str:
    """Where the area's value stands: 'higher than South East London (210.1) and London (205.0)'; may be empty."""
    found = compared(pack, standing)
    return against(
        [
            (item.direction, said(pack, area), measure(item.value, standing.measured))
            for item, area in zip(found, pack.comparators, strict=True)
        ]
    )


def said(pack: Pack, area: Area) -> str:
    """An area's name within a sentence; the group of similar areas has none, so it is 'the PCTs like it'."""
    return f"the {level_name(pack.area.level, plural=True)} like it" if area is pack.similar else area.name


def left_out(pack: Pack, standing: Standing) -> dict[str, str]:
    """What each comparator is without, by its code, to follow 'As a comparator, ': 'London is without Newham'."""
    return {
        area.code: f"{said(pack, area)} {'are' if area is pack.similar else 'is'} without "
        f"{names(pack, standing.without[area.code])}"
        for area in pack.comparators
        if area.code in standing.without
    }


def stated(pack: Pack, standing: Standing) -> str:
    """The area's value with its unit and interval: '212.4 per 1,000 (95% interval 210.6 to 214.2)'."""
    own = standing.own(pack)
    limits = interval(own.lower, own.upper, standing.measured.decimals)
    return f"{measure(own.value, standing.measured)}{f' ({limits})' if limits else ''}"


def key_figures(
    pack: Pack, measured: Measure, value: float | None, lower: float | None, upper: float | None,
    comparisons: Sequence[Comparison],
) -> Table | None:  # fmt: skip
    """The area and its comparators, a row each."""
    if not comparisons:
        return None
    rows = [{"area": pack.area.name, "value": value, "lower": lower, "upper": upper, "compared": ""}]
    rows += [
        {"area": item.comparator, "value": item.value, "lower": item.lower, "upper": item.upper,
         "compared": _in_words(item, pack.area)}
        for item in comparisons
    ]  # fmt: skip
    frame = pd.DataFrame(rows).astype({"value": float, "lower": float, "upper": float})
    columns = {"area": Column("Area"), "value": Column(_titled(measured), decimals=measured.decimals)}
    if frame["lower"].notna().any():
        frame["interval"] = [
            f"{number(low, measured.decimals)} to {number(high, measured.decimals)}".replace(" ", NBSP)
            if low == low
            else ""
            for low, high in zip(frame["lower"], frame["upper"], strict=True)
        ]
        columns["interval"] = Column("95% interval")
    if not set(frame["compared"]) <= {"", MISSING, NOT_COMPARED}:
        columns["compared"] = Column(f"{pack.area.name} is")
    return Table(measured.name, frame, columns, emphasis=pack.area.name)


def side_by_side(pack: Pack, standing: Standing) -> Table:
    """The areas beside the pack's own: peers of a leaf, members of a group, highest first, flagged last."""
    codes = [area.code for area in pack.beside if area.code in standing.table.index]
    frame = standing.table.loc[codes].copy()
    order = {area.code: area.is_leaf for area in pack.beside}
    frame["leaf"] = [order[code] for code in codes]
    frame["area"] = [pack.geography.area(code).name for code in codes]
    frame["shown"] = frame["value"].where(~frame["flagged"].astype(bool))
    frame["rank"] = frame.groupby("leaf")["shown"].rank(method="min", ascending=False)
    frame["note"] = np.where(frame["flagged"].astype(bool), NOT_RANKED, "")
    frame = frame.sort_values(["leaf", "flagged", "value", "area"], ascending=[True, True, False, True])
    decimals = standing.measured.decimals
    columns = {
        "area": Column("Area"),
        "rank": Column("Rank, highest first", decimals=0),
        "value": Column(_titled(standing.measured), decimals=decimals),
    }
    if frame["lower"].notna().any():
        columns |= {"lower": Column("95% lower limit", decimals=decimals),
                    "upper": Column("95% upper limit", decimals=decimals)}  # fmt: skip
    if frame["numerator"].notna().any():
        columns["numerator"] = Column("Numerator", decimals=0)
    if frame["denominator"].notna().any():
        columns["denominator"] = Column("Denominator", decimals=0)
    if frame["flagged"].any():
        columns["note"] = Column("Note")
    return Table(beside_title(pack), frame.reset_index(drop=True), columns, emphasis=pack.area.name)


def beside_title(pack: Pack) -> str:
    """What the side-by-side table shows, in the geography's own words."""
    counts = Counter(area.level for area in pack.beside)
    said = listed(f"{count} {level_name(level, plural=count > 1)}" for level, count in counts.items())
    return f"{'All ' if pack.area.is_leaf else ''}{said} of {among(pack)} side by side"


def among(pack: Pack) -> str:
    """Whose leaves stand beside the area: all of the whole's for a leaf, its own for a group."""
    return pack.geography.whole.name if pack.area.is_leaf else pack.area.name


def peers_named(pack: Pack) -> str:
    """'the 31 PCTs of London'."""
    return f"the {len(pack.peers)} {level_name(pack.peers[0].level, plural=True)} of {pack.geography.whole.name}"


def chart_roles(pack: Pack, standing: Standing) -> pd.DataFrame:
    """The peers as a chart shows them: name, value, lower, upper and role; a group's own members are all emphasised."""
    codes = [area.code for area in pack.peers if area.code in standing.table.index]
    frame = standing.table.loc[codes, ["value", "lower", "upper", "flagged"]].astype({"flagged": bool})
    own = set() if pack.area.is_whole else set(pack.geography.leaves(pack.area.code))
    frame["name"] = [pack.geography.area(code).name for code in codes]
    frame["role"] = [peer_role(code in own, flagged) for code, flagged in frame["flagged"].items()]
    columns = ["name", "value", "lower", "upper", "role"]
    above = [
        {
            "name": area.name,
            "role": comparator_role(pack, area),
            **standing.held.loc[area.code, columns[1:4]].to_dict(),
        }
        for area in pack.comparators
        if area.code in standing.held.index
    ]
    own_row = standing.own(pack)
    if not pack.area.is_leaf and not own_row.flagged:
        role = comparator_role(pack, pack.area)
        above.append({"name": pack.area.name, "role": role, **own_row[columns[1:4]].to_dict()})
    return pd.concat([frame[columns], pd.DataFrame(above, columns=columns)], ignore_index=True)


def plain_standing(
    measured: Measure,
    values: pd.Series,
    numerator: pd.Series | None = None,
    denominator: pd.Series | None = None,
) -> Standing:
    """A measure whose value is known for every area as it is, without limits; series are indexed by area_code."""
    given = {"value": values, "numerator": numerator, "denominator": denominator}
    table = estimates(pd.DataFrame({name: series for name, series in given.items() if series is not None}))
    return Standing(measured, table, table, {})


def plain_measure(name: str, unit: str, decimals: int, **more: object) -> Measure:
    """A measure that is not one of the edition's indicators."""
    return Measure.model_validate({"name": name, "unit": unit, "decimals": decimals, **more})


def comparator_role(pack: Pack, area: Area) -> str:
    """How charts tell comparators apart: England, the whole, the similar areas and a sector look alike everywhere."""
    if area.code == pack.geography.national.code:
        return "nation"
    if area is pack.similar:
        return "similar"
    return "region" if area.is_whole else "parent"


def peer_role(is_own: bool, flagged: bool) -> str:
    """How charts show a leaf area: the pack's own, another, and either of them flagged."""
    if flagged:
        return "flagged_area" if is_own else "flagged"
    return "area" if is_own else "peer"


def area_role(pack: Pack, area: Area) -> str:
    """How charts show the pack's area among its comparators."""
    return "area" if area.code == pack.area.code else comparator_role(pack, area)


def names(pack: Pack, codes: Sequence[str]) -> str:
    return listed(pack.geography.area(code).name for code in codes)


def _titled(measured: Measure) -> str:
    return f"{measured.name} (%)" if measured.unit == "%" else measured.name


def _in_words(item: Comparison, area: Area) -> str:
    if item.value is None:
        return MISSING
    if item.status != NOT_COMPARED:
        return f"{item.status} ({item.direction})" if item.status != item.direction else item.status
    return item.direction or item.status


def _peer_values(pack: Pack, standing: Standing) -> pd.Series:
    frame = standing.table.loc[[area.code for area in pack.peers if area.code in standing.table.index]]
    return frame.loc[~frame["flagged"].astype(bool), "value"].astype(float)


def _people_between(pack: Pack, standing: Standing) -> float | None:
    """How many people or events lie between the area's value and its headline comparator's."""
    counts_people = standing.measured.per > 1 or standing.measured.unit == "ratio"
    if not counts_people or pack.headline is None or pack.headline.code not in standing.held.index:
        return None
    own, per = standing.own(pack), standing.measured.per
    return optional(abs(own.value - standing.held.loc[pack.headline.code, "value"]) * own.denominator / per)
