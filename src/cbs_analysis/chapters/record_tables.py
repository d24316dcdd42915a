"""What the chapters made from hospital records share: rows of the year, names, standings with counts safe to show.

Records are of London's PCTs and the trusts that treated their people; there is none of England, so an area is held
against its sector, the areas like it and London.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cbs_analysis.chapters import figures
from cbs_analysis.chapters.building import Standing, compared
from cbs_analysis.edition import Measure
from cbs_analysis.evidence import disclosure
from cbs_analysis.evidence.comparing import Comparison, estimates
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates

OWN_SHARE = 0.05
"""A trust counts as one of an area's own where it gives at least so much of the area's spells."""
OUTSIDE = "OUT"


def year_rows(pack: Pack, table: str, *, year: str | None = None) -> pd.DataFrame:
    """The rows of a prepared table that are of the edition's activity year, or of another."""
    frame = pack.read(table)
    return frame[frame["financial_year"] == (year or pack.edition.activity_year)]


def of_area(pack: Pack, frame: pd.DataFrame, code: str | None = None) -> pd.DataFrame:
    """The rows that a PCT of the area pays for."""
    return frame[frame["commissioner_code"].isin(pack.geography.leaves(code or pack.area.code))]


def of_whole(pack: Pack, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that any PCT of the geography pays for."""
    return of_area(pack, frame, pack.geography.whole.code)


def provider_names(pack: Pack) -> pd.Series:
    """What trusts are called in tables and charts, by code."""
    return pack.common.once("provider names", lambda: pack.read("providers").set_index("provider_code")["short_name"])


def named(pack: Pack, codes: Iterable[str]) -> list[str]:
    """The names of providers by their codes; a code of none is said to be unknown."""
    names = provider_names(pack)
    return [names.get(code, f"{code} (unknown code)") for code in codes]


def specialty_names(pack: Pack) -> pd.Series:
    """Names of treatment functions, by code."""
    return pack.common.once(
        "specialty names",
        lambda: pack.read("treatment_functions").set_index("treatment_function_code")["treatment_function_name"],
    )


def spells_by_provider(pack: Pack, code: str | None = None) -> pd.Series:
    """Spells that the area pays for in the year, by provider_code, most first."""
    rows = of_area(pack, year_rows(pack, "spell_flows"), code)
    counts = rows.groupby("provider_code")["spells"].sum()
    return counts.sort_values(ascending=False, kind="stable")


def own_providers(pack: Pack) -> list[str]:
    """The trusts that give at least a twentieth of the area's spells, most first; of the whole all that are in it."""
    spells = spells_by_provider(pack)
    if pack.area.is_whole:
        return [code for code in spells.index if code != OUTSIDE]
    share = rates.ratio(spells, spells.sum())
    return [str(code) for code in spells.index[np.asarray(share) >= OWN_SHARE] if code != OUTSIDE]


def standing(
    pack: Pack, numerator: pd.Series, denominator: pd.Series, measured: Measure, method: figures.Method
) -> Standing:
    """A measure of every area from counts of its leaves, indexed by code, made safe to show."""
    codes = [area.code for area in pack.peers]
    counts = pd.DataFrame({"numerator": numerator.reindex(codes), "denominator": denominator.reindex(codes)})
    found = figures.standing(pack, counts.rename_axis("area_code").reset_index(), measured, method)
    return safe(found)


def from_table(pack: Pack, measured: Measure, table: pd.DataFrame) -> Standing:
    """A measure of every area that is worked out already: value, lower, upper, numerator, denominator, by code."""
    return safe(Standing(measured, estimates(table), estimates(table), {}))


def safe(found: Standing) -> Standing:
    """The standing with counts rounded, and without values that rest on fewer than eight events."""
    table = disclosure.safe_estimates(found.table)
    held = table if found.held is found.table else disclosure.safe_estimates(found.held)
    return Standing(found.measured, table, held, found.without)


def comparisons(pack: Pack, found: Standing) -> list[Comparison]:
    """The area against those of its comparators that records say anything about."""
    return [item for item in compared(pack, found) if item.value is not None]


def sum_by_leaf(frame: pd.DataFrame, column: str) -> pd.Series:
    """A column added up by PCT, indexed by area code."""
    return frame.groupby("commissioner_code")[column].sum()
