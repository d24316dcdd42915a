"""One series for an area: its rate beside others, and its weeks, months or quarters within process limits.

Planned care and emergency care show their series this way; what differs is the series, which days count, and what to
know of it: `params/series.yml`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cbs_analysis.chapters import recording_changes
from cbs_analysis.chapters.area_estimates import AreaEstimates, area_estimates, as_rate, names, sentence, stated
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, value_of
from cbs_analysis.evidence.charts import control as control_chart
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import number, plural, sentence_case, signed
from cbs_analysis.pack import Pack
from cbs_analysis.pack.measures import POPULATION, leaf_counts, people_by_age
from cbs_analysis.pack.series import Series, of_area, series, series_totals
from cbs_analysis.periods import Period
from cbs_analysis.stats import rates, spc


def year_rate(pack: Pack, chosen: Series) -> AreaEstimates:
    """The series over residents in the edition's activity period, for every area."""
    period = pack.period("activity")
    totals = series_totals(pack, chosen, period)
    people = residents(pack)
    flagged = recording_changes.broken_in(pack, [chosen], period)
    counts = leaf_counts(pack, totals, people)
    return area_estimates(pack, counts, pack.indicators[chosen.definition.rate or ""], as_rate, flagged)


def residents(pack: Pack) -> pd.Series:
    """Residents of every area at the edition's population period; none where the home has no population table."""
    if not pack.has(POPULATION):
        return pd.Series(dtype=float)
    return people_by_age(pack, pack.period("population").year)


def steps(pack: Pack, chosen: Series, code: str) -> pd.DataFrame:
    """An area's steps of time: month (its start), count, days, value (a day), process limits, special_cause and a note.

    Limits start again where recording changes for long; steps of a short break are shown but make no limits.
    """
    result = recording_changes.screened(pack, chosen, code)
    frame = of_area(pack, chosen, code).rename("count").rename_axis("month").reset_index()
    frame["days"] = chosen.days(pd.DatetimeIndex(frame["month"]))
    frame["value"] = rates.ratio(frame["count"], frame["days"])
    frame["note"] = np.where(frame["count"].isna(), "missing", "")
    frame.loc[result.broken.to_numpy(), "note"] = "recording break"
    usable = rates.ratio(result.values.to_numpy(), frame["days"].to_numpy())
    limits = spc.xmr(usable, rebase_at=result.starts)
    for column in ("mean", "lower_process_limit", "upper_process_limit", "special_cause"):
        frame[column] = limits[column].to_numpy()
    return frame


def steps_table(frame: pd.DataFrame, chosen: Series, decimals: int = 1) -> Table:
    """The steps of `steps`, as evidence."""
    step = chosen.frequency.name
    shown = frame.assign(month=[chosen.frequency.label(start) for start in frame["month"]])
    shown["signal"] = shown["special_cause"].where(_special(shown), "")
    columns = {
        "month": Column(step.capitalize()),
        "count": Column("Count", decimals=0),
        "days": Column(f"{chosen.day.capitalize()}s", decimals=0),
        "value": Column(f"A {chosen.day}", decimals=decimals),
        "mean": Column("Mean", decimals=decimals),
        "lower_process_limit": Column("Lower process limit", decimals=decimals),
        "upper_process_limit": Column("Upper process limit", decimals=decimals),
        "signal": Column("Signal"),
    }
    if shown["note"].str.len().any():
        columns["note"] = Column("Note")
    return Table(f"{sentence_case(chosen.noun)} by {step}, {_span(frame, chosen)}", shown, columns)


def series_finding(pack: Pack, chapter: Chapter, name: str, caveats: Sequence[str] = ()) -> Finding:
    """A series: the year's rate with its comparators, and each step of time a day within process limits."""
    chosen, period = series(pack, name), pack.period("activity")
    estimates = year_rate(pack, chosen)
    frame = steps(pack, chosen, pack.area.code)
    return chapter.finding(
        pack,
        name,
        title=chosen.name,
        statement=f"{_rate_sentence(pack, estimates, chosen)} {_pace(pack, frame, chosen)}",
        value=value_of(pack, estimates),
        basis=Basis(
            period=period.label,
            sources=_sources(estimates, chosen),
            methods=["process-charts", f"{chosen.day.replace(' ', '-')}s"],
            caveats=[
                *chosen.definition.caveats,
                *caveats,
                *recording_changes.caveats(pack, chosen),
                *recording_changes.comparators_that_step(pack, chosen, period.steps(chosen.frequency)),
                *gap_caveats(frame, chosen),
                *_limit_caveats(frame, chosen),
            ],
            flag_reason=flag_reason(pack, estimates),
            caution=recording_changes.caution(pack, chosen),
        ),
        exhibits=Exhibits(table=steps_table(frame, chosen), chart=_chart(pack, frame, chosen, _point(frame, chosen))),
    )


def gap_caveats(frame: pd.DataFrame, chosen: Series) -> list[str]:
    """Says which steps of time are missing."""
    gaps = [chosen.frequency.label(start) for start in frame.loc[frame["value"].isna(), "month"]]
    if not gaps:
        return []
    shown = ", ".join(gaps[:6]) + (f" and {len(gaps) - 6} more" if len(gaps) > 6 else "")
    return [f"Missing, shown as a gap and not filled in: {shown}."]


