"""How an area stands against its comparators: better, similar or worse, and in which direction.

The rule is the one England's public health profiles use: the area's 95% interval is held against the comparator's
value. Without an interval, an estimate is not compared; a complete count is compared as it is.
"""

import math
from dataclasses import dataclass, replace

import pandas as pd

from cbs_analysis.edition import Measure
from cbs_analysis.geography import SIMILAR, Area

NOT_COMPARED = "not compared"
QUARTILES = (0.25, 0.5, 0.75)
ESTIMATE_COLUMNS = ("value", "lower", "upper", "numerator", "denominator", "flagged")


@dataclass(frozen=True)
class Comparison:
    """One comparator's value, and how the area stands to it.

    `comparator_members` are the codes of those it is made of where it is no area of the geography but made for this
    one, most alike first.
    """

    comparator: str
    comparator_code: str
    value: float | None
    lower: float | None
    upper: float | None
    status: str
    direction: str
    comparator_members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Range:
    """Where an indicator's values lie among the areas compared: how many have one that is believed, their ends and
    quartiles.
    """

    count: int
    lowest: float
    lower_quartile: float
    median: float
    upper_quartile: float
    highest: float


def value_range(values: pd.Series) -> Range | None:
    """The range of the values that are there (quartiles by linear interpolation); None where there is none."""
    known = values.dropna()
    if known.empty:
        return None
    lower, middle, upper = (float(known.quantile(share)) for share in QUARTILES)
    return Range(len(known), float(known.min()), lower, middle, upper, float(known.max()))


def estimates(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per area, indexed by `area_code`, with value, lower, upper, numerator, denominator and flagged.

    Columns that are absent are added empty (`flagged` false). This is what every indicator is made of.
    """
    frame = frame.set_index("area_code") if "area_code" in frame else frame.copy()
    for column in ESTIMATE_COLUMNS:
        if column not in frame:
            frame[column] = False if column == "flagged" else math.nan
    return frame


def direction(value: float, lower: float, upper: float, other: float, measured: Measure) -> str:
    """'higher', 'lower' or 'similar' to `other`; empty where that cannot be said."""
    if math.isnan(value) or math.isnan(other):
        return ""
    if math.isnan(lower) or math.isnan(upper):
        if measured.interval != "complete count":
            return ""
        lower = upper = value
    return "higher" if lower > other else "lower" if upper < other else "similar"


def status(found: str, measured: Measure) -> str:
    """The direction judged by the measure's polarity."""
    if not found or measured.polarity == "none":
        return NOT_COMPARED
    if found == "similar":
        return "similar"
    return "better" if (found == "higher") == (measured.polarity == "high is good") else "worse"


def comparison(area: Area, other: Area, table: pd.DataFrame, measured: Measure, is_group: bool = False) -> Comparison:
    """`area` compared with `other`, which may be a group made for it. A flagged value on either side is not compared,
    and a flagged one not shown.
    """
    own = table.loc[area.code]
    if other.code not in table.index or bool(table.loc[other.code, "flagged"]):
        return beside(other, None, is_group=is_group)
    held = table.loc[other.code]
    found = "" if own.flagged else direction(own.value, own.lower, own.upper, held.value, measured)
    shown = beside(other, held.value, held.lower, held.upper, is_group)
    return replace(shown, status=status(found, measured), direction=found)


def beside(
    other: Area,
    value: float | None,
    lower: float | None = None,
    upper: float | None = None,
    is_group: bool = False,
) -> Comparison:
    """A comparator's value, shown and not compared."""
    members = other.members if is_group else ()
    limits = optional(lower), optional(upper)
    code = SIMILAR if is_group else other.code
    return Comparison(other.name, code, optional(value), *limits, NOT_COMPARED, "", members)


def optional(value: float | None) -> float | None:
    """A float, or None where it is missing or not finite."""
    return None if value is None or not math.isfinite(value) else float(value)
