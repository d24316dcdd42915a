"""Outlook: what each kind of activity may be next year if days, season and level carry on, and how far to trust that.

For strategic planning. From the Monthly Activity Return; season, growth and the kind of day come from all the
geography's areas, the level is the area's own. The method is tested on the last year already known and the result shown
to the reader.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import breaks, figures
from cbs_analysis.chapters.building import Chapter, beside_title, plain_measure
from cbs_analysis.chapters.projections import MAR, NOUNS, backtested, borrowed, counted, year_ahead
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.comparing import Comparison, optional
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import interval, listed, number, plural, sentence_case, signed
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates
from cbs_analysis.stats.forecasting import Backtest

CHAPTER = Chapter("outlook", "strategic planning")
TOTALS = (
    "A year's total is harder to bracket than a month: how often totals fell outside their limits a year ago is shown "
    "below, under how far to trust this."
)
TUNED = (
    "The method's settings, and the kind of day, were chosen with this same year of England's PCTs in view, so expect "
    "somewhat larger errors."
)
CARRY_ON = (
    "A forecast of what happens if things carry on: days, season and level are known to it, plans and policy are not."
)


def elective_ordinary(pack: Pack) -> Finding:
    """Ordinary elective admissions for the year ahead."""
    return _outlook(pack, "elective_ordinary_admissions")


def elective_daycase(pack: Pack) -> Finding:
    """Day case admissions for the year ahead."""
    return _outlook(pack, "elective_daycase_admissions")


def nonelective(pack: Pack) -> Finding:
    """Non-elective admissions for the year ahead."""
    return _outlook(pack, "nonelective_admissions")


def gp_referrals(pack: Pack) -> Finding:
    """GP referrals for the year ahead."""
    return _outlook(pack, "gp_referrals_made")


def other_referrals(pack: Pack) -> Finding:
    """Other referrals for the year ahead."""
    return _outlook(pack, "other_referrals_made")


def first_outpatients(pack: Pack) -> Finding:
    """First outpatient attendances for the year ahead."""
    return _outlook(pack, "first_outpatient_attendances")


def _day_chosen(pack: Pack, measure: str) -> str:
    """Which kind of day, and how much better it was than the other a year ago."""
    found = borrowed(pack, measure, pack.area.code)
    errors, chosen = found.days.errors, found.days.chosen
    if np.isnan(errors[chosen]):
        return f"Forecast per {chosen}; there is no year to test that on."
    others = listed(f"{number(error, 2)} per {name}" for name, error in errors.items() if name != chosen)
    return (
        f"Forecast per {chosen}: over {plural(found.areas, 'area')} the error of a year ago (MASE) was "
        f"{number(errors[chosen], 2)} so, and {others}."
    )


def _outlook(pack: Pack, measure: str) -> Finding:
    noun, measured = NOUNS[measure], pack.indicators[f"forecast_{measure}"]
    found = year_ahead(pack, pack.area.code, measure)
    series = figures.area_months(pack, pack.area.code, measure)
    total, outturn = found.total, _outturn(pack, pack.area.code, measure)
    frame = found.frame.assign(month=pd.PeriodIndex(found.frame["month"]).to_timestamp())
    ahead = _ahead(frame)
    if found.reason:
        statement = f"No forecast of {pack.area.name}'s {noun} for {ahead}: {found.reason}."
    else:
        statement = (
            f"{pack.area.name} can expect {number(total['value'])} {noun} in {ahead} "
            f"({interval(total['lower_95'], total['upper_95'], 0)}){_change(pack, measure, total['value'], outturn)}."
        )
    caveats = [
        CARRY_ON,
        TOTALS,
        _day_chosen(pack, measure),
        *(f"{sentence_case(warning)}." for warning in found.warnings),
        *breaks.caveats(pack, [measure]),
    ]
    return CHAPTER.finding(
        pack,
        measured.id.removeprefix("forecast_"),
        title=sentence_case(noun),
        statement=statement,
        measured=measured,
        caution=breaks.caution(pack, counted(pack, measure, pack.area.code)),
        value=total["value"],
        lower=total["lower_95"],
        upper=total["upper_95"],
        comparisons=[_comparator(pack, area, measure) for area in pack.above],
        period=ahead,
        sources=[MAR],
        methods=["borrowed-seasons"],
        caveats=caveats,
        table=_months_ahead(frame, noun, ahead),
        members=_members(pack, measure),
        chart=None if found.reason else _fan(pack, series, frame, noun, statement),
    )


def _outturn(pack: Pack, code: str, measure: str) -> float:
    return float(figures.year_totals(pack, pack.edition.activity_year, [measure])[measure].get(code, np.nan))


def _change(pack: Pack, measure: str, value: float, outturn: float) -> str:
    """The change on the last year; not where recording changed within it."""
    last = pack.edition.activity_year
    if np.isnan(value) or np.isnan(outturn):
        return ""
    if why := breaks.level_changes(
        pack, counted(pack, measure, pack.area.code), pack.area.code, figures.year_months(last)
    ):
        return f"; {why} within {last}, so its {number(outturn)} is no measure of it"
    return f", {signed(rates.relative_change(value, outturn), 1)}% on the {number(outturn)} of {last}"


def _comparator(pack: Pack, area: Area, measure: str) -> Comparison:
    total = year_ahead(pack, area.code, measure).total
    return Comparison(
        area.name,
        area.code,
        optional(total["value"]),
        optional(total["lower_95"]),
        optional(total["upper_95"]),
        "not compared",
        "",
    )


def _months_ahead(frame: pd.DataFrame, noun: str, ahead: str) -> Table:
    shown = frame.assign(month=frame["month"].dt.strftime("%B %Y"))
    columns = {
        "month": Column("Month"),
        "value": Column("Forecast", decimals=0),
        "lower_80": Column("80% lower", decimals=0),
        "upper_80": Column("80% upper", decimals=0),
        "lower_95": Column("95% lower", decimals=0),
        "upper_95": Column("95% upper", decimals=0),
    }
    return Table(f"Forecast of {noun} by month, {ahead}", shown, columns)


def _members(pack: Pack, measure: str) -> Table | None:
    """The year ahead of the areas beside the pack's own, with the change on the last year."""
    if pack.area.is_leaf:
        return None
    rows, year = [], figures.year_months(pack.edition.activity_year)
    for area in pack.beside:
        total, outturn = year_ahead(pack, area.code, measure).total, _outturn(pack, area.code, measure)
        why = breaks.level_changes(pack, counted(pack, measure, area.code), area.code, year)
        rows.append(
            {
                "area": area.name,
                "outturn": outturn,
                "value": total["value"],
                "lower": total["lower_95"],
                "upper": total["upper_95"],
                "change": np.nan if why else rates.relative_change(total["value"], outturn),
                "note": f"{why} within {pack.edition.activity_year}" if why else "",
            }
        )
    columns = {
        "area": Column("Area"),
        "outturn": Column(pack.edition.activity_year, decimals=0),
        "value": Column("Forecast", decimals=0),
        "lower": Column("95% lower limit", decimals=0),
        "upper": Column("95% upper limit", decimals=0),
        "change": Column("Change", "%", 1),
        "note": Column("Note"),
    }
    return Table(beside_title(pack), pd.DataFrame(rows), columns, emphasis=pack.area.name)


