"""One measure of the activity return for an area: its year's rate beside others, and its months within process limits.

Planned care and emergency care both show their measures this way; what differs is the measure and which days count.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cbs_analysis.chapters import breaks, figures
from cbs_analysis.chapters.breaks import Counted
from cbs_analysis.chapters.building import Chapter, Standing, names, sentence, stated
from cbs_analysis.evidence.charts import control as control_chart
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import number, plural, sentence_case, signed
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates, spc


def year_rate(pack: Pack, counted: Counted) -> Standing:
    """The measure over residents in the edition's activity year, for every area."""
    totals = figures.year_totals(pack, pack.edition.activity_year, counted.measures).sum(axis=1, skipna=False)
    people = figures.people_by_age(pack, pack.edition.population_year)
    flagged = breaks.broken_in(pack, counted.measures, pack.edition.activity_year)
    counts = figures.leaf_counts(pack, totals, people)
    return figures.standing(pack, counts, pack.indicators[counted.indicator], figures.as_rate, flagged)


def months(pack: Pack, counted: Counted, code: str) -> pd.DataFrame:
    """An area's months: month, count, days, value (a day), process limits, special_cause and a note on gaps and breaks.

    Limits start anew where recording changes for long; months of a short break are shown but make no limits.
    """
    found = breaks.screened(pack, counted, code)
    frame = counted.months(pack, code).rename("count").rename_axis("month").reset_index()
    frame["days"] = counted.days(pd.DatetimeIndex(frame["month"]))
    frame["value"] = rates.ratio(frame["count"], frame["days"])
    frame["note"] = np.where(frame["count"].isna(), "missing in the return", "")
    frame.loc[found.broken.to_numpy(), "note"] = "recording break"
    usable = rates.ratio(found.series.to_numpy(), frame["days"].to_numpy())
    limits = spc.xmr(usable, rebase_at=found.starts)
    for column in ("mean", "lower_process_limit", "upper_process_limit", "special_cause"):
        frame[column] = limits[column].to_numpy()
    return frame


def months_table(frame: pd.DataFrame, counted: Counted, decimals: int = 1) -> Table:
    """The months of `months`, as evidence."""
    shown = frame.assign(month=frame["month"].dt.strftime("%B %Y"))
    signal = shown["special_cause"].where(_special(shown), "")
    shown["signal"] = signal
    columns = {
        "month": Column("Month"),
        "count": Column("Count", decimals=0),
        "days": Column(f"{counted.day.capitalize()}s", decimals=0),
        "value": Column(f"A {counted.day}", decimals=decimals),
        "mean": Column("Mean", decimals=decimals),
        "lower_process_limit": Column("Lower process limit", decimals=decimals),
        "upper_process_limit": Column("Upper process limit", decimals=decimals),
        "signal": Column("Signal"),
    }
    if shown["note"].str.len().any():
        columns["note"] = Column("Note")
    return Table(f"{sentence_case(counted.noun)} by month, {_span(frame)}", shown, columns)


def measure_finding(
    pack: Pack, chapter: Chapter, name: str, counted: Counted, *, title: str, caveats: Sequence[str] = ()
) -> Finding:
    """The year's rate with its comparators, and the months a day within process limits."""
    standing = year_rate(pack, counted)
    frame = months(pack, counted, pack.area.code)
    flag = flag_reason(pack, standing)
    pace = _pace(pack, frame, counted)
    point = _point(frame, counted)
    return chapter.finding(
        pack,
        name,
        title=title,
        statement=f"{_rate_sentence(pack, standing, counted)} {pace}",
        standing=standing,
        period=pack.edition.activity_year,
        sources=_sources(standing),
        methods=["process-charts", f"{counted.day.replace(' ', '-')}s"],
        caution=breaks.caution(pack, counted),
        caveats=[
            *caveats,
            *breaks.caveats(pack, counted.measures),
            *breaks.comparators_that_step(pack, counted, figures.year_months(pack.edition.activity_year)),
            *gap_caveats(frame),
            *_limit_caveats(frame),
        ],
        flag_reason=flag,
        table=months_table(frame, counted),
        chart=_chart(pack, frame, counted, point),
    )


def gap_caveats(frame: pd.DataFrame) -> list[str]:
    """Says which months are missing."""
    gaps = frame.loc[frame["value"].isna(), "month"].dt.strftime("%B %Y").tolist()
    if not gaps:
        return []
    shown = ", ".join(gaps[:6]) + (f" and {len(gaps) - 6} more" if len(gaps) > 6 else "")
    return [f"Missing in the return, shown as a gap and not filled in: {shown}."]


