"""What the chapters made from hospital records share: rows of the year, names in words, and figures safe to show.

Records are of the people of the geography's areas and of the providers that treated them. They hold nothing of a
nation, so an area is compared with the groups it lies in, similar areas and the whole geography.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from cbs_analysis.chapters.area_estimates import (
    AreaEstimates,
    Method,
    area_estimates,
    as_proportion,
    compared,
    leaf_levels,
    sentence,
)
from cbs_analysis.edition import Measure
from cbs_analysis.errors import UndeclaredSourceError
from cbs_analysis.evidence import disclosure
from cbs_analysis.evidence.comparing import Comparison, estimates
from cbs_analysis.evidence.wording import number
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates
from cbs_analysis.tables.descriptions import table_descriptions

FEEDS = {"apc": "spells", "op": "outpatient appointments", "ae": "A&E attendances"}
SPELLS = "apc"
OWN_SHARE = 0.05
"""A trust counts as one of an area's own where it gives at least so much of the area's spells."""
LEADS = "lead_commissioners_2006"
PRICES = "hrg_reference_costs"


def activity_year(pack: Pack) -> str:
    """The financial year that the chapters are about, such as 2010/11."""
    return pack.period("activity").label


def population_year(pack: Pack) -> int:
    """The mid-year of the residents that catchments are shared from."""
    return pack.period("population").year


def area_noun(pack: Pack, *, plural: bool = False) -> str:
    """What the geography calls its smallest areas."""
    return leaf_levels(pack, 2 if plural else 1)


def article(noun: str) -> str:
    """'a PCT', 'an integrated care board'."""
    return f"{'an' if noun[:1].lower() in 'aeio' else 'a'} {noun}"


def trusts_of(pack: Pack) -> str:
    """'Southwark's trusts'; of the whole geography 'the trusts'."""
    return "the trusts" if pack.area.is_whole else f"{pack.area.name}'s trusts"


def has_table(pack: Pack, table: str) -> bool:
    """Whether the data hold a table that the pack may read."""
    try:
        pack.must_declare(table)
    except UndeclaredSourceError:
        return False
    return table in pack.common.once("tables described", lambda: {each.table for each in table_descriptions(pack.data)})


def present(pack: Pack, tables: Sequence[str]) -> list[str]:
    """Those of the tables that the pack may read."""
    return [table for table in tables if has_table(pack, table)]


def period_of(pack: Pack, table: str) -> str:
    """The period of a table, as the data catalogue has it; empty where there is no such table."""
    return next((each.period for each in table_descriptions(pack.data) if each.table == table), "")


def price_basis(pack: Pack) -> str:
    """What prices are: 'national mean costs of 2024/25'."""
    period = period_of(pack, PRICES)
    return f"national mean costs{f' of {period}' if period else ''}"


def year_rows(pack: Pack, table: str) -> pd.DataFrame:
    """The rows of a table that are of the activity year."""
    frame = pack.read(table)
    return frame[frame["financial_year"] == activity_year(pack)]


def of_area(pack: Pack, frame: pd.DataFrame, code: str | None = None) -> pd.DataFrame:
    """The rows that the area pays for, or another by its code."""
    return frame[frame["commissioner_code"].isin(pack.geography.leaves(code or pack.area.code))]


