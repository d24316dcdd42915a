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
from cbs_analysis.evidence.comparing import NOT_COMPARED, Comparison, optional, value_range
from cbs_analysis.evidence.finding import Chart, Citation, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import AS_A_COMPARATOR, MISSING, number
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack

NBSP = "\N{NO-BREAK SPACE}"


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
        estimates: AreaEstimates | None = None,
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

        With `estimates`, the value, limits, comparisons, key figures and side-by-side table are made from it; without,
        they are as given. `flag_reason` flags the finding; `caution` is what to check before acting on it. `methods`
        are pages of `book/methods`, beside the one of its indicator. `people` is
        how many lie between the area and its headline comparator, where it is not the difference times the
        denominator.
        """
        numerator = denominator = spread = peers = None
        if estimates:
            measured, own = estimates.measured, estimates.own(pack)
            value, lower, upper = own.value, own.lower, own.upper
            numerator, denominator = optional(own.numerator), optional(own.denominator)
            comparisons = compared(pack, estimates) if comparisons is None else comparisons
            members = members or side_by_side(pack, estimates)
            compared_values = peer_values(pack, estimates)
            spread, peers = optional(compared_values.std()), value_range(compared_values)
            people = people_between(pack, estimates) if people is None else people
            without = left_out(pack, estimates).values() if comparisons else []
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
    about = pack.about(table)
    return Citation(about.table, about.title, about.publisher, about.licence, about.synthetic)


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