def _fan(pack: Pack, series: pd.Series, frame: pd.DataFrame, noun: str, statement: str) -> Chart:
    drawn = charts.fan(
        series.rename("value").reset_index(),
        frame,
        title=f"{sentence_case(noun)} by month, and what may come",
        subtitle=f"{pack.area.name}, with 80% and 95% intervals",
        value_title="A month",
        description=statement,
    )
    return Chart(drawn, f"Fan chart of monthly {noun}. {statement}")


def _ahead(frame: pd.DataFrame) -> str:
    """The months of a forecast in words: a financial year where they are one."""
    first, last = frame["month"].iloc[0], frame["month"].iloc[-1]
    if first.month == 4 and len(frame) == 12:
        return f"{first.year}/{(first.year + 1) % 100:02d}"
    return f"{first:%B %Y} to {last:%B %Y}"


def backtest(pack: Pack) -> Finding:
    """How the method would have done a year ago, for each measure, against the seasonal naive forecast."""
    rows = []
    for measure, noun in NOUNS.items():
        found = backtested(pack, pack.area.code, measure)
        total = found.total
        rows.append(
            {
                "measure": sentence_case(noun),
                "day": borrowed(pack, measure, pack.area.code).days.chosen,
                "actual": total.get("actual", np.nan),
                "forecast": total.get("value", np.nan),
                "mae": found.mae,
                "naive_mae": found.naive_mae,
                "mase": found.mase,
                "naive_mase": found.naive_mase,
                "total": _total_inside(found),
                "coverage_80": 100 * found.coverage_80,
                "coverage_95": 100 * found.coverage_95,
                "note": found.reason or "",
            }
        )
    frame = pd.DataFrame(rows)
    tested = frame.dropna(subset=["mase", "naive_mase"])
    mean, naive, inside = tested["mase"].mean(), tested["naive_mase"].mean(), tested["coverage_95"].mean()
    known = tested["total"] != ""
    totals = f" and {(tested['total'] == 'yes').sum()} of {known.sum()} totals" if known.any() else ""
    outside = tested.loc[tested["total"] == "no", "measure"].str.lower().str.replace("gp ", "GP ")
    missed = f"; the total of {listed(outside)} fell outside" if len(outside) else ""
    year = pack.edition.activity_year
    columns = {
        "measure": Column("Measure"),
        "day": Column("Forecast per"),
        "actual": Column(f"{year} as it was", decimals=0),
        "forecast": Column("As forecast", decimals=0),
        "mae": Column("Mean error a month", decimals=0),
        "naive_mae": Column("Naive mean error", decimals=0),
        "mase": Column("MASE", decimals=2),
        "naive_mase": Column("Naive MASE", decimals=2),
        "coverage_80": Column("Months within 80%", "%", 0),
        "coverage_95": Column("Months within 95%", "%", 0),
        "total": Column("Total within 95%"),
    }
    if frame["note"].str.len().any():
        columns["note"] = Column("Note")
    statement = (
        f"Fitted to the two years before, the method's error in {year} over {plural(len(tested), 'measure')} of "
        f"{pack.area.name} was "
        f"{number(abs(rates.relative_change(mean, naive)))}% {'smaller' if mean < naive else 'larger'} than repeating "
        f"the year before; {number(inside)}% of months{totals} fell inside the 95% intervals{missed}."
        if not np.isnan(mean)
        else f"The method cannot be tested on {pack.area.name}'s figures: too many months are missing."
    )
    return CHAPTER.finding(
        pack,
        "backtest",
        title="How far to trust the forecasts",
        statement=statement,
        measured=plain_measure("Mean absolute scaled error", "MASE", 2),
        value=float(mean),
        period=year,
        sources=[MAR],
        methods=["backtest"],
        caveats=[
            "MASE is the mean error over the mean change on the year in the two years before; below the naive one is "
            "better than repeating last year's month.",
            "One year is one test: twelve months that share one winter.",
            TUNED,
        ],
        table=Table(f"Forecasts of {year} made from the years before", frame, columns),
        members=_backtest_members(pack),
    )


def _total_inside(found: Backtest) -> str:
    total = found.total
    if found.reason or np.isnan(total.get("actual", np.nan)):
        return ""
    return "yes" if total["lower_95"] <= total["actual"] <= total["upper_95"] else "no"


def _backtest_members(pack: Pack) -> Table | None:
    if pack.area.is_leaf:
        return None
    rows = []
    for area in pack.beside:
        found = [backtested(pack, area.code, measure) for measure in NOUNS]
        rows.append(
            {
                "area": area.name,
                "mase": float(np.nanmean([item.mase for item in found])),
                "naive_mase": float(np.nanmean([item.naive_mase for item in found])),
                "coverage_95": 100 * float(np.nanmean([item.coverage_95 for item in found])),
            }
        )
    columns = {
        "area": Column("Area"),
        "mase": Column("Mean MASE", decimals=2),
        "naive_mase": Column("Naive MASE", decimals=2),
        "coverage_95": Column("Months within 95%", "%", 0),
    }
    return Table(beside_title(pack), pd.DataFrame(rows), columns, emphasis=pack.area.name)


__all__ = [
    "backtest",
    "elective_daycase",
    "elective_ordinary",
    "first_outpatients",
    "gp_referrals",
    "nonelective",
    "other_referrals",
]