def _rate_sentence(pack: Pack, estimates: AreaEstimates, chosen: Series) -> str:
    own, area, period = estimates.own(pack), pack.area.name, pack.period("activity")
    noun = chosen.noun
    if np.isnan(own.value):
        why = "the year is not complete" if np.isnan(own.numerator) else "there is no population for it here"
        total = "" if np.isnan(own.numerator) else f" {number(own.numerator)} {noun} were counted."
        return f"{area} has no rate of {noun} per 1,000 people for {period}: {why}.{total}"
    compared = sentence(pack, estimates)
    return f"{area} had {stated(pack, estimates)} {noun} in {period}{', ' + compared if compared else ''}.".replace(
        " per 1,000 (", f" {noun} per 1,000 people (", 1
    ).replace(f") {noun} in", ") in", 1)


def _pace(pack: Pack, frame: pd.DataFrame, chosen: Series) -> str:
    period = pack.period("activity")
    year, before = (each.steps(chosen.frequency) for each in (period, period.earlier()))
    now, then = (_per_day(frame[frame["month"].isin(span)], len(span)) for span in (year, before))
    if np.isnan(now):
        return f"{chosen.frequency.name.capitalize()}s are missing, so there is no figure a day for the year."
    decimals = 0 if now >= 20 else 1
    change = "" if np.isnan(then) else f", {signed(rates.relative_change(now, then), 1)}% on the year before"
    if why := recording_changes.level_changes(pack, chosen, pack.area.code, before.append(year)):
        change = f"; {why}, so the year before is no measure of it"
    in_year = frame[frame["month"].isin(year)]
    return f"That is {number(now, decimals)} a {chosen.day}{change}. {_signalled(in_year, chosen)}"


def _signalled(year: pd.DataFrame, chosen: Series) -> str:
    """How many of a year's steps of time stand out, of those that can be judged."""
    step = chosen.frequency.name
    signals, judged = _signals(year), int((year["special_cause"] != spc.NOT_ASSESSED).sum())
    if judged == 0:
        return f"Too few {step}s were recorded alike to say which stand out."
    of = f"the {len(year)}" if judged == len(year) else f"the {judged} that can be judged"
    count = f"{plural(signals, step)} of {of}" if signals else f"No {step} of {of}"
    return f"{count} {'signal' if signals > 1 else 'signals'} a change beyond the usual {step}-to-{step} variation."


def _per_day(frame: pd.DataFrame, expected: int) -> float:
    if len(frame) < max(expected, 1) or frame["count"].isna().any():
        return np.nan
    return float(rates.ratio(frame["count"].sum(), frame["days"].sum()))


def _signals(frame: pd.DataFrame) -> int:
    return int(_special(frame).sum())


def _special(frame: pd.DataFrame) -> pd.Series:
    return ~frame["special_cause"].isin([spc.COMMON, spc.NOT_ASSESSED])


def _point(frame: pd.DataFrame, chosen: Series) -> str:
    noun, step = sentence_case(chosen.noun), chosen.frequency.name
    last = frame.tail(max(chosen.frequency.per_year, 1))
    if (last["special_cause"] == spc.NOT_ASSESSED).any():
        return f"{noun} a {chosen.day}, by {step}"
    return f"{noun} a {chosen.day}: {_signals(last) or 'none'} of the last {len(last)} {step}s unusual"


def _chart(pack: Pack, frame: pd.DataFrame, chosen: Series, point: str) -> Chart | None:
    if frame["value"].isna().all():
        return None
    frequency, span = chosen.frequency, _span(frame, chosen)
    drawn = control_chart(
        frame.assign(special_cause=_special(frame)),
        title=point,
        subtitle=f"{pack.area.name}, {span}",
        value_title=f"A {chosen.day}",
        breaks=[
            (change.starts[0], "recording break") for change in recording_changes.material(pack, chosen, pack.area.code)
        ],
        frequency=frequency.name,
    )
    low, high = frame.loc[frame["value"].idxmin()], frame.loc[frame["value"].idxmax()]
    description = (
        f"Control chart of {chosen.noun} a {chosen.day} in {pack.area.name}, {span}. "
        f"Lowest {number(low.value, 1)} in {frequency.label(low.month)}, highest {number(high.value, 1)} in "
        f"{frequency.label(high.month)}. "
        f"{plural(_signals(frame), frequency.name)} of {len(frame)} outside the usual variation."
    )
    return Chart(drawn, description)


def _span(frame: pd.DataFrame, chosen: Series) -> str:
    return chosen.frequency.span(pd.DatetimeIndex(frame["month"]))


def _limit_caveats(frame: pd.DataFrame, chosen: Series) -> list[str]:
    short = frame["mean"].isna() & frame["value"].notna() & (frame["note"] == "")
    long_break = frame["mean"].isna() & (frame["note"] == "recording break")
    if not (short.any() or long_break.sum() > recording_changes.SHORT_BREAK_STEPS):
        return []
    return [f"Where fewer than 12 {chosen.frequency.name}s were recorded alike, no process limits are drawn."]


def flag_reason(pack: Pack, estimates: AreaEstimates) -> str:
    """Why a period touched by a known recording change is flagged; empty where it is not."""
    if not bool(estimates.own(pack).flagged):
        return ""
    period: Period = pack.period("activity")
    if pack.area.is_leaf:
        return f"Recording changed within {period}, so the year is not compared, ranked or used as a comparator."
    out = estimates.without[pack.area.code]
    return f"Recording changed within {period} in {names(pack, out)}, which is in this total, so it is not compared."


def _sources(estimates: AreaEstimates, chosen: Series) -> list[str]:
    known = estimates.table["denominator"].notna().any()
    return [chosen.table, *([POPULATION] if known else [])]
