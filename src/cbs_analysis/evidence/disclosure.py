"""What may be shown of figures from hospital records: no count so small that it could point at a person.

A count from 1 to 7 is withheld, others are rounded to the nearest 5, and a rate or ratio on fewer than 8 events is not
shown. What a finding holds is safe already: an executed notebook keeps tables unrounded, so nothing can be withheld
later, when a page, a workbook or a download is made from it.

**Working a withheld count out.** Totals and parts are rounded each on its own. What is left when the parts that are
shown are taken from their total is known only to within 2 for each of them, and that is more than one number from 1 to
7, with rare exceptions: 10, 10 and * that make 15 can only be 8, 8 and 1. Where a column of a table comes to that, its
next smallest count is withheld as well (see `given_away`); likewise along a row whose counts add up to another.

**Rates** are worked out from true counts: from rounded ones they would be wrong where counts are small. A rate to many
decimals gives its counts back, so it is rounded to no finer than what one event more would change, and the counts
beside it are rounded. A rate on nearly all is as telling as one on very few: where what is left over is a count of its
own, that counts as events too.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cbs_analysis.evidence.tables import WITHHELD, Column, Table, plain
from cbs_analysis.evidence.wording import MISSING, number
from cbs_analysis.stats.rates import ratio
from cbs_analysis.tables.derived import FEWEST_EVENTS as FEWEST_EVENTS
from cbs_analysis.tables.derived import TABLES as MADE_FROM_RECORDS

if TYPE_CHECKING:
    from cbs_analysis.evidence.finding import Finding

ROUNDED_TO = 5
POUNDS_ROUNDED_TO = 100
NOTE = (
    f"{WITHHELD} is a count from 1 to {FEWEST_EVENTS - 1} or one that would give such a count away, or a rate on fewer "
    f"than {FEWEST_EVENTS} events. Other counts are rounded to the nearest {ROUNDED_TO}."
)
MOST_DECIMALS = 6
OF_NOBODY = frozenset({"rank", "groups"})
"""Columns of whole numbers that count no records, by name; see `checked`."""
_ESTIMATES = ["value", "lower", "upper"]
# A whole number lies at most so far from the multiple of 5 that it is rounded to.
_FARTHEST = ROUNDED_TO // 2

Events = str | tuple[str, str]
"""The column of the events that a rate rests on; or that, and the column of all that they are part of."""


class DisclosiveError(ValueError):
    """A finding from records holds a count that may not be shown: a mistake of the chapter that made it."""


def is_small(counts: "pd.Series[Any] | float") -> Any:
    """Whether counts are from 1 to 7. None and missing are not."""
    small = _is_small(np.asarray(counts, dtype=float))
    return pd.Series(small, index=counts.index) if isinstance(counts, pd.Series) else bool(small)


def _is_small(values: Any) -> Any:
    return (values > 0) & (values < FEWEST_EVENTS)


def rounded(counts: "pd.Series[Any] | float") -> Any:
    """Counts to the nearest 5, and NaN where they are from 1 to 7. 0 stays 0, missing stays missing."""
    values = np.asarray(counts, dtype=float)
    near = np.floor(values / ROUNDED_TO + 0.5) * ROUNDED_TO
    safe = np.where((values > 0) & (values < FEWEST_EVENTS), np.nan, near)
    return pd.Series(safe, index=counts.index) if isinstance(counts, pd.Series) else float(safe)


def pounds(value: float, events: float) -> float:
    """Pounds to the nearest 100; NaN where they rest on fewer than 8 events."""
    return float(np.round(value / POUNDS_ROUNDED_TO) * POUNDS_ROUNDED_TO) if events >= FEWEST_EVENTS else float("nan")


def count_in_words(count: float) -> str:
    """A count within a sentence: '12,345', 'fewer than 8', 'no'."""
    if math.isnan(count):
        return MISSING
    if count < FEWEST_EVENTS:
        return f"fewer than {FEWEST_EVENTS}" if count else "no"
    return number(rounded(count))


def given_away(counts: "pd.Series[Any]") -> bool:
    """Whether counts from 1 to 7 could be worked out from the others and the total of all, each rounded as shown."""
    small = is_small(counts)
    few, others = int(small.sum()), counts[~small & counts.gt(0)]
    total = float(counts.sum())
    if not few or is_small(total):
        return False
    left = rounded(total) - float(rounded(others).sum())
    spread = _FARTHEST * (1 + len(others))
    least, most = max(left - spread, few), min(left + spread, few * (FEWEST_EVENTS - 1))
    return bool(most - least < 1) and (few == 1 or least == few or most == few * (FEWEST_EVENTS - 1))


def withheld(counts: "pd.Series[Any]") -> "pd.Series[Any]":
    """Which counts of a column are not shown: those from 1 to 7, and the next smallest where that is not enough."""
    hidden = is_small(counts)
    if given_away(counts) and (others := counts[~hidden].dropna().astype(float)).size:
        above_none = others[others > 0]
        hidden[(above_none if above_none.size else others).idxmin()] = True
    return hidden


def share(part: "pd.Series[Any] | float", whole: "pd.Series[Any] | float", per: float = 100) -> Any:
    """A part of a whole times `per`; NaN where the part is fewer than eight, or what is left over is from 1 to 7."""
    value, events = ratio(part, whole, per), np.asarray(part, dtype=float)
    known = (events >= FEWEST_EVENTS) & ~_is_small(np.asarray(whole, dtype=float) - events)
    return value.where(known) if isinstance(value, pd.Series) else float(value if known else np.nan)


def shown_count(counts: "pd.Series[Any]") -> "pd.Series[Any]":
    """Counts as cells of a table: to the nearest 5, '*' where they are withheld, NaN where they are missing."""
    values = counts.astype(float)
    return rounded(values).astype(object).where(~withheld(values), WITHHELD)


def rounded_rate(value: float, events: float, decimals: int = MOST_DECIMALS) -> float:
    """A rate to so many decimals, and in steps of 1, 2 or 5 that are no finer than what one event more would change."""
    if not (math.isfinite(value) and events > 0) or value == 0:
        return value
    one_event = abs(value) / events
    digits = math.floor(-math.log10(one_event)) + 1
    step = next(step for step in (1, 2, 5, 10) if step * 10.0**-digits >= one_event * (1 - 1e-9))
    in_steps = round(value / step * 10.0**digits) * step
    return round(in_steps / 10.0**digits, min(decimals, digits))


def suppressed(
    frame: pd.DataFrame,
    counts: Sequence[str],
    rates: Mapping[str, Events] | None = None,
    decimals: Mapping[str, int] | None = None,
    totals: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """The frame with counts rounded, rates on too few left out, and '*' in the place of what is withheld.

    `rates` names, for each rate, the column of its events; where the rest is a count of its own, such as of records
    that are not valid, also the column of all. A rate whose events are withheld in a column of `counts` is withheld
    too, as is one whose events are not known. `decimals` says how far rates are read. `totals` names,
    for a column of `counts` that others of them add up to row by row, those others. A missing number stays missing.
    """
    safe = frame.copy().reset_index(drop=True)
    given = safe.copy()
    hidden = pd.DataFrame({name: withheld(given[name].astype(float)) for name in counts}, index=given.index)
    for total, parts in (totals or {}).items():
        for at, row in given[list(parts)].astype(float).iterrows():
            along = withheld(row)
            hidden.loc[at, list(parts)] |= along
            hidden.loc[at, total] |= given_away(row) and along.equals(is_small(row))
    for rate, rests_on in (rates or {}).items():
        if rate not in given:
            continue
        events, whole = (rests_on, "") if isinstance(rests_on, str) else rests_on
        number_of = given[events].astype(float)
        too_few = ~number_of.ge(FEWEST_EVENTS) | hidden.get(events, False)
        if whole:
            too_few |= is_small(given[whole].astype(float) - number_of)
        most = (decimals or {}).get(rate, MOST_DECIMALS)
        values = [rounded_rate(*pair, most) for pair in zip(given[rate].astype(float), number_of, strict=True)]
        safe[rate] = pd.Series(values, dtype=object).where(~too_few | given[rate].isna(), WITHHELD)
    for name in counts:
        safe[name] = rounded(given[name].astype(float)).astype(object).where(~hidden[name], WITHHELD)
    return safe


def table(
    title: str,
    frame: pd.DataFrame,
    columns: Mapping[str, Column],
    counts: Sequence[str],
    rates: Mapping[str, Events] | None = None,
    emphasis: str = "",
    totals: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """A table whose numbers are safe to show, with a note on what is withheld; see `suppressed`. The columns of events
    need not be shown. Columns of numbers that are neither counts nor rates are kept as they are.
    """
    decimals = {name: column.decimals for name, column in columns.items() if column.decimals is not None}
    safe = suppressed(frame, counts, rates, decimals, totals)
    notes = (NOTE,) if counts or rates else ()
    return Table(title, safe[list(columns)], columns, emphasis=emphasis, notes=notes)


def safe_estimates(table: pd.DataFrame, *, is_part: bool = False) -> pd.DataFrame:
    """Estimates of areas (see `comparing.estimates`) with counts rounded, and without those on fewer than 8 events.

    `is_part` says that the numerator is part of the denominator: what is left over is then a count too. Estimates
    whose events are not known, such as an index, stay as they are.
    """
    safe = table.copy()
    events = table["numerator"].astype(float)
    for name in _ESTIMATES:
        safe[name] = [rounded_rate(*pair) for pair in zip(table[name].astype(float), events, strict=True)]
    too_few = events < FEWEST_EVENTS
    if is_part:
        too_few |= is_small(table["denominator"].astype(float) - events)
    safe.loc[too_few, _ESTIMATES] = np.nan
    for name in ("numerator", "denominator"):
        safe[name] = rounded(table[name].astype(float))
    return safe


def safe_points(frame: pd.DataFrame, events: str) -> pd.DataFrame:
    """The rows that rest on eight events or more, for a chart."""
    return frame[frame[events].astype(float) >= FEWEST_EVENTS]


def checked(finding: "Finding") -> "Finding":
    """The finding as it is, or where it cites a table made from records, with the numbers of its tables rounded to the
    decimals that they are read to. Raises DisclosiveError where one of them is a count from 1 to 7.

    Counts are the numerator, the denominator, and whole numbers in columns without decimals and unit, except ranks and
    the like (`OF_NOBODY`). The check sees what was forgotten: not whether counts were rounded, whether a share rests on
    too few, or what a sentence says.
    """
    if not any(item.table in MADE_FROM_RECORDS for item in finding.source):
        return finding
    for where, value in _counts(finding):
        if isinstance(value, int | float) and float(value).is_integer() and is_small(value):
            raise DisclosiveError(
                f"{finding.id} of {finding.area_name}: {where} is {value:g}; counts of records from 1 to "
                f"{FEWEST_EVENTS - 1} may not be shown, see evidence.disclosure"
            )
    key_figures, shown, members = map(_as_read, (finding.key_figures, finding.table, finding.members))
    return replace(finding, key_figures=key_figures, table=shown, members=members)


def _as_read(shown: Table | None) -> Table | None:
    """The table with its numbers rounded to the decimals that they are read to."""
    if shown is None:
        return None
    frame = shown.frame.copy()
    for name, column in shown.columns.items():
        cells = [plain(value) for value in frame[name]]
        if column.decimals is not None and any(isinstance(value, float) for value in cells):
            read = [round(value, column.decimals) if isinstance(value, float) else value for value in cells]
            frame[name] = pd.Series(read, index=frame.index, dtype=object if WITHHELD in cells else float)
    return replace(shown, frame=frame)


def _counts(finding: "Finding") -> Iterator[tuple[str, Any]]:
    """What is, or may be, a count in a finding: where it stands, and the value."""
    yield "the numerator", finding.numerator
    yield "the denominator", finding.denominator
    for shown in filter(None, (finding.key_figures, finding.table, finding.members)):
        for name, column in shown.columns.items():
            if column.decimals == 0 and not column.unit and name not in OF_NOBODY:
                yield from ((f"{name!r} in {shown.title!r}", plain(value)) for value in shown.frame[name])
