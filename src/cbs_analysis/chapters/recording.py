"""Recording, not care: what in an area's figures over time says how things were written down rather than done.

For the chapter on planned care, and for anyone about to act on a sudden change. Known changes come from the home's
table of them; totals that are not their parts and jumps too sudden for care are found in the figures.
"""

from collections.abc import Sequence

import pandas as pd

from cbs_analysis.chapters import recording_changes
from cbs_analysis.chapters.activity_series import gap_caveats
from cbs_analysis.chapters.area_estimates import plain_measure
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, Value
from cbs_analysis.evidence.finding import Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number, plural
from cbs_analysis.pack import Pack
from cbs_analysis.pack.series import STEP, Series, every_leaf, of_area, series

CHAPTER = Chapter("planned_care", "monitoring")


def recording(pack: Pack) -> Finding:
    """What in this area's figures is recording and not care, as far as is known, and what may be."""
    inside = pack.geography.leaves(pack.area.code)
    chosen = single_series(pack)
    known = [
        {
            "area": change.area.name,
            "measure": each.noun,
            "months": each.frequency.span(change.starts),
            "what": change.note,
        }
        for each in chosen
        for change in recording_changes.known(pack, each, pack.area.code)
    ]
    totals, possible = _total_differences(pack, inside), _possible_changes(pack, chosen, inside)
    states = (("known", known), ("published so", totals), ("possible", possible))
    rows = [row | {"state": state} for state, group in states for row in group]
    columns = {
        "area": Column("Area"),
        "measure": Column("Measure"),
        "months": Column("Months"),
        "state": Column("Known or possible"),
        "what": Column("What the figures show"),
    }
    frame = pd.DataFrame(rows, columns=list(columns))
    parts = [
        plural(len(known), "known recording break") if known else "no known recording break",
        f"{plural(len(possible), 'jump')} too sudden for care that nothing here explains" if possible else "",
        f"{plural(len(totals), 'area')} whose published total is not the sum of its parts in some months"
        if totals
        else "",
    ]
    first = chosen[0]
    own = of_area(pack, first, pack.area.code).rename("value").rename_axis("month").reset_index()
    return CHAPTER.finding(
        pack,
        "recording",
        title="Recording, not care",
        statement=f"{pack.area.name}'s figures over time hold {listed(part for part in parts if part)}.",
        value=Value(plain_measure("Recording differences", "differences", 0), float(len(rows))),
        basis=Basis(
            period=first.frequency.span(pd.DatetimeIndex(own["month"])),
            sources=list(dict.fromkeys(each.table for each in chosen)),
            methods=["recording-breaks"],
            caveats=[
                "A possible break is a step or a single month far beyond the usual: a lead to look at, not proof.",
                *gap_caveats(own, first),
            ],
        ),
        exhibits=Exhibits(
            table=Table("Recording differences", frame, columns) if rows else None, members=_members(pack, frame)
        ),
    )


def single_series(pack: Pack) -> list[Series]:
    """The series of one column each that have an indicator, of tables that the notebook may read."""
    return [
        series(pack, name)
        for name, definition in pack.series_definitions.items()
        if len(definition.measures) == 1
        and (definition.rate or definition.forecast)
        and (pack.declared is None or definition.table in pack.declared)
    ]


def _total_differences(pack: Pack, inside: Sequence[str]) -> list[dict[str, str]]:
    """Where a published total is not its parts, of totals that the description knows may differ from a rated series."""
    rows = []
    for name, definition in pack.series_definitions.items():
        if not definition.rate or (pack.declared is not None and definition.table not in pack.declared):
            continue
        for check in pack.about(definition.table).checks:
            if check.get("rule") == "sum_of_columns" and tuple(check["parts"]) == definition.measures:
                rows += _differences_of(pack, series(pack, name), str(check["total"]), inside)
    return rows


def _differences_of(pack: Pack, chosen: Series, total: str, inside: Sequence[str]) -> list[dict[str, str]]:
    leaves = every_leaf(pack, chosen.table)
    leaves = leaves[leaves["area_code"].isin(list(inside))]
    gap = leaves[total] - leaves[list(chosen.measures)].sum(axis=1, skipna=False)
    rows = []
    for code, group in leaves.assign(gap=gap)[gap.fillna(0) != 0].groupby("area_code"):
        low, high = number(group["gap"].min()), number(group["gap"].max())
        span = low if low == high else f"{low} to {high}"
        rows.append(
            {
                "area": pack.geography.area(str(code)).name,
                "measure": f"total of {chosen.noun}",
                "months": ", ".join(chosen.frequency.short_label(start) for start in group[STEP]),
                "what": f"The published total differs from the sum of its parts by {span}; the parts are used.",
            }
        )
    return rows


def _possible_changes(pack: Pack, chosen: Sequence[Series], inside: Sequence[str]) -> list[dict[str, str]]:
    return [
        {
            "area": pack.geography.area(code).name,
            "measure": each.noun,
            "months": each.frequency.label(jump.start),
            "what": f"{'The level steps' if jump.is_step else f'One {each.frequency.name} is off'} by {jump.change}.",
        }
        for each in chosen
        for code in inside
        for jump in recording_changes.unexplained(pack, each, code)
    ]


def _members(pack: Pack, frame: pd.DataFrame) -> Table | None:
    if pack.area.is_leaf:
        return None
    members = [pack.geography.area(code) for code in pack.area.members]
    leaves = {area.code: [pack.geography.area(c).name for c in pack.geography.leaves(area.code)] for area in members}
    counted = [int(frame["area"].isin(leaves[area.code]).sum()) for area in members]
    table = pd.DataFrame({"area": [area.name for area in members], "count": counted})
    return Table(
        f"{pack.area.name}: member areas side by side",
        table,
        {"area": Column("Area"), "count": Column("Recording differences", decimals=0)},
    )
