"""How a chapter makes a finding: comparisons, side-by-side tables, key figures and citations put together one way."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cbs_analysis.chapters.area_estimates import (
    AreaEstimates,
    compared,
    left_out,
    measure_title,
    peer_values,
    people_between,
    side_by_side,
)
from cbs_analysis.edition import Function, Indicator, Measure
from cbs_analysis.evidence import disclosure
from cbs_analysis.evidence.comparing import NOT_COMPARED, Comparison, Range, optional, value_range
from cbs_analysis.evidence.finding import Chart, Citation, Definition, Finding
from cbs_analysis.evidence.peers import Funnel, fifth, peer_funnel
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import AS_A_COMPARATOR, MISSING, number
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack

NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Value:
    """What a finding is about: a measure of the pack's area, with its limits and what it is compared with.

    `people` is how many lie between the area and its headline comparator, `spread` and `peers` how much the leaves
    differ, `members` the areas side by side, `caveats` what the comparators are without, `fifth` and `funnel` where the
    area and its leaves lie among all leaves.
    """

    measured: Measure
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    comparisons: Sequence[Comparison] = ()
    people: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    spread: float | None = None
    peers: Range | None = None
    members: Table | None = None
    caveats: tuple[str, ...] = ()
    fifth: int | None = None
    funnel: Funnel | None = None


@dataclass(frozen=True)
class Basis:
    """What a finding rests on: its period, tables and methods, what to know of it, and what to doubt.

    `methods` are pages of `book/methods`, beside the one of its indicator. `flag_reason` flags the finding; `caution`
    is what to check before acting on it.
    """

    period: str
    sources: Sequence[str]
    methods: Sequence[str] = ()
    caveats: Sequence[str] = ()
    flag_reason: str = ""
    caution: str = ""


@dataclass(frozen=True)
class Exhibits:
    """What a finding shows: a table, a table of the areas side by side, a chart."""

    table: Table | None = None
    members: Table | None = None
    chart: Chart | None = None


def value_of(
    pack: Pack,
    estimates: AreaEstimates,
    comparisons: Sequence[Comparison] | None = None,
    people: float | None = None,
) -> Value:
    """The value of the pack's area among the estimates of all areas, compared with its comparators.

    `comparisons` and `people` replace what would be worked out, where they are given.
    """
    own, leaves = estimates.own(pack), peer_values(pack, estimates)
    comparisons = compared(pack, estimates) if comparisons is None else comparisons
    without = left_out(pack, estimates).values() if comparisons else []
    return Value(
        estimates.measured,
        own.value,
        own.lower,
        own.upper,
        comparisons,
        people_between(pack, estimates) if people is None else people,
        optional(own.numerator),
        optional(own.denominator),
        optional(leaves.std()),
        value_range(leaves),
        side_by_side(pack, estimates),
        tuple(f"{AS_A_COMPARATOR}{part}, whose figures are flagged." for part in without),
        fifth(leaves, pack.area.code),
        _funnel(pack, estimates),
    )


def _funnel(pack: Pack, estimates: AreaEstimates) -> Funnel | None:
    """The funnel of the leaves in the whole's finding of an indicator; None in any other."""
    measured = estimates.measured
    if not pack.area.is_whole or not isinstance(measured, Indicator):
        return None
    names = {area.code: area.name for area in pack.peers if area.code in estimates.table.index}
    return peer_funnel(estimates.table.loc[list(names)], names, measured.method, measured.per)


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
        basis: Basis,
        value: Value | None = None,
        exhibits: Exhibits | None = None,
        function: Function | None = None,
    ) -> Finding:
        """A finding of this chapter about the pack's area; `function` replaces the chapter's own."""
        shown = exhibits or Exhibits()
        indicator = value.measured if value and isinstance(value.measured, Indicator) else None
        result = Finding(
            id=f"{self.name}.{name}",
            title=title,
            area_code=pack.area.code,
            area_name=pack.area.name,
            level=pack.area.level,
            chapter=self.name,
            function=function or self.function,
            statement=statement,
            indicator=indicator.id if indicator else None,
            value=optional(value.value) if value else None,
            lower=optional(value.lower) if value else None,
            upper=optional(value.upper) if value else None,
            unit=value.measured.unit if value else "",
            period=basis.period,
            numerator=value.numerator if value else None,
            denominator=value.denominator if value else None,
            comparisons=tuple(value.comparisons) if value else (),
            headline=pack.headline.code if pack.headline else "",
            spread=value.spread if value else None,
            peers=value.peers if value else None,
            people=value.people if value else None,
            flagged=bool(basis.flag_reason),
            flag_reason=basis.flag_reason,
            caution=basis.caution,
            source=tuple(cited(pack, table) for table in basis.sources),
            methods=tuple(dict.fromkeys([*([indicator.method] if indicator else []), *basis.methods])),
            caveats=tuple(dict.fromkeys([*basis.caveats, *(value.caveats if value else ())])),
            key_figures=key_figures(pack, value) if value else None,
            table=shown.table,
            members=shown.members or (value.members if value else None),
            chart=shown.chart,
            definition=Definition.of(indicator) if indicator else None,
            fifth=value.fifth if value else None,
            funnel=value.funnel if value else None,
        )
        return disclosure.checked(result).labelled()


def cited(pack: Pack, table: str) -> Citation:
    """The data catalogue's entry for a table, as a citation. Raises UndeclaredSourceError where it is not declared."""
    pack.must_declare(table)
    about = pack.about(table)
    return Citation(about.table, about.title, about.publisher, about.licence, about.synthetic, about.licences)


def key_figures(pack: Pack, own: Value) -> Table | None:
    """The area and its comparators, a row each."""
    measured, comparisons = own.measured, own.comparisons
    if not comparisons:
        return None
    rows = [{"area": pack.area.name, "value": own.value, "lower": own.lower, "upper": own.upper, "compared": ""}]
    rows += [
        {"area": item.comparator, "value": item.value, "lower": item.lower, "upper": item.upper,
         "compared": _in_words(item, pack.area)}
        for item in comparisons
    ]  # fmt: skip
    frame = pd.DataFrame(rows).astype({"value": float, "lower": float, "upper": float})
    columns = {"area": Column("Area"), "value": Column(measure_title(measured), decimals=measured.decimals)}
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


def _in_words(item: Comparison, area: Area) -> str:
    if item.value is None:
        return MISSING
    if item.status != NOT_COMPARED:
        return f"{item.status} ({item.direction})" if item.status != item.direction else item.status
    return item.direction or item.status
