"""The 2006 London commissioning paper's own figures, for the chapter on population and need, beside the tables'.

The paper is what the handbook's readers agreed on; where its figures can be checked, here is how they stand.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters.area_estimates import plain_measure
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, Value
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import number
from cbs_analysis.pack import Pack
from cbs_analysis.pack.measures import people_by_age
from cbs_analysis.stats import rates

CHAPTER = Chapter("population_and_need", "strategic planning")
PAPER_YEAR = 2006
YOUNG_ADULTS = (20, 34)


def paper_2006(pack: Pack) -> Finding | Note:
    """The 2006 commissioning paper's own figures, beside what the tables give."""
    claims = pack.read("commissioning_paper_2006")
    here = claims[claims["area_name"].isin([pack.area.name])] if not pack.area.is_whole else claims
    if here.empty:
        return Note(f"The 2006 paper prints no figure for {pack.area.name} itself.")
    given = _what_tables_give(pack)
    frame = here.assign(
        tables=[given.get((row.measure, row.area_name), np.nan) for row in here.itertuples()],
    ).reset_index(drop=True)
    frame["note"] = np.where(frame["tables"].isna(), "not in the handbook's tables", "")
    columns = {
        "paragraph": Column("Paragraph"),
        "measure": Column("Measure"),
        "area_name": Column("Area"),
        "value": Column("As printed", decimals=1),
        "unit": Column("Unit"),
        "tables": Column("From the tables, mid-2006", decimals=1),
        "note": Column("Note"),
    }
    found = int(frame["tables"].notna().sum())
    return CHAPTER.finding(
        pack,
        "paper_2006",
        title="The 2006 paper's own figures",
        statement=f"The London commissioning paper of 2006 argues from {len(claims)} figures, "
        f"{'' if pack.area.is_whole else f'{len(frame)} of them about {pack.area.name}, '}"
        f"of which the tables here can check {found or 'none'}{_checked(frame)}.",
        value=Value(plain_measure("Figures that the tables can check", "figures", 0), float(found)),
        basis=Basis(
            period="2006",
            sources=["commissioning_paper_2006", "population_by_age"],
            methods=["aggregation"],
            caveats=[
                "The tables are the estimates for mid-2006 as since revised.",
                "The paper's periods and definitions are not always stated; a difference need not be an error.",
            ],
        ),
        exhibits=Exhibits(table=Table("The 2006 paper's figures", frame, columns)),
    )


def _checked(frame: pd.DataFrame) -> str:
    """The figures that can be checked, as printed and as the tables give them."""
    rows = frame[frame["tables"].notna()]
    said = [
        f"{row.measure}{'' if row.area_name in row.measure else f' in {row.area_name}'}, {number(row.value, 1)} "
        f"{row.unit} as printed and {number(row.tables, 1)} in the tables"
        for row in rows.itertuples()
    ]
    return f": {'; '.join(said)}" if said else ""


def _what_tables_give(pack: Pack) -> dict[tuple[str, str], float]:
    total, young = people_by_age(pack, PAPER_YEAR), people_by_age(pack, PAPER_YEAR, *YOUNG_ADULTS)
    whole, nation = pack.geography.whole, pack.geography.nation
    given = {("London resident population", whole.name): total[whole.code] / 1e6}
    for area in (whole, *([nation] if nation else [])):
        given["people aged 20 to 34", area.name] = rates.ratio(young[area.code], total[area.code], per=100)
    return given