def _rate_sentence(pack: Pack, standing: Standing, counted: Counted) -> str:
    own, area, year = standing.own(pack), pack.area.name, pack.edition.activity_year
    noun = counted.noun
    if np.isnan(own.value):
        why = "the year is not complete" if np.isnan(own.numerator) else "there is no population for it here"
        total = "" if np.isnan(own.numerator) else f" {number(own.numerator)} {noun} were counted."
        return f"{area} has no rate of {noun} per 1,000 people for {year}: {why}.{total}"
    said = sentence(pack, standing)
    return f"{area} had {stated(pack, standing)} {noun} in {year}{', ' + said if said else ''}.".replace(
        " per 1,000 (", f" {noun} per 1,000 people (", 1
    ).replace(f") {noun} in", ") in", 1)


def _pace(pack: Pack, frame: pd.DataFrame, counted: Counted) -> str:
    year = figures.year_months(pack.edition.activity_year)
    before = figures.year_months(figures.earlier_year(pack.edition.activity_year))
    now, then = (_per_day(frame[frame["month"].isin(span)]) for span in (year, before))
    if np.isnan(now):
        return "Months are missing, so there is no figure a day for the year."
    decimals = 0 if now >= 20 else 1
    change = "" if np.isnan(then) else f", {signed(rates.relative_change(now, then), 1)}% on the year before"
    if why := breaks.level_changes(pack, counted, pack.area.code, before.append(year)):
        change = f"; {why}, so the year before is no measure of it"
    return f"That is {number(now, decimals)} a {counted.day}{change}. {_signalled(frame[frame['month'].isin(year)])}"


def _signalled(year: pd.DataFrame) -> str:
    """How many of a year's months stand out, of those that can be judged."""
    signals, judged = _signals(year), int((year["special_cause"] != spc.NOT_ASSESSED).sum())
    if judged == 0:
        return "Too few months were recorded alike to say which stand out."
    of = f"the {len(year)}" if judged == len(year) else f"the {judged} that can be judged"
    said = f"{plural(signals, 'month')} of {of}" if signals else f"No month of {of}"
    return f"{said} {'signal' if signals > 1 else 'signals'} a change beyond the usual month-to-month variation."


def _per_day(frame: pd.DataFrame) -> float:
    if len(frame) < 12 or frame["count"].isna().any():
        return np.nan
    return float(rates.ratio(frame["count"].sum(), frame["days"].sum()))


def _signals(frame: pd.DataFrame) -> int:
    return int(_special(frame).sum())


def _special(frame: pd.DataFrame) -> pd.Series:
    return ~frame["special_cause"].isin([spc.COMMON, spc.NOT_ASSESSED])


def _point(frame: pd.DataFrame, counted: Counted) -> str:
    noun = sentence_case(counted.noun)
    last = frame.tail(12)
    if (last["special_cause"] == spc.NOT_ASSESSED).any():
        return f"{noun} a {counted.day}, by month"
    return f"{noun} a {counted.day}: {_signals(last) or 'none'} of the last 12 months unusual"


def _chart(pack: Pack, frame: pd.DataFrame, counted: Counted, point: str) -> Chart | None:
    if frame["value"].isna().all():
        return None
    subtitle = f"{pack.area.name}, {_span(frame)}"
    drawn = control_chart(
        frame.assign(special_cause=_special(frame)),
        title=point,
        subtitle=subtitle,
        value_title=f"A {counted.day}",
        breaks=[
            (found.months[0], "recording break") for found in breaks.material(pack, counted.measures, pack.area.code)
        ],
    )
    low, high = frame.loc[frame["value"].idxmin()], frame.loc[frame["value"].idxmax()]
    description = (
        f"Control chart of {counted.noun} a {counted.day} in {pack.area.name}, {_span(frame)}. "
        f"Lowest {number(low.value, 1)} in {low.month:%B %Y}, highest {number(high.value, 1)} in {high.month:%B %Y}. "
        f"{plural(_signals(frame), 'month')} of {len(frame)} outside the usual variation."
    )
    return Chart(drawn, description)


def _span(frame: pd.DataFrame) -> str:
    return f"{frame['month'].min():%B %Y} to {frame['month'].max():%B %Y}"


def _limit_caveats(frame: pd.DataFrame) -> list[str]:
    short = frame["mean"].isna() & frame["value"].notna() & (frame["note"] == "")
    long_break = frame["mean"].isna() & (frame["note"] == "recording break")
    if not (short.any() or long_break.sum() > breaks.SHORT_BREAK_MONTHS):
        return []
    return ["Where fewer than 12 months were recorded alike, no process limits are drawn."]


def flag_reason(pack: Pack, standing: Standing) -> str:
    """Why a year touched by a known recording break is flagged; empty where it is not."""
    if not bool(standing.own(pack).flagged):
        return ""
    year = pack.edition.activity_year
    if pack.area.is_leaf:
        return f"Recording changed within {year}, so the year is not compared, ranked or used as a comparator."
    out = standing.without[pack.area.code]
    return f"Recording changed within {year} in {names(pack, out)}, which is in this total, so it is not compared."


def _sources(standing: Standing) -> list[str]:
    known = standing.table["denominator"].notna().any()
    return ["monthly_activity_return", *(["population_by_age"] if known else [])]
