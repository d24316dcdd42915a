"""Recording, not care: what in an area's monthly figures says how things were written down rather than done.

For the chapter on planned care, and for anyone about to act on a sudden change. Known breaks come from the reference
table; totals that are not their parts and jumps too sudden for care are found in the figures.
"""

import pandas as pd

from cbs_analysis.chapters import breaks, figures
from cbs_analysis.chapters.breaks import Counted
from cbs_analysis.chapters.building import Chapter, plain_measure
from cbs_analysis.chapters.monthly import gap_caveats
from cbs_analysis.evidence.finding import Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number, plural
from cbs_analysis.pack import Pack

CHAPTER = Chapter("planned_care", "monitoring")
MAR = "monthly_activity_return"
ELECTIVE = ("elective_ordinary_admissions", "elective_daycase_admissions")
RECORDED = (
    "gp_referrals_made",
    "other_referrals_made",
    "first_outpatient_attendances",
    *ELECTIVE,
    "nonelective_admissions",
)


def recording(pack: Pack) -> Finding:
    """What in this area's figures is recording and not care, as far as is known, and what may be."""
    inside = pack.geography.leaves(pack.area.code)
    known = [
        {
            "area": found.area.name,
            "measure": _readable(found.measure),
            "months": _months(found.months),
            "what": found.note,
        }
        for found in breaks.known(pack, RECORDED, pack.area.code)
    ]
    totals, possible = _total_differences(pack, set(inside)), _possible_breaks(pack, inside)
    states = (("known", known), ("published so", totals), ("possible", possible))
    rows = [row | {"state": state} for state, found in states for row in found]
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
        f"{plural(len(totals), 'area')} whose published elective total is not the sum of its parts in some months"
        if totals
        else "",
    ]
    statement = f"{pack.area.name}'s monthly figures hold {listed(part for part in parts if part)}."
    whole = figures.activity(pack)
    own = whole[whole["area_code"] == pack.area.code].assign(value=lambda f: f["gp_referrals_made"])
    return CHAPTER.finding(
        pack,
        "recording",
        title="Recording, not care",
        statement=statement,
        measured=plain_measure("Recording differences", "differences", 0),
        value=float(len(rows)),
        period=f"{own['month'].min():%B %Y} to {own['month'].max():%B %Y}",
        sources=[MAR],
        methods=["recording-breaks"],
        caveats=[
            "A possible break is a step or a single month far beyond the usual: a lead to look at, not proof.",
            *gap_caveats(own),
        ],
        table=Table("Recording differences", frame, columns) if rows else None,
        members=_break_members(pack, frame),
    )


def _readable(name: str) -> str:
    return name.replace("_", " ").replace("gp ", "GP ").replace("nonelective", "non-elective").replace(" made", "")


def _months(found: pd.DatetimeIndex) -> str:
    return f"{found[0]:%B %Y}" if len(found) == 1 else f"{found[0]:%B %Y} to {found[-1]:%B %Y}"


def _total_differences(pack: Pack, inside: set[str]) -> list[dict[str, str]]:
    """Months where the published elective total is not ordinary plus day case."""
    leaves = figures.every_leaf(pack)
    leaves = leaves[leaves["area_code"].isin(list(inside))]
    gap = leaves["elective_total_admissions"] - leaves[list(ELECTIVE)].sum(axis=1, skipna=False)
    rows = []
    for code, group in leaves.assign(gap=gap)[gap.fillna(0) != 0].groupby("area_code"):
        months = ", ".join(group["month"].dt.strftime("%b %Y"))
        low, high = number(group["gap"].min()), number(group["gap"].max())
        span = low if low == high else f"{low} to {high}"
        rows.append(
            {
                "area": pack.geography.area(str(code)).name,
                "measure": "elective total",
                "months": months,
                "what": f"The published total differs from ordinary plus day case by {span}; the parts are used.",
            }
        )
    return rows


def _possible_breaks(pack: Pack, inside: tuple[str, ...]) -> list[dict[str, str]]:
    rows = []
    for name in RECORDED:
        counted = Counted((name,), _readable(name), "", "calendar day" if "nonelective" in name else "working day")
        for code in inside:
            for jump in breaks.unexplained(pack, counted, code):
                kind = "The level steps" if jump.is_step else "One month is off"
                rows.append(
                    {
                        "area": pack.geography.area(code).name,
                        "measure": _readable(name),
                        "months": f"{jump.month:%B %Y}",
                        "what": f"{kind} by {jump.change}.",
                    }
                )
    return rows


def _break_members(pack: Pack, frame: pd.DataFrame) -> Table | None:
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