def of_whole(pack: Pack, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that any area of the geography pays for."""
    return of_area(pack, frame, pack.geography.whole.code)


def sum_by_leaf(frame: pd.DataFrame, column: str) -> pd.Series:
    """A column added up by the area that pays, indexed by area code."""
    return frame.groupby("commissioner_code")[column].sum()


def sum_of_leaves(pack: Pack, leaves: "pd.Series | pd.DataFrame") -> "pd.Series | pd.DataFrame":
    """Counts of leaves, by code, added to every area and group of the geography; missing only where no leaf has any."""
    known, codes = leaves.reindex([area.code for area in pack.peers]), every_code(pack)
    sums = {code: known.loc[list(pack.geography.leaves(code))].sum(min_count=1) for code in codes}
    return pd.DataFrame(sums).T if isinstance(leaves, pd.DataFrame) else pd.Series(sums, dtype=float)


def every_code(pack: Pack) -> list[str]:
    """Codes of the geography's areas, and of its groups of similar areas."""
    return [*pack.geography.areas, *pack.geography.groups]


def provider_names(pack: Pack) -> pd.Series:
    """What trusts are called in tables and charts, by code."""
    return pack.common.once("provider names", lambda: pack.read("providers").set_index("provider_code")["short_name"])


def outside(pack: Pack) -> list[str]:
    """Codes that stand for all providers outside the geography, together."""
    providers = pack.read("providers")
    return list(providers.loc[providers["kind"] == "outside", "provider_code"])


def inside(pack: Pack, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the geography's own trusts: those of a known code, or of any where no codes are listed."""
    known, away = provider_names(pack).index, outside(pack)
    return frame[~frame["provider_code"].isin(away) & (frame["provider_code"].isin(known) | known.empty)]


def named(pack: Pack, codes: Iterable[str]) -> list[str]:
    """The names of providers by their codes; one that is not among those listed is said to be unknown."""
    names = provider_names(pack)
    return [names.get(code, f"{code} (unknown code)" if len(names) else code) for code in codes]


def specialty_names(pack: Pack, codes: Iterable[str]) -> pd.Series:
    """Names of specialties, by code; where none are listed each of the codes is its own name."""
    names = pack.read("treatment_functions").set_index("treatment_function_code")["treatment_function_name"]
    return names if len(names) else pd.Series({code: code for code in sorted(set(codes))}, dtype=object)


def own_providers(pack: Pack) -> list[str]:
    """The trusts that give at least a twentieth of the area's spells, most first; of the whole all that give any."""
    counts = of_area(pack, year_rows(pack, "spell_flows")).groupby("provider_code")["spells"].sum()
    counts = counts[counts > 0].sort_values(ascending=False, kind="stable")
    fewest = 0 if pack.area.is_whole else OWN_SHARE
    return [str(code) for code, share in rates.ratio(counts, counts.sum()).items() if share >= fewest
            and code not in outside(pack)]  # fmt: skip


def role(pack: Pack, code: str, own: Iterable[str]) -> str:
    """How charts show a trust: the area's own stand out, except among those of the whole geography."""
    return "area" if code in own and not pack.area.is_whole else "peer"


def estimates_of(
    pack: Pack, numerator: pd.Series, denominator: pd.Series, measured: Measure, method: Method
) -> AreaEstimates:
    """A measure of every area from counts of its leaves, indexed by code, made safe to show."""
    codes = [area.code for area in pack.peers]
    counts = pd.DataFrame({"numerator": numerator.reindex(codes), "denominator": denominator.reindex(codes)})
    result = area_estimates(pack, counts.rename_axis("area_code").reset_index(), measured, method)
    return safe(result, is_part=method is as_proportion)


def from_table(measured: Measure, table: pd.DataFrame, *, is_part: bool = False) -> AreaEstimates:
    """A measure of every area that is worked out already: value, lower, upper, numerator, denominator, by code."""
    return safe(AreaEstimates(measured, estimates(table), estimates(table), {}), is_part=is_part)


def safe(result: AreaEstimates, *, is_part: bool) -> AreaEstimates:
    """The estimates with counts rounded, and without values that rest on fewer than eight events. `is_part` says that
    numerators are part of their denominators, so that what is left over is a count as well.
    """
    table = disclosure.safe_estimates(result.table, is_part=is_part)
    unflagged = table
    if result.comparators is not result.table:
        unflagged = disclosure.safe_estimates(result.comparators, is_part=is_part)
    return AreaEstimates(result.measured, table, unflagged, result.without)


def comparisons(pack: Pack, result: AreaEstimates) -> list[Comparison]:
    """The area against those of its comparators that records say anything about."""
    return [item for item in compared(pack, result) if item.value is not None]


def statement(pack: Pack, result: AreaEstimates, opening: str, otherwise: str) -> str:
    """The opening, the year and how the area compares; or, where the area has no value that can be shown, otherwise."""
    if np.isnan(result.own(pack).value):
        return otherwise
    comparison = sentence(pack, result)
    return f"{opening} in {activity_year(pack)}{', ' + comparison if comparison else ''}."


def no_figure(pack: Pack, noun: str) -> str:
    """Why an area has no value: too few spells, readmissions or whatever the noun says; of a group, any area's gap."""
    gap = "none" if pack.area.is_leaf else f"{article(area_noun(pack))} without any"
    return f"{pack.area.name} has no figure for {activity_year(pack)}: too few {noun}, or {gap}."


def share_in_words(share: float, decimals: int) -> str:
    """A share in percent; one that would give a small rest away is 'nearly all'."""
    return "nearly all" if np.isnan(share) else f"{number(share, decimals)}%"
